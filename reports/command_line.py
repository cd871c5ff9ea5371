"""The command line: `bittrue train`, `explore`, `datapath`, `check`, `bench`."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.live import Live

from sim.datapath import preset_names
from sim.errors import InputError, whole_number

if TYPE_CHECKING:
    from sim.datapath import Link, TrainingDatapath

app = typer.Typer(
    help="Bit-true simulation, training and checking of low-precision datapaths.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
PLAIN_WIDTH = 120
"""Columns of a table where the output is no terminal and COLUMNS does not say otherwise."""


def _console(stderr: bool = False) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else PLAIN_WIDTH
    return Console(stderr=stderr, width=width)


out, notes = _console(), _console(stderr=True)

DatapathArgument = Annotated[
    str | None,
    typer.Argument(metavar="DATAPATH.toml", help=f"A TOML file, or a shipped datapath: {', '.join(preset_names())}."),
]
DataOption = Annotated[str, typer.Option("--data", help="A shipped data set: reference or diabetes.")]
JsonOption = Annotated[Path | None, typer.Option("--json", help="Write everything as JSON to this file.")]
ColumnsOption = Annotated[int, typer.Option(help="Values in a row, d.")]
LinkOption = Annotated[str, typer.Option(help="affine, centred_table or absolute_table.")]


def main() -> None:
    """Run the command line; a bad input ends in one line and exit code 2."""
    from sim.kernels import on_first_compilation

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without Greek letters shows question marks
    on_first_compilation(
        lambda: notes.print("compiling kernels: the first run after an install takes some seconds longer", style="dim")
    )
    try:
        app()
    except InputError as error:
        notes.print(f"[red]error:[/] {_escaped(str(error))}", highlight=False, soft_wrap=True)
        sys.exit(2)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        from sim.conformance import ARITHMETIC_VERSION

        out.print(f"bittrue {version('bittrue')}, arithmetic {ARITHMETIC_VERSION}", highlight=False)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


@app.command()
def train(
    datapath: DatapathArgument = None,
    data: DataOption = "reference",
    algorithm: Annotated[str, typer.Option(help="halp (on the datapath) or svrg (float64).")] = "halp",
    step: Annotated[float | None, typer.Option(help="Step size α; by default the data set's.")] = None,
    epoch_length: Annotated[int | None, typer.Option(help="Inner steps an epoch, T.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Number of epochs.")] = None,
    mu: Annotated[float | None, typer.Option(help="HALP's μ: the offset spans ‖∇f‖/μ.")] = None,
    seed: Annotated[int, typer.Option(help="Every random choice is a function of it.")] = 0,
    backend: Annotated[str, typer.Option(help="kernel (compiled) or reference (Python integers).")] = "kernel",
    json: JsonOption = None,
    figure: Annotated[Path, typer.Option(help="Picture of the run.")] = Path("train.png"),
) -> None:
    """Train on a datapath, bit for bit as the circuit does, and draw the run."""
    from algorithms.data import load
    from algorithms.trace import EpochRecord
    from algorithms.training import LARGEST_EPOCH
    from algorithms.training import train as run_training
    from reports.figures import check_figure_path, draw_traces
    from reports.files import check_writable, write_json
    from reports.tables import closing_line, epochs_table

    check_figure_path(figure)
    check_writable(figure, json)
    if epoch_length is not None:
        whole_number("epoch_length", epoch_length, 1, LARGEST_EPOCH)
    path = _datapath(datapath) if algorithm != "svrg" or datapath is not None else None
    problem, settings = load(data)
    title = f"{algorithm} on {problem.name} {problem.shape}" + (f", datapath {path.name}" if path else ", float64")
    records: list[EpochRecord] = []
    with Live(epochs_table(title, records), console=out, auto_refresh=False, transient=True) as live:

        def show(record: EpochRecord) -> None:
            records.append(record)
            if out.is_terminal:
                live.update(epochs_table(title, records), refresh=True)

        trace = run_training(
            problem,
            algorithm,
            path,
            step=settings.step if step is None else step,
            epoch_length=settings.epoch_length if epoch_length is None else epoch_length,
            epochs=settings.epochs if epochs is None else epochs,
            mu=settings.mu if mu is None else mu,
            seed=seed,
            backend=backend,
            on_epoch=show,
        )
    out.print(epochs_table(title, records))
    out.print(closing_line(trace))
    if json is not None:
        write_json(json, trace.to_dict())
        out.print(f"trace: {json}", highlight=False, markup=False, soft_wrap=True)
    draw_traces([trace], figure)
    out.print(f"figure: {figure}", highlight=False, markup=False, soft_wrap=True)


@app.command()
def explore(
    datapath: DatapathArgument = None,
    data: DataOption = "reference",
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each width.")] = 3,
    json: JsonOption = None,
    figure: Annotated[Path, typer.Option(help="Picture of the exploration.")] = Path("explore.png"),
) -> None:
    """Train HALP over model widths of 4 to 16 bits: which width reaches what gradient norm, at what estimated cost."""
    from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.table import Table
    from rich.text import Text

    from algorithms.data import load
    from algorithms.training import train as run_training
    from reports.figures import check_figure_path
    from reports.files import check_writable, write_json
    from reports.tables import styled
    from reports.widths import MU_FACTORS, WIDTHS, WidthPoint, draw_widths, explore_widths
    from sim.cost import LABEL

    check_figure_path(figure)
    check_writable(figure, json)
    base = _datapath(datapath or "halp12")
    problem, settings = load(data)
    baseline = run_training(
        problem, "svrg", step=settings.step, epoch_length=settings.epoch_length, epochs=settings.epochs
    )
    columns = SpinnerColumn(), TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=notes, transient=True) as progress:
        task = progress.add_task("model widths", total=len(WIDTHS))
        points = explore_widths(problem, settings, base, seeds=seeds, on_width=lambda point: progress.advance(task))
    mus = ", ".join(f"{settings.mu * factor:g}" for factor in MU_FACTORS)
    title = (
        f"HALP on {problem.name}, {base.data.width}-bit data, {base.coefficient.width}-bit coefficient, "
        f"{settings.epochs} epochs of {settings.epoch_length} steps\nmedian over {seeds} seeds at the best μ of {mus}; "
        f"gradient norm at the start {baseline.gradient_norms[0]:.4g}, "
        f"float64 SVRG at the end {baseline.gradient_norms[-1]:.3g}"
    )
    table = Table(title=Text(title), title_justify="left", box=None, pad_edge=False, header_style="bold")
    table.caption, table.caption_justify = f"unit gates: {LABEL}", "left"
    for name in ("model bits", "μ", "gradient norm", "lowest", "highest", "unit gates", "bits a step"):
        table.add_column(name, justify="right")
    table.add_column("state")

    def add(point: WidthPoint) -> None:
        norms = (f"{norm:.3g}" for norm in (point.median, min(point.finals), max(point.finals)))
        width, gates, bits = str(point.datapath.model.width), f"{point.gates:,}", f"{point.bits:,}"
        table.add_row(width, f"{point.mu:g}", *norms, gates, bits, styled(point.state))

    for point in points:
        add(point)
    out.print(table)
    if json is not None:
        write_json(json, {"baseline": baseline.to_dict(), "widths": [point.to_dict() for point in points]})
        out.print(f"runs: {json}", highlight=False, markup=False, soft_wrap=True)
    draw_widths(points, baseline, figure)
    out.print(f"figure: {figure}", highlight=False, markup=False, soft_wrap=True)


@app.command("datapath")
def show_datapath(
    datapath: DatapathArgument = None,
    columns: ColumnsOption = 784,
    link: LinkOption = "affine",
    toml: Annotated[bool, typer.Option("--toml", help="Print the datapath as TOML, every field written out.")] = False,
) -> None:
    """Print a datapath: proven ranges of every node, what may overflow, estimated cost."""
    from reports.tables import cost_table, ranges_table
    from sim.cost import estimate
    from sim.ranges import analyse

    path = _datapath(datapath)
    if toml:
        sys.stdout.write(path.to_toml())
        return
    analysis = analyse(path, columns, _link(link))
    out.print(ranges_table(analysis))
    out.print(
        f"an accumulator of {analysis.safe_accumulator} bits cannot overflow (this one has {path.accumulator.width})\n"
    )
    out.print(cost_table(estimate(path, columns, _link(link))))
    analysis.require_representable()


@app.command()
def check(
    datapath: DatapathArgument = None,
    columns: ColumnsOption = 784,
    link: LinkOption = "affine",
    skip: Annotated[list[str] | None, typer.Option(help="Name of a check that may fail; repeatable.")] = None,
    junit: Annotated[Path | None, typer.Option(help="Write the results as JUnit XML.")] = None,
) -> None:
    """Check a datapath: unbiasedness and variance of every rounding, range proof, expectation of an engine step.

    Exit code 0 if all checks hold, 1 if one does not, 2 for a bad input.
    """
    from reports.junit import write_junit
    from reports.tables import checks_table
    from sim.checks import check_datapath

    path, skipped = _datapath(datapath), skip or []
    checks = check_datapath(path, columns, _link(link))
    names = [entry.name for entry in checks]
    for name in skipped:
        if name not in names:
            raise InputError(f"skip: got {name!r}; allowed: {', '.join(names)}")
    out.print(checks_table(f"checks of {path.name}, {columns} columns, link {link}", checks, skipped))
    if junit is not None:
        write_junit(junit, path.name, checks, skipped)
        out.print(f"JUnit XML: {junit}", highlight=False, markup=False, soft_wrap=True)
    failed = [entry.name for entry in checks if not entry.passed and entry.name not in skipped]
    if failed:
        out.print(f"[red]{len(failed)} failed:[/] {', '.join(failed)}")
        raise typer.Exit(1)


@app.command()
def bench(
    quick: Annotated[bool, typer.Option("--quick", help="Fewer repeats: a rough figure, sooner.")] = False,
    json: JsonOption = None,
) -> None:
    """Measure the kernels' speed as ratios to the best plain code, on one thread, in one run (about a minute)."""
    from dataclasses import asdict

    from reports.bench import bench_table, machine, run_bench
    from reports.files import write_json

    ratios = run_bench(quick)
    out.print(bench_table(ratios))
    if json is not None:
        write_json(json, {"machine": machine(), "ratios": [asdict(ratio) for ratio in ratios]})
        out.print(f"ratios: {json}", highlight=False, markup=False, soft_wrap=True)


def _datapath(argument: str | None) -> TrainingDatapath:
    """Return the datapath of a TOML file or a preset name; halp8 if there is none."""
    from sim.datapath import TrainingDatapath, preset_names

    if argument is None or argument in preset_names():
        return TrainingDatapath.preset(argument or "halp8")
    if not argument or (not argument.endswith(".toml") and not Path(argument).exists()):
        presets = ", ".join(preset_names())
        raise InputError(f"datapath: got {argument!r}; allowed: a TOML file, or one of {presets}")
    return TrainingDatapath.from_toml(argument)


def _link(name: str) -> Link:
    from sim.datapath import Link
    from sim.quantize import mode_of

    return mode_of(Link, "link", name)


def _escaped(text: str) -> str:
    return text.replace("[", r"\[")


if __name__ == "__main__":
    main()
