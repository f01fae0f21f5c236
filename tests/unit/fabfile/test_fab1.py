"""Fabric 1's call grammar: the pure translation, and the real `fab` on a small fabfile."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabfile.fab1 import CallError, Hosts, Parameter, Signature, to_bool, to_invoke

PARAMETERS = (
    Parameter("testbed", str, ""),
    Parameter("jobs", int, ""),
    Parameter("reboot", str, ""),
    Parameter("json", to_bool, "", is_switch=True),
    Parameter("max_unavailable", str, ""),
)
TASKS = {
    "setup_all": Signature(PARAMETERS, positional=("reboot",)),
    "add_vrouter_node": Signature(PARAMETERS, Hosts.REQUIRED),
    "plan": Signature(PARAMETERS, Hosts.OPTIONAL),
    "verify": Signature(PARAMETERS, Hosts.OPTIONAL),
    "status": Signature(PARAMETERS),
    "explain": Signature(
        (Parameter("physnet", str, ""), Parameter("count", int, ""), *PARAMETERS), positional=("physnet", "count")
    ),
}
CORE = {"--list": False, "--help": False, "-h": False, "-i": True, "--identity": True, "-d": False, "--echo": False}


@pytest.mark.parametrize(
    ("call", "spelled"),
    [
        ("", ""),
        ("setup_all", "setup_all"),
        ("setup-all", "setup_all"),
        ("setup_all:", "setup_all"),
        ("setup_all:reboot=False", "setup_all --reboot=False"),
        ("setup_all:False", "setup_all --reboot=False"),
        ("setup_all --reboot never", "setup_all --reboot=never"),
        ("setup_all --reboot=never", "setup_all --reboot=never"),
        ("setup_all:testbed=x.py,jobs=4", "setup_all --testbed=x.py --jobs=4"),
        ("setup_all:max-unavailable=25%", "setup_all --max-unavailable=25%"),
        ("setup_all:max_unavailable=25%", "setup_all --max-unavailable=25%"),
        ("setup_all:json=yes", "setup_all --json"),
        ("setup_all:json=0", "setup_all"),
        ("setup_all --json=no", "setup_all"),
        ("add_vrouter_node:root@a", "add_vrouter_node --hosts=root@a"),
        ("add_vrouter_node:root@a,root@b", "add_vrouter_node --hosts=root@a,root@b"),
        ("add_vrouter_node:root@a,jobs=2,root@b", "add_vrouter_node --hosts=root@a,root@b --jobs=2"),
        ("add_vrouter_node:hosts=a;b", "add_vrouter_node --hosts=a,b"),
        ("add_vrouter_node:host=a", "add_vrouter_node --hosts=a"),
        ("add_vrouter_node:root@[fd00::1]:22,root@b:23", "add_vrouter_node --hosts=root@[fd00::1]:22,root@b:23"),
        ("add_vrouter_node:fd00::1", "add_vrouter_node --hosts=fd00::1"),
        ("add_vrouter_node root@[fd00::1]:22 --jobs 3", "add_vrouter_node --hosts=root@[fd00::1]:22 --jobs=3"),
        ("add_vrouter_node root@a root@b --testbed x.py", "add_vrouter_node --hosts=root@a,root@b --testbed=x.py"),
        ("add_vrouter_node --hosts a,b", "add_vrouter_node --hosts=a,b"),
        ("add_vrouter_node:a,a", "add_vrouter_node --hosts=a"),
        ("-H a,b add_vrouter_node", "add_vrouter_node --hosts=a,b"),
        ("plan a,b c", "plan --hosts=a,b,c"),
        ("plan:a verify:b setup_all", "plan --hosts=a verify --hosts=b setup_all"),
        ("--testbed x.py plan setup_all", "plan --testbed=x.py setup_all --testbed=x.py"),
        ("--jobs 2 plan setup_all:jobs=3", "plan --jobs=2 setup_all --jobs=3"),
        ("plan a --json verify", "plan --hosts=a --json verify"),
        (r"setup_all:testbed=a\,b.py", "setup_all --testbed=a,b.py"),
        (r"setup_all:testbed=a\=b.py", "setup_all --testbed=a=b.py"),
        ("setup_all:testbed=a=b.py", "setup_all --testbed=a=b.py"),
        ("setup_all --help", "setup_all --help"),
        ("add_vrouter_node --help", "add_vrouter_node --help"),
        ("plan -i key a", "plan --hosts=a -i key"),
        ("plan --identity=key", "plan --identity=key"),
        ("plan -ikey -d", "plan -ikey -d"),
        ("--json --echo plan", "--echo plan --json"),
        ("explain:physnet1,2", "explain --physnet=physnet1 --count=2"),
        ("explain physnet1", "explain --physnet=physnet1"),
        ("explain physnet1 2", "explain --physnet=physnet1 --count=2"),
        ("explain physnet1,2", "explain --physnet=physnet1 --count=2"),
        ("explain:physnet1 2", "explain --physnet=physnet1 --count=2"),
        ("explain physnet1 --json 2", "explain --physnet=physnet1 --count=2 --json"),
        ("explain --count 2 physnet1", "explain --physnet=physnet1 --count=2"),
        ("explain physnet1 status", "explain --physnet=physnet1 status"),
        ("setup_all False", "setup_all --reboot=False"),
    ],
)
def test_native_spells_the_call_as_fabric_3_reads_it(call: str, spelled: str) -> None:
    assert to_invoke(call.split(), TASKS, CORE) == spelled.split()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("setup_al", "there is no task 'setup_al'; did you mean 'setup_all'?"),
        ("setup_al:reboot=False", "there is no task 'setup_al'; did you mean 'setup_all'?"),
        ("xyz", "there is no task 'xyz' (`fab --list`"),
        ("plan verfy", "there is no task 'verfy'; did you mean 'verify'?"),
        ("setup_all verfy", "there is no task 'verfy'; did you mean 'verify'?"),
        ("explain statuss", "there is no task 'statuss'; did you mean 'status'?"),
        ("explain physnet1 two", "explain: count cannot be 'two'"),
        ("explain physnet1 2 3", "explain: '3' is one argument too many (it takes physnet, count)"),
        ("explain physnet1,2,3", "explain: 'physnet1,2,3' is one argument too many"),
        ("plan frob:x=1", "there is no task 'frob'"),
        ("setup_all:rebot=no", "setup_all: there is no 'rebot'; did you mean 'reboot'?"),
        ("setup_all:False,4", "setup_all: '4' is one argument too many (it takes reboot)"),
        ("status:root@a", "status takes no hosts and no other argument without a name, but was given 'root@a'"),
        ("status root@a", "status takes no hosts and no other argument without a name, but was given 'root@a'"),
        ("status --hosts root@a", "status takes no hosts: it works on all hosts of the testbed"),
        ("-H a status", "status takes no hosts: it works on all hosts of the testbed"),
        ("setup_all:json=perhaps", "setup_all: json cannot be 'perhaps': say yes or no"),
        ("setup_all --jobs x", "setup_all: jobs cannot be 'x'"),
        ("--jobs x setup_all", "jobs cannot be 'x'"),
        ("setup_all --jbos 4", "setup_all: there is no option --jbos; did you mean '--jobs'?"),
        ("--lst", "there is no option --lst; did you mean '--list'?"),
        ("setup_all --testbed", "--testbed needs a value"),
        ("setup_all --testbed --json", "--testbed needs a value"),
        ("setup_all:jobs=1,jobs=2", "setup_all: 'jobs' is given twice"),
        ("setup_all:jobs=1 --jobs 2", "setup_all: 'jobs' is given twice"),
        ("add_vrouter_node", "add_vrouter_node needs a host: fab add_vrouter_node:user@host"),
        ("add_vrouter_node:", "add_vrouter_node needs a host"),
        ("plan setup_all --testbed x.py", "the testbed is given for setup_all only"),
    ],
)
def test_wrong_call_is_refused_in_one_line(call: str, message: str) -> None:
    with pytest.raises(CallError) as caught:
        to_invoke(call.split(), TASKS, CORE)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("call", "id"),
    [
        ("setup_all:jobs=1,jobs=2", "option-given-twice"),
        ("add_vrouter_node", "missing-hosts"),
        ("setup_all --testbed", "option-needs-value"),
    ],
)
def test_wrong_call_has_the_id_of_its_meaning(call: str, id: str) -> None:
    with pytest.raises(CallError) as caught:
        to_invoke(call.split(), TASKS, CORE)
    assert caught.value.id == id


@given(
    st.lists(
        st.text("sp:=,-\\[]@ a\n", max_size=8) | st.sampled_from([*TASKS, "--jobs", "setup_all:jobs=2"]), max_size=5
    )
)
def test_native_ends_in_known_words_or_a_call_error(argv: list[str]) -> None:
    try:
        words = to_invoke(argv, TASKS, CORE)
    except CallError:
        return
    options = {"--hosts"} | {parameter.option for task in TASKS.values() for parameter in task.parameters}
    assert all(word in TASKS or word.partition("=")[0] in options or word[:2] in CORE for word in words)
    assert to_invoke(words, TASKS, CORE) == words


@pytest.mark.parametrize("word", ["False", "no", "0", "off", "n", "NO"])
def test_truth_takes_the_words_for_no(word: str) -> None:
    assert to_bool(word) is False


@pytest.mark.parametrize("word", ["", "nope", "2", "None", "ja"])
def test_truth_refuses_what_is_unclear(word: str) -> None:
    with pytest.raises(ValueError, match="yes or no"):
        to_bool(word)


FABFILE = '''"""A fabfile as small as can be."""
import json

from . import startup
from .fab1 import Hosts
from .operator_task import install, operator_task
from .options import Options

from sriov.errors import ApplyError, Fault, TestbedError


def show(options: Options, task: str) -> None:
    said = {key: value for key, value in options._asdict().items() if value != getattr(Options(), key)}
    print(json.dumps({"task": task, **said}, default=str))


@operator_task(positional=("reboot",))
def setup_all(options: Options) -> int:
    """Set up every host."""
    show(options, "setup_all")
    return 0


@operator_task(hosts=Hosts.REQUIRED)
def add_vrouter_node(options: Options) -> int:
    """Set up the compute side."""
    show(options, "add_vrouter_node")
    return 0


@operator_task(hosts=Hosts.OPTIONAL)
def plan(options: Options) -> int:
    """Say what would change."""
    show(options, "plan")
    return 3


@operator_task()
def status(options: Options) -> int:
    """Fail, as a host might."""
    raise ApplyError("step-failed", "root@a", "it did not work", hint="try again")


@operator_task()
def verify(options: Options) -> int:
    """Fail, as a testbed might."""
    raise TestbedError("bed.py", (Fault("wrong-type", "bed.py:3", "is a list", "write text"),))


install(globals())
'''


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with the real grammar and tasks that print what they were told."""
    root, folder = Path(__file__).parents[3], tmp_path_factory.mktemp("project")
    (folder / "sriov").symlink_to(root / "sriov")
    (folder / "fabfile").mkdir()
    for name in ("fab1.py", "operator_task.py", "options.py", "startup.py"):
        shutil.copy(root / "fabfile" / name, folder / "fabfile")
    (folder / "fabfile" / "__init__.py").write_text(FABFILE)
    return folder


