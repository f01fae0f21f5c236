"""The login at the cloud: the one user of openstacksdk, and the place where its errors become ours.

openstacksdk is an extra (`pip install '.[cloud]'` in a checkout) and is imported with the first login, not before.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from sriov.errors import CloudError, SriovError, UsageError, printable
from sriov.model import Testbed

if TYPE_CHECKING:
    from openstack.connection import Connection as Connection

_Answer = TypeVar("_Answer")
API_TIMEOUT = 60  # seconds for one answer of the cloud
_NO_CREDENTIALS = "there are no credentials for the cloud"
_NO_LOGIN = (
    "set OS_CLOUD (a cloud of clouds.yaml) or source an openrc file (OS_AUTH_URL, …), "
    "or write env.keystone or env.openstack_admin_password into the testbed"
)


class CloudUnavailableError(UsageError):
    """Credentials or openstacksdk are not here: there is no cloud to ask."""


def login(testbed: Testbed) -> Connection:
    """An authorised connection, by OS_CLOUD or OS_*, else by the testbed, else by the only cloud of clouds.yaml.

    Raises CloudUnavailableError where openstacksdk or credentials are missing, UsageError where those are not complete,
    CloudError where the cloud refuses or does not answer.
    """
    if not _may_have_credentials(testbed):
        raise CloudUnavailableError("no-credentials", _NO_CREDENTIALS, hint=_NO_LOGIN)
    try:
        import openstack
    except ImportError:
        raise CloudUnavailableError(
            "package-missing",
            "asking the cloud needs openstacksdk, which is not installed",
            hint="pip install openstacksdk",
        ) from None
    with cloud_errors("logging in"):
        region = _region(openstack, testbed)
        region.config["api_timeout"] = API_TIMEOUT
        connection = openstack.connection.Connection(config=region, app_name="sriov-fab")
        connection.session.get_token()  # authorize() would hide what kind of error it is
    return connection


def attempt(testbed: Testbed) -> Connection | SriovError:
    """A login, or why there is none: CloudUnavailableError, or a cloud that fails. For several calls of `ask`."""
    try:
        return login(testbed)
    except SriovError as error:
        return error


def ask(
    testbed: Testbed,
    read: Callable[[Connection, Testbed], _Answer],
    cloud: Connection | SriovError | None = None,
) -> tuple[_Answer | None, SriovError | None]:
    """The cloud's answer, or why there is none: CloudUnavailableError, or a cloud that fails.

    For reports that are complete without it.

    `cloud`: a login that is there already, or that has failed.
    """
    if isinstance(cloud, SriovError):
        return None, cloud
    try:
        return read(cloud or login(testbed), testbed), None
    except SriovError as error:
        return None, error


def may_see_provider_properties(cloud: Connection) -> bool:
    """Whether a network that shows none has none: neutron's own policy shows them to administrators only."""
    get_access = getattr(cloud.session.auth, "get_access", None)  # a login without keystone has no roles
    roles = [] if get_access is None else get_access(cloud.session).role_names
    return not roles or any("admin" in role.lower() for role in roles)


def _may_have_credentials(testbed: Testbed) -> bool:
    """Whether there may be credentials where `login` would look; spares openstacksdk's start where there are none."""
    if os.environ.get("OS_CLOUD") or os.environ.get("OS_AUTH_URL") or testbed.cloud_login:
        return True
    named = os.environ.get("OS_CLIENT_CONFIG_FILE", "")
    configured = Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config") / "openstack"
    folders = (Path(), configured.expanduser(), Path("/etc/openstack"))
    places = [folder / f"clouds.{kind}" for folder in folders for kind in ("yaml", "yml", "json")]
    return any(path.is_file() for path in ([Path(named)] if named else places))


def _region(openstack: Any, testbed: Testbed) -> Any:
    """What openstacksdk is to log in with; its own rules read OS_* and clouds.yaml."""
    said = testbed.cloud_login
    if said is None or os.environ.get("OS_CLOUD") or os.environ.get("OS_AUTH_URL"):
        region = openstack.config.OpenStackConfig().get_one()
        if not region.config.get("auth", {}).get("auth_url"):
            raise CloudUnavailableError("no-credentials", _NO_CREDENTIALS, hint=_NO_LOGIN)
        return region
    return openstack.config.OpenStackConfig(load_yaml_config=False, load_envvars=False).get_one(
        auth_type="password",
        auth={
            "auth_url": said.auth_url,
            "username": said.username,
            "password": said.password.reveal(),
            "project_name": said.project_name,
            "user_domain_id": "default",
            "project_domain_id": "default",
        },
        region_name=said.region_name or None,
        verify=not said.insecure,
    )


