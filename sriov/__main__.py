"""`python -m sriov` prints the folder that Fabric finds the tasks in: `fab -r "$(python -m sriov)" --list`."""

from . import layout

print(layout.root())
