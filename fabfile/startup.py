"""Imported first: lets Python find the library beside this folder, and keep what it compiles.

`fab` puts only fabfile/ itself on the path, which in a bare checkout leaves the library out. It also switches bytecode
off, for the sake of folders that hold nothing but a fabfile; here Python would compile the whole program at each start,
which costs more than all the rest of it. -B and PYTHONDONTWRITEBYTECODE stay in force.
"""

import sys
from pathlib import Path

sys.dont_write_bytecode = bool(sys.flags.dont_write_bytecode)
sys.path.insert(0, str(next(p for p in Path(__file__).resolve().parents if (p / "sriov" / "__init__.py").is_file())))
