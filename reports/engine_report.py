"""What `bittrue verify --engine` shows and writes: a table of points, marks in a study's folder, Markdown, JSON."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import typer
from rich.table import Table
from rich.text import Text

from reports.engine_failure import JOB
from reports.engine_verification import EngineCheck, engine_runs, epochs_of, verify_job, verify_runs
from reports.files import write_json
from reports.store import Store, opened
from reports.study import Run, Study
from reports.verify import require_sources
from sim.errors import InputError, writable

COLUMNS = ("data", "point", "epochs", "loops", "words", "cycles", "result")


def show_engine(
    sources: Sequence[str],
    points: Sequence[str],
    seed: int | None,
    epochs: int | None,
    folder: Path,
    rtl: Path | None,
    records: Path | None,
    markdown: Path | None,
    json: Path | None,
) -> None:
    """Compare points of studies, or a job, with the circuit, print what was found; exit code 1 if any differs.

    Args:
        sources: the studies, or one job that was kept.
        points: labels; all if there are none.
        seed: of the runs.
        epochs: of each point; `EPOCHS` by default, or all that it has.
        folder: for a loop that differs, its waves and their picture.
        rtl: folder of the circuit's sources; the package's own by default.
        records: folder of the study, in which points that are equal are marked as co-simulated.
        markdown: file for the table.
        json: file for all of it as data, if any.
    """
    from reports import command_line

    if records is not None and len(sources) > 1:
        raise InputError(f"records: got {records} with {len(sources)} studies; allowed: with one")
    if records is not None and rtl is not None:
        raise InputError(f"records: got {records} with rtl {rtl}; allowed: with the package's own circuit")
    require_sources(rtl)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"out: got {folder}, a file; allowed: a folder")
    job = next((source for source in sources if source.endswith(Path(JOB).suffix)), None)
    if job is None:
        title, checks = _of_studies(sources, points, seed, epochs, folder, rtl, records)
    elif len(sources) > 1 or points or (seed, epochs, records, markdown) != (None,) * 4:
        raise InputError(f"engine: got the job {job} with studies or their options; allowed: --rtl, --out, --json")
    else:
        title, checks = job, [verify_job(Path(job), folder, rtl)]
    out = command_line.out
    out.print(engine_table(title, checks))
    failed = [check for check in checks if check.result != "equal"]
    for check in failed:
        text = check.failure or "the training ended at its start; nothing was compared"
        out.print(f"\n{check.point}: {text}", highlight=False, markup=False, soft_wrap=True)
    if failed:
        out.print()
    out.print(closing_line(checks), highlight=False, soft_wrap=True)
    if markdown is not None:
        with writable(markdown):
            markdown.write_text(as_markdown(command_of(sources, points, seed, epochs, rtl), checks), encoding="utf-8")
        out.print(f"table: {markdown}", highlight=False, markup=False, soft_wrap=True)
    if json is not None:
        write_json(json, [check.as_dict() for check in checks])
        out.print(f"results: {json}", highlight=False, markup=False, soft_wrap=True)
    if failed:
        raise typer.Exit(1)


def _of_studies(
    sources: Sequence[str],
    points: Sequence[str],
    seed: int | None,
    epochs: int | None,
    folder: Path,
    rtl: Path | None,
    records: Path | None,
) -> tuple[str, list[EngineCheck]]:
    """Return the names of the studies and the checks of their points, and mark these if that is wanted."""
    studies = [Study.load(source) for source in sources]
    for number, (source, study) in enumerate(zip(sources, studies, strict=True)):
        if study.text in [other.text for other in studies[:number]]:
            raise InputError(f"engine: got {source} twice; allowed: each study once")
    runs = [one for study in studies for one in engine_runs(study, points, seed)]
    counts = epochs_of(runs, epochs)
    with _marks(studies[0], records) as store:
        checks = _checked(runs, counts, folder, rtl, store)
    return " and ".join(study.head.name for study in studies), checks


def _checked(
    runs: list[Run], epochs: list[int], folder: Path, rtl: Path | None, store: Store | None
) -> list[EngineCheck]:
    """Return the check of each run; mark each as soon as it is there, and tell how many are."""
    from reports import command_line

    checks: list[EngineCheck] = []
    with command_line.notes.status(f"{len(runs)} points", spinner="dots") as status:
        for check in verify_runs(runs, epochs, folder, rtl):
            checks.append(check)
            if store is not None:
                mark(store, check)
            last = f"{check.point}: {check.result}".replace("[", r"\[")
            status.update(f"{len(checks)} of {len(runs)} points, the last {last}")
    return checks


def _marks(study: Study, folder: Path | None) -> AbstractContextManager[Store | None]:
    """Return the store of a study's folder, which is refused before anything runs; nothing without a folder."""
    return nullcontext() if folder is None else opened(folder, study.head.name, study.text, "records")


