"""Contrail's api-server over HTTP, asked with the token of the cloud's login.

It is bounded in time and size as a whole: a server that sends a byte now and then, or without end, ends the call. No
redirect is followed, which would carry the token to another place, and no compressed answer is unpacked.
"""

from __future__ import annotations

import json
import queue
import re
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from sriov.cloud.session import cloud_errors
from sriov.errors import CloudError

if TYPE_CHECKING:
    from openstack.connection import Connection

MAX_BYTES = 32 * 1024 * 1024  # 2,000 objects with 30 VMs each take about 18 MB
MAX_SECONDS = 30.0  # for one answer, from the connection to the last byte
_CHUNK = 64 * 1024
_SILENT = "check env.contrail_api (Contrail's own port is 8082) and that contrail-api runs there"
_NOT_IT = "check env.contrail_api: wanted is the address of Contrail's api-server, http://controller:8082"


class Limits(NamedTuple):
    seconds: float = MAX_SECONDS
    bytes: int = MAX_BYTES


_LIMITS = Limits()


class _Answer(NamedTuple):
    status: int
    body: bytes


class ApiServer:
    """`url` without a slash at its end. Each call raises CloudError, which names the URL."""

    def __init__(self, url: str, cloud: Connection, limits: Limits = _LIMITS) -> None:
        self.url = url
        self._cloud = cloud
        self._limits = limits

    def virtual_routers(self) -> object:
        """All objects with their properties, as decoded JSON of any shape."""
        act = "listing the virtual routers"
        return self._decoded(self._ask(act, "GET", "/virtual-routers?detail=true"), act)

    def update(self, uuid: str, properties: Mapping[str, object], label: str) -> None:
        """These properties of one object replaced, its others left; `label` names it in errors."""
        self._ask(
            f"writing the virtual router {label}", "PUT", f"/virtual-router/{uuid}", {"virtual-router": properties}
        )

    def _ask(self, act: str, method: str, path: str, document: object = None) -> _Answer:
        with cloud_errors("logging in"):
            token = self._cloud.session.get_token()

        def send() -> _Answer:
            headers = {"X-Auth-Token": token or "", "Accept": "application/json", "Accept-Encoding": "identity"}
            with self._cloud.session.request(
                f"{self.url}{path}", method, json=document, headers=headers, authenticated=False, redirect=False,
                raise_exc=False, log=False, stream=True, timeout=self._limits.seconds, connect_retries=0,
            ) as response:  # fmt: skip
                return _Answer(response.status_code, self._read(response))

        try:
            answer = _within(self._limits.seconds, send)
        except Exception as error:
            raise self._failure(act, error) from error
        self._check(act, answer)
        return answer

    def _read(self, response: Any) -> bytes:
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise _NotItError("its answer is compressed, which was not asked for")
        body = bytearray()
        for chunk in response.iter_content(_CHUNK):
            body += chunk
            if len(body) > self._limits.bytes:
                raise _NotItError(f"its answer is longer than {self._limits.bytes} bytes")
        return bytes(body)

    def _failure(self, act: str, error: Exception) -> CloudError:
        """What went wrong before there was a whole answer."""
        if isinstance(error, _NotItError):
            return CloudError("contrail-answer", f"{act} at {self.url}: {error}", hint=_NOT_IT)
        import keystoneauth1.exceptions as auth

        if isinstance(error, auth.SSLError):
            return self._tls_failure(act, str(error))
        is_late = isinstance(error, TimeoutError | auth.ConnectTimeout)
        reason = f"no whole answer within {self._limits.seconds:g} s" if is_late else _reason(error)
        return CloudError("contrail-silent", f"{act} at {self.url}: {reason}", hint=_SILENT)

    def _tls_failure(self, act: str, said: str) -> CloudError:
        if "certificate" in said.lower():
            words, hint = (
                f"{act} at {self.url}: its certificate is not trusted",
                "set OS_CACERT, or cacert in clouds.yaml",
            )
            return CloudError("untrusted-certificate", words, hint=hint)
        hint = "if it listens without TLS, write http:// in env.contrail_api"
        return CloudError("contrail-answer", f"{act} at {self.url}: what answers there does not speak TLS", hint=hint)

    def _check(self, act: str, answer: _Answer) -> None:
        where, status = f"{act} at {self.url}", answer.status
        if status in (401, 403):
            words, hint = f"{where}: it does not let these credentials do that (HTTP {status})", _FORBIDDEN
            raise CloudError("contrail-forbids", words, hint=hint)
        if 300 <= status < 400 or (status == 404 and act.startswith("listing")):
            raise CloudError("contrail-answer", f"{where}: HTTP {status}, wanted the objects", hint=_NOT_IT)
        if status in (502, 503, 504):
            raise CloudError("contrail-silent", f"{where}: HTTP {status}", hint=_SILENT)
        if not 200 <= status < 300:
            words = f"{where}: HTTP {status}: {_line(answer.body)}"
            raise CloudError("contrail-refused", words, hint="look at the log of contrail-api")

    def _decoded(self, answer: _Answer, act: str) -> object:
        try:
            return json.loads(answer.body)
        except (ValueError, RecursionError):
            raise CloudError("contrail-answer", f"{act} at {self.url}: its answer is not JSON", hint=_NOT_IT) from None


_FORBIDDEN = "use those of an administrator whom Contrail knows as one (cloud_admin_role of contrail-api)"


class _NotItError(Exception):
    """An answer that no api-server of Contrail gives."""


def _reason(error: Exception) -> str:
    """`Connection refused` out of the nested words of requests, where an errno is among them."""
    said = re.search(r"\[Errno -?[0-9]+\] ([A-Za-z ]+)", str(error))
    return said[1].strip() if said else "the connection broke off before the end of an answer"


def _line(body: bytes) -> str:
    """The server's own words, for a message."""
    return shown(body[:2000].decode(errors="replace"), 300) or "no words"


def shown(text: str, limit: int = 64) -> str:
    """Text from outside on one line, with `?` for what would not print, and no longer than that."""
    plain = "".join(letter if letter.isprintable() else "?" for letter in " ".join(text.split()))
    return plain if len(plain) <= limit else f"{plain[: limit - 3]}..."


def _within(seconds: float, act: Callable[[], _Answer]) -> _Answer:
    """What `act` returns or raises; TimeoutError if that takes longer. No timeout of a socket bounds a whole answer."""
    box: queue.SimpleQueue[_Answer | Exception] = queue.SimpleQueue()

    def run() -> None:
        try:
            box.put(act())
        except Exception as error:
            box.put(error)

    threading.Thread(target=run, daemon=True).start()
    try:
        found = box.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError from None
    if isinstance(found, Exception):
        raise found
    return found
