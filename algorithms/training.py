"""The training loop: an algorithm asks for inner loops, a backend runs them, a trace records what happened."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields, replace
from functools import partial
from typing import Any

import numpy as np

from algorithms.data import Loss
from algorithms.halp import halp
from algorithms.low_precision import lp_sgd, lp_svrg
from algorithms.multiclass import AnyProblem, OneVsRest, Softmax
from algorithms.points import Option, Parameters, Point, SampleLevels, Sampling, Solver
from algorithms.problems import Problem
from algorithms.svrg import sgd, svrg
from algorithms.theory import epoch_length_svrg, halp_epoch_length, step_size
from algorithms.trace import EpochRecord, Trace, merged
from algorithms.zipml.floating import zipml_float
from algorithms.zipml.on_engine import halp_zipml, zipml
from sim.datapath import Link, TrainingDatapath
from sim.engine import EpochJob, EpochResult, backends, run
from sim.errors import InputError
from sim.host import norm
from sim.quantize import mode_of


@dataclass(frozen=True, slots=True)
class Algorithm:
    """A way to train.

    Attributes:
        solver: yields the points of a run.
        own: which of mu, delta, option, power_of_two it has.
        about: one line.
        table: the link of losses that are no squares; None for float algorithms.
        on_real_rows: whether it solves the problem of the real rows though it runs on the engine.
    """

    solver: Solver
    own: tuple[str, ...]
    about: str
    table: Link | None = None
    on_real_rows: bool = False

    @property
    def on_engine(self) -> bool:
        """Whether it runs on a datapath; else it computes in floating point."""
        return self.table is not None

    @property
    def on_quantized_rows(self) -> bool:
        """Whether it solves the problem of rows that are rounded once."""
        return self.on_engine and not self.on_real_rows


ALGORITHMS = {
    "halp": Algorithm(
        halp, ("mu", "option", "power_of_two"), "SVRG on low-precision offsets from a centre", Link.CENTRED_TABLE
    ),
    "lp_svrg": Algorithm(
        lp_svrg, ("delta", "option"), "SVRG with a model of few bits on a fixed grid", Link.CENTRED_TABLE
    ),
    "lp_sgd": Algorithm(lp_sgd, ("delta",), "SGD with a model of few bits on a fixed grid", Link.ABSOLUTE_TABLE),
    "zipml": Algorithm(
        zipml,
        ("delta", "sampling", "sample_bits", "levels"),
        "LP-SGD on random roundings of the rows, two of each",
        Link.ABSOLUTE_TABLE,
        on_real_rows=True,
    ),
    "halp_zipml": Algorithm(
        halp_zipml,
        ("mu", "option", "power_of_two", "sampling", "sample_bits", "levels"),
        "HALP whose inner loops read random roundings of the rows",
        Link.CENTRED_TABLE,
        on_real_rows=True,
    ),
    "zipml_float": Algorithm(
        zipml_float,
        ("sampling", "sample_bits", "levels", "model_bits", "gradient_bits", "degree", "radius", "averaged"),
        "ZipML in float64: data, model and gradient of few bits",
    ),
    "svrg": Algorithm(svrg, ("option",), "SVRG in float64"),
    "svrg32": Algorithm(partial(svrg, dtype=np.float32), ("option",), "SVRG in float32"),
    "sgd": Algorithm(sgd, (), "SGD in float64"),
    "sgd32": Algorithm(partial(sgd, dtype=np.float32), (), "SGD in float32"),
}
"""The algorithms by name."""


DEFAULT_BACKEND = "kernel"
"""What runs inner loops where nothing else is asked for."""
UNSET = {field.name: field.default for field in fields(Parameters) if field.default is not MISSING}
"""Parameters that some algorithms have, with the values that they have when they are not given."""


def train(
    problem: AnyProblem,
    algorithm: str,
    datapath: TrainingDatapath | None = None,
    *,
    step: float | None = None,
    epoch_length: int | None = None,
    epochs: int,
    gamma: float | None = None,
    mu: float | None = None,
    delta: float | None = None,
    option: str = Option.LAST,
    power_of_two: bool = False,
    sampling: str = Sampling.DOUBLE,
    sample_bits: int | None = None,
    levels: str = SampleLevels.UNIFORM,
    model_bits: int | None = None,
    gradient_bits: int | None = None,
    degree: int | None = None,
    radius: float | None = None,
    averaged: bool = False,
    seed: int = 0,
    backend: str = DEFAULT_BACKEND,
    minimum: float | bool = False,
    on_epoch: Callable[[EpochRecord], None] | None = None,
    on_result: Callable[[EpochJob, EpochResult], None] | None = None,
    profiled: bool = False,
) -> Trace:
    """Return the trace of a training run that starts at w = 0.

    Args:
        problem: what to minimise; one-vs-rest makes a run of each class, all with the same rows and random words.
        algorithm: a name of `algorithm_names()`.
        datapath: the arithmetic, for algorithms that run on the engine; None for float ones.
        step: step size α; by default that of theory for γ.
        epoch_length: inner steps an epoch, T; by default that of theory for γ.
        epochs: number of epochs.
        gamma: γ, by which factor theory has an epoch bring down the loss; for a step or length that is not given.
        mu: HALP's μ: by default the problem's strong convexity; a knob where that is too small for the widths.
        delta: LP-SGD's and LP-SVRG's δ, the worth of the model's last bit.
        option: "I" or "II": the last or a random iterate becomes the next centre.
        power_of_two: HALP rounds its scale to the nearest power of two.
        sampling: "double", "naive" (the wrong case), in floating point also "symmetric", "polynomial", "refetch",
            "nearest" or "full": which roundings of a row a step of ZipML takes.
        sample_bits: bits of a rounding of a value; by default those of the data words, 8 in floating point.
        levels: "uniform" or "optimal" for each column: what rows are rounded to.
        model_bits: bits of ZipML's model in floating point; by default it is not rounded.
        gradient_bits: bits of its gradients, likewise.
        degree: D of polynomial sampling, by default 5.
        radius: R of polynomial sampling, to which margins are expected, by default 16.
        averaged: whether the mean of the iterates of the later half of all epochs so far is reported.
        seed: every random choice is a function of it; runs of one seed draw the same samples.
        backend: what runs the inner loops, see `sim.engine.run`.
        minimum: f*, or True to have it computed, for the trace's suboptimality.
        on_epoch: called with each record as it is made.
        on_result: called with each inner loop on the engine and its result.
        profiled: whether those results have profiles.

    Raises:
        InputError: for parameters out of range or that the algorithm does not have, an unknown algorithm, or a datapath
            missing or superfluous.

    Example:
        >>> from algorithms.data import load
        >>> problem, _ = load("diabetes")
        >>> trace = train(problem, "svrg", step=5e-3, epoch_length=884, epochs=3)
        >>> trace.gradient_norms[-1] < trace.gradient_norms[0]
        True
    """
    chosen = algorithm_of(algorithm)
    if not isinstance(problem, Problem | OneVsRest | Softmax):
        raise InputError(f"problem: got {type(problem).__name__}; allowed: a Problem, OneVsRest or Softmax")
    if backend not in backends():
        raise InputError(f"backend: got {backend!r}; allowed: {', '.join(backends())}")
    own: dict[str, Any] = {
        "mu": mu, "delta": delta, "option": option, "power_of_two": power_of_two, "sampling": sampling,
        "sample_bits": sample_bits, "levels": levels, "model_bits": model_bits, "gradient_bits": gradient_bits,
        "degree": degree, "radius": radius, "averaged": averaged,
    }  # fmt: skip
    if not chosen.on_engine and (backend != DEFAULT_BACKEND or profiled):
        field, value = ("profiled", profiled) if profiled else ("backend", backend)
        raise InputError(f"{field}: got {value!r}; allowed: none, since {algorithm} does not run on the engine")
    for name, value in own.items():
        if name not in chosen.own and value != UNSET[name]:
            raise InputError(f"{name}: got {value!r}; allowed: none, since {algorithm} has no such parameter")
    if step is None or epoch_length is None:
        step, epoch_length = _from_theory(problem, algorithm, datapath, gamma, step, epoch_length)
    elif gamma is not None:
        raise InputError(f"gamma: got {gamma}; allowed: none where step and epoch_length are given")
    own["option"] = mode_of(Option, "option", option)
    parameters = Parameters(step, epoch_length, epochs, seed, **own)
    shown = {name: getattr(parameters, name) for name in ("step", "epoch_length", "epochs", "seed", *chosen.own)}
    if chosen.on_engine:
        shown["backend"] = backend
    shown = {name: value for name, value in shown.items() if value is not None}
    parts = problem.binaries if isinstance(problem, OneVsRest) else [problem]
    settings = _Settings(chosen.solver, datapath, parameters, backend, on_result, profiled)
    runs = [_Run(part, settings, Trace(algorithm, problem.name, shown, datapath)) for part in parts]
    trace = runs[0].trace
    if isinstance(problem, OneVsRest):
        trace = Trace(algorithm, problem.name, shown, datapath, classes=[run.trace for run in runs])
    if minimum is not False:
        trace.minimum = least_loss(problem, algorithm, datapath) if minimum is True else float(minimum)
    for epoch in range(epochs + 1):
        records = [run.advance(epoch) for run in runs]
        if isinstance(problem, OneVsRest):
            trace.w = np.stack([run.trace.w for run in runs])
            trace.epochs.append(replace(merged(records), accuracy=problem.accuracy(trace.w)))
        if on_epoch is not None:
            on_epoch(trace.epochs[-1])
        if all(run.done for run in runs):
            break
    return trace


def least_loss(problem: AnyProblem, algorithm: str, datapath: TrainingDatapath | None) -> float:
    """Return f* of the problem that an algorithm solves: on quantized samples, if it runs on the engine."""
    quantizes = algorithm_of(algorithm).on_quantized_rows
    return problem.least_loss(datapath.data_format if quantizes and datapath is not None else None)


def algorithm_names() -> list[str]:
    """Return the names of the algorithms.

    Example:
        >>> algorithm_names()
        ['halp', 'lp_svrg', 'lp_sgd', 'zipml', 'halp_zipml', 'zipml_float', 'svrg', 'svrg32', 'sgd', 'sgd32']
    """
    return list(ALGORITHMS)


def algorithm_of(name: str) -> Algorithm:
    """Return an algorithm by its name."""
    if name not in ALGORITHMS:
        raise InputError(f"algorithm: got {name!r}; allowed: {', '.join(ALGORITHMS)}")
    return ALGORITHMS[name]


def link_of(algorithm: str, loss: Loss) -> Link:
    """Return the engine's link that an algorithm takes for a loss; affine for float algorithms, which have none.

    Example:
        >>> link_of("halp", Loss.LOGISTIC), link_of("lp_sgd", Loss.LEAST_SQUARES)
        (<Link.CENTRED_TABLE: 'centred_table'>, <Link.AFFINE: 'affine'>)
    """
    table = algorithm_of(algorithm).table
    return Link.AFFINE if table is None or loss.is_quadratic else table


@dataclass(frozen=True, slots=True)
class _Settings:
    """What the runs of all classes share."""

    solver: Solver
    datapath: TrainingDatapath | None
    parameters: Parameters
    backend: str
    on_result: Callable[[EpochJob, EpochResult], None] | None
    profiled: bool


class _Run:
    """The run of one problem: its algorithm's points and its trace, one epoch at a time."""

    def __init__(self, problem: Problem | Softmax, settings: _Settings, trace: Trace) -> None:
        self.problem, self.settings, self.trace = problem, settings, trace
        self.points = settings.solver(problem, settings.datapath, settings.parameters)
        self.result: EpochResult | None = None
        self.done = False

    def advance(self, epoch: int) -> EpochRecord:
        """Record where the run stands, run the next inner loop, and return the record; once done, the last one."""
        if self.done:
            return self.trace.epochs[-1]
        point = self.points.send(self.result) if epoch else next(self.points)
        self.trace.w, length = point.w, norm(point.gradient.reshape(-1))
        start = EpochRecord(epoch, point.problem.loss(point.w), length, self.problem.accuracy(point.w))
        last = epoch == self.settings.parameters.epochs
        self.done = last or point.done or length == 0.0 or not math.isfinite(length)
        record = start if self.done else self._loop(start, point)
        self.trace.epochs.append(record)
        return record

    def _loop(self, start: EpochRecord, point: Point) -> EpochRecord:
        """Return the record of an epoch whose inner loop the backend, or the algorithm itself, makes."""
        job = point.job
        if job is None:
            self.result = None
            counts = point.counts or {}
            return replace(start, steps=point.steps, counts=counts, bytes_moved=point.bytes_moved, noise=point.noise)
        self.result = result = run(job, self.settings.backend, profile=self.settings.profiled)
        if self.settings.on_result is not None:
            self.settings.on_result(job, result)
        low, high = result.extremes["z"]
        still = bool((result.z == job.z).all()) and low >= job.z.min() and high <= job.z.max()
        return replace(
            start,
            scale=point.scale,
            counts={**result.counts, **(point.counts or {})},
            steps=job.steps,
            updates=job.steps * job.columns,
            cycles=result.cycles,
            bytes_moved=point.bytes_moved,
            exponents=tuple(int(e) for e in job.exponents),
            moved=not still or job.steps == 0,
            noise=point.noise,
        )


