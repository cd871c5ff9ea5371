"""Running a study: what is missing of its runs, on all cores, each recorded as soon as it is done."""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from msgspec import to_builtins

from algorithms.data import load_problem
from algorithms.multiclass import AnyProblem, OneVsRest, Softmax
from algorithms.training import algorithm_of, train
from reports.series import steps_of
from reports.store import Store
from reports.study import Run, Study
from sim.conformance import ARITHMETIC_VERSION
from sim.errors import InputError
from sim.formats import QFormat

REFUSED = "refused"
"""State of a run that its datapath or registers cannot do; its record has the reason."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What an exploration tells while it runs: how many of how many runs are done."""

    done: int
    total: int


Tell = Callable[[Progress], None]
Task = tuple[Callable[[Any], dict[str, Any]], Any]


def run_study(study: Study, store: Store, *, jobs: int = -1, budget_minutes: float | None = None,
            tell: Tell = lambda progress: None, stopped: Callable[[], bool] = lambda: False) -> int:  # fmt: skip
    """Run what is missing of a study and record it; return how many runs are left (budget ended, or stopped).

    Args:
        study: what to run.
        store: where records are and go.
        jobs: processes; −1 for one a core.
        budget_minutes: no run starts later; by default the study's own.
        tell: called after every run.
        stopped: called before a run starts; none does once it is true, and those under way are finished.

    Raises:
        InputError: if data cannot be read or a record not be written; all records so far stay.
    """
    budget = study.head.budget_minutes if budget_minutes is None else budget_minutes
    end = time.monotonic() + 60 * budget if budget else float("inf")
    known = store.by_key
    missing = [run for run in study.runs if run.key not in known]
    if missing:
        load_problem(missing[0].data, missing[0].loss, missing[0].ridge)  # a bad input ends here, in one line
        _compile(missing)
    wanted = _least_losses_wanted(study, store)
    tasks: list[Task] = [*((least_loss_of, problem) for problem in wanted), *((record_of, run) for run in missing)]
    done = 0
    tell(Progress(done, len(missing)))
    for entry in _results(tasks, jobs, lambda: time.monotonic() >= end or stopped()):
        (store.minima if "minimum" in entry else store.records).append(entry)
        done += "minimum" not in entry
        tell(Progress(done, len(missing)))
    return len(missing) - done


def _results(tasks: list[Task], jobs: int, ended: Callable[[], bool]) -> Iterator[dict[str, Any]]:
    """Yield the lines that tasks make as they come, from processes; no task starts once `ended` is true."""
    from joblib import Parallel, delayed

    def due() -> Iterator[Any]:
        for task, argument in tasks:
            if ended():
                return
            yield delayed(_made_in_worker)(task, argument)

    if not tasks:
        return
    parallel = Parallel(n_jobs=min(jobs, len(tasks)) if jobs > 0 else jobs, return_as="generator_unordered",
                        batch_size=1, pre_dispatch="2*n_jobs", max_nbytes=None)  # fmt: skip
    try:
        with _no_interrupts():  # the workers inherit it: Ctrl-C is for this process to answer
            results = parallel(due())
        yield from results
    except BrokenExecutor:
        raise InputError(
            f"jobs: got a process that was ended from outside, with {jobs} jobs; allowed: fewer, if memory ran out"
        ) from None


@contextmanager
def _no_interrupts() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():  # which alone can set signals
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _made_in_worker(task: Callable[[Any], dict[str, Any]], argument: Any) -> dict[str, Any]:
    _end_with_parent()
    return task(argument)


