"""What is packaged, and where it goes: the wheel has one top-level package, `sriov`.

`fabfile/`, `templates/` and `testbeds/` stand beside `sriov/` in a checkout and inside it in a wheel;
`sriov/layout.py` knows both. All else that a package is described by stands in pyproject.toml.
"""

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

EXAMPLES = ("small", "multi_host")


class OnlyExamples(build_py):
    """Leaves out `testbeds/testbed.py`: an operator's own testbed holds passwords and belongs in no wheel."""

    def find_package_modules(self, package: str, package_dir: str) -> list[tuple[str, str, str]]:
        modules = super().find_package_modules(package, package_dir)
        return [found for found in modules if package != "sriov.testbeds" or found[1] in EXAMPLES]


setup(
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
)