def _from_theory(
    problem: AnyProblem,
    algorithm: str,
    datapath: TrainingDatapath | None,
    gamma: float | None,
    step: float | None,
    epoch_length: int | None,
) -> tuple[float, int]:
    """Return step size and epoch length, those that are not given from theory."""
    if gamma is None:
        missing = "step" if step is None else "epoch_length"
        raise InputError(f"{missing}: got none; allowed: a number, or gamma to have it from theory")
    one = problem.binaries[0] if isinstance(problem, OneVsRest) else problem
    solved = one
    if isinstance(one, Problem) and datapath is not None and algorithm_of(algorithm).on_quantized_rows:
        solved = one.quantized(datapath.data_format).problem
    smoothness, convexity = solved.smoothness, solved.strong_convexity
    step = step_size(smoothness, gamma) if step is None else step
    if epoch_length is None:
        if not convexity > 0.0:
            raise InputError("epoch_length: got none, and the problem is not strongly convex; allowed: a number")
        kappa = smoothness / convexity
        if algorithm in ("halp", "halp_zipml") and datapath is not None:
            epoch_length = halp_epoch_length(kappa, gamma, problem.shape[1], datapath.model.width)
        else:
            epoch_length = epoch_length_svrg(kappa, gamma)
    return step, epoch_length
