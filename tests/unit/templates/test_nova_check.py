"""What a host's own nova says of the files that are staged, before anything takes its place.

nova's code is the judge's (tests/nova/install.sh); the shell is that of a host, with a `systemctl` that a test answers.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nova_judge
import pytest
from shells import NONCE, fake, run

from sriov import layout
from sriov.facts.parser import sections
from sriov.planning.host_failures import Reach, read
from sriov.planning.nova_checks import reader, unasked
from sriov.rendering.plain import text_of

pytestmark = [pytest.mark.nova, pytest.mark.slow]
COMPUTE, SCHEDULER = "nova-compute", "nova-scheduler"
SECRET = "s3cr3t-rabbit-passw0rd"
LIBRARIES = ("common", "failures", "file_transaction", "nova_check")


def spec(text: str) -> str:
    return f"[pci]\ndevice_spec = {text}\n"


def filters(enabled: str, available: str = "nova.scheduler.filters.all_filters") -> str:
    return f"[filter_scheduler]\nenabled_filters = {enabled}\navailable_filters = {available}\n"


OURS = spec('{"devname": "eth7", "physical_network": "physnet1"}')
# what stands in the file; the service, and how its answer begins
READINGS = {
    "what we write": (OURS, COMPUTE, "ok"),
    "an old name": (OURS.replace("device_spec", "passthrough_whitelist"), COMPUTE, "ok"),
    "trusted as a boolean": (spec('{"devname": "eth7", "physical_network": "a", "trusted": true}'), COMPUTE, "ok"),
    "no JSON": (spec("{'devname': 'eth7'}"), COMPUTE, "refused PciConfigInvalidSpec: "),
    "a physical network as a list": (
        spec('{"devname": "eth7", "physical_network": ["a"]}'),
        COMPUTE,
        "refused ValueError: A string is required in field tags",
    ),
    "an id that is a number": (spec('{"vendor_id": 8086}'), COMPUTE, "refused AttributeError: "),
    "a domain above ffff": (spec('{"address": "10000:01:00.0"}'), COMPUTE, "refused PciConfigInvalidSpec: "),
    "remote_managed without its port": (
        spec('{"devname": "nosuch0", "remote_managed": "true"}'),
        COMPUTE,
        "refused PciDeviceRemoteManagedNotPresent: ",
    ),
    "one_time_use without placement": (
        spec('{"address": "0000:01:00.0", "one_time_use": "true"}'),
        COMPUTE,
        "refused PciConfigInvalidSpec: ",
    ),
    "one_time_use with placement": (
        spec('{"address": "0000:01:00.0", "one_time_use": "true"}') + "report_in_placement = true\n",
        COMPUTE,
        "ok",
    ),
    "a value of another option": ("[DEFAULT]\ndebug = perhaps\n", COMPUTE, "refused debug: SystemExit"),
    "a value of a service's option": (
        "[DEFAULT]\nservice_down_time = soon\n",
        SCHEDULER,
        "refused [DEFAULT] service_down_time: ConfigFileValueError",
    ),
    "an unknown name in a value": (spec("$nope"), COMPUTE, "refused NoSuchOptError: no such option nope"),
    "a secret in a value": (f"[DEFAULT]\ntransport_url = {SECRET}\n{spec('$transport_url')}", COMPUTE, "refused "),
    "a broken line": (f"[DEFAULT]\npassword {SECRET}\n", COMPUTE, "refused ConfigFileParseError: "),
    "our filter": (filters("ComputeFilter,PciPassthroughFilter"), SCHEDULER, "ok"),
    "defaults": ("[DEFAULT]\n", SCHEDULER, "ok"),
    "a filter that is gone": (filters("RamFilter"), SCHEDULER, "refused SchedulerHostFilterNotFound: "),
    "a filter that is not available": (
        filters("ComputeFilter", "nova.scheduler.filters.pci_passthrough_filter.PciPassthroughFilter"),
        SCHEDULER,
        "refused SchedulerHostFilterNotFound: ",
    ),
    "a module that is missing": (filters("MyFilter", "my.filters.MyFilter"), SCHEDULER, "refused "),
    "a filter on the next line": ("[filter_scheduler]\navailable_filters =\n  nova.x\n", SCHEDULER, "refused "),
    "a whitelist that breaks each request": (spec("[1]"), SCHEDULER, "refused PciConfigInvalidSpec: "),
}


@pytest.fixture(scope="module")
def python() -> str:
    return nova_judge.python()


@pytest.fixture(scope="module")
def readings(python: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("readings")
    lines = []
    for number, (text, service, _) in enumerate(READINGS.values()):
        (folder / f"{number}.conf").write_text(text)
        lines.append(json.dumps([service, str(folder / f"{number}.conf")]) + "\n")
    done = subprocess.run(
        [python, "-W", "ignore", str(nova_judge.HERE / "readings.py"), text_of("nova-reader.py")],
        input="".join(lines),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=300,
    )
    return dict(zip(READINGS, done.stdout.splitlines(), strict=True))


@pytest.mark.parametrize("case", READINGS)
def test_reader_answers_as_nova_would_start(readings: dict[str, str], case: str) -> None:
    assert readings[case].startswith(READINGS[case][2])


def test_reader_tells_no_secret_of_the_file(readings: dict[str, str]) -> None:
    assert not [case for case, answer in readings.items() if SECRET in answer]


def test_reader_has_nothing_that_python_2_lacks() -> None:
    source = (layout.templates() / "nova-reader.py").read_text()
    new = (ast.JoinedStr, ast.NamedExpr, ast.Nonlocal, ast.AnnAssign, ast.Starred, ast.AsyncFunctionDef)
    nodes = list(ast.walk(ast.parse(source)))
    assert not [node for node in nodes if isinstance(node, new) or getattr(node, "kwonlyargs", None)]
    assert "from __future__ import unicode_literals\n" in source


# --- the shell around it ---


def unit(root: Path, **properties: str) -> None:
    """What systemd says of the service."""
    lines = "".join(f"{name}) echo {name}='{value}' ;;\n" for name, value in properties.items())
    fake(root, "systemctl", f'case $3 in {lines} *) echo "$3=" ;; esac')


def ask(root: Path, service: str, before: str, after: str, settings: str = "") -> bytes:
    """`etc/nova.conf` holds `before`; staged beside it is `after`."""
    (root / "etc").mkdir(exist_ok=True)
    conf = root / "etc/nova.conf"
    conf.write_text(before)
    (root / "etc/.nova.conf.sriov-new").write_text(after)
    script = f"mkdir -p $state\nnova_reader={reader()}\n{settings}\nask_nova {service} {service} 3 {conf}\necho on\n"
    ended = run("dash", root, LIBRARIES, script)
    assert ended.stderr == b""
    assert conf.read_text() == before
    return ended.stdout


def program(root: Path, name: str, python: str, body: str = "") -> Path:
    """A program of the service, begun with its interpreter."""
    path = root / "venv" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!{python}\n{body}\n")
    path.chmod(0o755)
    return path


def execstart(path: Path, conf: Path) -> str:
    return f"{{ path={path} ; argv[]={path} --config-file {conf} ; ignore_errors=no }}"


def test_stopped_service_is_asked_by_the_interpreter_of_its_program(python: str, tmp_path: Path) -> None:
    path = program(tmp_path, COMPUTE, python)
    unit(tmp_path, MainPID="0", ExecStart=execstart(path, tmp_path / "etc/nova.conf"))
    output = ask(tmp_path, COMPUTE, OURS, spec("[1]"))
    failure = read(output, NONCE)
    assert failure is not None
    assert (failure.id, failure.reach, failure.step) == ("nova-refuses-file", Reach.STAGING, 3)
    assert f"nova-compute would not start with it. Read by {python}: PciConfigInvalidSpec: " in failure.words
    assert b"\non\n" not in output


@pytest.fixture
def running(python: str, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A scheduler that runs, with its own modules in its environment and its files on its command line."""
    path = program(tmp_path, SCHEDULER, python, "import sys\nprint(flush=True)\nsys.stdin.read()")
    (tmp_path / "own").mkdir()
    (tmp_path / "own/our_filters.py").write_text(
        "from nova.scheduler import filters\nprint('ok')\nclass OurFilter(filters.BaseHostFilter):\n    pass\n"
    )
    words = [str(path), f"--config-file={tmp_path / 'etc/nova.conf'}"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "own"), "NOTIFY_SOCKET": "/nowhere"}
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        process.stdout.readline()
        unit(tmp_path, MainPID=str(process.pid), ExecStart="{ path=/etc/init.d/x ; argv[]=/etc/init.d/x start ; }")
        yield process
        process.terminate()


