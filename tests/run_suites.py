"""Run the test suites one after another, each with its time, and close with the totals over all of them.

Usage: python tests/run_suites.py all|quick
"""

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from junitparser import JUnitXml

from algorithms.readers import INSTALL, PACKAGE, fashion_mnist_is_there

ROOT = Path(__file__).resolve().parent.parent
REPORTS = ROOT / "build" / "tests"
NO_TESTS_COLLECTED = 5  # pytest's exit code


@dataclass(frozen=True)
class Suite:
    """One call of pytest."""

    name: str
    limit: int  # seconds it should stay under on two cores: printed, never asserted
    workers: int  # processes; 0: none but pytest's own
    arguments: tuple[str, ...]
    marker: str = ""  # which of their tests are meant


SUITES = (
    Suite("unit", 300, 2, ("tests/unit",)),
    Suite("property", 300, 2, ("tests/property",)),
    Suite("engine", 300, 2, ("tests/engine",)),
    Suite("algorithms", 300, 2, ("tests/algorithms",)),
    Suite("cli", 180, 2, ("tests/cli",), "not cosim"),
    Suite("cli in RTL", 120, 2, ("tests/cli",), "cosim"),
    Suite("units in RTL", 480, 2, ("tests/cosim",), "not training_engine and not lint"),
    Suite("engine in RTL", 180, 2, ("tests/cosim",), "training_engine"),
    Suite("lint of RTL", 30, 2, ("tests/cosim",), "lint"),
    Suite("doctest", 60, 0, ("--doctest-modules", "bittrue.py", "sim", "algorithms", "rtl_models", "reports")),
)
SELECTIONS = {"all": "", "quick": "not slow and not cosim"}


@dataclass(frozen=True)
class Counts:
    """How many tests passed, failed and were skipped."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)

    def text(self, failed_always: bool = False) -> str:
        """Spell the counts; those of failed and skipped tests only where there are any."""
        parts = [f"{self.passed} passed"]
        if self.failed or failed_always:
            parts.append(f"{self.failed} failed")
        if self.skipped:
            parts.append(f"{self.skipped} skipped")
        return ", ".join(parts)


def markers(selection: str, *others: str) -> tuple[str, ...]:
    """Pytest's arguments for a selection and further markers, all of which have to hold."""
    expression = " and ".join(f"({marker})" for marker in (SELECTIONS[selection], *others) if marker)
    return ("-m", expression) if expression else ()


def left_out(has_data: bool) -> tuple[str, ...]:
    """Markers that leave out what needs data that are not there."""
    return () if has_data else ("not fashion",)


def notices(selection: str, has_data: bool) -> list[str]:
    """A line that says how many tests are not run for want of data, if any are."""
    if has_data:
        return []
    folders = {argument for suite in SUITES for argument in suite.arguments if argument.startswith("tests/")}
    number = collected(*markers(selection, "fashion"), *folders)
    return [f"NOT RUN: {number} tests need {PACKAGE} ({INSTALL})"] if number else []


def collected(*arguments: str) -> int:
    """Count the tests that pytest finds."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-n", "0", *arguments]
    result = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    return sum("::" in line and not line.startswith("ERROR") for line in result.stdout.splitlines())


def run(suite: Suite, selection: str, has_data: bool) -> tuple[Counts, float]:
    """Run one suite; return its counts and its seconds."""
    report = REPORTS / f"{suite.name.replace(' ', '-')}.xml"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", f"--junit-xml={report}", "-n", str(suite.workers)]
    start = time.monotonic()
    command += [*markers(selection, suite.marker, *left_out(has_data)), *suite.arguments]
    code = subprocess.run(command, cwd=ROOT, check=False).returncode
    return counts(report, code, empty_is_fine=selection != "all"), time.monotonic() - start


def counts(report: Path, code: int, empty_is_fine: bool) -> Counts:
    """Read pytest's report; a run that failed without a failed test (a crash, an empty suite) counts as one failure."""
    result = Counts()
    if report.exists():
        for part in JUnitXml.fromfile(str(report)):
            failed = part.failures + part.errors
            result += Counts(part.tests - failed - part.skipped, failed, part.skipped)
    if code and not result.failed and not (code == NO_TESTS_COLLECTED and empty_is_fine):
        result += Counts(failed=1)
    return result


def main(selection: str) -> int:
    """Run all suites, whatever fails; return the exit code."""
    REPORTS.mkdir(parents=True, exist_ok=True)
    lines, total, seconds, has_data = [], Counts(), 0.0, fashion_mnist_is_there()
    for suite in SUITES:
        print(f"\n== suite {suite.name}", flush=True)
        result, spent = run(suite, selection, has_data)
        over = ", exceeded" if spent > suite.limit else ""
        lines.append(f"suite {suite.name}: {result.text()} in {spent:.0f} s (limit {suite.limit} s{over})")
        print(lines[-1], flush=True)
        total, seconds = total + result, seconds + spent
    lines += [f"total: {seconds:.0f} s", *notices(selection, has_data), total.text(failed_always=True)]
    print("\n== summary", *lines, sep="\n")
    return 1 if total.failed else 0


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in SELECTIONS:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
