"""Sessions with hosts, by fabric and paramiko.

Fabric's Connection does what it is good at: `~/.ssh/config`, authentication, jump hosts. The socket is ours,
for a plain one loses twice 40 ms a host to delayed acknowledgements; scripts go through the channel itself.
Keys, known hosts and configuration are read once and shared. Host keys that are unknown or changed are refused.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paramiko
from fabric import Connection

from sriov.errors import ConnectError, UsageError
from sriov.model import Host, Secret, Testbed
from sriov.ssh.config_file import read_config
from sriov.ssh.errors import TROUBLE, RefusedError, explained, is_refusal, words_of
from sriov.ssh.host_key_options import OptionError, rules_of
from sriov.ssh.host_keys import HostKeyCheck
from sriov.ssh.jump_hosts import HostConnection, JumpError, JumpHosts
from sriov.ssh.known_hosts import KnownHosts
from sriov.ssh.session import SshSession
from sriov.ssh.tcp import open_socket
from sriov.transport import Session

_KEEPALIVE = 30  # seconds

logging.getLogger("paramiko").addHandler(logging.NullHandler())
logging.getLogger("paramiko").propagate = False  # what it would print, we say better


def _transport(check: HostKeyCheck, *args: Any, **kwargs: Any) -> paramiko.Transport:
    """As paramiko makes it, but AES-GCM comes first: the MAC of another cipher is checked in Python, byte by byte.
    So do the kinds of keys that are on file for the host: it has others too."""
    transport = paramiko.Transport(*args, **kwargs)
    options = transport.get_security_options()
    options.ciphers = sorted(options.ciphers, key=lambda cipher: "-gcm@" not in cipher)
    options.key_types = check.algorithms(tuple(options.key_types))
    return transport


@dataclass(eq=False, repr=False)
class Login:
    """How to log in to every host: made once for a run, shared by all its sessions.

    `ask` is asked for a password where one is needed and the testbed has none; it may answer None.
    """

    testbed: Testbed
    timeout: float = 10.0
    accept_new_host_keys: bool = False
    ssh_config: str = ""
    ask: Callable[[str], Secret | None] = lambda prompt: None
    _config: Any = field(init=False)
    _keys: dict[str, Any] = field(init=False)
    _known: KnownHosts = field(init=False)
    _jumps: JumpHosts = field(init=False)
    _answers: dict[str, Secret | None] = field(default_factory=dict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def __post_init__(self) -> None:
        self._config = read_config(self.ssh_config or os.environ.get("SRIOV_SSH_CONFIG", ""))
        self._keys = _load_keys(self.testbed.key_filename)
        self._jumps = JumpHosts(self._dial)
        self._known = KnownHosts()

    def connect(self, host: Host) -> Session:
        """A session with root on this host; ConnectError says why there is none."""
        connection = self._connection(host)
        self._open(connection, host)
        connection.transport.set_keepalive(_KEEPALIVE)
        # after a login without a question, only a host that is still booting refuses the next one
        with self._lock:
            self._answers.setdefault(_login_question(connection), None)
        password = host.password
        return SshSession(
            host,
            connection,
            needs_sudo=connection.user != "root",
            password=lambda: password or self._sudo_password(connection),
            patience=self.timeout * 3,
        )

    def _connection(self, host: Host) -> Any:
        try:
            connection = HostConnection(
                host.address,
                user=host.user or None,
                port=host.port,
                config=self._config,
                connect_timeout=self.timeout,
            )
        except (ValueError, paramiko.SSHException) as error:
            raise ConnectError(
                "bad-login-settings",
                host.name,
                f"its address or its SSH settings are not valid: {error}",
                hint="see the entry of this host in ~/.ssh/config",
            ) from None
        except RecursionError:
            raise ConnectError(
                "jump-host-loop",
                host.name,
                "its jump hosts lead to each other",
                hint="correct ProxyJump in ~/.ssh/config",
            ) from None
        return connection

    def _open(self, connection: Any, host: Host) -> None:
        try:
            try:
                self._dial(connection, host.password)
            except RefusedError:
                self._dial(connection, self._typed_password(connection, host))
        except RefusedError as error:
            words = f"the login of {connection.user}@{connection.host} was refused: {error}"
            raise ConnectError(error.id, host.name, words, hint="check user and password with `ssh`") from None
        except (JumpError, OptionError, UsageError, *TROUBLE) as error:
            raise explained(error, connection, host, self.timeout) from None

    def _typed_password(self, connection: Any, host: Host) -> Secret:
        typed = None if host.password else self._asked(_login_question(connection))
        if typed is None:
            raise ConnectError(
                "login-refused",
                host.name,
                f"the login of {connection.user}@{connection.host} was refused: no key, agent or password was accepted",
                hint="set env.key_filename, env.passwords or ssh-agent so that `ssh` works, then run again",
            )
        return typed

    def _dial(self, connection: Any, password: Secret | None = None) -> None:
        """The login itself, through jump hosts where it must be. Raises RefusedError, JumpError, paramiko's errors."""
        self._prepare(connection, password)
        if isinstance(connection.gateway, Connection):
            connection.gateway = self._jumps.through(connection.gateway)
        elif connection.gateway is None:
            connection.connect_kwargs["sock"] = open_socket(connection.host, connection.port, self.timeout)
        try:
            connection.open()
        except BaseException as error:
            refuses = is_refusal(error, connection.client.get_transport())
            with contextlib.suppress(Exception):
                connection.client.close()  # for Fabric closes only what has been logged in to
            if refuses:
                raise RefusedError("login-refused", words_of(error)) from None
            raise

    def _prepare(self, connection: Any, password: Secret | None) -> None:
        check = self._host_key_check(connection)
        kwargs = connection.connect_kwargs
        kwargs.update(
            transport_factory=functools.partial(_transport, check),
            banner_timeout=self.timeout * 2,
            auth_timeout=self.timeout * 3,
            channel_timeout=self.timeout,  # of a jump host, to reach the next one
        )
        files = kwargs.get("key_filename", [])
        if self._keys:
            first, *more = self._keys
            kwargs["pkey"] = self._keys[first]
            files = [*more, *files]
        paths = dict.fromkeys(os.path.expanduser(file) for file in files)
        # as ssh: what cannot be read is not a key
        kwargs["key_filename"] = [path for path in paths if os.path.isfile(path) and os.access(path, os.R_OK)]
        if password:
            kwargs["password"] = password.reveal()
        connection.client.set_missing_host_key_policy(check)

    def _host_key_check(self, connection: Any) -> HostKeyCheck:
        accept_new = self.accept_new_host_keys or self.testbed.accept_new_host_keys
        rules = rules_of(connection, os.environ.get("SRIOV_KNOWN_HOSTS", ""), accept_new)
        check = HostKeyCheck(self._known, rules)
        self._known.entries(rules.name, rules.files)  # what cannot be read is told before the host is called
        return check

    def _sudo_password(self, connection: Any) -> Secret | None:
        """The one that was typed for the login, if one was: sudo asks for the user's own."""
        typed = self._answers.get(_login_question(connection))
        return typed or self._asked(f"sudo password of {connection.user} on {connection.host}")

    def _asked(self, prompt: str) -> Secret | None:
        """The answer to a question that is put once in a run."""
        with self._lock:
            if prompt not in self._answers:
                self._answers[prompt] = self.ask(prompt)
            return self._answers[prompt]


def _login_question(connection: Any) -> str:
    return f"password of {connection.user} on {connection.host}"


def _load_keys(paths: tuple[str, ...]) -> dict[str, Any]:
    keys = {}
    for path in paths:
        try:
            keys[path] = paramiko.PKey.from_path(Path(path).expanduser())
        except (paramiko.PasswordRequiredException, TypeError):  # cryptography's word for OpenSSH's own format
            raise UsageError(
                "private-key-encrypted",
                f"env.key_filename: the key {path} is encrypted",
                hint="add it to ssh-agent and remove it from env.key_filename",
            ) from None
        except (OSError, ValueError, paramiko.SSHException) as error:
            words = f"env.key_filename: the key {path} cannot be read: {words_of(error)}"
            raise UsageError("private-key-unreadable", words, hint="name a private key that `ssh -i` accepts") from None
    return keys