def fab(project: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "fabric", *words]  # -P: as the fab script, without the folder
    home = {"HOME": str(project), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        command, cwd=project, env=os.environ | home | environment, capture_output=True, text=True, check=False
    )


def said(result: subprocess.CompletedProcess[str]) -> list[dict[str, object]]:
    assert result.stderr == ""
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_fab_takes_fabric_1_calls(project: Path) -> None:
    result = fab(project, "setup_all:reboot=False", "add_vrouter_node:root@a,root@[fd00::1]:22,jobs=2")
    assert said(result) == [
        {"task": "setup_all", "reboot": "never"},
        {"task": "add_vrouter_node", "hosts": ["root@a", "root@[fd00::1]:22"], "jobs": 2},
    ]
    assert result.returncode == 0


def test_fab_takes_native_calls_with_every_option(project: Path) -> None:
    words = (
        "plan a b --testbed x.py --json --jobs 4 --reboot never --max-unavailable 25% --accept-new-host-keys"
        " --debug --log l --force-vf-reset --reboot-with-instances --timeout 9"
    )
    result = fab(project, *words.split())
    (options,) = said(result)
    assert options == {
        "task": "plan", "hosts": ["a", "b"], "testbed": "x.py", "json": True, "jobs": 4, "reboot": "never",
        "max_unavailable": "25%", "accept_new_host_keys": True, "debug": True, "log": "l", "force_vf_reset": True,
        "reboot_with_instances": True, "timeout": 9,
    }  # fmt: skip
    assert result.returncode == 3


