"""Virtual-router objects as Contrail's api-server lists them. Pure.

{"virtual-routers": [{"virtual-router": {
    "uuid": "8f7c...", "fq_name": ["default-global-system-config", "compute1"],
    "virtual_router_sriov_physical_networks": {"key_value_pair": [{"key": "physnet1", "value": "eth0"}]}, ...}}]}
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from sriov.cloud.virtual_routers.api_server import shown
from sriov.cloud.virtual_routers.pairs import Item
from sriov.errors import CloudError, counted

PARENT = "default-global-system-config"
PROPERTY = "virtual_router_sriov_physical_networks"
_ITEMS = "key_value_pair"
_MAX_OBJECTS = 10_000  # Contrail is made for some thousand hosts; more is no list of them
_MAX_ITEMS = 1_000  # of one object; a host has a few ports
_OF_SWITCHES = ("tor-agent", "tor-service-node")  # VirtualRouterType of Contrail's schema: no host of nova's


class VirtualRouter(NamedTuple):
    """`items`: the pairs of its property as they came; None: they cannot be read, so they may not be replaced.

    `other` is what the property holds beside them. `is_host`: it may stand for a compute host.
    """

    uuid: str
    name: str
    items: tuple[Item, ...] | None = ()
    other: Mapping[str, object] = {}
    is_host: bool = True

    def with_items(self, items: tuple[Item, ...]) -> dict[str, object]:
        """The property, and nothing else, with these pairs."""
        return {PROPERTY: {**self.other, _ITEMS: [dict(item) for item in items]}}


def parse(document: object) -> dict[str, VirtualRouter]:
    """By name, the objects whose parent is the one that api-server looks them up under. CloudError: no such list."""
    listed = document.get("virtual-routers") if isinstance(document, Mapping) else None
    if not isinstance(listed, list):
        raise _unreadable("it has no list of virtual-routers")
    if len(listed) > _MAX_OBJECTS:
        raise _unreadable(f"it lists {counted(len(listed), 'object')}, which is more than {_MAX_OBJECTS}")
    found: dict[str, VirtualRouter] = {}
    for router in _routers(listed):
        if router.name in found:
            raise _unreadable(f"two objects have the name {shown(router.name)}")
        found[router.name] = router
    return found


def _routers(listed: list[object]) -> Iterator[VirtualRouter]:
    for number, each in enumerate(listed):
        values = each.get("virtual-router") if isinstance(each, Mapping) else None
        names = values.get("fq_name") if isinstance(values, Mapping) else None
        if not isinstance(values, Mapping) or not isinstance(names, list) or not all(map(_is_name, names)):
            raise _unreadable(f"object {number} is no virtual-router with a name")
        uuid = values.get("uuid")
        if not isinstance(uuid, str) or not re.fullmatch(r"[0-9A-Za-z_-]{1,64}", uuid, re.ASCII):
            raise _unreadable(f"object {number} has no UUID")
        if len(names) == 2 and names[0] == PARENT:
            items, other = _property(values.get(PROPERTY))
            is_host = values.get("virtual_router_type") not in _OF_SWITCHES
            yield VirtualRouter(uuid, str(names[1]), items, other, is_host)


def _is_name(value: object) -> bool:
    """A host named `123` may come as a number."""
    return isinstance(value, str | int) and not isinstance(value, bool) and len(str(value)) <= 255


def _property(value: object) -> tuple[tuple[Item, ...] | None, Mapping[str, object]]:
    if value is None:
        return (), {}
    if not isinstance(value, Mapping):
        return None, {}
    items = value.get(_ITEMS)
    if items is None:
        items = []
    if not isinstance(items, list) or len(items) > _MAX_ITEMS:
        return None, {}
    if not all(isinstance(item, Mapping) and "key" in item for item in items):
        return None, {}
    return tuple(items), {key: other for key, other in value.items() if key != _ITEMS}


def _unreadable(words: str) -> CloudError:
    hint = "check env.contrail_api: wanted is the address of Contrail's api-server, http://controller:8082"
    return CloudError("contrail-answer", f"what env.contrail_api answers cannot be read: {words}", hint=hint)
