"""Points of a study on model and circuit, loop by loop: every word, count and cycle, and where they first part."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn

from algorithms.data import load_problem
from algorithms.training import algorithm_of, train
from reports.engine_failure import again, difference, failure_text, keep_job, reason
from reports.rtl_backend import build_circuit, circuit_digest, run_on_circuit
from reports.series import steps_of
from reports.study import Run, Study
from sim.engine import EpochJob, EpochResult, run
from sim.errors import InputError

EPOCHS = 3
"""Of a point, where nothing else is said."""


@dataclass(slots=True)
class EngineCheck:
    """What the circuit gave on one point.

    Attributes:
        key: of the run's record; empty for a job by itself.
        data: name of the data set, or file of the job.
        point: its label.
        lanes: of its datapath.
        seed: of the run.
        epochs: epochs asked for; those trained, where nothing differs.
        circuit: digest of the circuit's sources.
        loops: inner loops compared: an epoch each, times the classes.
        words: model words compared.
        cycles: clock cycles of the circuit.
        seconds: time that the circuit's simulations took, each with its start, none with its build.
        model_seconds: time that the compiled model took for the same loops.
        failure: report of where they part, empty if they do not.
        rerun: the command that plays the loop in which they part once more.
    """

    key: str
    data: str
    point: str
    lanes: int
    seed: int
    epochs: int
    circuit: str
    loops: int = 0
    words: int = 0
    cycles: int = 0
    seconds: float = 0.0
    model_seconds: float = 0.0
    failure: str = ""
    rerun: str = ""

    @classmethod
    def of_run(cls, one: Run, epochs: int, circuit: str) -> EngineCheck:
        """Return the check of a study's run before anything is compared."""
        lanes = one.point.datapath.lanes if one.point.datapath else 0
        return cls(one.key, one.data.source, one.point.label, lanes, one.seed, epochs, circuit)

    @property
    def result(self) -> str:
        """In a word or two: whether circuit and model are equal, or there was no loop to compare."""
        return "DIFFERS" if self.failure else "equal" if self.loops else "no loop"

    def as_dict(self) -> dict[str, Any]:
        """Return the check as plain data."""
        rounded = {"seconds": round(self.seconds, 1), "model_seconds": round(self.model_seconds, 4)}
        return {**asdict(self), **rounded, "co_simulated": self.result == "equal"}


class _Parted(Exception):
    """Ends a training at the first loop that differs."""


@dataclass(slots=True)
class _Comparison:
    """Runs every loop of a training once more, on the circuit."""

    check: EngineCheck
    folder: Path
    rtl: Path | None
    file: Path | None = None

    def compare(self, job: EpochJob, expected: EpochResult) -> None:
        build_circuit(job, self.rtl)
        start = time.perf_counter()
        run(job)
        middle = time.perf_counter()
        try:
            got = run_on_circuit(job, rtl=self.rtl)
        except AssertionError as error:
            self._part(job, reason(error), ended=False)
        self.check.model_seconds += middle - start
        self.check.seconds += time.perf_counter() - middle
        self.check.loops += 1
        self.check.words += job.columns
        self.check.cycles += got.cycles
        what = difference(got, expected)
        if what:
            self._part(job, what, ended=True)

    def _part(self, job: EpochJob, what: str, *, ended: bool) -> NoReturn:
        """Report the loop, and end the training."""
        file = self.file or keep_job(job, self.folder)
        self.check.failure = failure_text(what, job, file, self.folder, ended=ended, rtl=self.rtl)
        self.check.rerun = again(file, self.rtl)
        raise _Parted


def engine_runs(study: Study, points: Sequence[str] = (), seed: int | None = None) -> list[Run]:
    """Return the runs of a study that the circuit can make: one for each point on the engine.

    Args:
        study: the study.
        points: their labels; all by default.
        seed: of the runs; the study's first by default.

    Raises:
        InputError: for a label or a seed that the study has not, and for one without points on the engine.
    """
    able = [one for one in study.runs if algorithm_of(one.point.algorithm).on_engine]
    if not able:
        raise InputError(f"{study.head.name}: series: got none on the engine; allowed: at least one")
    first = study.replicates[0][1] if seed is None else seed
    runs = [one for one in able if one.seed == first]
    if not runs:
        raise InputError(f"seed: got {seed}; allowed: {', '.join(map(str, study.head.seeds))}")
    runs = [one for one in runs if one.data == runs[0].data]
    labels = dict.fromkeys(one.point.label for one in runs)
    for point in points:
        if point not in labels:
            raise InputError(f"point: got {point!r}; allowed: {', '.join(labels)}")
    return [one for one in runs if not points or one.point.label in points]


def epochs_of(runs: Sequence[Run], wanted: int | None = None) -> list[int]:
    """Return how many epochs of each run are repeated.

    Args:
        runs: from `engine_runs`.
        wanted: epochs of each; by default `EPOCHS`, or all that a run has where these are fewer.

    Raises:
        InputError: if a run has fewer than are wanted.
    """
    counts = []
    for one in runs:
        most = one.point.parameters["epochs"]
        if wanted is not None and not 1 <= wanted <= most:
            raise InputError(f"epochs: got {wanted}; allowed: 1 to {most}, those of {one.point.label}")
        counts.append(min(EPOCHS, most) if wanted is None else wanted)
    return counts


def verify_runs(
    runs: Sequence[Run], epochs: Sequence[int], folder: Path, rtl: Path | None = None
) -> Iterator[EngineCheck]:
    """Yield the check of each run, its first epochs trained on the model and every loop repeated on the circuit.

    Args:
        runs: from `engine_runs`.
        epochs: how many of each, from `epochs_of`; the length of an epoch is the study's.
        folder: for what shows a difference, in a folder of its run's key each.
        rtl: folder of the circuit's sources; the package's own by default.
    """
    circuit = circuit_digest(rtl)
    for one, count in zip(runs, epochs, strict=True):
        parameters = dict(one.point.parameters)
        problem = load_problem(one.data, one.loss, one.ridge)
        if "epoch_length" in parameters:
            parameters["epoch_length"] = steps_of(parameters["epoch_length"], problem.shape[0])
        parameters["epochs"] = count
        comparison = _Comparison(EngineCheck.of_run(one, count, circuit), folder / one.key, rtl)
        with suppress(_Parted):
            trace = train(
                problem, one.point.algorithm, one.point.datapath, seed=one.seed, on_result=comparison.compare,
                **parameters,
            )  # fmt: skip
            comparison.check.epochs = len(trace.epochs) - 1  # fewer where the training ended early
        yield comparison.check


def verify_job(file: Path, folder: Path, rtl: Path | None = None) -> EngineCheck:
    """Return the check of one loop that was kept, say by a run that failed.

    Args:
        file: of `EpochJob.save`.
        folder: for what shows a difference, in a folder `job`.
        rtl: folder of the circuit's sources; the package's own by default.

    Raises:
        InputError: for a missing or broken file, and where the circuit cannot run the job.
    """
    job = EpochJob.load(file)
    path = job.datapath
    check = EngineCheck("", str(file), f"{path.name}, {job.link}", path.lanes, job.seed, 1, circuit_digest(rtl))
    with suppress(_Parted):
        _Comparison(check, folder / "job", rtl, file).compare(job, run(job))
    return check
