"""The command line: `bittrue train`, `explore`, `datapath`, `check`, `verify`, `vectors`, `bench`."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.live import Live

from algorithms.readers import SOURCES
from algorithms.training import algorithm_names
from reports.shipped import study_names
from reports.vectors_command import vectors
from reports.verify_command import verify
from sim.datapath import preset_names
from sim.errors import InputError, whole_number

if TYPE_CHECKING:
    from sim.datapath import Link, TrainingDatapath

TRAINING = ("step", "epoch_length", "epochs")
"""Parameters that every algorithm has."""
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
StudyArgument = Annotated[
    str, typer.Argument(metavar="STUDY.toml", help=f"A TOML file, or a shipped study: {', '.join(study_names())}.")
]
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
    data: Annotated[
        str, typer.Option("--data", help=f"A shipped data set ({', '.join(SOURCES)}), or the path of a file.")
    ] = "reference",
    loss: Annotated[str | None, typer.Option(help="What is minimised; by default the data set's.")] = None,
    ridge: Annotated[float | None, typer.Option(help="λ of the ridge term.")] = None,
    target: Annotated[str | None, typer.Option(help="Column or key of the targets in a file.")] = None,
    center: Annotated[bool | None, typer.Option("--center/--no-center", help="Subtract each column's mean.")] = None,
    scale: Annotated[str | None, typer.Option(help="none, largest, column or unit_variance.")] = None,
    bias: Annotated[bool | None, typer.Option("--bias/--no-bias", help="Append a column of ones.")] = None,
    held_out: Annotated[str | None, typer.Option(help="Rows for the accuracy: none, test or fold.")] = None,
    algorithm: Annotated[str, typer.Option(help=f"One of {', '.join(algorithm_names())}.")] = "halp",
    step: Annotated[float | None, typer.Option(help="Step size α; by default the data set's.")] = None,
    epoch_length: Annotated[int | None, typer.Option(help="Inner steps an epoch, T.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Number of epochs.")] = None,
    gamma: Annotated[float | None, typer.Option(help="γ: step and length that are not given come from theory.")] = None,
    mu: Annotated[float | None, typer.Option(help="HALP's μ: the offset spans ‖∇f‖/μ.")] = None,
    delta: Annotated[float | None, typer.Option(help="δ of LP-SGD and LP-SVRG: the model's last bit.")] = None,
    option: Annotated[str, typer.Option(help="Next centre: I, the last iterate, or II, a random one.")] = "I",
    power_of_two: Annotated[bool, typer.Option("--power-of-two", help="HALP's scales are powers of two.")] = False,
    seed: Annotated[int, typer.Option(help="Every random choice is a function of it.")] = 0,
    backend: Annotated[str, typer.Option(help="kernel (compiled) or reference (Python integers).")] = "kernel",
    json: JsonOption = None,
    figure: Annotated[Path, typer.Option(help="Picture of the run.")] = Path("train.png"),
    profile: Annotated[
        Path | None,
        typer.Option(metavar="FILE.json", help="Write what every node held to this file, and its picture beside it."),
    ] = None,
) -> None:
    """Train on a datapath, bit for bit as the circuit does, and draw the run."""
    from algorithms.data import prepare
    from algorithms.multiclass import OneVsRest
    from algorithms.points import LARGEST_EPOCH
    from algorithms.trace import EpochRecord
    from algorithms.training import algorithm_of
    from algorithms.training import train as run_training
    from reports.figures import check_figure_path, draw_traces
    from reports.files import check_writable, writable, write_json
    from reports.profile import Collector, draw_profile, picture_of, profile_table
    from reports.tables import closing_line, epochs_table

    check_figure_path(figure)
    picture = picture_of(profile, figure, json) if profile is not None else None
    check_writable(figure, json, profile, picture)
    if epoch_length is not None:
        whole_number("epoch_length", epoch_length, 1, LARGEST_EPOCH)
    chosen = algorithm_of(algorithm)
    if profile is not None and not chosen.on_engine:
        raise InputError(f"profile: got {str(profile)!r}; allowed: none, since {algorithm} does not run on the engine")
    path = datapath_of(datapath) if chosen.on_engine or datapath is not None else None
    problem, settings = prepare(
        data, loss, ridge, target=target, center=center, scale=scale, bias=bias, held_out=held_out
    )
    given: dict[str, Any] = {"step": step, "epoch_length": epoch_length, "epochs": epochs, "mu": mu, "delta": delta}
    if settings is not None:
        known = {name for name in given if name in (*TRAINING, *chosen.own) and (gamma is None or name == "epochs")}
        given = {name: getattr(settings, name) if value is None and name in known else value
                 for name, value in given.items()}  # fmt: skip
    if given["epochs"] is None:
        raise InputError("epochs: got none; allowed: a whole number")
    kind = ", one-vs-rest" if isinstance(problem, OneVsRest) else ""
    title = f"{algorithm} on {problem.name} {problem.shape}{kind}, " + (
        f"datapath {path.name}" if path else "no datapath"
    )
    records: list[EpochRecord] = []
    collector = Collector()
    with Live(epochs_table(title, records), console=out, auto_refresh=False, transient=True) as live:

        def show(record: EpochRecord) -> None:
            records.append(record)
            if out.is_terminal:
                live.update(epochs_table(title, records), refresh=True)

        trace = run_training(
            problem, algorithm, path, gamma=gamma, option=option, power_of_two=power_of_two, seed=seed,
            backend=backend, on_epoch=show, on_result=collector.add, profiled=profile is not None, **given,
        )  # fmt: skip
    out.print(epochs_table(title, records))
    out.print(closing_line(trace))
    if json is not None:
        write_json(json, trace.to_dict())
        out.print(f"trace: {json}", highlight=False, markup=False, soft_wrap=True)
    draw_traces([trace], figure)
    out.print(f"figure: {figure}", highlight=False, markup=False, soft_wrap=True)
    if profile is not None and picture is not None:
        held = collector.total(records)
        out.print(profile_table(held))
        with writable(profile):
            held.save(profile)
        draw_profile(held, picture)
        out.print(f"profile: {profile}, {picture}", highlight=False, markup=False, soft_wrap=True)


@app.command()
def explore(
    study: StudyArgument = "halp-linear",
    folder: Annotated[
        Path | None, typer.Option("--out", help="Folder of records and figures; by default explore/NAME.")
    ] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes; by default one a core.")] = None,
    budget: Annotated[
        float | None, typer.Option("--budget", min=0, help="No run starts after so many minutes; 0: no limit.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Show every point, not the Pareto front alone.")] = False,
    toml: Annotated[bool, typer.Option("--toml", help="Print the study's TOML and stop.")] = False,
    json: JsonOption = None,
) -> None:
    """Explore the design space: run a study, show which widths suffice and what they cost.

    Every run is recorded as soon as it is done. The same command goes on where an earlier one was stopped, and draws
    the figures anew from the records.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    from reports.exploration import draw_curves, draw_tradeoffs, exploration_table, headline, refusals, summary
    from reports.explorer import Progress, run_study
    from reports.files import check_writable, write_json
    from reports.pareto import front, outcomes
    from reports.shipped import study_text
    from reports.store import opened
    from reports.study import Study

    if toml:
        sys.stdout.write(study_text(study))
        return
    chosen = Study.load(study)
    check_writable(json)
    folder = Path("explore") / chosen.head.name if folder is None else folder
    with opened(folder, chosen.head.name, chosen.text) as store:
        chosen = chosen.recalled(store.records.entries)
        if store.records.torn or store.minima.torn:
            notes.print("the last line of the records was torn and is cut off: its run is made again", style="dim")
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        remaining = TimeRemainingColumn(elapsed_when_finished=False)
        with Bars(*columns, remaining, console=notes, transient=True, disable=not notes.is_terminal) as bars:
            bar = bars.add_task("runs")

            def tell(progress: Progress) -> None:
                bars.update(bar, total=progress.total, completed=progress.done)

            left = run_study(chosen, store, jobs=-1 if jobs is None else jobs, budget_minutes=budget, tell=tell)
        points = outcomes(chosen, store)
        best = front(points, chosen.head.objectives)
        if not points:
            out.print("no run is done: give it more time and call it again")
            return
        shown = points if every else [point for point in points if point in best or point.point.datapath is None]
        objectives = ", ".join(name.replace("_", " ") for name in chosen.head.objectives)
        kind = "every point" if every else f"Pareto front of {objectives}, and float baselines"
        out.print(exploration_table(chosen, shown, f"{headline(chosen, points)}\n{kind}", out.width))
        for line in refusals(points):
            out.print(line, highlight=False, markup=False, soft_wrap=True)
        curves, tradeoffs = folder / "curves.png", folder / "tradeoffs.png"
        draw_curves(chosen, points, curves)
        draw_tradeoffs(chosen, points, best, tradeoffs)
    if json is not None:
        write_json(json, summary(chosen, points, best))
        out.print(f"points: {json}", highlight=False, markup=False, soft_wrap=True)
    out.print(f"records: {folder / 'records.jsonl'}", highlight=False, markup=False, soft_wrap=True)
    out.print(f"figures: {curves}, {tradeoffs}", highlight=False, markup=False, soft_wrap=True)
    if left:
        out.print(f"{left} runs are left: the same command goes on with them", highlight=False)


