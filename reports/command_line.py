"""The command line: `bittrue train`, `explore`, `datapath`, `check`, `verify`, `vectors`, `bench`."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from reports.explore_command import explore
from reports.options import ColumnsOption, DatapathArgument, JsonOption, LinkOption
from reports.train_command import train
from reports.usage import refusal
from reports.vectors_command import vectors
from reports.verify_command import verify
from sim.datapath import preset_names
from sim.errors import InputError

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
        sys.exit(app(prog_name="bittrue", standalone_mode=False))
    except typer.TyperException as error:
        line = refusal(error)
    except InputError as error:
        line = str(error)
    except OSError as error:  # inputs and files are checked where they are read and written
        line = f"output: got {error.strerror or error}; allowed: a terminal, file or pipe that can be written"
    if line:
        notes.print(f"[red]error:[/] {_escaped(line)}", highlight=False, soft_wrap=True)
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


app.command()(train)
app.command()(explore)


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
        str | None, typer.Option(help="Also the checks of an algorithm on the datapath: halp, lp_svrg or zipml.")
    ] = None,
    skip: Annotated[list[str] | None, typer.Option(help="Name of a check that may fail; repeatable.")] = None,
    junit: Annotated[Path | None, typer.Option(help="Write the results as JUnit XML.")] = None,
) -> None:
    """Check a datapath: unbiasedness and variance of every rounding, range proof, expectation of an engine step.

    With an algorithm, also its step, box, contraction and floor against their bounds, on a small problem.

    Exit code 0 if all checks hold, 1 if one does not, 2 for a bad input.
    """
    from reports.files import check_writable
    from reports.junit import check_cases, write_junit
    from reports.tables import checks_table
    from sim.checks import check_datapath

    check_writable(junit)
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


app.command()(verify)
app.command()(vectors)


@app.command()
def bench(
    quick: Annotated[bool, typer.Option("--quick", help="Fewer repeats: a rough figure, sooner.")] = False,
    circuit: Annotated[
        bool, typer.Option("--circuit", help="The compiled model against simulations of its circuit, instead.")
    ] = False,
    json: JsonOption = None,
) -> None:
    """Measure the kernels' speed as ratios to the best plain code, on one thread, in one run (about a minute)."""
    from dataclasses import asdict

    from reports.bench import bench_table, machine, run_bench
    from reports.circuit_bench import circuit_ratios
    from reports.files import check_writable, write_json

    check_writable(json)
    ratios = circuit_ratios(quick) if circuit else run_bench(quick)
    out.print(bench_table(ratios))
    if json is not None:
        write_json(json, {"machine": machine(), "ratios": [asdict(ratio) for ratio in ratios]})
        out.print(f"ratios: {json}", highlight=False, markup=False, soft_wrap=True)


def datapath_of(argument: str | None) -> TrainingDatapath:
    """Return the datapath of a TOML file or a preset name; halp8 if there is none."""
    from sim.datapath import TrainingDatapath

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
