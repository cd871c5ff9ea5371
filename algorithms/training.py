"""The training loop: an algorithm asks for inner loops, a backend runs them, a trace records what happened."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algorithms.problems import LeastSquares
from algorithms.trace import EpochRecord, Trace
from sim.datapath import TrainingDatapath
from sim.engine import EpochJob, EpochResult, backends, run
from sim.errors import InputError, whole_number
from sim.host import norm
from sim.quantize import positive_real
from sim.random_bits import LARGEST_SEED

Floats = NDArray[np.float64]
LARGEST_EPOCH = 1 << 26
"""Bound on the inner steps of an epoch."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """What every algorithm is run with.

    Attributes:
        step: step size α.
        epoch_length: inner steps an epoch, T.
        epochs: number of epochs.
        mu: HALP's μ; the offset's range is ‖∇f‖/μ.
        seed: every random choice is a function of it.
    """

    step: float
    epoch_length: int
    epochs: int
    mu: float
    seed: int

    def __post_init__(self) -> None:
        for name in ("step", "mu"):
            object.__setattr__(self, name, positive_real(name, getattr(self, name)))
        for name, high in (("epoch_length", LARGEST_EPOCH), ("epochs", 1 << 20), ("seed", LARGEST_SEED)):
            object.__setattr__(self, name, whole_number(name, getattr(self, name), 0, high))


@dataclass(frozen=True, eq=False)
class Point:
    """Where an algorithm stands at the start of an epoch, and the inner loop it asks for.

    Attributes:
        problem: the problem it solves (on quantized samples, if it quantizes them).
        w: the model, shape (d,).
        gradient: the full gradient at w, shape (d,).
        job: the engine's inner loop; None if the algorithm makes the epoch itself or is done.
        scale: δ_z.
        counts: overflows of the host's quantization (h).
        row_bytes: bytes of a streamed row.
    """

    problem: LeastSquares
    w: Floats
    gradient: Floats
    job: EpochJob | None = None
    scale: float | None = None
    counts: dict[str, int] | None = None
    row_bytes: int = 0


Algorithm = Callable[[LeastSquares, TrainingDatapath | None, Parameters], Generator[Point, EpochResult | None, None]]


def train(
    problem: LeastSquares,
    algorithm: str,
    datapath: TrainingDatapath | None = None,
    *,
    step: float,
    epoch_length: int,
    epochs: int,
    mu: float = 1.0,
    seed: int = 0,
    backend: str = "kernel",
    on_epoch: Callable[[EpochRecord], None] | None = None,
) -> Trace:
    """Return the trace of a training run that starts at w = 0.

    Args:
        problem: what to minimise.
        algorithm: a name of `algorithm_names()`.
        datapath: the arithmetic, for algorithms that run on the engine; None for float64 ones.
        step: step size α.
        epoch_length: inner steps an epoch, T.
        epochs: number of epochs.
        mu: HALP's μ: strong convexity, or a knob where that is too small for the widths.
        seed: every random choice is a function of it; runs of one seed draw the same samples.
        backend: what runs the inner loops, see `sim.engine.run`.
        on_epoch: called with each record as it is made.

    Raises:
        InputError: for parameters out of range, an unknown algorithm, or a datapath missing or superfluous.

    Example:
        >>> from algorithms.data import load
        >>> problem, _ = load("diabetes")
        >>> trace = train(problem, "svrg", step=5e-3, epoch_length=884, epochs=3)
        >>> trace.gradient_norms[-1] < trace.gradient_norms[0]
        True
    """
    chosen = _algorithm(algorithm)
    if backend not in backends():
        raise InputError(f"backend: got {backend!r}; allowed: {', '.join(backends())}")
    parameters = Parameters(step, epoch_length, epochs, mu, seed)
    trace = Trace(algorithm, problem.name, {**asdict(parameters), "backend": backend}, datapath)
    points = chosen(problem, datapath, parameters)
    point = next(points)
    for epoch in range(epochs + 1):
        trace.w = point.w
        start = EpochRecord(epoch, point.problem.loss(point.w), norm(point.gradient))
        done = epoch == epochs or start.gradient_norm == 0.0 or not math.isfinite(start.gradient_norm)
        result = run(point.job, backend) if point.job is not None and not done else None
        record = start if result is None else _record(start, point, result)
        trace.epochs.append(record)
        if on_epoch is not None:
            on_epoch(record)
        if done:
            break
        try:
            point = points.send(result)
        except StopIteration:  # the gradient is too small for any scale
            break
    return trace


def algorithm_names() -> list[str]:
    """Return the names of the algorithms.

    Example:
        >>> algorithm_names()
        ['halp', 'svrg']
    """
    return ["halp", "svrg"]


def _algorithm(name: str) -> Algorithm:
    from algorithms.halp import halp
    from algorithms.svrg import svrg

    known: dict[str, Algorithm] = {"halp": halp, "svrg": svrg}
    if name not in known:
        raise InputError(f"algorithm: got {name!r}; allowed: {', '.join(known)}")
    return known[name]


def _record(start: EpochRecord, point: Point, result: EpochResult) -> EpochRecord:
    job: Any = point.job
    before = job.z
    low, high = result.extremes["z"]
    still = bool((result.z == before).all()) and low >= before.min() and high <= before.max()
    return EpochRecord(
        start.epoch,
        start.loss,
        start.gradient_norm,
        point.scale,
        {**result.counts, **(point.counts or {})},
        job.steps,
        job.steps * job.columns,
        result.cycles,
        job.steps * point.row_bytes,
        tuple(int(e) for e in job.exponents),
        not still or job.steps == 0,
    )
