"""Checks as JUnit XML, which CI systems show."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from junitparser import Failure, JUnitXml, Skipped, TestCase, TestSuite

from reports.files import writable
from sim.checks import Check


def write_junit(path: Path, name: str, checks: Sequence[Check], skipped: Sequence[str]) -> None:
    """Write checks as one JUnit suite.

    Args:
        path: file to write.
        name: of the suite: the datapath.
        checks: what was checked.
        skipped: names of checks whose outcome does not count.

    Raises:
        InputError: if the file cannot be written.
    """
    suite = TestSuite(name)
    for check in checks:
        case = TestCase(check.name, classname=f"bittrue.check.{name}")
        message = f"found {check.found}; required {check.required} ({check.coverage})"
        if check.name in skipped:
            case.result = [Skipped(message)]
        elif not check.passed:
            case.result = [Failure(message)]
        suite.add_testcase(case)
    xml = JUnitXml()
    xml.add_testsuite(suite)
    with writable(path):
        xml.write(str(path))
