"""A small stand-in for the cloud's HTTP API: keystone's login, networks, subnets and ports, and what nova lists.

openstacksdk itself talks to it over a real socket. It knows just enough for input, idempotence and errors; that the
requests are right is proven on the real services of tests/cloud.
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

PASSWORD = "hunter2-of-the-cloud"
_DEFAULTS: dict[str, dict[str, Any]] = {
    "networks": {"status": "ACTIVE"},
    "subnets": {},
    "ports": {
        "status": "DOWN", "mac_address": "fa:16:3e:00:00:01", "binding:vif_type": "unbound", "binding:profile": {},
        "binding:vif_details": {}, "binding:host_id": "", "device_id": "", "description": "",
        "fixed_ips": [{"ip_address": "10.1.0.5"}],
    },
}  # fmt: skip
_COMPUTE = {"os-services": "services", "servers/detail": "servers", "os-hypervisors/detail": "hypervisors"}


class StandIn(ThreadingHTTPServer):
    """`store` holds what was made, by kind; `refuse` maps a kind to (status, message) for its POST.

    nova's lists are read only: a test lays into `store` what they are to hold. `refuse_lists` is for these.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.store: dict[str, list[dict[str, Any]]] = {kind: [] for kind in (*_DEFAULTS, *_COMPUTE.values())}
        self.requests: list[str] = []
        self.refuse: dict[str, tuple[int, str]] = {}
        self.refuse_lists: dict[str, tuple[int, str]] = {}
        self.numbers = itertools.count(1)

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


class _Handler(BaseHTTPRequestHandler):
    server: StandIn

    def log_message(self, *words: object) -> None:
        """Nothing on the terminal."""

    def _answer(self, status: int, document: object, **headers: str) -> None:
        body = json.dumps(document).encode()
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
            return
        if path == "/network":
            self._answer(200, {"versions": [self._version("v2.0", "/network/v2.0/")]})
            return
        if path.startswith("/compute/v2.1"):
            self._compute(path.removeprefix("/compute/v2.1").strip("/"), query)
            return
        kind, _, number = path.removeprefix("/network/v2.0/").partition("/")
        found = self.server.store.get(kind, [])
        if number:
            one = next((item for item in found if item["id"] == number), None)
            self._answer(200 if one else 404, {kind[:-1]: one} if one else {"message": "could not be found"})
            return
        chosen = [item for item in found if all(str(item.get(key)) == value for key, value in query.items())]
        self._answer(200, {kind: chosen})

    def _compute(self, path: str, query: dict[str, str]) -> None:
        kind = _COMPUTE.get(path, "")
        if not path:
            version = {**self._version("v2.1", "/compute/v2.1/"), "version": "2.96", "min_version": "2.1"}
            self._answer(200, {"version": version})
        elif kind in self.server.refuse_lists:
            status, message = self.server.refuse_lists[kind]
            self._answer(status, {"forbidden": {"code": status, "message": message}})
        else:
            found = [item for item in self.server.store[kind] if item.get("binary") == query.get("binary")]
            self._answer(200, {kind: found})

    def do_POST(self) -> None:
        self.server.requests.append(f"POST {self.path}")
        body = self._body()
        if self.path == "/v3/auth/tokens":
            self._login(body)
            return
        kind = self.path.rpartition("/")[2]
        if kind in self.server.refuse:
            status, message = self.server.refuse[kind]
            self._answer(status, {"NeutronError": {"message": message, "type": "X", "detail": ""}})
            return
        item = {"id": f"{kind}-{next(self.server.numbers)}", **_DEFAULTS[kind], **body[kind[:-1]]}
        self.server.store[kind].append(item)
        self._answer(201, {kind[:-1]: item})

    def _login(self, body: Any) -> None:
        if body["auth"]["identity"]["password"]["user"]["password"] != PASSWORD:
            self._answer(401, {"error": {"code": 401, "message": "The request you have made requires authentication."}})
            return
        endpoint = {"interface": "public", "region": "RegionOne", "region_id": "RegionOne", "id": "e"}
        catalogue = [{"type": "network", "name": "neutron", "id": "s",
                      "endpoints": [{**endpoint, "url": f"{self.server.url}/network"}]},
                     {"type": "compute", "name": "nova", "id": "c",
                      "endpoints": [{**endpoint, "url": f"{self.server.url}/compute/v2.1"}]}]  # fmt: skip
        token = {"methods": ["password"], "expires_at": "2099-01-01T00:00:00.000000Z", "catalog": catalogue,
                 "user": {"id": "u", "name": "admin", "domain": {"id": "default", "name": "Default"}},
                 "project": {"id": "p", "name": "admin", "domain": {"id": "default", "name": "Default"}},
                 "issued_at": "2020-01-01T00:00:00.000000Z", "roles": []}  # fmt: skip
        self._answer(201, {"token": token}, X_Subject_Token="token")


@contextmanager
def stand_in() -> Iterator[StandIn]:
    with StandIn() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
