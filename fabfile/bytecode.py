"""Imported first: lets Python keep what it compiles, as it does for any program.

`fab` switches that off, for the sake of folders that hold nothing but a fabfile; here it would compile the whole
program anew at each start, which costs more than all the rest of a start. -B and PYTHONDONTWRITEBYTECODE stay in force.
"""

import sys

sys.dont_write_bytecode = bool(sys.flags.dont_write_bytecode)