def test_running_service_is_asked_as_it_runs(running: object, tmp_path: Path) -> None:
    output = ask(tmp_path, SCHEDULER, "[DEFAULT]\n", filters("OurFilter", "our_filters.OurFilter"))
    assert output == b"on\n"
    assert not list(tmp_path.rglob("__pycache__"))


def test_running_service_is_refused_what_it_would_die_of(running: object, tmp_path: Path) -> None:
    failure = read(ask(tmp_path, SCHEDULER, "[DEFAULT]\n", filters("TheirFilter", "our_filters.OurFilter")), NONCE)
    assert failure is not None
    assert "SchedulerHostFilterNotFound: " in failure.words
    assert "TheirFilter" in failure.words


def test_service_in_a_container_is_not_asked(tmp_path: Path) -> None:
    code = f"import os, sys; os.chroot({str(tmp_path)!r}); print(flush=True); sys.stdin.read()"
    words = ["unshare", "--map-root-user", sys.executable, "-c", code]  # root is not needed
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        unit(tmp_path, MainPID=str(process.pid))
        (note,) = unasked(ask(tmp_path, COMPUTE, OURS, spec("[1]")), NONCE)
        process.terminate()
    assert "it runs in a container" in note.message


ENDLESS = "import sys\nwhile True: sys.stdout.write('x' * 9999)"


