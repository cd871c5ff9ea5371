"""Points of a study on model and circuit, loop by loop: every word, count and cycle, and where they first part."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from algorithms.data import load_problem
from algorithms.training import algorithm_of, train
from reports.engine_waveforms import keep_waves
from reports.rtl_backend import build_circuit, circuit_digest, run_on_circuit
from reports.series import steps_of
from reports.study import Run, Study
from sim.engine import EpochJob, EpochResult, run
from sim.engine.first_difference import FirstDifference, first_difference
from sim.errors import InputError, writable

JOB = "job.npz"
"""Where a loop that differs is kept, in a folder of its run."""
EPOCHS = 3
"""Of a point, where nothing else is said."""
WINDOW = 2_000
"""Steps that are traced at once on the way to a first difference."""


@dataclass(slots=True)
class EngineCheck:
    """What the circuit gave on one point.

    Attributes:
        run: the point, with data and seed.
        epochs: epochs trained.
        circuit: digest of the circuit's sources.
        loops: inner loops compared: an epoch each, times the classes.
        words: model words compared.
        cycles: clock cycles of the circuit.
        seconds: time that the circuit's simulations took, each with its start, none with its build.
        model_seconds: time that the compiled model took for the same loops.
        failure: where they part, empty if they do not.
    """

    run: Run
    epochs: int
    circuit: str
    loops: int = 0
    words: int = 0
    cycles: int = 0
    seconds: float = 0.0
    model_seconds: float = 0.0
    failure: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the check as plain data, with the key of the run's record."""
        point = self.run.point
        return {
            "key": self.run.key, "point": point.label, "lanes": point.datapath.lanes if point.datapath else 0,
            "seed": self.run.seed, "circuit": self.circuit, "epochs": self.epochs, "loops": self.loops,
            "words": self.words, "cycles": self.cycles, "seconds": round(self.seconds, 1),
            "model_seconds": round(self.model_seconds, 4),
            "co_simulated": not self.failure, "failure": self.failure,
        }  # fmt: skip


class _Parted(Exception):
    """Ends a training at the first loop that differs."""


@dataclass(slots=True)
class _Comparison:
    """Runs every loop of a training once more, on the circuit."""

    check: EngineCheck
    folder: Path
    rtl: Path | None

    def compare(self, job: EpochJob, expected: EpochResult) -> None:
        build_circuit(job, self.rtl)
        start = time.perf_counter()
        run(job)
        middle = time.perf_counter()
        try:
            got = run_on_circuit(job, rtl=self.rtl)
        except AssertionError as error:
            self.check.failure = f"{reason(error)}; job {keep_job(job, self.folder)}"
            raise _Parted from None
        self.check.model_seconds += middle - start
        self.check.seconds += time.perf_counter() - middle
        self.check.loops += 1
        self.check.words += job.columns
        self.check.cycles += got.cycles
        if difference(got, expected):
            self.check.failure = explain(job, got, expected, self.folder, self.rtl)
            raise _Parted


def difference(got: EpochResult, expected: EpochResult) -> str:
    """Return what two results of a job differ in; empty if they are equal in all that a circuit has."""
    if got.z.tolist() != expected.z.tolist():
        column = int((got.z != expected.z).argmax())
        return f"z of column {column}: got {got.z[column]}, expected {expected.z[column]}"
    for name in ("counts", "extremes", "cycles"):
        one, other = getattr(got, name), getattr(expected, name)
        if one != other:
            return f"{name}: got {one}, expected {other}"
    return ""


def explain(job: EpochJob, got: EpochResult, expected: EpochResult, folder: Path, rtl: Path | None = None) -> str:
    """Return where model and circuit part, and save the job that shows it, the waves of that place and their picture.

    Args:
        job: a loop that they do not agree on.
        got: the circuit's result.
        expected: the model's.
        folder: for the files.
        rtl: folder of the circuit's sources; the package's own by default.
    """
    kept = f"job {keep_job(job, folder)}"
    found = find_first_difference(job, rtl)
    kept += f", {keep_waves(job, found, folder, rtl)}" if found else ""
    return f"{difference(got, expected)}; {found or 'no stage differs'}; {kept}"


def reason(error: AssertionError) -> str:
    """Return why a simulation gave no result, in one line."""
    lines = str(error).splitlines()
    told = [line.partition("Error: ")[2] for line in lines if "Error: " in line]
    return told[-1] if told else lines[0]


def keep_job(job: EpochJob, folder: Path) -> Path:
    """Save a job that shows a failure, and return its file."""
    with writable(folder):
        folder.mkdir(parents=True, exist_ok=True)
        job.save(folder / JOB)
    return folder / JOB


def find_first_difference(job: EpochJob, rtl: Path | None = None) -> FirstDifference | None:
    """Return the first value in which the circuit differs from the model, window after window of the loop."""
    for start in range(0, job.steps, WINDOW):
        steps = range(start, min(start + WINDOW, job.steps))
        found = first_difference(job, run_on_circuit(job, steps, rtl=rtl).trace, run(job, trace=steps).trace)
        if found:
            return found
    return None


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
        comparison = _Comparison(EngineCheck(one, count, circuit), folder / one.key, rtl)
        with suppress(_Parted):
            trace = train(
                problem, one.point.algorithm, one.point.datapath, seed=one.seed, on_result=comparison.compare,
                **parameters,
            )  # fmt: skip
            comparison.check.epochs = len(trace.epochs) - 1  # fewer where the training ended early
        yield comparison.check
