"""Contrail's api-server over real HTTP: what is asked and written, and each way in which it can fail to answer."""

from __future__ import annotations

import datetime
import gzip
import itertools
import socket
import ssl
import time
from collections.abc import Iterator
from io import BufferedIOBase
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from contrail_stand_in import PROPERTY, TOKEN, ApiServer, api_server, pairs_of
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from keystoneauth1.session import Session
from keystoneauth1.token_endpoint import Token

from sriov.cloud.virtual_routers import api_server as client
from sriov.cloud.virtual_routers.registration import Registrar, Registration
from sriov.errors import CloudError
from sriov.model import Host, PhysicalFunction, Role, Testbed
from sriov.resources.contract import Request

pytestmark = pytest.mark.slow  # openstacksdk takes a second to start
HEADER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@pytest.fixture
def contrail() -> Iterator[ApiServer]:
    with api_server() as server:
        yield server


def cloud(token: str = TOKEN, names: tuple[str, ...] = ()) -> Any:
    """What a login is to the client: a session with a token, and nova's list of nova-computes."""
    services = [SimpleNamespace(host=name, status="enabled", state="up", disabled_reason="") for name in names]
    compute = SimpleNamespace(services=lambda **query: services, hypervisors=lambda **query: [])
    return SimpleNamespace(session=Session(auth=Token("http://127.0.0.1:1", token)), compute=compute)


def asked(url: str, token: str = TOKEN, seconds: float = 10.0, size: int = 1_000_000) -> CloudError:
    """How listing the virtual routers fails."""
    server = client.ApiServer(url, cloud(token), client.Limits(seconds, size))
    with pytest.raises(CloudError) as caught:
        server.virtual_routers()
    assert url in caught.value.message
    assert caught.value.hint
    assert TOKEN not in str(caught.value)
    return caught.value


def host(number: int) -> Host:
    functions = (PhysicalFunction(4, ("physnet1",), "eth0"), PhysicalFunction(4, ("physnet2",), "eth1"))
    name = f"compute{number}"
    return Host(f"root@{name}", name, "root", roles=frozenset({Role.COMPUTE}), physical_functions=functions)


def registered(contrail: ApiServer, *numbers: int) -> Registration:
    hosts = tuple(host(number) for number in numbers)
    bed = Testbed("t", hosts, contrail_api=contrail.url, contrail_register=True)
    registrar = Registrar(cloud(names=tuple(each.address for each in hosts)), bed)
    return registrar.register([(Request(each, bed, each.roles), None) for each in hosts])


def test_only_the_property_is_written_and_the_second_time_nothing(contrail: ApiServer) -> None:
    first = contrail.provision("compute1", ("physnet9", "eth9"), ("physnet2", "eth7"))
    second = contrail.provision("compute2", ("physnet1", "eth0"), ("physnet2", "eth1"))
    found = registered(contrail, 1, 2)
    assert [str(each) for each in found.hosts] == ["compute1: physnet1 on eth0, physnet2 on eth1 in place of eth7"]
    assert (found.errors, found.is_pending) == ((), False)
    assert contrail.writes == [f"PUT /virtual-router/{first['uuid']}"]
    (body,) = contrail.bodies
    assert body.keys() == {"virtual-router"}
    assert body["virtual-router"].keys() == {PROPERTY}
    assert pairs_of(first) == (("physnet9", "eth9"), ("physnet2", "eth1"), ("physnet1", "eth0"))
    assert pairs_of(second) == (("physnet1", "eth0"), ("physnet2", "eth1"))
    assert not any(registered(contrail, 1, 2))
    assert len(contrail.writes) == 1


def test_host_without_object_is_a_warning_and_nothing_is_created(contrail: ApiServer) -> None:
    contrail.provision("compute2")
    found = registered(contrail, 1, 2)
    assert [warning.id for warning in found.warnings] == ["virtual-router-missing"]
    assert found.errors == ()
    assert len(contrail.objects) == len(contrail.writes) == 1


def test_contrail_that_drops_the_property_is_told(contrail: ApiServer) -> None:
    contrail.provision("compute1")
    contrail.forgets = True
    ((named, error),) = registered(contrail, 1).errors
    assert (named, error.id) == (host(1), "virtual-router-not-kept")


@pytest.mark.parametrize(
    ("status", "id", "writes"),
    [(400, "contrail-refused", 2), (404, "contrail-refused", 2), (409, "contrail-refused", 2),
     (500, "contrail-refused", 2), (401, "contrail-forbids", 1), (403, "contrail-forbids", 1),
     (503, "contrail-silent", 1)],
)  # fmt: skip
def test_refused_write_ends_the_registration_unless_it_is_one_object_s(
    contrail: ApiServer, status: int, id: str, writes: int
) -> None:
    for name in ("compute1", "compute2"):
        contrail.provision(name)
    contrail.refuse["PUT"] = (status, "no \x1b[31mway\n")
    found = registered(contrail, 1, 2)
    assert [error.id for _, error in found.errors] == [id] * writes
    assert len(contrail.writes) == writes
    assert found.is_pending
    assert all("\x1b" not in error.message and "compute" in error.message for _, error in found.errors)