@app.command("datapath")
def show_datapath(
    datapath: DatapathArgument = None,
    columns: Annotated[
        int | None, typer.Option(help="Values in a row, d; by default 784, or those of the profile.")
    ] = None,
    link: Annotated[
        str | None, typer.Option(help="affine (the default), centred_table or absolute_table, or that of the profile.")
    ] = None,
    profile: Annotated[
        Path | None,
        typer.Option("--propose", metavar="PROFILE.json", help="Propose widths from a profile of `bittrue train`."),
    ] = None,
    margin: Annotated[
        int | None, typer.Option(help="Bits that a proposed width has above the observed ones; by default 1.")
    ] = None,
    toml: Annotated[
        bool, typer.Option("--toml", help="Print the (proposed) datapath as TOML, every field written out.")
    ] = False,
) -> None:
    """Print a datapath: proven ranges of every node, what may overflow, estimated cost; or propose widths."""
    from reports.profile import proposal_notes, proposal_table
    from reports.tables import cost_table, ranges_table
    from sim.cost import estimate
    from sim.datapath import Link
    from sim.profile import Profile
    from sim.proposal import propose
    from sim.ranges import analyse

    kind = None if link is None else _link(link)
    if profile is not None:
        held = Profile.load(profile)
        path = held.datapath if datapath is None else datapath_of(datapath)
        held.require_same(path, kind, columns, str(profile))
        proposal = propose(held.renamed(path.name), 1 if margin is None else margin)
        if toml:
            sys.stdout.write(proposal.datapath.to_toml())
            return
        out.print(proposal_table(proposal))
        for note in proposal_notes(proposal):
            out.print(note, highlight=False, markup=False, soft_wrap=True)
        return
    if margin is not None:
        raise InputError(f"margin: got {margin}; allowed: none without --propose")
    path = datapath_of(datapath)
    if toml:
        sys.stdout.write(path.to_toml())
        return
    columns, kind = 784 if columns is None else columns, kind or Link.AFFINE
    analysis = analyse(path, columns, kind)
    out.print(ranges_table(analysis))
    out.print(
        f"an accumulator of {analysis.safe_accumulator} bits cannot overflow (this one has {path.accumulator.width})\n"
    )
    out.print(cost_table(estimate(path, columns, kind)))
    analysis.require_representable()


