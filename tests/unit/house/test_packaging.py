"""The three ways to have the project: a bare checkout, an editable install, a wheel. Each from an empty folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest
from conftest import CHECKOUT, FAB

from sriov import __version__

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
SOURCES = (
    "sriov", "fabfile", "templates", "testbeds", "setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE",
    "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "constraints.txt",
)  # fmt: skip
TASKS = (
    "setup_all",
    "add_vrouter_node",
    "setup_openstack_node",
    "setup_sriov_node",
    "plan",
    "verify",
    "status",
    "discover",
)
LOADS = (
    "from sriov import layout, testbed\n"
    "for path in sorted(layout.testbeds().glob('*.*')): print(path.name, len(testbed.load(path).hosts))\n"
    "print(sorted(path.name for path in layout.templates().rglob('*.*')))\n"
)

DIST_INFO = f"sriov_fab-{__version__}.dist-info"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tree, so that a build leaves nothing behind; with an operator's own testbed in it."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "testbed.py"))
        elif (ROOT / name).exists():
            shutil.copy(ROOT / name, folder)
    (folder / "testbeds" / "testbed.py").write_text("env.password = 'private'\n")
    return folder


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    pip(sys.executable, "wheel", "--wheel-dir", str(folder), str(checkout))
    (built,) = folder.glob("*.whl")
    return built


def pip(python: Path | str, *words: str) -> None:
    """pip without the network, where the setuptools at hand takes our metadata (77 the first that does)."""
    can_build = int(version("setuptools").partition(".")[0]) >= 77
    offline = ["--no-build-isolation", "--no-index"] if can_build else []
    command = [
        str(python),
        "-m",
        "pip",
        "--disable-pip-version-check",
        words[0],
        "-q",
        "--no-deps",
        *offline,
        *words[1:],
    ]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def environment_with(folder: Path, *words: str) -> Path:
    """The Python of a new environment, with our package installed there and everything else from this one."""
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    site = subprocess.check_output([python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], text=True)
    # an egg-link or a wheel comes first, the packages of this environment after it
    Path(site.strip(), "zz_outer.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip(python, "install", "--ignore-installed", *words)
    return python


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return environment_with(tmp_path_factory.mktemp("wheel"), str(wheel))


@pytest.fixture(scope="module")
def editable(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return environment_with(tmp_path_factory.mktemp("editable"), "-e", str(checkout))


def run(python: Path | str, folder: Path, *words: str) -> str:
    """stdout of that Python in that folder, which must end well."""
    clean = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "SRIOV_TESTBED")}
    return subprocess.run(
        [str(python), *words], cwd=folder, env=clean, text=True, capture_output=True, check=True
    ).stdout


def check_library(python: Path | str, folder: Path) -> None:
    lines = run(python, folder, "-c", LOADS).splitlines()
    names = {line.split()[0] for line in lines[:-1]}
    assert {"small.py", "multi_host.py", "example.yaml"} <= names
    assert "probe.sh" in lines[-1]
    assert "file_transaction.sh" in lines[-1]


def check_tasks(listing: str) -> None:
    assert [task for task in TASKS if task not in listing] == []


def test_checkout_lists_its_tasks_and_loads_its_examples(checkout: Path) -> None:
    (checkout / "testbeds" / "testbed.py").rename(checkout / "kept")
    try:
        check_library(sys.executable, checkout)
    finally:
        (checkout / "kept").rename(checkout / "testbeds" / "testbed.py")
    check_tasks(run(sys.executable, checkout / "templates", "-P", "-m", "fabric", "--list"))


def test_wheel_holds_one_package_and_no_testbed_of_the_operator(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == {"sriov", DIST_INFO}
    assert {name for name in names if name.startswith("sriov/testbeds/")} == {
        f"sriov/testbeds/{name}" for name in ("small.py", "multi_host.py", "example.yaml")
    }


def test_wheel_names_what_it_needs(wheel: Path) -> None:
    metadata = zipfile.ZipFile(wheel).read(f"{DIST_INFO}/METADATA").decode()
    assert "Requires-Python: >=3.11" in metadata
    assert f"\nVersion: {__version__}\n" in metadata
    assert "\nLicense-Expression: Apache-2.0\n" in metadata
    needed = {
        line.split()[1].split(">")[0].split("<")[0]
        for line in metadata.splitlines()
        if line.startswith("Requires-Dist") and "extra" not in line
    }
    assert needed == {"fabric", "invoke", "jinja2", "packaging", "paramiko", "pyyaml", "rich"}


def test_wheel_loads_its_examples_in_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    check_library(installed, tmp_path)


def test_wheel_lists_its_tasks_in_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    root = run(installed, tmp_path, "-m", "sriov").strip()
    assert run(installed, tmp_path, "-m", "sriov", "--version") == f"sriov-fab {__version__}\n"
    assert root.endswith("site-packages/sriov")
    check_tasks(run(installed, tmp_path, "-P", "-m", "fabric", "-r", root, "--list"))


def test_editable_install_works_from_the_checkout_s_files(editable: Path, checkout: Path, tmp_path: Path) -> None:
    assert run(editable, tmp_path, "-m", "sriov").strip() == str(checkout.resolve())
    check_tasks(run(editable, tmp_path, "-P", "-m", "fabric", "-r", str(checkout), "--list"))


def test_source_distribution_holds_what_a_wheel_is_built_from(checkout: Path, tmp_path: Path) -> None:
    run(sys.executable, checkout, "-W", "ignore", "setup.py", "-q", "sdist", "--dist-dir", str(tmp_path))
    (built,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(built) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {
        "setup.py",
        "fabfile/fab1.py",
        "templates/probe.sh",
        "templates/lib/common.sh",
        "testbeds/example.yaml",
        "sriov/model.py",
        "LICENSE",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "constraints.txt",
    } <= names
    assert "testbeds/testbed.py" not in names


DEFAULT = "from sriov import layout; print(layout.default_testbed())"


def test_default_testbed_is_the_one_of_the_folder_then_the_one_of_the_checkout(checkout: Path, tmp_path: Path) -> None:
    beside = "import sys; sys.path.insert(0, sys.argv[1]); " + DEFAULT
    found = run(sys.executable, tmp_path, "-c", beside, str(checkout)).strip()
    assert Path(found) == (checkout / "testbeds" / "testbed.py").resolve()
    (tmp_path / "testbeds").mkdir()
    (tmp_path / "testbeds" / "testbed.py").touch()
    assert run(sys.executable, tmp_path, "-c", beside, str(checkout)).strip() == "testbeds/testbed.py"


def test_default_testbed_of_an_installation_is_in_the_current_folder(installed: Path, tmp_path: Path) -> None:
    assert run(installed, tmp_path, "-c", DEFAULT).strip() == "testbeds/testbed.py"


@pytest.mark.parametrize(("setting", "is_kept"), [("", True), ("1", False)])
def test_what_python_compiles_is_kept_unless_it_is_told_not_to(tmp_path: Path, setting: str, is_kept: bool) -> None:
    settings = {"PYTHONDONTWRITEBYTECODE": setting, "PYTHONPYCACHEPREFIX": str(tmp_path)}
    subprocess.run([FAB, "--list"], cwd=CHECKOUT, env={**os.environ, **settings}, capture_output=True, check=True)
    assert any(tmp_path.rglob("operator_task.*.pyc")) is is_kept
