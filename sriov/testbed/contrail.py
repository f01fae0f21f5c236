"""`env.contrail_api` and `env.contrail_register`: Contrail's api-server, and whether setup_all registers pairs there.

Only what a URL of an api-server cannot be is a fault here; whether something answers there is seen when it is asked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from sriov.model import ML2
from sriov.testbed.readers import read_flag
from sriov.testbed.sources.source import FaultList
from sriov.testbed.wording import kind, shown

_EXAMPLE = "write 'http://controller:8082'"
_HOST = r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?|\[[0-9A-Fa-f:.]+\]"
_PATH = r"(/[A-Za-z0-9_.~-]+)*/?"


class ContrailKeys(NamedTuple):
    """`api`: URL without a slash at its end; empty: no api-server is asked."""

    api: str = ""
    registers: bool = False


def read_contrail(values: Mapping[str, object], backend: str, faults: FaultList) -> ContrailKeys:
    """Both keys; a key that is None is not set, so that `os.getenv()` of a variable that is not set leaves it out."""
    api, is_named = _api(values, faults), values.get("contrail_api") is not None
    registers = values.get("contrail_register") is not None and read_flag(values, "contrail_register", faults)
    if backend == ML2:
        hint = "remove it, or write env.network_backend = 'contrail'"
        for key, is_set in (("contrail_api", is_named), ("contrail_register", registers)):
            if is_set:
                faults.note("contrail-key-under-ml2", (key,), "is for Contrail, and the network backend is 'ml2'", hint)
    elif registers and not is_named:
        what, hint = "needs env.contrail_api, which is not set", "add env.contrail_api = 'http://controller:8082'"
        faults.note("contrail-api-missing", ("contrail_register",), what, hint)
    return ContrailKeys(api, registers)


def _api(values: Mapping[str, object], faults: FaultList) -> str:
    value, at = values.get("contrail_api"), ("contrail_api",)
    if value is None:
        return ""
    if not isinstance(value, str):
        faults.note("invalid-contrail-api", at, f"is {kind(value)}, not a URL", _EXAMPLE)
        return ""
    if fault := _url_fault(value):
        what = "the URL" if "@" in value else shown(value)  # a password may stand before the @
        faults.note("invalid-contrail-api", at, f"{what} {fault}", _EXAMPLE)
        return ""
    return value.rstrip("/")


def _url_fault(url: str) -> str:
    """What makes it none that an api-server can have; empty if nothing does."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "is not a URL: its address or port cannot be read"
    if parts.scheme not in ("http", "https") or not url.startswith(f"{parts.scheme}://"):
        return "does not begin with http:// or https://"
    if "@" in parts.netloc:
        return "has a user or a password; the cloud's own credentials are used"
    host = parts.netloc if port is None else parts.netloc.rpartition(":")[0]
    if not re.fullmatch(_HOST, host, re.ASCII):
        return "names no host that can be asked"
    if port == 0:
        return "has port 0"
    if not re.fullmatch(_PATH, url[len(f"{parts.scheme}://{parts.netloc}") :], re.ASCII):
        return "has more behind the address than a path"
    return ""
