"""The scripts that reach a host are POSIX sh: the shell and shellcheck read each of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from shells import SHELLS, words_of

from sriov.errors import SriovError
from sriov.formats.kernel_arguments import KernelArgument
from sriov.model import Host, PhysicalFunction, Role, Testbed
from sriov.planning import script
from sriov.planning.plan import Plan
from sriov.planning.probe import probe_script
from sriov.rendering.plain import whole
from sriov.resources.contract import Change, Command, Effect, RemoveFile, Request, RestoreFile, WriteFile
from sriov.resources.files.grub_drop_in import drop_in_text

SHELLCHECK = Path(sys.executable).with_name("shellcheck")
PORTS = (
    PhysicalFunction(7, ("physnet1",), interface="eth0"),
    PhysicalFunction(7, ("physnet2",), interface="enp3s0f0.1"),
    PhysicalFunction(7, ("physnet3",), pci="0000:01:00.0"),
    PhysicalFunction(7, ("physnet4",), mac="52:54:00:12:34:56"),
)
HOST = Host("root@10.0.0.1", "10.0.0.1", physical_functions=PORTS)
BED = Testbed("testbed.py", (HOST,))
BOTH = frozenset(Role)
EVERY_STEP = (
    WriteFile("/etc/nova/new.conf", "-", b"text"),
    WriteFile("/etc/nova/old.conf", "0" * 64, b"text"),
    RemoveFile("/etc/nova/gone.conf", "0" * 64),
    RestoreFile("/etc/nova/back.conf", "0" * 64, "1" * 64, "20260101T000000Z-a1b2c3", "3"),
    Command(("clear_vfs", "eth0", "7", "60", "free")),
    Command(("make_vfs", "eth0", "5", "150", "7", "-")),
    Command(("start_unit", "sriov-vfs-eth0", "eth0")),
    Command(("enable_unit", "sriov-vfs-eth0")),
    Command(("stop_unit", "sriov-vfs-eth0")),
    Command(("restart", "nova-compute")),
    Command(("systemctl", "daemon-reload")),
    Command(("update-grub",)),
)
PLAN = Plan(
    (
        Change(
            "nova-options",
            "it's `a` $(target)",
            "1 lines",
            "",
            (WriteFile("/etc/nova/it's $x.conf", "-", b"text"),),
            Effect.RESTART,
            ('+it\'s a "diff" with $words',),
        ),
        Change("services", "nova-compute", "restarted", "old", (Command(("restart", "nova-compute")),)),
    )
)
SCRIPTS = {
    "probe": probe_script(Request(HOST, BED, BOTH), "0" * 32),
    "probe of one role": probe_script(Request(HOST, BED, frozenset({Role.OPENSTACK})), "0" * 32),
    "probe of all ports": probe_script(Request(HOST, BED, frozenset(), all_ports=True), "0" * 32),
    "probe of counters": probe_script(
        Request(HOST, BED, BOTH, all_ports=True, ask_holders=True, counter_interval=5), "0" * 32
    ),
    "apply": script.apply(Request(HOST, BED, BOTH), PLAN, "0" * 32, run_id="r", who="o'neill@desk", may_reboot=False),
    "apply and reboot": script.apply(
        Request(HOST, BED, BOTH), PLAN, "0" * 32, run_id="r", who="me@desk", may_reboot=True
    ),
    "apply every step": script.apply(
        Request(HOST, BED, BOTH, rollback=""),
        Plan((Change("x", "y", "", "", EVERY_STEP),)),
        "0" * 32,
        run_id="r",
        who="me@desk",
        may_reboot=True,
    ),
    "apply nothing": script.apply(Request(HOST, BED, BOTH), Plan(), "0" * 32, run_id="r", who="me", may_reboot=True),
}


TEXTS = {name: made.text for name, made in SCRIPTS.items()} | {
    "script of the units": whole("sriov-vfs.sh"),
    "GRUB drop-in": drop_in_text(
        (KernelArgument("intel_iommu", "on"), KernelArgument("iommu", "pt"), KernelArgument("isolcpus", "2-15"))
    ),
}


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("name", TEXTS)
def test_script_is_posix_shell(name: str, shell: str) -> None:
    ended = subprocess.run([*words_of(shell), "-n"], input=TEXTS[name], capture_output=True)
    assert (ended.returncode, ended.stderr) == (0, b"")


@pytest.mark.parametrize("name", TEXTS)
def test_shellcheck_finds_nothing(name: str) -> None:
    # Not asked for: what .shellcheckrc leaves out in all files; variables that only one of the scripts uses; functions
    # that only a plan with that step calls; values of the plan in single quotes, which are to stay as they are; and the
    # format that is a file's content.
    left_out = "SC2250,SC2312,SC2249,SC2034,SC2317,SC2329,SC2016,SC2059"
    ended = subprocess.run(
        [str(SHELLCHECK), "--norc", "--shell=sh", "--enable=all", f"--exclude={left_out}", "-"],
        input=TEXTS[name],
        capture_output=True,
    )
    assert ended.stdout.decode() == ""
    assert ended.returncode == 0


def test_words_of_a_plan_reach_their_function_as_they_are() -> None:
    made = SCRIPTS["apply"]
    lines = [line for line in made.text.decode().split("\n") if line.startswith("step ")]
    program = "step() { shift 3; printf '%s\\n' \"$@\"; }\n" + "\n".join(lines)
    words = subprocess.run(["sh", "-c", program], capture_output=True, text=True, check=True).stdout.split("\n")
    assert words[:3] == ["write_file", "/etc/nova/it's $x.conf", "-"]
    assert words[-3:-1] == ["restart", "nova-compute"]


def test_content_reaches_its_file_byte_for_byte(tmp_path: Path) -> None:
    content = bytes(range(256)) + b"\n-n %s %% \\n \\0 it's $HOME `id`\r\n\n"
    change = Change("x", "y", "", "", (WriteFile("/etc/nova/it's $x.conf", "-", content),))
    made = script.apply(Request(HOST, BED, BOTH), Plan((change,)), "0" * 32, run_id="r", who="me", may_reboot=False)
    fill = next(line for line in made.text.decode().split("\n") if line.startswith("fill() "))
    for shell in SHELLS:
        new = tmp_path / shell
        around = f'LC_ALL=C; export LC_ALL; new={new}; stage() {{ echo "$2"; }}; settle() {{ :; }}; modes() {{ :; }}'
        program = f'{around}; {fill}; eval "$(cat)"'
        ended = subprocess.run([*words_of(shell), "-c", program], input=made.payload, capture_output=True, check=True)
        assert (ended.stdout, ended.stderr) == (b"/etc/nova/it's $x.conf\n", b"")
        assert new.read_bytes() == content


@pytest.mark.parametrize("text", ["a\nb", "a\x00b", "a\x1bb"])
def test_control_character_is_in_no_script(text: str) -> None:
    with pytest.raises(SriovError, match="control character"):
        script.apply(Request(HOST, BED, BOTH), PLAN, "0" * 32, run_id="r", who=text, may_reboot=False)