def test_hosts_of_fabric_s_own_option_reach_the_task_once(project: Path) -> None:
    assert said(fab(project, "-H", "a,b", "plan")) == [{"task": "plan", "hosts": ["a", "b"]}]


def test_identity_of_fabric_s_own_option_reaches_the_task(project: Path) -> None:
    assert said(fab(project, "plan", "-i", "/k")) == [{"task": "plan", "identities": ["/k"]}]


def test_list_shows_tasks_with_underscores_whatever_the_configuration_says(project: Path) -> None:
    for value in ("1", "0"):
        listed = fab(project, "--list", INVOKE_TASKS_AUTO_DASH_NAMES=value, FABRIC_TASKS_AUTO_DASH_NAMES=value).stdout
        assert "setup_all" in listed
        assert "Set up every host." in listed


@pytest.mark.parametrize("words", [("--help", "setup_all"), ("setup_all", "--help"), ("setup_all", "-h")])
def test_help_of_a_task_shows_its_options(project: Path, words: tuple[str, ...]) -> None:
    result = fab(project, *words)
    assert "Set up every host." in result.stdout
    assert "--max-unavailable" in result.stdout
    assert result.returncode == 0


@pytest.mark.parametrize("words", ["setup_al", "setup_all:jobs=0", "--dry setup_all", "setup_all -R", "plan --jbs 1"])
def test_wrong_call_ends_with_one_line_and_exit_code_2(project: Path, words: str) -> None:
    result = fab(project, *words.split())
    assert (result.returncode, result.stdout, result.stderr.count("\n")) == (2, "", 1)


