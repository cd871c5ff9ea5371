"""The command `bittrue verify`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reports.verify import TRANSACTIONS, Finding
from rtl_models.processes import SILENCE

UnitsOption = Annotated[
    list[str] | None, typer.Option("--unit", help="A unit of the RTL; repeatable, all of them by default.")
]
SeedOption = Annotated[int | None, typer.Option(help="Of the stimuli; by default the unit's name decides.")]


def verify(
    datapath: Annotated[
        str | None,
        typer.Argument(
            metavar="DATAPATH.toml",
            help="Sets the parameters: a TOML file or a preset; without it every unit runs under its own list.",
        ),
    ] = None,
    unit: UnitsOption = None,
    configuration: Annotated[
        str | None, typer.Option(metavar="NAME", help="One of a unit's own list instead of all.")
    ] = None,
    seed: SeedOption = None,
    transactions: Annotated[
        int, typer.Option("-n", "--transactions", help="Outputs compared under each configuration.")
    ] = TRANSACTIONS,
    waves: Annotated[bool, typer.Option("--waves", help="Keep all signals of all runs, as VCD.")] = False,
    folder: Annotated[
        Path, typer.Option("--out", help="Folder of waves and pictures; made when there is something to keep.")
    ] = Path("verify"),
    rtl: Annotated[
        Path | None, typer.Option(help="Folder of sources, say a changed copy, in place of the package's own.")
    ] = None,
    dut: Annotated[
        Path | None,
        typer.Option(
            "--dut", metavar="FILE.toml", help="A module of your own that claims to be a unit; instead of all."
        ),
    ] = None,
    timeout: Annotated[
        int,
        typer.Option(metavar="SECONDS", help="End a simulation whose time stands still so long: an endless loop."),
    ] = SILENCE,
    engine: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STUDY", help="Not units: train a study on model and circuit (repeatable), or play a job."
        ),
    ] = None,
    point: Annotated[
        list[str] | None, typer.Option(metavar="LABEL", help="With --engine: a point; repeatable, all by default.")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(help="With --engine: epochs of each point; by default the first 3, or all if fewer.")
    ] = None,
    records: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="With --engine: mark points that are equal in this folder of the study."),
    ] = None,
    markdown: Annotated[Path | None, typer.Option(help="With --engine: write the table to this Markdown file.")] = None,
    json: Annotated[Path | None, typer.Option("--json", help="Write everything as JSON to this file.")] = None,
    junit: Annotated[Path | None, typer.Option(help="Write the results as JUnit XML.")] = None,
) -> None:
    """Run the RTL's units, or a module of your own, in a simulator beside the reference, output by output.

    A failure shows the first difference and the command that repeats it; its waves and a picture are kept.

    Exit code 0 if all units are equal and all coverage bins were hit, 1 if not, 2 for a bad input.
    """
    from reports import command_line
    from reports.files import check_writable
    from reports.verify import foreign_request, requests, run_verification
    from sim.errors import InputError, whole_number

    check_writable(json, junit, markdown)
    whole_number("timeout", timeout, 1, 10**6)
    if engine:
        from rtl_models.toolchain import require_modules

        require_modules()
        from reports.engine_report import show_engine

        counts = (transactions, timeout)
        if (datapath, unit, configuration, dut, junit) != (None,) * 5 or waves or counts != (TRANSACTIONS, SILENCE):
            raise InputError("engine: got it with options of units; allowed: --point, --seed, --epochs, --rtl, "
                             "--records, --markdown, --out, --json")  # fmt: skip
        show_engine(engine, point or (), seed, epochs, folder, rtl, records, markdown, json)
        return
    for name, given in (("point", point), ("epochs", epochs), ("records", records), ("markdown", markdown)):
        if given:
            shown = " and ".join(given) if isinstance(given, list) else given
            raise InputError(f"{name}: got {shown}; allowed: with --engine only")
    if dut is not None and (datapath, unit, configuration, rtl) != (None, None, None, None):
        raise InputError("dut: got it with a datapath, --unit, --configuration or --rtl; allowed: by itself")
    path = None if datapath is None else command_line.datapath_of(datapath)
    if dut is not None:
        wanted = [foreign_request(dut, seed=seed, transactions=transactions)]
    else:
        wanted = requests(
            unit or (), path, source=datapath, configuration=configuration, seed=seed, transactions=transactions,
            rtl=rtl,
        )  # fmt: skip
    name = "units" if path is None else f"units of {path.name}"
    name = name if dut is None else wanted[0].label
    title = f"{name} against the reference; seeds " + ", ".join(f"{one.unit} {one.seed}" for one in wanted)
    if seed is not None:
        title = f"{name} against the reference; seed {seed}"
    with command_line.notes.status("", spinner="dots") as status:

        def tell(line: str) -> None:
            status.update(line.replace("[", r"\["))

        findings = list(run_verification(wanted, folder, waves=waves, silence=timeout, tell=tell))
    show(title, "verify" if path is None else path.name, findings, json, junit)


def show(title: str, name: str, findings: list[Finding], json: Path | None, junit: Path | None) -> None:
    """Print what was found, write the files, and end with exit code 1 if anything failed.

    Args:
        title: of the table.
        name: of the JUnit suite.
        findings: what was found.
        json: file for all of it as data, if any.
        junit: file for it as JUnit XML, if any.
    """
    from reports import command_line
    from reports.files import write_json
    from reports.junit import write_junit
    from reports.verify_report import as_data, cases, closing_line, failure_text, verification_table

    out = command_line.out
    out.print(verification_table(title, findings))
    for result in (finding.result for finding in findings if finding.result.unchecked):
        line = f"not checked of {result.configuration}: {'; '.join(result.unchecked)}"
        out.print(line, highlight=False, markup=False, soft_wrap=True)
    failed = [finding for finding in findings if not finding.result.passed]
    for finding in failed:
        out.print()
        out.print(failure_text(finding), highlight=False, markup=False, soft_wrap=True)
    if failed:
        out.print()
    out.print(closing_line(findings), highlight=False, markup=False, style="red" if failed else None, soft_wrap=True)
    if json is not None:
        write_json(json, as_data(findings))
        out.print(f"results: {json}", highlight=False, markup=False, soft_wrap=True)
    if junit is not None:
        write_junit(junit, name, cases(findings))
        out.print(f"JUnit XML: {junit}", highlight=False, markup=False, soft_wrap=True)
    if failed:
        raise typer.Exit(1)