@app.command()
def check(
    datapath: DatapathArgument = None,
    columns: ColumnsOption = 784,
    link: LinkOption = "affine",
    algorithm: Annotated[
        str | None, typer.Option(help="Also what theory bounds of an algorithm on the datapath: halp or lp_svrg.")
    ] = None,
    skip: Annotated[list[str] | None, typer.Option(help="Name of a check that may fail; repeatable.")] = None,
    junit: Annotated[Path | None, typer.Option(help="Write the results as JUnit XML.")] = None,
) -> None:
    """Check a datapath: unbiasedness and variance of every rounding, range proof, expectation of an engine step.

    With an algorithm, also its step, box, contraction and floor against their bounds, on a small problem.

    Exit code 0 if all checks hold, 1 if one does not, 2 for a bad input.
    """
    from reports.junit import check_cases, write_junit
    from reports.tables import checks_table
    from sim.checks import check_datapath

    path, skipped = datapath_of(datapath), skip or []
    checks = check_datapath(path, columns, _link(link))
    if algorithm is not None:
        from algorithms.checks import check_algorithm

        checks += check_algorithm(path, algorithm)
    names = [entry.name for entry in checks]
    for name in skipped:
        if name not in names:
            raise InputError(f"skip: got {name!r}; allowed: {', '.join(names)}")
    out.print(checks_table(f"checks of {path.name}, {columns} columns, link {link}", checks, skipped))
    if junit is not None:
        write_junit(junit, path.name, check_cases(path.name, checks, skipped))
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


app.command()(verify)
app.command()(vectors)


def datapath_of(argument: str | None) -> TrainingDatapath:
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
