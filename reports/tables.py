"""Tables of the command line."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from algorithms.trace import EpochRecord, Trace
from sim.checks import Check
from sim.cost import LABEL, Cost
from sim.ranges import RangeAnalysis

STATE_STYLE = {"converged": "green", "running": "", "saturating": "yellow", "biased": "yellow"}


def styled(state: object) -> str:
    """Return the name of a state in its colour."""
    style = STATE_STYLE.get(str(state), "red")
    return f"[{style}]{state}[/]" if style else str(state)


def epochs_table(title: str, records: Sequence[EpochRecord]) -> Table:
    """Return a table with a line an epoch."""
    table = Table(title=Text(title), title_justify="left", box=None, pad_edge=False, header_style="bold")
    for name in ("epoch", "loss", "gradient norm", "δ_z", "h sat", "c sat", "a sat", "z sat", "acc ovf", "cycles"):
        table.add_column(name, justify="right")
    for record in records:
        counts = record.counts
        shown = [str(counts.get(stage, "–")) for stage in ("h", "coefficient", "increment", "model", "accumulator")]
        scale = f"{record.scale:.3g}" if record.scale is not None else "–"
        cycles = f"{record.cycles:,}" if record.cycles else "–"
        table.add_row(str(record.epoch), f"{record.loss:.6g}", f"{record.gradient_norm:.4g}", scale, *shown, cycles)
    return table


def closing_line(trace: Trace) -> str:
    """Return one line that says how a run ended."""
    first, last = trace.gradient_norms[0], trace.gradient_norms[-1]
    cycles = sum(record.cycles for record in trace.epochs)
    spent = f", {cycles:,} cycles" if cycles else ""
    share = trace.epochs[-2].refetched_share if len(trace.epochs) > 1 else None
    if share is not None:
        spent += f", {100 * share:.3g} % of the last epoch's rows refetched"
    return f"{styled(trace.state)}: gradient norm {first:.4g} → {last:.4g} in {trace.epochs[-1].epoch} epochs{spent}"


def ranges_table(analysis: RangeAnalysis) -> Table:
    """Return a table of proven worst-case ranges."""
    title = f"proven ranges: {analysis.columns} columns, {analysis.datapath.lanes} lanes, link {analysis.link}"
    table = Table(title=Text(title), title_justify="left", box=None, pad_edge=False, header_style="bold")
    for name in ("node", "carries", "low", "high", "needs", "has", "overflows"):
        table.add_column(name, justify="right" if name in ("low", "high", "needs", "has") else "left")
    for node in analysis.nodes:
        has = "–" if node.width is None else str(node.width)
        fate = "" if node.width is None else "[green]never[/]"
        if node.may_overflow:
            fate = f"[yellow]{node.overflow}[/] ({node.field})"
        ends = (short(end) for end in (node.exact.low, node.exact.high))
        table.add_row(node.name, node.meaning, *ends, str(node.needed), has, fate)
    return table


def short(number: int) -> str:
    """Return an integer as it is, or past nine digits in short."""
    return str(number) if abs(number) < 10**9 else f"{number:.3g}"


def cost_table(cost: Cost) -> Table:
    """Return a table of unit gates by stage and bits moved."""
    table = Table(title=Text(f"cost ({LABEL})"), title_justify="left", box=None, pad_edge=False, header_style="bold")
    table.add_column("stage")
    table.add_column("unit gates", justify="right")
    for stage, gates in cost.gates.items():
        table.add_row(stage, f"{gates:,}")
    table.add_row("[bold]total", f"[bold]{cost.total_gates:,}")
    table.add_row("row bits streamed a step", f"{cost.row_bits:,}")
    table.add_row("local memory bits moved a step", f"{cost.local_bits:,}")
    table.add_row("local memory bits held", f"{cost.memory_bits:,}")
    return table


def checks_table(title: str, checks: Sequence[Check], skipped: Sequence[str]) -> Table:
    """Return a table of checks; skipped ones are shown as such."""
    table = Table(title=Text(title), title_justify="left", box=None, pad_edge=False, header_style="bold")
    for name in ("check", "result", "found", "required", "enumerated"):
        table.add_column(name, no_wrap=name in ("check", "result"))
    for check in checks:
        result = "skipped" if check.name in skipped else "[green]passed[/]" if check.passed else "[red]FAILED[/]"
        table.add_row(check.name, result, check.found, check.required, check.coverage)
    return table
