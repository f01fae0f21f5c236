"""The text that looks at a host: a header of variables, then what is the same for every host. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from sriov.facts.model import ASPM_POLICY
from sriov.facts.parser import FILE_LIMIT
from sriov.model import Role
from sriov.planning import own_state
from sriov.planning.host_version import VERSION_FILE
from sriov.planning.plan import TOOLS
from sriov.rendering.plain import assignments, library, text_of
from sriov.resources.contract import RESTARTS_DUE, Request
from sriov.resources.registry import reads
from sriov.transport import Script

_UNITS = "/etc/systemd/system"
_LIBRARIES = ("paths", "common", "host_users")


def probe_script(request: Request, nonce: str) -> Script:
    """Execution 1: what the host is. `nonce`: hexadecimal digits."""
    text = f"nonce={nonce}\n{functions(request)}{counters(request)}{look(request, own_lock=False)}"
    return Script(text.encode())


def functions(request: Request) -> str:
    """What the look calls. Who holds a VF is asked where something is to change: most looks find nothing to do."""
    return "".join(map(library, (*_LIBRARIES, "holders") if asks_holders(request) else _LIBRARIES))


def asks_holders(request: Request) -> bool:
    """Whether the look says of each VF who uses it; else it says so of those alone that the host itself uses."""
    return request.ask_holders or request.all_ports


def counters(request: Request) -> str:
    """The reading of the VFs' counters, to stand behind `functions` and before `look`, which ends the output."""
    if request.counter_interval is None:
        return ""
    return assignments(interval=request.counter_interval or "") + text_of("vf-counters.sh")


def look(request: Request, *, own_lock: bool) -> str:
    """The look itself, to stand behind `functions`. `own_lock`: the script holds the host's lock."""
    return _header(request, own_lock) + text_of("probe.sh")


def _header(request: Request, own_lock: bool) -> str:
    """The variables that `templates/probe.sh` names."""
    asked = reads(request.with_lost_roles())
    pfs = () if request.all_ports else request.physical_functions
    return assignments(
        all_ports=_flag(request.all_ports),
        ports=_words(pf.interface for pf in pfs if pf.interface),
        by_address=_words(pf.pci or pf.mac for pf in pfs if not pf.interface),
        holders=_flag(asks_holders(request)),
        compute=_flag(Role.COMPUTE in request.roles),
        files=_words((f"{RESTARTS_DUE}/*", *asked.files) if asked.files else ()),
        units=_words(f"{unit}.service" for unit in asked.units if "*" not in unit),
        own_units=_words(f"{_UNITS}/{unit}.service" for unit in asked.units if "*" in unit),
        values=_words((VERSION_FILE, *own_state.reads(request), *_shown(request), *asked.values)),
        tools=_words(asked.tools),
        needed=_words(TOOLS),
        limit=FILE_LIMIT,
        manifest="" if request.rollback is None else request.rollback or "-",
        own_lock=_flag(own_lock),
    )


def _shown(request: Request) -> tuple[str, ...]:
    """What is only shown, to those who ask for more than a change needs."""
    return (ASPM_POLICY,) if asks_holders(request) else ()


def _flag(is_set: bool) -> str:
    return "yes" if is_set else ""


def _words(words: Iterable[str]) -> str:
    return " ".join(words)
