"""`python -m sriov` prints the folder that Fabric finds the tasks in: `fab -r "$(python -m sriov)" --list`.

`python -m sriov --version` prints the version.
"""

import sys

from . import __version__, layout

print(f"sriov-fab {__version__}" if sys.argv[1:] == ["--version"] else layout.root())
