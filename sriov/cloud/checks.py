"""The outcome of one check of a smoke run, and its report as JUnit XML. What could not be checked never passes."""

from __future__ import annotations

import enum
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass


class Result(enum.Enum):
    PASSED = "passed"
    FAILED = "failed"
    NOT_MADE = "not made"


@dataclass(frozen=True, slots=True)
class Check:
    """`words` say what was seen, or why it could not be looked at. `seconds` it took.

    `id` names what is wrong (see `sriov.errors`); it is empty where the check has passed.
    """

    id: str
    name: str
    outcome: Result
    words: str
    seconds: float = 0.0


def passed(name: str, words: str) -> Check:
    id = ""  # nothing to look up
    return Check(id, name, Result.PASSED, words)


def not_made(name: str, why: str) -> Check:
    return Check("check-not-made", name, Result.NOT_MADE, why)


def check(id: str, name: str, is_right: bool, words: str) -> Check:
    return passed(name, words) if is_right else Check(id, name, Result.FAILED, words)


def junit(suites: Sequence[tuple[str, Sequence[Check]]]) -> str:
    """One test suite for each physical network; checks not made are `skipped`, with their reason."""
    root = ElementTree.Element("testsuites")
    for name, checks in suites:
        counts = {outcome: sum(check.outcome is outcome for check in checks) for outcome in Result}
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=f"sriov.smoke.{name}",
            tests=str(len(checks)),
            failures=str(counts[Result.FAILED]),
            skipped=str(counts[Result.NOT_MADE]),
            time=f"{sum(check.seconds for check in checks):.3f}",
        )
        for check in checks:
            case = ElementTree.SubElement(
                suite, "testcase", classname=f"sriov.smoke.{name}", name=check.name, time=f"{check.seconds:.3f}"
            )
            if check.outcome is Result.PASSED:
                ElementTree.SubElement(case, "system-out").text = check.words
            else:
                kind = "failure" if check.outcome is Result.FAILED else "skipped"
                ElementTree.SubElement(case, kind, message=check.words)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"
