"""nova's own code as judge of nova.conf: reads cases on standard input, a JSON document a line, and says which tags
each device gets.

The files are read with the options as nova registers them, the entries parsed and matched by nova's classes. It runs in
a mount namespace of its own whose /sys is an empty tmpfs, as `judge.py`; with nova 23 in front of a newer one's
dependencies (PYTHONPATH) too.

    {"files": ["[pci]\\n..."], "names": {"eth0": "0000:01:00.0"},
     "devices": [{"address": "0000:01:00.0", "vendor": "8086", "product": "10c9", "kind": "type-PF", "parent": ""}]}
    {"error": "", "tags": [{"physical_network": "physnet1"}, null]}
"""

import hashlib
import json
import logging
import sys
import tempfile
from types import SimpleNamespace

import oslo_utils.secretutils
from oslo_config import cfg

if not hasattr(oslo_utils.secretutils, "md5"):
    oslo_utils.secretutils.md5 = hashlib.md5  # gone since; nova 23 imports it and does not call it here

from nova.conf import pci
from nova.pci import whitelist
from sysfs_tree import lay_sysfs

CONF = cfg.ConfigOpts()
pci.register_opts(CONF)
logging.getLogger("oslo_config.cfg").setLevel(logging.ERROR)  # it warns of each old name that it reads


def values_of(case, folder):
    arguments = []
    for number, text in enumerate(case["files"]):
        path = f"{folder}/{number}.conf"
        with open(path, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        arguments += ["--config-file", path]
    CONF(arguments, project="nova", default_config_files=[], default_config_dirs=[])
    return CONF.pci.device_spec if hasattr(CONF.pci, "device_spec") else CONF.pci.passthrough_whitelist


def judge(case, folder):
    try:
        judged = whitelist.Whitelist(values_of(case, folder))
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}", "tags": []}
    tags = []
    for device in case["devices"]:
        found = judged.get_devspec(
            SimpleNamespace(
                vendor_id=device["vendor"],
                product_id=device["product"],
                address=device["address"],
                parent_addr=device["parent"] or None,
                card_serial_number=None,
            )
        )
        tags.append(None if found is None else found.get_tags())
    return {"error": "", "tags": tags}


laid = None
with tempfile.TemporaryDirectory() as work:
    for line in sys.stdin:
        asked = json.loads(line)
        hardware = (asked["devices"], asked["names"])
        if hardware != laid:
            lay_sysfs(asked)
            laid = hardware
        print(json.dumps(judge(asked, work)))
