"""A small stand-in for the cloud's HTTP API: keystone's login, neutron under either network backend, nova and glance.

openstacksdk itself talks to it over a real socket. Under ML2 the requests are proven on the real services of
tests/cloud; under Contrail what is stored is held by Contrail's own classes.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from .contrail import RefusedError
from .network_side import SIDES

PASSWORD = "hunter2-of-the-cloud"
IMAGE = {
    "id": "image-1",
    "name": "tiny",
    "status": "active",
    "size": 1,
    "min_ram": 0,
    "min_disk": 0,
    "visibility": "public",
}
FLAVOR = {"id": "flavor-1", "name": "small", "ram": 64, "vcpus": 1, "disk": 1}
_LISTS = {"os-services": "services", "os-hypervisors/detail": "hypervisors"}
_KINDS = ("networks", "subnets", "ports", "services", "servers", "hypervisors")


class StandIn(ThreadingHTTPServer):
    """`store` holds what was made, by kind; `refuse` maps a kind to (status, message) for its POST.

    nova's services and hypervisors are read only: a test lays into `store` what they are to hold. `refuse_lists` is for
    these. A VM runs as soon as it is made: on `host`, with the VF of `profile`.
    """

    def __init__(self, backend: str = "ml2") -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.side = SIDES[backend]()
        self.store: dict[str, list[dict[str, Any]]] = {kind: [] for kind in _KINDS}
        self.requests: list[str] = []
        self.refuse: dict[str, tuple[int, str]] = {}
        self.refuse_lists: dict[str, tuple[int, str]] = {}
        self.numbers = itertools.count(1)
        self.host = "compute1"
        self.profile = {"pci_slot": "0000:81:10.0", "pci_vendor_info": "8086:10ca", "physical_network": "physnet1"}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def environment(self, password: str = PASSWORD) -> dict[str, Any]:
        return {
            "OS_AUTH_URL": f"{self.url}/v3", "OS_USERNAME": "admin", "OS_PASSWORD": password,
            "OS_PROJECT_NAME": "admin", "OS_USER_DOMAIN_ID": "default", "OS_PROJECT_DOMAIN_ID": "default",
        }  # fmt: skip

    def made(self, kind: str) -> list[dict[str, Any]]:
        return self.store[kind]

    def shown(self, kind: str) -> list[dict[str, Any]]:
        """As the API shows them."""
        if kind == "networks":
            return [self.side.show_network(item) for item in self.store[kind]]
        if kind == "ports":
            return [
                self.side.show_port(item, self.one("networks", item.get("network_id", ""))) for item in self.store[kind]
            ]
        return self.store.get(kind, [])

    def one(self, kind: str, number: str) -> dict[str, Any]:
        return next((item for item in self.store[kind] if item["id"] == number), {})

    def changes(self) -> list[str]:
        """The requests since the start that change something."""
        return [request for request in self.requests if not request.startswith("GET ") and "/auth/" not in request]

    def make(self, kind: str, body: dict[str, Any]) -> dict[str, Any]:
        if kind == "networks":
            item = self.side.network(body)
        elif kind == "ports":
            item = self.side.port(body, self.one("networks", body["network_id"]))
        elif kind == "servers":
            item = self._server(body)
        else:
            item = {"id": f"{kind}-{next(self.numbers)}", "enable_dhcp": True, **body}
        self.store[kind].append(item)
        return item

    def _server(self, body: dict[str, Any]) -> dict[str, Any]:
        number = f"00000000-0000-4000-8000-{next(self.numbers):012}"
        port = self.one("ports", body["networks"][0]["port"])
        self.side.take(port, self.one("networks", port["network_id"]), number, self.host, self.profile)
        return {
            "id": number, "name": body["name"], "status": "ACTIVE", "image": {"id": body["imageRef"]},
            "flavor": {"original_name": FLAVOR["name"]}, "OS-EXT-SRV-ATTR:host": self.host,
            "OS-EXT-SRV-ATTR:hypervisor_hostname": self.host, "OS-EXT-STS:task_state": None,
            "OS-EXT-SRV-ATTR:instance_name": "instance-00000001",
        }  # fmt: skip

    def console(self, server_id: str) -> str:
        """What the guest script of the smoke test writes."""
        vendor, product = self.profile["pci_vendor_info"].split(":")
        macs = [port["mac_address"] for port in self.shown("ports") if port["device_id"] == server_id]
        lines = [f"pci 0x{vendor} 0x{product}", *(f"net {mac}" for mac in macs), "end"]
        return "".join(f"sriov-smoke {line}\r\n" for line in lines)

    def delete(self, kind: str, number: str) -> bool:
        item = self.one(kind, number)
        if not item:
            return False
        self.store[kind].remove(item)
        if kind == "servers":
            for shown, port in zip(self.shown("ports"), self.store["ports"], strict=True):
                if shown.get("device_id") == number:
                    self.side.leave(port)
        return True


class _Handler(BaseHTTPRequestHandler):
    server: StandIn

    def log_message(self, *words: object) -> None:
        """Nothing on the terminal."""

    def _answer(self, status: int, document: object, **headers: str) -> None:
        body = b"" if status == 204 else json.dumps(document).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def _body(self) -> Any:
        return json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")

    def _version(self, number: str, path: str) -> dict[str, object]:
        links = [{"rel": "self", "href": f"{self.server.url}{path}"}]
        return {"id": number, "status": "CURRENT", "links": links}

    def do_GET(self) -> None:
        self.server.requests.append(f"GET {self.path}")
        path, query = urlsplit(self.path).path.rstrip("/"), dict(parse_qsl(urlsplit(self.path).query))
        if path in ("", "/v3"):
            self._answer(200, {"version": self._version("v3.14", "/v3/")})
        elif path == "/network":
            self._answer(200, {"versions": [self._version("v2.0", "/network/v2.0/")]})
        elif path == "/image":
            self._answer(300, {"versions": [self._version("v2.15", "/image/v2/")]})
        elif path.startswith("/image/v2/images"):
            self._image(path.removeprefix("/image/v2/images").strip("/"), query)
        elif path.startswith("/compute/v2.1"):
            self._compute(path.removeprefix("/compute/v2.1").strip("/"), query)
        else:
            self._network(path.removeprefix("/network/v2.0/"), query)

    def _network(self, path: str, query: dict[str, str]) -> None:
        kind, _, number = path.partition("/")
        if kind == "extensions" and number:
            self._answer(200 if number in self.server.side.extensions else 404, {"extension": {"alias": number}})
        elif kind == "extensions":
            listed = [{"alias": alias, "name": alias} for alias in self.server.side.extensions]
            self._answer(200, {"extensions": listed})
        elif kind == "agents":
            agents = self.server.side.agents
            self._answer(404 if agents is None else 200, {"agents": agents, "message": "could not be found"})
        elif number:
            self._one(kind, number)
        else:
            found = self.server.shown(kind)
            chosen = [item for item in found if all(str(item.get(key)) == value for key, value in query.items())]
            self._answer(200, {kind: chosen})

    def _one(self, kind: str, number: str) -> None:
        one = next((item for item in self.server.shown(kind) if item["id"] == number), None)
        self._answer(200 if one else 404, {kind[:-1]: one} if one else {"message": "could not be found"})

    def _image(self, number: str, query: dict[str, str]) -> None:
        if number:
            self._answer(200 if number == IMAGE["id"] else 404, IMAGE)
        else:
            self._answer(200, {"images": [IMAGE] if query.get("name", IMAGE["name"]) == IMAGE["name"] else []})

    def _compute(self, path: str, query: dict[str, str]) -> None:
        kind, _, rest = path.partition("/")
        if not path:
            version = {**self._version("v2.1", "/compute/v2.1/"), "version": "2.96", "min_version": "2.1"}
            self._answer(200, {"version": version})
        elif (refused := _LISTS.get(path, kind)) in self.server.refuse_lists:
            status, message = self.server.refuse_lists[refused]
            self._answer(status, {"forbidden": {"code": status, "message": message}})
        elif kind == "flavors":
            is_one = rest not in ("", "detail")
            known = not is_one or rest == FLAVOR["id"]
            self._answer(200 if known else 404, {"flavor": FLAVOR} if is_one else {"flavors": [FLAVOR]})
        elif kind == "servers" and rest not in ("", "detail"):
            self._one("servers", rest)
        else:
            kind = _LISTS.get(path, kind)
            wanted = {key: query[key] for key in ("binary", "name") if key in query}
            found = [
                item for item in self.server.store[kind] if all(item.get(key) == text for key, text in wanted.items())
            ]
            self._answer(200, {kind: found})

    def do_POST(self) -> None:
        self.server.requests.append(f"POST {self.path}")
        body, path = self._body(), urlsplit(self.path).path
        kind = path.rstrip("/").rpartition("/")[2]
        if path == "/v3/auth/tokens":
            self._login(body)
        elif path.endswith("/action"):
            self._answer(200, {"output": self.server.console(path.split("/")[-2])})
        elif kind in self.server.refuse:
            self._refuse(*self.server.refuse[kind])
        else:
            try:
                made = self.server.make(kind, body[kind[:-1]])
            except RefusedError as error:
                self._refuse(error.status, error.message)
                return
            shown = next(item for item in self.server.shown(kind) if item["id"] == made["id"])
            self._answer(201, {kind[:-1]: shown})

    def _refuse(self, status: int, message: str) -> None:
        self._answer(status, {"NeutronError": {"message": message, "type": "X", "detail": ""}})

    def do_DELETE(self) -> None:
        self.server.requests.append(f"DELETE {self.path}")
        kind, number = urlsplit(self.path).path.rstrip("/").split("/")[-2:]
        self._answer(204 if self.server.delete(kind, number) else 404, {"message": "could not be found"})

    def _login(self, body: Any) -> None:
        if body["auth"]["identity"]["password"]["user"]["password"] != PASSWORD:
            self._answer(401, {"error": {"code": 401, "message": "The request you have made requires authentication."}})
            return
        endpoint = {"interface": "public", "region": "RegionOne", "region_id": "RegionOne", "id": "e"}
        services = {"network": "/network", "compute": "/compute/v2.1", "image": "/image"}
        catalogue = [
            {"type": kind, "name": kind, "id": kind, "endpoints": [{**endpoint, "url": f"{self.server.url}{path}"}]}
            for kind, path in services.items()
        ]
        token = {"methods": ["password"], "expires_at": "2099-01-01T00:00:00.000000Z", "catalog": catalogue,
                 "user": {"id": "u", "name": "admin", "domain": {"id": "default", "name": "Default"}},
                 "project": {"id": "p", "name": "admin", "domain": {"id": "default", "name": "Default"}},
                 "issued_at": "2020-01-01T00:00:00.000000Z", "roles": []}  # fmt: skip
        self._answer(201, {"token": token}, X_Subject_Token="token")


@contextmanager
def stand_in(backend: str = "ml2") -> Iterator[StandIn]:
    """`backend`: a key of `network_side.SIDES`."""
    with StandIn(backend) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