def mark(store: Store, check: EngineCheck) -> None:
    """Mark a point that is equal in a study's folder, or take its mark back where that no longer holds.

    Args:
        store: of its records.
        check: of the point; a mark that says the same as before is not written again.
    """
    before = store.repeated(check.circuit).get(check.key, 0)
    if (check.failure and before) or (check.result == "equal" and check.epochs > before):
        store.checked.append(check.as_dict())


def engine_table(name: str, checks: Sequence[EngineCheck]) -> Table:
    """Return a table with a line for each point."""
    table = Table(title=Text(f"{name}: the circuit against the model"), title_justify="left", box=None, pad_edge=False,
                  header_style="bold")  # fmt: skip
    for column in (*COLUMNS, "time"):
        left = column in ("data", "point", "result")
        table.add_column(column, justify="left" if left else "right", no_wrap=column != "point", overflow="fold")
    for check in checks:
        *cells, result = _cells(check)
        colour = "green" if check.result == "equal" else "red"
        table.add_row(*map(Text, cells), f"[{colour}]{result}[/]", f"{check.seconds:.1f} s")
    return table


def closing_line(checks: Sequence[EngineCheck]) -> str:
    """Return one line that says how many points are equal."""
    equal = sum(check.result == "equal" for check in checks)
    total = sum(check.cycles for check in checks)
    return f"{equal} of {len(checks)} points equal in every word, count and cycle, {total:,} cycles"


def command_of(
    sources: Sequence[str], points: Sequence[str], seed: int | None, epochs: int | None, rtl: Path | None = None
) -> str:
    """Return the command that repeats a comparison."""
    several = [("--engine", source) for source in sources] + [("--point", point) for point in points]
    given: list[tuple[str, Any]] = [*several, ("--seed", seed), ("--epochs", epochs), ("--rtl", rtl)]
    parts = [f"{name} {shlex.quote(str(value))}" for name, value in given if value is not None]
    return " ".join(["bittrue verify", *parts])


def as_markdown(command: str, checks: Sequence[EngineCheck]) -> str:
    """Return the page of a comparison: the command that makes it, the result, the table."""
    from reports.bench import machine

    times = (sum(check.seconds for check in checks), sum(check.model_seconds for check in checks))
    head = [
        "# The circuit against the model",
        "",
        f"Written by `{command}`: {closing_line(checks)}.",
        "The simulations of the circuit took {:,.0f} s, each with its start, the compiled model {:,.2f} s.".format(
            *times
        ),
        machine() + ".",
        "",
        f"| {' | '.join(COLUMNS)} |",
        "|---|---|---:|---:|---:|---:|---|",
    ]
    return "\n".join([*head, *(f"| {' | '.join(_cells(check))} |" for check in checks), ""])


def _cells(check: EngineCheck) -> tuple[str, ...]:
    numbers = (check.loops, check.words, check.cycles)
    return (check.data, check.point, str(check.epochs), *(f"{n:,}" for n in numbers), check.result)
