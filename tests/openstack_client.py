"""What OpenStack's own command line client takes, without the client: its parsers, as recorded from the real one.

python tests/openstack_client.py >tests/golden/openstack_client.json    # where python-openstackclient is installed
"""

from __future__ import annotations

import argparse
import functools
import json
from importlib.metadata import entry_points, version
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

GOLDEN = Path(__file__).parent / "golden/openstack_client.json"
COMMANDS = {  # what the documents use, and may well use, by the client's groups of entry points
    "openstack.common": ("extension list", "extension show"),
    "openstack.identity.v3": ("catalog list", "endpoint list", "project list", "token issue"),
    "openstack.image.v2": ("image list", "image show"),
    "openstack.network.v2": (
        *(f"network {verb}" for verb in ("create", "delete", "list", "set", "show", "agent list", "agent show")),
        *(f"port {verb}" for verb in ("create", "delete", "list", "set", "show", "unset")),
        *(f"subnet {verb}" for verb in ("create", "delete", "list", "show")),
    ),
    "openstack.compute.v2": (
        *(f"server {verb}" for verb in ("create", "delete", "list", "migrate", "show", "migration list")),
        *(f"server {verb}" for verb in ("reboot", "start", "stop", "event list", "add port", "remove port")),
        *("aggregate list", "compute service list", "compute service set", "console log show"),
        *("flavor list", "flavor show", "hypervisor list", "hypervisor show"),
    ),
}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


@functools.cache
def parsers() -> dict[str, argparse.ArgumentParser]:
    """By command, as `network create`; each raises ValueError for what the client would not take."""
    recorded = json.loads(GOLDEN.read_text())["commands"]
    return {command: _rebuilt(command, parser) for command, parser in recorded.items()}


def _rebuilt(command: str, recorded: dict[str, Any]) -> argparse.ArgumentParser:
    parser = _Parser(command, add_help=False, allow_abbrev=False)
    groups = {number: parser.add_mutually_exclusive_group() for number in recorded["exclusive"].values()}
    for names, dest, nargs, required, choices in recorded["arguments"]:
        taker = groups.get(recorded["exclusive"].get(dest), parser)
        more: dict[str, Any] = {"action": "store_true"} if nargs == 0 else {"nargs": nargs, "choices": choices}
        if names:
            more |= {"required": required, "dest": dest}
        taker.add_argument(*(names or [dest]), **more)
    return parser


def _record() -> dict[str, Any]:
    manager = SimpleNamespace(
        is_network_endpoint_enabled=lambda: True, is_volume_endpoint_enabled=lambda: True, session=None
    )
    app = SimpleNamespace(client_manager=manager, options=SimpleNamespace(os_compute_api_version="2"))
    found = {}
    for group, commands in COMMANDS.items():
        classes = {entry.name: entry for entry in entry_points(group=group)}
        for command in commands:
            made = classes[command.replace(" ", "_")].load()(app, None)
            found[command] = _as_recorded(made.get_parser(f"openstack {command}"))
    return found


def _as_recorded(parser: argparse.ArgumentParser) -> dict[str, Any]:
    """An argument is a list: its names, where it goes, how many values, whether it must be there, what it may be."""
    groups = enumerate(parser._mutually_exclusive_groups)
    return {
        "exclusive": {action.dest: number for number, group in groups for action in group._group_actions},
        "arguments": [
            (
                action.option_strings,
                action.dest,
                action.nargs,
                action.required,
                sorted(map(str, action.choices)) if action.choices else None,
            )
            for action in parser._actions
        ],
    }


def _text(found: dict[str, Any]) -> str:
    """One line for each argument."""
    commands = []
    for command, parser in found.items():
        arguments = ",\n  ".join(map(json.dumps, parser["arguments"]))
        exclusive = json.dumps(parser["exclusive"])
        commands.append(f' "{command}": {{"exclusive": {exclusive}, "arguments": [\n  {arguments}\n ]}}')
    body = ",\n".join(commands)
    return f'{{"client": "{version("python-openstackclient")}", "commands": {{\n{body}\n}}}}'


if __name__ == "__main__":
    print(_text(_record()))
