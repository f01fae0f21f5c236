"""The cloud's administrator, as these testbeds always named him: `env.keystone`, `env.openstack_admin_password`.

Testbeds that carry odd values here have set up hosts for years; so only what Python cannot write as text is a
fault of the testbed. What else cannot be used is reported at the login.
"""

from __future__ import annotations

from collections.abc import Mapping

from sriov.model import CloudLogin, Host, Role, Secret
from sriov.testbed.readers import read_text
from sriov.testbed.sources.source import FaultList

_TRUE = ("true", "yes", "1")


def read_cloud_login(values: Mapping[str, object], hosts: tuple[Host, ...], faults: FaultList) -> CloudLogin | None:
    """None unless there is an administrator's password and a keystone: `keystone_ip`, else the first controller.

    `env.keystone = {'keystone_ip': '10.0.0.1', 'auth_protocol': 'http', 'auth_port': '5000', 'admin_user': 'admin',
    'admin_password': '...', 'admin_tenant': 'admin', 'region_name': 'RegionOne', 'insecure': 'True'}`; all but the
    password have defaults. Port 35357 was that of keystone's version 2, which is gone: 5000 takes its place.
    """
    found = values.get("keystone")
    keystone = _texts(found, faults) if isinstance(found, Mapping) else {}
    given = values.get("openstack_admin_password") or ""
    password = keystone.get("admin_password") or read_text(given, ("openstack_admin_password",), faults)
    controllers = [host.address for host in hosts if Role.OPENSTACK in host.roles]
    address = keystone.get("keystone_ip") or next(iter(controllers), "")
    if not password or not address:
        return None
    if ":" in address and not address.startswith("["):
        address = f"[{address}]"
    port = keystone.get("auth_port", "5000").replace("35357", "5000")
    return CloudLogin(
        auth_url=f"{keystone.get('auth_protocol', 'http')}://{address}:{port}/v3",
        username=keystone.get("admin_user", "admin"),
        password=Secret(password),
        project_name=keystone.get("admin_tenant", "admin"),
        region_name=keystone.get("region_name", ""),
        insecure=keystone.get("insecure", "").lower() in _TRUE,
    )


def _texts(keystone: Mapping[object, object], faults: FaultList) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in keystone.items():
        if value is None:  # such as os.getenv() of a variable that is not set
            continue
        at = ("keystone", key)
        name, text = read_text(key, at, faults), read_text(value, at, faults)
        if name is not None and text is not None:
            found[name] = text
    return found
