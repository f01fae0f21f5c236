"""nova.conf as it is found, and what oslo.config reads from it with the options as each nova release has them."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from tempfile import TemporaryDirectory

from oslo_config import cfg

from sriov.formats.nova import releases as nova
from sriov.formats.oslo.options import ConfigFile

logging.getLogger("oslo_config.cfg").setLevel(logging.ERROR)  # it warns of each old name that it reads

RELEASES = (14, 18, 23, 26, 31, 34)
COMPUTE, SCHEDULER = "nova-compute", "nova-scheduler"
ENTRIES = [
    {"devname": "eth0", "physical_network": "physnet1"},
    {"devname": "eth1", "physical_network": "physnet2"},
]


def registered(release: int) -> list[tuple[str, cfg.Opt]]:
    """The three options as nova's own modules register them."""

    def old(group: str, *names: str) -> list[cfg.DeprecatedOpt]:
        return [cfg.DeprecatedOpt(name, group=group) for name in names]

    defaults = list(nova.default_filters(release))
    if release <= 14:
        return [
            ("DEFAULT", cfg.MultiStrOpt("pci_passthrough_whitelist", default=[])),
            ("DEFAULT", cfg.ListOpt("scheduler_default_filters", default=defaults)),
            ("DEFAULT", cfg.MultiStrOpt("scheduler_available_filters", default=[])),
        ]
    alias = release <= 23
    whitelist = old("DEFAULT", "pci_passthrough_whitelist")
    if release >= 26:
        whitelist = [*old("pci", "passthrough_whitelist"), *whitelist]
    name = "device_spec" if release >= 26 else "passthrough_whitelist"
    return [
        ("pci", cfg.MultiStrOpt(name, default=[], deprecated_opts=whitelist)),
        (
            "filter_scheduler",
            cfg.ListOpt(
                "enabled_filters",
                default=defaults,
                deprecated_opts=old("DEFAULT", "scheduler_default_filters") if alias else [],
            ),
        ),
        (
            "filter_scheduler",
            cfg.MultiStrOpt(
                "available_filters",
                default=[],
                deprecated_opts=old("DEFAULT", "scheduler_available_filters") if alias else [],
            ),
        ),
    ]


def nova_reads(files: tuple[ConfigFile, ...], release: int, reader: str) -> tuple[list[str], list[str], list[str]]:
    """Whitelist values, enabled and available filters, by oslo.config; its errors pass through."""
    with TemporaryDirectory() as folder:
        arguments = []
        for number, file in enumerate(files):
            if reader in file.readers:
                path = Path(folder, f"{number}.conf")
                path.write_bytes(file.text)
                arguments += ["--config-file", str(path)]
        configuration = cfg.ConfigOpts()
        configuration(arguments, project="nova", default_config_dirs=[])
        # its default differs from host to host: what is read for it is taken for the reference itself
        configuration.register_opt(cfg.StrOpt("host", default="$$host"))
        values = []
        for group, option in registered(release):
            configuration.register_opt(option, group=None if group == "DEFAULT" else group)
            holder = configuration if group == "DEFAULT" else configuration[group]
            values.append(list(holder[option.dest]))
    return values[0], values[1], values[2]


def whitelist(files: tuple[ConfigFile, ...], release: int) -> list[object]:
    return [json.loads(value) for value in nova_reads(files, release, COMPUTE)[0]]


def filters(files: tuple[ConfigFile, ...], release: int) -> list[str]:
    return nova_reads(files, release, SCHEDULER)[1]


def holds_as_original_but_ours(before: ConfigFile, after: ConfigFile) -> bool:
    """Whether taking the blocks out with grep and sed alone leaves the file's own lines."""
    kept, inside = [], False
    for line in after.text.splitlines(keepends=True):
        if line.startswith(b"# BEGIN sriov-fab"):
            inside = True
        elif line.startswith(b"# END sriov-fab"):
            inside = False
        elif line.startswith(b"#sriov-fab-was: "):
            kept.append(line.removeprefix(b"#sriov-fab-was: "))
        elif not inside:
            kept.append(line)
    return b"".join(kept).rstrip(b"\r\n") == before.text.rstrip(b"\r\n")


def packaged() -> bytes:
    """As distributions ship it: thousands of comment lines that look like options, some options among them."""
    lines = ["[DEFAULT]", "transport_url = rabbit://nova:secret@controller"]
    for number in range(2500):
        lines += ["", f"# Option {number}. (string value)", "#pci_passthrough_whitelist = {}", "#[pci]"]
    lines += ["[filter_scheduler]", "#enabled_filters = ComputeFilter", "[pci]", "#device_spec =", "", "[vnc]", "x = 1"]
    return "\n".join(lines).encode() + b"\n"


CASES = {
    "packaged": packaged(),
    "empty": b"",
    "crlf": b"[DEFAULT]\r\ndebug = true\r\n\r\n[pci]\r\nalias = {}\r\n",
    "separators": "[DEFAULT]\n# a\x85b\u2028c\x0cd\nhost = \u00e4\u2028 x\n[PCI]\n".encode(),
    "repeated": b"[pci]\na = 1\n[DEFAULT]\nb = 1\n[pci]\nc = 2\n[DEFAULT]\nd = 3\n",
    "wrapped": b'[DEFAULT]\npci_passthrough_whitelist =\n    [{"devname": "ens9"},\n\t{"devname": "eth0"}]\nx = 1\n',
    "no_final_newline": b"[DEFAULT]\ndebug = true",
    "header_last": b"[DEFAULT]\na = 1\n[pci]",
    "no_default": b"[database]\nconnection = mysql://nova:secret@db/nova\n",
    "lookalikes": b"[DEFAULT]\n# [pci]\n; device_spec = x\n#enabled_filters = A\n[default]\nz = 1\n[pci ]\ny = 1\n",
    "old_names": b'[DEFAULT]\npci_passthrough_whitelist = {"devname": "eth0", "physical_network": "old"}\n'
    b"scheduler_default_filters = ComputeFilter\n",
    "colon": b'[pci]\npassthrough_whitelist : {"devname": "eth1"}\n',
    "lone_cr": b"[DEFAULT]\ra = 1\r[pci]\r",
}
