"""What `bittrue verify` shows and writes of its findings: table, failures, data, JUnit cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from rich.table import Table
from rich.text import Text

from reports.junit import Case
from reports.verify import Finding

if TYPE_CHECKING:
    from rtl_models.benches.bench import Result


def verification_table(title: str, findings: Sequence[Finding]) -> Table:
    """Return a table with a line for each unit and configuration."""
    table = Table(title=Text(title), title_justify="left", box=None, pad_edge=False, header_style="bold")
    table.add_column("unit", no_wrap=True)
    table.add_column("parameters" if any(f.shows_parameters for f in findings) else "configuration", overflow="fold")
    for name in ("outputs", "coverage", "result", "time"):
        table.add_column(name, justify="left" if name == "result" else "right", no_wrap=True)
    for finding in findings:
        result = finding.result
        named = parameters_text(result.parameters) if finding.shows_parameters else result.configuration
        outcome = "[green]equal[/]" if result.passed else "[red]DIFFERS[/]" if result.failure else "[red]MISSED[/]"
        hit, bins = coverage(result)
        table.add_row(
            result.unit, Text(named), f"{result.transactions:,}", f"{hit}/{bins}", outcome, f"{result.seconds:.1f} s"
        )
    return table


def parameters_text(parameters: Mapping[str, str]) -> str:
    """Return a unit's parameters in words, the modes without the name of their package.

    Example:
        >>> parameters_text({"Cut": "6", "Rounding": "bittrue_pkg::TIES_EVEN", "Centered": "1'b1"})
        'Cut 6, Rounding TIES_EVEN, Centered 1'
    """
    shown = {name: value.rpartition("::")[2].removeprefix("1'b") for name, value in parameters.items()}
    return ", ".join(f"{name} {value}" for name, value in shown.items())


def coverage(result: Result) -> tuple[int, int]:
    """Return the bins that were hit, and all bins."""
    pairs = result.coverage.values()
    return sum(hit for hit, _ in pairs), sum(bins for _, bins in pairs)


def failure_text(finding: Finding) -> str:
    """Return the report of a failure: what differs, or which bins were missed; files; the command that repeats it."""
    result = finding.result
    lines = [result.failure] if result.failure else []
    if result.missed and not lines:
        lines.append(f"{result.unit} {result.configuration}: coverage is not closed (seed {result.seed})")
        lines += [f"  not hit: {missed}" for missed in result.missed]
    if finding.picture:
        lines.append(f"  picture {finding.picture}")
    if finding.waves:
        lines.append(f"  waves   {finding.waves}")
    return "\n".join([*lines, f"  again   {finding.rerun}"])


def closing_line(findings: Sequence[Finding]) -> str:
    """Return one line that says how a verification ended."""
    failed = [f"{f.result.unit} {f.result.configuration}" for f in findings if not f.result.passed]
    if failed:
        return f"{len(failed)} of {len(findings)} failed: {', '.join(failed)}"
    outputs = sum(finding.result.transactions for finding in findings)
    return f"all {outputs:,} outputs equal the reference, and all coverage bins were hit"


def as_data(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """Return findings as plain values, for JSON."""
    return [{"passed": finding.result.passed, **msgspec.to_builtins(finding)} for finding in findings]


def cases(findings: Sequence[Finding]) -> list[Case]:
    """Return findings as cases of a JUnit report."""
    found = []
    for finding in findings:
        result = finding.result
        message, text = "", ""
        if not result.passed:
            text = failure_text(finding)
            message = text.splitlines()[0]
        name = f"bittrue.verify.{result.unit}"
        found.append(Case(result.configuration, name, message, not result.passed, text=text, seconds=result.seconds))
    return found
