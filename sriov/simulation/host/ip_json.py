"""The answer of `ip -j link`, in the format of iproute2 6.1 (ip/ipaddress.c), as far as it is about counters."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from ..sysfs import Port
from ..sysfs.netdevs import Netdev
from ..sysfs.traffic import Traffic

# The drivers here that fill struct ifla_vf_stats; for any other the kernel answers zeros (net/core/rtnetlink.c).
COUNTING = frozenset({"mlx5_core", "ice", "i40e", "ixgbe"})
_RX = {"bytes": "rx_bytes", "packets": "rx_packets", "multicast": "rx_multicast", "broadcast": "rx_broadcast"}
_TX = {"tx_bytes": "tx_bytes", "tx_packets": "tx_packets"}


def links(netdevs: Iterable[Netdev], ports: Mapping[str, Port], *, has_counters: bool) -> str:
    """One line, an object for each interface; `has_counters`: -s was said."""
    return (
        json.dumps([_link(each, ports.get(each.name), has_counters) for each in netdevs], separators=(",", ":")) + "\n"
    )


def _link(netdev: Netdev, port: Port | None, has_counters: bool) -> dict[str, Any]:
    found: dict[str, Any] = {
        "ifindex": netdev.index,
        "ifname": netdev.name,
        "flags": ["BROADCAST", "MULTICAST", *(["UP", "LOWER_UP"] if netdev.up else [])],
        "mtu": 1500,
        "qdisc": "mq",
        "operstate": "UP" if netdev.up else "DOWN",
        "linkmode": "DEFAULT",
        "group": "default",
        "txqlen": 1000,
        "link_type": "ether",
        "address": netdev.mac,
        "broadcast": "ff:ff:ff:ff:ff:ff",
    }
    if has_counters:
        found["stats64"] = {
            "rx": dict.fromkeys(("bytes", "packets", "errors", "dropped", "over_errors", "multicast"), 0),
            "tx": dict.fromkeys(("bytes", "packets", "errors", "dropped", "carrier_errors", "collisions"), 0),
        }
    if port is not None and port.count:
        found["vfinfo_list"] = [_vf(port, index, has_counters) for index in range(port.count)]
    return found


def _vf(port: Port, index: int, has_counters: bool) -> dict[str, Any]:
    traffic = port.traffic.get(index, Traffic()) if port.nic.driver in COUNTING else Traffic()
    found: dict[str, Any] = {
        "vf": index,
        "link_type": "ether",
        "address": "00:00:00:00:00:00",
        "broadcast": "ff:ff:ff:ff:ff:ff",
        "vlan_list": [{}],
        "rate": {"max_tx": 0, "min_tx": 0},
        "spoofchk": True,
        "link_state": "auto",
        "trust": False,
        "query_rss_en": False,
    }
    if has_counters:
        found["stats"] = {
            "rx": {name: traffic.of(of) for name, of in _RX.items()} | {"dropped": traffic.of("rx_dropped")},
            "tx": {name: traffic.of(of) for name, of in _TX.items()} | {"dropped": traffic.of("tx_dropped")},
        }
    return found
