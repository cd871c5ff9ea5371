"""Results as JUnit XML, which CI systems show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from junitparser import Failure, JUnitXml, Skipped, TestCase, TestSuite

from sim.checks import Check
from sim.errors import writable


@dataclass(frozen=True, slots=True)
class Case:
    """One line of a report.

    Args:
        name: of the case.
        group: what it belongs to, with dots.
        message: what was found, in one line.
        failed: whether it failed.
        skipped: whether its outcome does not count.
        text: all that was found.
        seconds: time taken.
    """

    name: str
    group: str
    message: str = ""
    failed: bool = False
    skipped: bool = False
    text: str = ""
    seconds: float = 0.0


def check_cases(name: str, checks: Sequence[Check], skipped: Sequence[str]) -> list[Case]:
    """Return the checks of a datapath as cases.

    Args:
        name: of the datapath.
        checks: what was checked.
        skipped: names of checks whose outcome does not count.
    """
    return [
        Case(
            check.name,
            f"bittrue.check.{name}",
            f"found {check.found}; required {check.required} ({check.coverage})",
            failed=not check.passed,
            skipped=check.name in skipped,
        )
        for check in checks
    ]


def write_junit(path: Path, name: str, cases: Sequence[Case]) -> None:
    """Write cases as one JUnit suite.

    Args:
        path: file to write.
        name: of the suite.
        cases: its lines.

    Raises:
        InputError: if the file cannot be written.
    """
    suite = TestSuite(name)
    for entry in cases:
        case = TestCase(entry.name, classname=entry.group, time=entry.seconds)
        if entry.skipped:
            case.result = [Skipped(entry.message)]
        elif entry.failed:
            failure = Failure(entry.message)
            if entry.text:
                failure.text = entry.text
            case.result = [failure]
        suite.add_testcase(case)
    xml = JUnitXml()
    xml.add_testsuite(suite)
    with writable(path):
        xml.write(str(path))
