"""One file per capability; see `sriov/resource.py` for the contract."""
