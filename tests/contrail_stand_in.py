"""A small stand-in for Contrail's api-server: its virtual-router objects over HTTP, with keystone's token checked.

Objects and pairs are made by the classes of contrail-api-client. Its VirtualRouter is older than the property
`virtual_router_sriov_physical_networks`, so no class of Contrail judges that name, nor what an update makes of it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from typing import Any, NamedTuple

from vnc_api.gen.resource_common import VirtualRouter
from vnc_api.gen.resource_xsd import KeyValuePair, KeyValuePairs

TOKEN = "token"  # what the cloud's stand-in gives to its administrator
PROPERTY = "virtual_router_sriov_physical_networks"
Pairs = tuple[tuple[str, object], ...]


class ProvisionedRouter(NamedTuple):
    """One object as provision_vrouter.py leaves it; its name may come as a number."""

    name: object
    pairs: Pairs = ()
    more: Mapping[str, Any] = {}

    def document(self, uuid: str) -> dict[str, Any]:
        made = VirtualRouter(self.name, virtual_router_ip_address="10.0.0.9", virtual_router_dpdk_enabled=False)
        made.uuid = uuid
        found: dict[str, Any] = made.serialize_to_json() | {"name": str(self.name), "display_name": str(self.name)}
        return found | ({PROPERTY: property_of(self.pairs)} if self.pairs else {}) | dict(self.more)


def property_of(pairs: Pairs) -> dict[str, Any]:
    """`{"key_value_pair": [{"key": "physnet1", "value": "eth0"}]}`, by Contrail's own names of its parts."""
    made = KeyValuePairs(key_value_pair=[KeyValuePair(key=key, value=value) for key, value in pairs])
    found: dict[str, Any] = made.exportDict()["KeyValuePairs"]
    return found


class ApiServer(ThreadingHTTPServer):
    """`objects` by UUID, as JSON has them. `requests` in their order; `bodies` of the PUTs.

    `refuse`: method -> (status, words). `says`: writes the raw answer to a GET itself. `forgets`: a Contrail from
    before the property, which takes it and drops it.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[str, dict[str, Any]] = {}
        self.requests: list[str] = []
        self.bodies: list[Any] = []
        self.refuse: dict[str, tuple[int, str]] = {}
        self.says: Callable[[BufferedIOBase], None] | None = None
        self.forgets = False

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that has heard enough closes the connection."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def writes(self) -> list[str]:
        return [request for request in self.requests if not request.startswith("GET ")]

    def provision(self, name: object, *pairs: tuple[str, object], **more: Any) -> dict[str, Any]:
        """A new object; without pairs it has no property for them, as after a plain provision_vrouter.py."""
        uuid = f"00000000-0000-4000-8000-{len(self.objects):012d}"
        self.objects[uuid] = ProvisionedRouter(name, pairs, more).document(uuid)
        return self.objects[uuid]


def pairs_of(found: Mapping[str, Any]) -> Pairs:
    return tuple((pair["key"], pair["value"]) for pair in found.get(PROPERTY, {}).get("key_value_pair", ()))


class _Handler(BaseHTTPRequestHandler):
    server: ApiServer

    def log_message(self, *words: object) -> None:
        """Nothing on the terminal."""

    def _answer(self, status: int, document: object) -> None:
        body = document.encode() if isinstance(document, str) else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html" if isinstance(document, str) else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _is_refused(self) -> bool:
        self.server.requests.append(f"{self.command} {self.path}")
        if self.command in self.server.refuse:
            self._answer(*self.server.refuse[self.command])
        elif self.headers.get("X-Auth-Token") != TOKEN:
            self._answer(401, "Authentication required")
        else:
            return False
        return True

    def do_GET(self) -> None:
        if self._is_refused():
            return
        if self.server.says is not None:
            self.server.says(self.wfile)
        elif self.path == "/virtual-routers?detail=true":
            listed = [{"virtual-router": each} for each in self.server.objects.values()]
            self._answer(200, {"virtual-routers": listed})
        else:
            self._answer(404, "Not found")

    def do_PUT(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        if self._is_refused():
            return
        self.server.bodies.append(body)
        uuid = self.path.removeprefix("/virtual-router/")
        if uuid not in self.server.objects:
            self._answer(404, f"Unknown id: {uuid}")
            return
        for pair in body["virtual-router"][PROPERTY]["key_value_pair"]:
            KeyValuePair(**pair)  # a TypeError, and no answer, where a pair has other parts than Contrail's
        if not self.server.forgets:
            self.server.objects[uuid] |= body["virtual-router"]
        self._answer(200, {"virtual-router": {"uuid": uuid, "href": self.path}})


@contextmanager
def api_server() -> Iterator[ApiServer]:
    with ApiServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
