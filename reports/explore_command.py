"""The command `bittrue explore`."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reports.options import JsonOption
from reports.shipped import study_names

if TYPE_CHECKING:
    from rich.progress import TaskID

    from reports.store import Store
    from reports.study import Study

StudyArgument = Annotated[
    str, typer.Argument(metavar="STUDY.toml", help=f"A TOML file, or a shipped study: {', '.join(study_names())}.")
]


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

    from reports.claims import show_claims
    from reports.command_line import notes, out
    from reports.explorer import Progress, run_study
    from reports.files import check_writable
    from reports.shipped import study_text
    from reports.store import opened
    from reports.study import Study

    if toml:
        sys.stdout.write(study_text(study))
        return
    studies = Study.load_all(study)
    check_writable(json)
    head = studies[0].head
    folder = Path("explore") / head.name if folder is None else folder
    minutes = head.budget_minutes if budget is None else budget
    begun = time.monotonic()
    with opened(folder, head.name, studies[0].text) as store:
        studies = [one.recalled(store.records.entries) for one in studies]
        if store.records.torn or store.minima.torn:
            notes.print("the last line of the records was torn and is cut off: its run is made again", style="dim")
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        remaining = TimeRemainingColumn(elapsed_when_finished=False)
        left = 0
        with (
            Bars(*columns, remaining, console=notes, transient=True, disable=not notes.is_terminal) as bars,
            _interruptible() as stopped,
        ):
            for one in studies:
                bar = bars.add_task("runs" if len(studies) == 1 else one.head.about)

                def tell(progress: Progress, bar: TaskID = bar) -> None:
                    bars.update(bar, total=progress.total, completed=progress.done)

                rest = max(minutes - (time.monotonic() - begun) / 60, 1e-9) if minutes else 0.0
                count = -1 if jobs is None else jobs
                left += run_study(one, store, jobs=count, budget_minutes=rest, tell=tell, stopped=stopped)
        if len(studies) > 1:
            figures = show_claims(studies, store, folder, json)
        else:
            figures = _show(studies[0], store, folder, every, json)
    if not figures:
        return
    if json is not None:
        out.print(f"points: {json}", highlight=False, markup=False, soft_wrap=True)
    out.print(f"records: {folder / 'records.jsonl'}", highlight=False, markup=False, soft_wrap=True)
    out.print(f"figures: {', '.join(map(str, figures))}", highlight=False, markup=False, soft_wrap=True)
    if left:
        out.print(f"{left} runs are left: the same command goes on with them", highlight=False)


def _show(study: Study, store: Store, folder: Path, every: bool, json: Path | None) -> list[Path]:
    """Show what a study found; return its figures, none where no run is done."""
    from reports.command_line import out
    from reports.exploration import draw_curves, exploration_table, headline, refusals, summary
    from reports.files import write_json
    from reports.pareto import front, outcomes
    from reports.rtl_backend import circuit_digest
    from reports.sample_figures import draw_convergence, draw_samples
    from reports.tradeoffs import draw_tradeoffs

    points = outcomes(study, store)
    best = front(points, study.head.objectives)
    if not points:
        out.print("no run is done: give it more time and call it again")
        return []
    shown = points if every else [point for point in points if point in best or point.point.datapath is None]
    objectives = ", ".join(name.replace("_", " ") for name in study.head.objectives)
    kind = "every point" if every else f"Pareto front of {objectives}, and float baselines"
    if shown:
        out.print(exploration_table(study, shown, f"{headline(study, points)}\n{kind}", out.width))
    else:
        ends = ", ".join(dict.fromkeys(point.state for point in points))
        out.print(f"{headline(study, points)}\nno point is on the Pareto front: all {ends} (--all shows them)",
                  highlight=False, markup=False, soft_wrap=True)  # fmt: skip
    for line in refusals(points):
        out.print(line, highlight=False, markup=False, soft_wrap=True)
    if store.checked.entries:
        out.print(circuit_line(store, circuit_digest()), highlight=False)
    figures = [folder / "curves.png", folder / "tradeoffs.png"]
    draw_curves(study, points, figures[0])
    draw_tradeoffs(study, points, best, figures[1])
    for draw, name in ((draw_convergence, "convergence.png"), (draw_samples, "samples.png")):
        if draw(study, points, folder / name):
            figures.append(folder / name)
    if json is not None:
        write_json(json, summary(study, points, best))
    return figures


def circuit_line(store: Store, circuit: str) -> str:
    """Return a line that says how much of the records the circuit repeated.

    Args:
        store: records and marks.
        circuit: digest of its sources.
    """
    from reports.pareto import trained_epochs

    repeated, runs = store.repeated(circuit), store.by_key
    epochs = {key: trained_epochs(record) for key, record in runs.items()}
    done = {key: min(repeated.get(key, 0), count) for key, count in epochs.items()}
    whole = sum(0 < done[key] == count for key, count in epochs.items())
    line = f"repeated on the circuit: {sum(done.values())} of {sum(epochs.values())} epochs"
    line += f", {whole} of {len(runs)} runs whole"
    others = len(store.only_of_others(circuit) & runs.keys())
    return line + (f"; {others} only on another circuit, whose sources differ" if others else "")


@contextmanager
def _interruptible() -> Iterator[Callable[[], bool]]:
    """Give a function that says whether Ctrl-C was pressed; pressed once more, it ends the program."""
    from reports.command_line import notes

    pressed = 0

    def press(*_: object) -> None:
        nonlocal pressed
        pressed += 1
        if pressed > 1:
            notes.show_cursor(True)
            os._exit(130)  # as by a kill: the records are whole, and the workers end by themselves
        notes.print("stopping when the runs under way are done; Ctrl-C once more stops at once", highlight=False)

    before = signal.signal(signal.SIGINT, press)
    try:
        yield lambda: pressed > 0
    finally:
        signal.signal(signal.SIGINT, before)