@contextlib.contextmanager
def cloud_errors(act: str) -> Iterator[None]:
    """What openstacksdk raises while `act` ("making the port p1") is under way becomes a CloudError in one line."""
    import keystoneauth1.exceptions
    import openstack.exceptions
    import requests

    try:
        yield
    except SriovError:
        raise
    except (openstack.exceptions.SDKException, keystoneauth1.exceptions.ClientException) as error:
        id, message, hint = _refusal(error)
        kind = UsageError if id == "no-credentials" else CloudError
        raise kind(id, f"{act}: {message}", hint=hint) from None
    except (requests.RequestException, OSError) as error:
        raise CloudError("cloud-silent", f"{act}: {_plain(error)}", hint=_UNREACHABLE) from None


class _Refusal(NamedTuple):
    """Why the cloud did not do it, and what the operator has to do about it."""

    id: str
    message: str
    hint: str


def _refusal(error: Exception) -> _Refusal:
    import keystoneauth1.exceptions as auth
    import openstack.exceptions as sdk

    status = getattr(error, "status_code", None) or getattr(error, "http_status", None)
    said = _plain(getattr(error, "details", None) or error)
    if isinstance(error, auth.Unauthorized) or status == 401:
        return _Refusal("cloud-login-refused", "keystone refused the login", _LOGIN)
    if isinstance(error, auth.ConnectFailure | auth.ConnectTimeout | auth.DiscoveryFailure):
        return _Refusal("cloud-silent", f"no answer: {said.partition(': HTTP')[0]}", _UNREACHABLE)
    if isinstance(error, auth.SSLError):
        return _Refusal("untrusted-certificate", f"its certificate is not trusted: {said}", _CERTIFICATE)
    if isinstance(error, auth.EndpointNotFound | sdk.EndpointNotFound | sdk.ServiceDisabledException):
        return _Refusal("service-not-in-catalogue", f"the catalogue lacks a service: {said}", _CATALOGUE)
    if isinstance(error, auth.MissingRequiredOptions | sdk.ConfigException):
        return _Refusal("no-credentials", f"the credentials are not complete: {said}", _NO_LOGIN)
    if isinstance(error, sdk.DuplicateResource):
        return _Refusal("ambiguous-name", f"several have this name: {said}", "name one by its id, or delete the others")
    known = {
        403: _Refusal("cloud-forbids", said, _FORBIDDEN),
        404: _Refusal("not-in-cloud", said, "it does not exist, or these credentials may not see it"),
        409: _Refusal(
            "cloud-conflict", said, "something else has it already: choose another, or find out who needs it"
        ),
        413: _Refusal("cloud-quota", said, _QUOTA),
        503: _Refusal("cloud-silent", said, "the service does not answer; look at its log"),
    }
    hint = next((hint for words, hint in _REFUSED.items() if words in said), "")
    other = _Refusal("cloud-quota", said, _QUOTA) if "quota" in said.lower() else _Refusal("cloud-refused", said, hint)
    return known.get(status or 0, other)


_REFUSED = {  # Contrail's words for half of a pair (spelt so), and neutron's own
    "Segmenation ID": "name both a physical network and a VLAN",
    "Physical Network must": "name both a physical network and a VLAN",
    "attribute(s) 'provider:": "the extension `provider` is not loaded: look at core_plugin in neutron.conf",
    "attribute(s) 'binding:": "the extension `binding` is not loaded: look at core_plugin in neutron.conf",
}
_UNREACHABLE = "check the address (OS_AUTH_URL, env.keystone) and that the service runs"
_QUOTA = "raise the quota of the project, or delete what is not needed"
_FORBIDDEN = (
    "these credentials may not do this (provider networks, bindings: an administrator may), or a quota is used up"
)
_LOGIN = "check user, password, project and their domains"
_CERTIFICATE = "set OS_CACERT, or cacert in clouds.yaml"
_CATALOGUE = "check OS_REGION_NAME and `openstack catalog list`"


def _plain(error: object) -> str:
    """One line, without control characters; an API's text may quote what it was sent, but never a password of ours."""
    return " ".join(printable(str(error)).split())[:600] or type(error).__name__