@pytest.mark.parametrize(
    ("interpreter", "settings", "why"),
    [
        ("/nowhere/python3", "", "no Python of it was found"),
        ("/bin/sh", "", "no Python of it was found"),
        (sys.executable, "", "No module named"),
        ("python-that-sleeps", "nova_seconds=1", "it ended with status 124 within 1 seconds"),
        ("python-that-says-much", "nova_seconds=2", "xxx"),
        ("python-that-fails", "", "it ended with status 7 within 90 seconds"),
        (sys.executable, "nova_memory=999999999999", "too little memory is free: "),
    ],
)
def test_service_that_cannot_be_asked_is_no_obstacle(interpreter: str, settings: str, why: str, tmp_path: Path) -> None:
    for name, body in (("sleeps", "exec sleep 50"), ("says-much", "exec yes xxx"), ("fails", "exit 7")):
        fake(tmp_path, f"python-that-{name}", body)
    path = program(tmp_path, COMPUTE, interpreter if "/" in interpreter else str(tmp_path / "bin" / interpreter))
    unit(tmp_path, MainPID="0", ExecStart=execstart(path, tmp_path / "etc/nova.conf"))
    output = ask(tmp_path, COMPUTE, OURS, OURS, settings)
    (note,) = unasked(output, NONCE)
    assert note.id == "nova-not-asked"
    assert note.message.startswith("nova-compute was not asked whether it starts with its new files: ")
    assert why in note.message
    assert len(note.message) < 500
    assert [name for name, _, _ in sections(output, NONCE)] == ["unasked"]
    assert output.endswith(b"on\n")