@pytest.mark.parametrize(
    ("status", "id"),
    [(401, "contrail-forbids"), (403, "contrail-forbids"), (404, "contrail-answer"), (302, "contrail-answer"),
     (500, "contrail-refused"), (400, "contrail-refused"), (502, "contrail-silent"), (503, "contrail-silent")],
)  # fmt: skip
def test_status_that_is_no_list_is_one_error(contrail: ApiServer, status: int, id: str) -> None:
    contrail.refuse["GET"] = (status, "<html>no</html>")
    error = asked(contrail.url)
    assert error.id == id
    assert f"HTTP {status}" in error.message


def test_token_of_another_cloud_is_refused_and_not_shown(contrail: ApiServer) -> None:
    assert asked(contrail.url, token="other-token").id == "contrail-forbids"


def test_redirect_does_not_carry_the_token_to_another_place(contrail: ApiServer) -> None:
    with api_server() as other:
        contrail.says = lambda out: write(
            out, b"HTTP/1.1 307 Go\r\nLocation: %s/virtual-routers\r\nContent-Length: 0\r\n\r\n" % other.url.encode()
        )
        assert asked(contrail.url).id == "contrail-answer"
        assert other.requests == []


def test_port_without_a_listener_is_told_as_such() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        error = asked(f"http://127.0.0.1:{unused.getsockname()[1]}")
    assert error.id == "contrail-silent"
    assert "Connection refused" in error.message


def test_name_that_does_not_exist_is_told() -> None:
    assert asked("http://no-such-host.invalid:8082").id == "contrail-silent"


def write(out: BufferedIOBase, *parts: bytes) -> None:
    for part in parts:
        out.write(part)


def body_of(content: bytes, more: bytes = b"") -> bytes:
    return HEADER + more + b"Content-Length: %d\r\n\r\n" % len(content) + content


@pytest.mark.parametrize(
    ("said", "id"),
    [
        (body_of(b"<html>hello</html>"), "contrail-answer"),
        (body_of(b""), "contrail-answer"),
        (body_of(b"\xff\xfe\xfa"), "contrail-answer"),
        (body_of(b"[" * 200_000), "contrail-answer"),
        (body_of(b'{"virtual-routers": ' + b"9" * 100_000 + b"}"), "contrail-answer"),
        (body_of(gzip.compress(b"{}"), b"Content-Encoding: gzip\r\n"), "contrail-answer"),
        (body_of(b" " * 1_000_001), "contrail-answer"),
        (HEADER + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", "contrail-silent"),
        (HEADER + b"Content-Length: 100\r\n\r\n{", "contrail-silent"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "contrail-silent"),
        (b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 200 + b"\r\n", "contrail-silent"),
        (b"HTTP/1.1 200 OK\r\nX-A: " + b"b" * 100_000 + b"\r\n\r\n", "contrail-silent"),
        (b"", "contrail-silent"),
    ],
    ids=["html", "empty", "bytes", "deep", "digits", "packed", "long", "chunks", "short", "ssh", "headers", "header",
         "nothing"],
)  # fmt: skip
def test_answer_of_another_program_is_one_error(contrail: ApiServer, said: bytes, id: str) -> None:
    contrail.says = lambda out: write(out, said)
    assert asked(contrail.url).id == id


@pytest.mark.parametrize(
    "parts", [(b"", b"H"), (b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"), (HEADER + b"Content-Length: 999999\r\n\r\n", b" ")],
    ids=["status", "headers", "body"],
)  # fmt: skip
def test_server_that_never_ends_is_left(contrail: ApiServer, parts: tuple[bytes, bytes]) -> None:
    first = itertools.chain(parts, itertools.repeat(parts[1]))

    def say(out: BufferedIOBase) -> None:
        for part in itertools.islice(first, 100):
            out.write(part)
            out.flush()
            time.sleep(0.05)

    contrail.says = say
    error = asked(contrail.url, seconds=0.5)
    assert (error.id, "no whole answer within 0.5 s" in error.message) == ("contrail-silent", True)


def test_endless_body_ends_with_its_limit(contrail: ApiServer) -> None:
    contrail.says = lambda out: write(out, HEADER + b"\r\n", *itertools.repeat(b" " * 65536, 1000))
    assert "longer than 1000000 bytes" in asked(contrail.url).message


def test_https_at_a_server_without_tls_is_told(contrail: ApiServer) -> None:
    error = asked(contrail.url.replace("http://", "https://"))
    assert error.id == "contrail-answer"
    assert "does not speak TLS" in error.message


def test_certificate_that_no_one_has_signed_is_told(tmp_path: Path) -> None:
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "c")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1)).sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = tmp_path / "server.pem"
    path.write_bytes(pem + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    with api_server() as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        assert asked(server.url.replace("http://", "https://")).id == "untrusted-certificate"
