"""Networks and ports as neutron keeps and shows them: under ML2, and under Contrail."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

from . import contrail

Item = dict[str, Any]
BINDING = {"binding:vif_type": "unbound", "binding:profile": {}, "binding:vif_details": {}, "binding:host_id": ""}
ADDRESS = {"mac_address": "fa:16:3e:00:00:01", "fixed_ips": [{"ip_address": "10.1.0.5"}], "description": ""}


class Ml2Side:
    """What is stored is shown; a mechanism driver binds a port, and an agent sets it up."""

    extensions: tuple[str, ...] = ("provider", "binding", "agent", "multi-provider", "port-security", "router")
    agents: tuple[Item, ...] | None = ()
    unknown: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.numbers = itertools.count(1)

    def network(self, body: Item) -> Item:
        if body.get("provider:physical_network") and not body.get("provider:network_type"):
            raise contrail.RefusedError(400, "Invalid input for operation: network_type required.")
        return {"id": f"networks-{next(self.numbers)}", "status": "ACTIVE", **body}

    def port(self, body: Item, network: Item) -> Item:
        return {"id": f"ports-{next(self.numbers)}", "status": "DOWN", "device_id": "", **ADDRESS, **BINDING, **body}

    def show_network(self, item: Item) -> Item:
        return item

    def show_port(self, item: Item, network: Item) -> Item:
        return item

    def take(self, item: Item, network: Item, server_id: str, host: str, profile: dict[str, str]) -> None:
        details = {"vlan": str(network["provider:segmentation_id"]), "port_filter": False}
        item |= {"device_id": server_id, "status": "ACTIVE", "binding:vif_type": "hw_veb", "binding:host_id": host}
        item |= {"binding:profile": profile, "binding:vif_details": details}

    def leave(self, item: Item) -> None:
        item |= {"device_id": "", "status": "DOWN", **BINDING}


class ContrailSide:
    """What is stored are objects of Contrail's own classes; what is shown is made of them at each look."""

    extensions: tuple[str, ...] = contrail.EXTENSIONS
    agents: tuple[Item, ...] | None = None
    unknown: tuple[str, ...] = ()

    def __init__(self, release: contrail.Release = contrail.Release.LIVING) -> None:
        self.release = release

    def network(self, body: Item) -> Item:
        made = contrail.network(
            body["name"], body.get("provider:physical_network"), body.get("provider:segmentation_id")
        )
        return {"id": made.uuid, "name": body["name"], "object": made}

    def port(self, body: Item, network: Item) -> Item:
        if unknown := [name for name in body if name in self.unknown]:
            raise contrail.RefusedError(400, f"Unrecognized attribute(s) {', '.join(map(repr, unknown))}")
        made = contrail.port(body["name"], network["object"], body.get("binding:vnic_type", "normal"))
        kept = {key: body[key] for key in ("mac_address", "fixed_ips", "description") if key in body}
        return {"id": made.uuid, "name": body["name"], "network_id": body["network_id"], "object": made, "kept": kept}

    def show_network(self, item: Item) -> Item:
        return contrail.shown_network(item["object"])

    def show_port(self, item: Item, network: Item) -> Item:
        return {**contrail.shown_port(item["object"], network["object"], self.release), **item["kept"]}

    def take(self, item: Item, network: Item, server_id: str, host: str, profile: dict[str, str]) -> None:
        contrail.take(item["object"], server_id, host, profile)

    def leave(self, item: Item) -> None:
        contrail.leave(item["object"])


NetworkSide = Ml2Side | ContrailSide
SIDES: Mapping[str, Callable[[], NetworkSide]] = {
    "ml2": Ml2Side,
    "contrail": ContrailSide,
    "contrail-old": lambda: ContrailSide(contrail.Release.OLD),
}
