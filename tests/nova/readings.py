"""Runs `templates/nova-reader.py` in nova's environment, many times: nova is loaded once, each reading is a fork.

argv: the program's text; standard input, a JSON document a line: ["nova-compute", "/path/of/nova.conf"]
standard output, a line each: the program's answer
"""

import json
import os
import sys

import nova.pci.stats as stats
import nova.scheduler.host_manager as loaded
from nova.scheduler import filters

assert loaded
assert stats
filters.all_filters()
text = sys.argv[1]
for line in sys.stdin:
    service, path = json.loads(line)
    child = os.fork()
    if not child:
        with open("/dev/null", "rb") as empty:
            os.dup2(empty.fileno(), 3)
        ours, other = os.pipe()
        os.write(other, b"\0".join((service.encode(), b"--config-file", path.encode())))
        os.close(other)
        os.dup2(ours, 4)
        sys.argv = ["-c", service, ""]
        exec(text, {"__name__": "__main__"})  # noqa: S102 - the program itself
        os._exit(1)
    os.waitpid(child, 0)