@cache
def _end_with_parent() -> None:
    """Let a worker end when the process that started it does, even if that was killed and could not say so."""
    parent = multiprocessing.parent_process()
    if parent is None:  # no worker: the tasks run in the first process
        return

    def watch() -> None:
        while os.getppid() == parent.pid:
            time.sleep(0.2)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def record_of(run: Run) -> dict[str, Any]:
    """Return the record of one run: all that identifies it, and its epochs."""
    problem = load_problem(run.data, run.loss, run.ridge)
    point = run.point
    parameters = dict(point.parameters)
    record: dict[str, Any] = {
        "key": run.key,
        "arithmetic_version": ARITHMETIC_VERSION,
        "series": point.series,
        "varied": point.varied,
        "tuned": point.tuned,
        "algorithm": point.algorithm,
        "datapath": to_builtins(point.datapath),
        "parameters": point.parameters,
        "problem": run.problem,
        "file": run.file_digest,
        "seed": run.seed,
        "shape": list(problem.shape),
        "one_vs_rest": problem.classes if isinstance(problem, OneVsRest) else 0,
    }
    try:
        if "epoch_length" in parameters:
            parameters["epoch_length"] = steps_of(parameters["epoch_length"], problem.shape[0])
        trace = train(problem, point.algorithm, point.datapath, seed=run.seed, **parameters)
    except InputError as error:
        return record | {"state": REFUSED, "reason": str(error), "epochs": [], "model": ""}
    written = trace.to_dict()
    epochs = [{key: value for key, value in epoch.items() if key != "exponents"} for epoch in written["epochs"]]
    exponents = [list(epoch["exponents"]) for epoch in written["epochs"]]
    return record | {
        "state": written["state"],
        "epochs": epochs,
        "exponents": exponents if any(any(row) for row in exponents) else [],
        "model": trace.model_digest,
    }


@dataclass(frozen=True, slots=True)
class LeastLoss:
    """A problem whose least loss is wanted: on which run's data, quantized to how many bits (0: not)."""

    run: Run
    bits: int

    @property
    def key(self) -> str:
        """Identity of the problem solved."""
        return json.dumps([self.run.problem_identity, self.bits], sort_keys=True)


def least_loss_of(wanted: LeastLoss) -> dict[str, Any]:
    """Return the line of a problem: its key and its least loss, None where it has none."""
    problem = load_problem(wanted.run.data, wanted.run.loss, wanted.run.ridge)
    try:
        least = problem.least_loss(QFormat(wanted.bits, 0) if wanted.bits else None)
    except InputError:  # samples that the format does not hold: the runs themselves say so
        least = math.nan
    return {"key": wanted.key, "minimum": least if math.isfinite(least) else None}


def solved(run: Run) -> LeastLoss:
    """Return which problem a run solves: on quantized samples, if its algorithm rounds them once for all."""
    path, quantizes = run.point.datapath, algorithm_of(run.point.algorithm).on_quantized_rows
    return LeastLoss(run, path.data.width if path is not None and quantizes else 0)


def _least_losses_wanted(study: Study, store: Store) -> list[LeastLoss]:
    known = {entry["key"] for entry in store.minima.entries}
    wanted = {problem.key: problem for problem in map(solved, study.runs)}
    return [problem for key, problem in wanted.items() if key not in known]


def _compile(runs: list[Run]) -> None:
    """Train on a tiny problem with every kind of run, so that kernels are compiled once and not in every process."""
    problem = load_problem(runs[0].data, runs[0].loss, runs[0].ridge)
    small, done = _tiny(problem), set()
    for run in runs:
        path = run.point.datapath
        kind = run.point.algorithm, None if path is None else path.data_format.dtype
        if kind in done:
            continue
        done.add(kind)
        own: Any = {"mu": 1.0, "delta": 1.0}
        own = {key: value for key, value in own.items() if key in algorithm_of(run.point.algorithm).own}
        with suppress(InputError):  # the run itself will say so
            train(small, run.point.algorithm, path, step=1e-3, epoch_length=1, epochs=1, **own)


def _tiny(problem: AnyProblem) -> AnyProblem:
    """Return a problem of the same kind with four samples."""
    features, labels = np.random.default_rng(0).normal(size=(4, 2)), np.array([0, 1, 0, 1])
    if isinstance(problem, Softmax):
        return Softmax(features, labels)
    first = problem.first if isinstance(problem, OneVsRest) else problem
    return type(first)(features, labels.astype(np.float64))
