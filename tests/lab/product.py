"""The product as an operator meets it: a testbed file, and `fab` typed in a checkout."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .guest import Guest
from .requirements import fab_program

CHECKOUT = Path(__file__).parents[2]
FAB_SECONDS = 1800
PASSWORD = "lab-password"  # of the guests' user opspw

Entry = dict[str, object]
ALL_ROLES = ("compute", "openstack")


@dataclass(frozen=True, slots=True)
class Stanza:
    """One host of a testbed: host string, lines for known_hosts, login key, `env.sriov` entries, roles."""

    host: str
    known: str
    key: Path
    entries: Sequence[Entry]
    roles: Sequence[str] = ALL_ROLES
    password: str = ""


def stanza(
    guest: Guest, entries: Sequence[Entry], roles: Sequence[str] = ALL_ROLES, *, user: str = "root", password: str = ""
) -> Stanza:
    """A guest as a host of a testbed."""
    known = guest.login.known_hosts.read_text()
    return Stanza(f"{user}@127.0.0.1:{guest.login.port}", known, guest.login.key, entries, roles, password)


def entry(interface: str, count: int, *physnets: str) -> Entry:
    """`{'interface': 'enp1s0', 'VF': 7, 'physnets': ['physnet1']}`"""
    return {"interface": interface, "VF": count, "physnets": list(physnets)}


def write_testbed(directory: Path, stanzas: Iterable[Stanza], more: str = "") -> Path:
    """A testbed file in `directory`, as its users write them, with the known_hosts file that `fab` will be given.

    `more` is what the file ends with.
    """
    stanzas = list(stanzas)
    names = {one.host: f"host{number}" for number, one in enumerate(stanzas, 1)}
    lines = ["from fabric.api import env", ""]
    lines += [f"{name} = {host!r}" for host, name in names.items()]
    roles = {"all": list(names.values())}
    for one in stanzas:
        for role in one.roles:
            roles.setdefault(role, []).append(names[one.host])
    lines += ["env.roledefs = {"]
    lines += [f"    {role!r}: [{', '.join(members)}]," for role, members in roles.items()]
    lines += ["}", "env.sriov = {"]
    lines += [f"    {names[one.host]}: {list(one.entries)!r}," for one in stanzas if one.entries]
    lines += ["}", f"env.key_filename = {str(stanzas[0].key)!r}"]
    lines += [f"env.passwords = {{{names[one.host]}: {one.password!r}}}" for one in stanzas if one.password]
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "known_hosts").write_text("".join(one.known for one in stanzas))
    testbed = directory / "testbed.py"
    testbed.write_text("\n".join(lines) + "\n" + more)
    return testbed


def single_host_testbed(
    guest: Guest,
    *entries: Entry,
    roles: Sequence[str] = ALL_ROLES,
    user: str = "root",
    kernel_arguments: Sequence[str] = (),
) -> Path:
    """The testbed with that one host; `kernel_arguments` are those of the role compute."""
    password = PASSWORD if user == "opspw" else ""
    host = stanza(guest, entries, roles, user=user, password=password)
    more = f"env.kernel_arguments = {{'compute': {list(kernel_arguments)!r}}}\n" if kernel_arguments else ""
    return write_testbed(guest.directory / "testbed", [host], more)


@dataclass(slots=True)
class Fab:
    """`fab` as typed in a checkout. It prints what was typed and answered, so that a failing scenario shows it."""

    environment: dict[str, str] = field(default_factory=dict)

    def start(self, *arguments: str, testbed: Path) -> subprocess.Popen[str]:
        """Begin, for scenarios that do something meanwhile; both outputs go to one file beside the testbed."""
        command = _command(arguments, testbed)
        with open(testbed.with_name("fab.log"), "w") as log:
            return subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *command],
                cwd=CHECKOUT,
                env=self._environment(testbed),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                text=True,
                start_new_session=True,
            )

    def __call__(
        self, *arguments: str, testbed: Path, timeout: float = FAB_SECONDS
    ) -> subprocess.CompletedProcess[str]:
        """Run to the end. Outputs come apart; the status is for the scenario to judge."""
        done = subprocess.run(
            _command(arguments, testbed),
            cwd=CHECKOUT,
            env=self._environment(testbed),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        print(f"$ fab {' '.join(arguments)}\n{done.stdout}{done.stderr}[exit code {done.returncode}]")
        return done

    def _environment(self, testbed: Path) -> dict[str, str]:
        """The operator's own home, agent and SSH configuration play no part."""
        inherited = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
        directory = testbed.parent
        config = directory / "ssh_config"
        config.touch()
        known_hosts = str(directory / "known_hosts")
        return {
            **inherited,
            "HOME": str(directory),
            "SRIOV_KNOWN_HOSTS": known_hosts,
            "SRIOV_SSH_CONFIG": str(config),
            **self.environment,
        }


def _command(arguments: tuple[str, ...], testbed: Path) -> list[str]:
    """What to run. Logins are given more time than on hardware: an emulated host on a busy machine is slow."""
    return [str(fab_program()), *arguments, "--testbed", str(testbed), "--timeout", "60"]
