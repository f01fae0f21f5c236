"""A login that can be sent to another process: made there, of what is there."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from sriov.errors import ConnectError, UsageError
from sriov.model import Host, Secret, Testbed
from sriov.ssh.login import Login
from sriov.transport import Session


@dataclass(frozen=True, slots=True)
class WorkerLogin:
    """A Connect that can be sent: it logs in with the keys, agent and configuration of the process that does the job.

    The paths are looked for there. `run` is new for each run, so that a worker that lives for days reads its keys
    and known hosts again.
    """

    run: str
    key_filename: tuple[str, ...] = ()
    timeout: float = 10.0
    accept_new_host_keys: bool = False
    ssh_config: str = ""

    def __call__(self, host: Host) -> Session:
        try:
            login = _login(self)
        except UsageError as error:
            words = f"its worker cannot log in: {error.message}"
            raise ConnectError(error.id, host.name, words, hint=error.hint) from None
        return login.connect(host)


@functools.lru_cache(maxsize=4)
def _login(settings: WorkerLogin) -> Login:
    bed = Testbed(path="", hosts=(), key_filename=settings.key_filename)
    return Login(bed, settings.timeout, settings.accept_new_host_keys, settings.ssh_config, _no_terminal)


def _no_terminal(prompt: str) -> Secret | None:
    raise ConnectError(
        "no-terminal",
        "",
        f"a worker cannot ask for the {prompt}",
        hint="put it into env.passwords, or allow the login by key and sudo without a password (NOPASSWD)",
    )
