"""What programs read of `stats`: one JSON document, all numbers as numbers. See docs/json.md; keys only get added."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from sriov.facts.counters import Rates, Traffic
from sriov.report.documents import ErrorDocument, error_document
from sriov.report.heading import Heading, heading
from sriov.run.outcome import Outcome
from sriov.scheduling.traffic import HostTraffic, PortTraffic, Statistics, VfTraffic

_DIGITS = 3  # of seconds and of what is counted in each of them
Counts = dict[str, float | None]


class RatesDocument(TypedDict):
    """`receive` and `transmit` are None where the counters went backwards (`reset`)."""

    seconds: float
    reset: bool
    receive: Counts | None
    transmit: Counts | None


class VfDocument(TypedDict):
    index: int
    pci_address: str
    driver: str
    interface: str
    physical_networks: list[str]
    holder: str
    ports: list[dict[str, str]] | None
    source: str
    reason: str
    uptime: float | None
    receive: Counts | None
    transmit: Counts | None
    per_second: RatesDocument | None


class PortDocument(TypedDict):
    interface: str
    pci_address: str
    driver: str
    notes: list[str]
    vfs: list[VfDocument]


class HostDocument(TypedDict):
    host: str
    hostname: str
    error: ErrorDocument | None
    ports: list[PortDocument]


class StatisticsDocument(Heading):
    task: str
    testbed: str
    exit_code: int
    interval: int
    hosts: list[HostDocument]
    cloud: dict[str, object]


def statistics_document(
    testbed: str, exit_code: int, found: Statistics, outcomes: Sequence[Outcome]
) -> StatisticsDocument:
    """`outcomes`: those of the looks, in the order of the hosts."""
    return StatisticsDocument(
        **heading(),
        task="stats",
        testbed=testbed,
        exit_code=exit_code,
        interval=found.interval,
        hosts=[_host(host, outcome) for host, outcome in zip(found.hosts, outcomes, strict=True)],
        cloud={"asked": not found.unasked, "reason": found.unasked},
    )


def _host(host: HostTraffic, outcome: Outcome) -> HostDocument:
    error = outcome.error
    return HostDocument(
        host=host.host.name,
        hostname=host.host.hostname,
        error=None if error is None else error_document(error),
        ports=[_port(port) for port in host.ports],
    )


def _port(port: PortTraffic) -> PortDocument:
    return PortDocument(
        interface=port.interface,
        pci_address=port.pci_address,
        driver=port.driver,
        notes=list(port.notes),
        vfs=[_vf(vf) for vf in port.vfs],
    )


def _vf(vf: VfTraffic) -> VfDocument:
    last, rates = vf.counters.last, vf.counters.rates
    return VfDocument(
        index=vf.counters.index,
        pci_address=vf.pci_address,
        driver=vf.driver,
        interface=vf.counters.interface,
        physical_networks=list(vf.physnets),
        holder=vf.holder,
        ports=None if vf.tenants is None else [{"name": each.port, "vm": each.server} for each in vf.tenants],
        source=vf.counters.source.value,
        reason=vf.reason,
        uptime=last.uptime if last else None,
        receive=last.received._asdict() if last else None,
        transmit=last.transmitted._asdict() if last else None,
        per_second=None if rates is None else _rates(rates),
    )


def _rates(rates: Rates) -> RatesDocument:
    return RatesDocument(
        seconds=round(rates.seconds, _DIGITS),
        reset=rates.is_reset,
        receive=None if rates.is_reset else _rounded(rates.received),
        transmit=None if rates.is_reset else _rounded(rates.transmitted),
    )


def _rounded(traffic: Traffic) -> Counts:
    return {name: None if number is None else round(number, _DIGITS) for name, number in traffic._asdict().items()}