def test_wrong_call_with_json_is_a_document(project: Path) -> None:
    result = fab(project, "setup_all:jobs=0,json=yes")
    document = json.loads(result.stdout)
    assert (document["exit_code"], document["error"]["kind"], result.returncode) == (2, "UsageError", 2)


def test_error_of_a_task_ends_with_its_message_and_code(project: Path) -> None:
    result = fab(project, "status")
    assert (result.returncode, result.stderr) == (1, "it did not work [step-failed]\n  -> try again\n")


def test_ids_are_dim_where_there_are_colours(project: Path) -> None:
    host = fab(project, "status", FORCE_COLOR="1", NO_COLOR="").stderr
    assert host == "it did not work\x1b[2m [step-failed]\x1b[22m\n  -> try again\n"
    bed = fab(project, "verify", FORCE_COLOR="1", NO_COLOR="").stderr
    assert "nothing was touched\x1b[2m [testbed-faults]\x1b[22m\n" in bed
    assert "is a list\x1b[2m [wrong-type]\x1b[22m\n" in bed
    assert "\x1b" not in fab(project, "verify", FORCE_COLOR="1", NO_COLOR="1").stderr


def test_debug_adds_the_traceback(project: Path) -> None:
    assert "Traceback" in fab(project, "status", "--debug").stderr


def test_task_after_a_failed_one_is_not_run(project: Path) -> None:
    assert [call["task"] for call in said(fab(project, "plan", "setup_all"))] == ["plan"]
