"""Stand-in for placement inside a container: as much of its API as nova's services need to start, and to choose a host.

It remembers resource providers and their inventories and judges nothing: each provider is a candidate for every VM.
Runs under the container's own Python.
"""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

PORT = 8778
Document = dict[str, object]

LINK = {"rel": "self", "href": ""}  # keystoneauth takes no version without one
VERSIONS: Document = {
    "versions": [{"id": "v1.0", "min_version": "1.0", "max_version": "1.39", "status": "CURRENT", "links": [LINK]}]
}
EMPTY: Document = {"inventories": {}, "aggregates": [], "traits": [], "allocations": {}, "usages": {}}

providers: dict[str, Document] = {}
parts: dict[str, Document] = {}  # '<uuid>/inventories' -> what was last put there


def answer(method: str, path: str, body: Document) -> tuple[int, Document]:
    """Status and document. The forms are those of placement's API reference."""
    words = path.strip("/").split("/")
    if words == [""]:
        return 200, VERSIONS
    if words[0] == "allocation_candidates":
        return 200, candidates()
    if words[0] == "allocations" and method == "GET":
        return 200, {"allocations": {}}
    if words[0] != "resource_providers":
        return (204, {}) if method == "PUT" else (200, {"traits": [], "resource_classes": []})
    if len(words) == 1:
        if method == "POST":
            own = {"generation": 0, "parent_provider_uuid": None, "root_provider_uuid": body["uuid"], "links": []}
            providers[str(body["uuid"])] = own | body
            return 200, providers[str(body["uuid"])]
        return 200, {"resource_providers": list(providers.values())}
    provider = providers.get(words[1])
    if provider is None:
        return 404, {"errors": [{"status": 404, "title": "Not Found", "detail": f"no provider {words[1]}"}]}
    if len(words) == 2:
        return 200, provider
    place, kind = "/".join(words[1:]), words[2]
    if method == "PUT":
        provider["generation"] = int(str(provider["generation"])) + 1
        parts[place] = body
    found = {kind: EMPTY.get(kind, {})} | parts.get(place, {})
    return 200, found | {"resource_provider_generation": provider["generation"]}


def candidates() -> Document:
    """Any provider can take a VM of 1 CPU."""
    summary: Document = {"resources": {"VCPU": {"capacity": 8, "used": 0}}, "traits": [], "parent_provider_uuid": None}
    return {
        "allocation_requests": [
            {"allocations": {uuid: {"resources": {"VCPU": 1}}}, "mappings": {"": [uuid]}} for uuid in providers
        ],
        "provider_summaries": {uuid: summary | {"root_provider_uuid": uuid} for uuid in providers},
    }


class Handler(BaseHTTPRequestHandler):
    def reply(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "{}")
        status, document = answer(self.command, urlsplit(self.path).path, body if isinstance(body, dict) else {})
        data = b"" if status == 204 else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_DELETE = reply  # noqa: N815 - the names are http.server's


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
