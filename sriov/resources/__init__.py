"""One file per capability; see `sriov.resources.contract` for the words and `sriov.resources.registry` for the list."""
