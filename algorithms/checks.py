"""Checks of a datapath with an algorithm: what theory bounds holds on the engine, on a small problem it applies to.

The problem is least squares on 16 points of the unit circle, κ = 2. One step's expectation is enumerated over samples
and the model's random words; epochs are means over seeds and over all iterates that option II may choose. Bounds:
docs/theory.md, On the engine.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from algorithms import theory
from algorithms.curves import Floats
from algorithms.engine_bound import halp_bound, lp_svrg_bound, model_outcomes, step_errors
from algorithms.halp import START_EXPONENT, halp
from algorithms.low_precision import lp_svrg
from algorithms.points import Parameters, Point, Solver
from algorithms.problems import LeastSquares, Problem
from algorithms.zipml.checks import check_samples
from sim.checks import Check
from sim.datapath import TrainingDatapath
from sim.engine import EpochJob, EpochResult, run
from sim.errors import InputError
from sim.reference import apply_overflow

GAMMA = 2 / 3
"""γ of the step size: α = 1/(10L), unless increments or coefficients have no room for it."""
EPOCH_LENGTH = 1000
"""Inner steps an epoch at that step size; smaller steps get more in proportion, up to 20 times as many."""
LONGEST = 20
SEEDS = 10
EPOCHS = {"halp": 2, "lp_svrg": 6}
"""Epochs of each run: HALP's F is beyond float64 after more; LP-SVRG is at its floor by then."""
PLACES = 12
"""Model words along a run that single steps are taken from."""
COEFFICIENT_WORDS = 8
"""Random words that a stochastic coefficient is averaged over."""
_SOLVERS: dict[str, Solver] = {"halp": halp, "lp_svrg": lp_svrg}


def check_algorithm(datapath: TrainingDatapath, algorithm: str) -> list[Check]:
    """Return the outcome of every check of a datapath with an algorithm.

    Args:
        datapath: what to check.
        algorithm: "halp", "lp_svrg" or "zipml".

    Raises:
        InputError: for another algorithm, or a datapath that it does not run on.

    Example:
        >>> [check.name for check in check_algorithm(TrainingDatapath.preset("halp8"), "halp")]
        ['halp.bits', 'halp.saturation', 'halp.box', 'halp.step', 'halp.contraction']
    """
    if algorithm == "zipml":
        return check_samples(datapath, check_problem())
    if algorithm not in _SOLVERS:
        names = ", ".join((*_SOLVERS, "zipml"))
        raise InputError(f"algorithm: got {algorithm!r}; allowed: {names}, which theory has bounds for")
    trial = _Trial.of(datapath, algorithm)
    epochs = list(trial.epochs())
    saturation = _saturation(trial, epochs)
    if algorithm == "halp":
        return [_bits(trial), saturation, _box(trial, epochs), _step(trial, epochs), _contraction(trial, epochs)]
    return [saturation, _step(trial, epochs), *_floor(trial, epochs)]


def check_problem() -> LeastSquares:
    """Return the problem that algorithms are checked on: two columns, κ = 2, and no model fits its targets.

    Example:
        >>> problem = check_problem()
        >>> round(problem.smoothness / problem.strong_convexity, 9)
        2.0
    """
    angles = np.arange(16) * np.pi / 8
    rows = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return LeastSquares(rows, rows @ np.array([1.0, -0.7]) + 0.3 * np.cos(5 * angles), name="circle")


@dataclass(frozen=True, eq=False)
class _Epoch:
    """One epoch of a run: where it started, its inner loop and result, and f − f* there and on average."""

    point: Point
    job: EpochJob
    result: EpochResult
    number: int
    before: float
    after: float

    @property
    def units(self) -> Floats:
        """Worth of each column's last bit of the model, shape (d,)."""
        exponents = np.repeat(self.job.exponents, self.job.datapath.lanes)[: self.job.columns]
        units: Floats = np.ldexp(self.point.scale or 0.0, exponents)
        return units

    def models(self, z: Any, algorithm: str) -> Floats:
        """Return real models of words, of shape (…, d)."""
        models: Floats = (self.point.w if algorithm == "halp" else 0.0) + self.units * z
        return models


@dataclass(frozen=True, eq=False)
class _Trial:
    """A datapath with an algorithm on the problem: the parameters of theory, and runs."""

    path: TrainingDatapath
    algorithm: str
    problem: LeastSquares
    parameters: Parameters

    @classmethod
    def of(cls, path: TrainingDatapath, algorithm: str) -> _Trial:
        """Return a trial at theory's step size, or at the largest that saturates nothing."""
        solved = check_problem()
        quantized = solved.quantized(path.data_format)
        smoothness, columns = quantized.problem.smoothness, solved.shape[1]
        reach = float(np.abs(_least_squares(quantized.problem).solution()).max())
        delta = 2.0 * reach / path.model_format.high if algorithm == "lp_svrg" else None
        # Increments are α·v with ‖v‖ ≤ L·‖w − w̃‖ + ‖g̃‖, coefficients α·x·(w − w̃); the model's range bounds ‖w − w̃‖ in
        # HALP. LP-SVRG starts half a range from the optimum and rarely moves further.
        span = math.sqrt(columns) * 2.0 ** (path.model.width - 1 - (algorithm == "lp_svrg")) * 2.0**START_EXPONENT
        room = 2.0 ** (path.increment.width - 1 - path.increment.fraction)
        cuts = path.increment.fraction + path.product.cut
        coefficient_room = 2.0 ** (path.coefficient.width - 1 - cuts) / quantized.scale
        fitting = min(room / (2.0 * smoothness), coefficient_room / math.sqrt(smoothness)) / span
        best = theory.step_size(smoothness, GAMMA)
        step = max(min(best, fitting), best / LONGEST)
        length = math.ceil(EPOCH_LENGTH * best / step)
        return cls(path, algorithm, solved, Parameters(step, length, EPOCHS[algorithm], 0, delta=delta))

    @property
    def optimum(self) -> Floats:
        """w* of the quantized samples."""
        return _least_squares(self.problem.quantized(self.path.data_format).problem).solution()

    def excess(self, w: Floats) -> Floats:
        """Return f − f* of models, shape (…, d), without cancellation."""
        rows = self.problem.quantized(self.path.data_format).problem.features
        result: Floats = 0.5 * np.square((w - self.optimum) @ rows.T).mean(axis=-1)
        return result

    def epochs(self) -> Iterator[_Epoch]:
        """Yield the epochs of a run of every seed."""
        for seed in range(SEEDS):
            points = _SOLVERS[self.algorithm](self.problem, self.path, replace(self.parameters, seed=seed))
            result: EpochResult | None = None
            for number in range(self.parameters.epochs):
                point = points.send(result) if number else next(points)
                if point.job is None:
                    break
                result = run(point.job, trace=range(point.job.steps))
                trace: Any = result.trace
                visited = np.vstack([point.job.z, trace.model[:-1]])
                epoch = _Epoch(point, point.job, result, number, float(self.excess(point.w)), 0.0)
                after = float(self.excess(epoch.models(visited, self.algorithm)).mean())
                yield replace(epoch, after=after)


def _least_squares(problem: Problem) -> LeastSquares:
    return LeastSquares(problem.features, problem.targets)


def _bits(trial: _Trial) -> Check:
    problem = trial.problem.quantized(trial.path.data_format).problem
    kappa = problem.smoothness / problem.strong_convexity
    needed = theory.halp_bits(kappa, GAMMA, problem.shape[1])
    return Check(
        "halp.bits",
        trial.path.model.width >= needed,
        f"{trial.path.model.width} bits of the offset",
        f"at least {needed} bits in theory, at κ = {kappa:.3g}, γ = {GAMMA:.2g}, {problem.shape[1]} columns",
        "–",
    )


def _saturation(trial: _Trial, epochs: list[_Epoch]) -> Check:
    stages = ("accumulator", "coefficient", "increment")
    total = sum(epoch.result.counts[stage] for epoch in epochs for stage in stages)
    total += sum((epoch.point.counts or {}).get("h", 0) for epoch in epochs)
    return Check(
        f"{trial.algorithm}.saturation",
        total == 0,
        f"{total} overflows",
        "none of accumulator, coefficient, increment and h: the bounds assume it",
        f"{len(epochs)} epochs of {trial.parameters.epoch_length} steps of size {trial.parameters.step:.3g}",
    )


def _box(trial: _Trial, epochs: list[_Epoch]) -> Check:
    """Whether the offset's range holds the optimum at the start of every epoch."""
    end = trial.path.model_format.high
    worst = max(float((np.abs(trial.optimum - epoch.point.w) / (epoch.units * end)).max()) for epoch in epochs)
    return Check(
        "halp.box",
        worst <= 1.0 + 1e-9,
        f"the optimum at {worst:.3g} of the range",
        "at most 1: inside the offset's range, with μ the strong convexity",
        f"{len(epochs)} epochs",
    )


def _step(trial: _Trial, epochs: list[_Epoch]) -> Check:
    """The mean of ‖w − w*‖² after one step of the engine, and what docs/theory.md bounds it by."""
    quantized = trial.problem.quantized(trial.path.data_format)
    smoothness, step, is_halp = quantized.problem.smoothness, trial.parameters.step, trial.algorithm == "halp"
    worst = 0.0
    for epoch in epochs[:2]:
        unit = epoch.point.scale or 0.0
        exponent = int(epoch.job.exponents.max())
        errors = step_errors(quantized, trial.path, step, centred=is_halp, exponent=exponent)
        trace: Any = epoch.result.trace
        places = np.linspace(0, epoch.job.steps - 1, PLACES).astype(int)
        for z in np.vstack([epoch.job.z, trace.model[places]]):
            w = epoch.models(z, trial.algorithm)
            apart = (w - trial.optimum) / unit
            here, there = float(trial.excess(w)) / unit**2, epoch.before / unit**2
            moment = 4.0 * smoothness * step**2 * (here + there)
            bound = float(apart @ apart) - 2.0 * step * here + 2.0 * errors.drift * math.sqrt(apart @ apart)
            bound += (math.sqrt(moment) + errors.spread) ** 2 + errors.variance
            worst = max(worst, _mean_square(trial, epoch, z) / bound)
    return Check(
        f"{trial.algorithm}.step",
        worst <= 1.0 + 1e-9,
        f"E‖w − w*‖² up to {worst:.4g} of its bound",
        "at most 1",
        f"all samples × all words of the model, at {2 * (PLACES + 1)} places",
    )


def _mean_square(trial: _Trial, epoch: _Epoch, z: Any) -> float:
    """Return the mean of ‖w − w*‖²/δ² after a step from z: of all samples, all words of the model's rounding."""
    path, units, optimum, scale = trial.path, epoch.units, trial.optimum, epoch.point.scale or 1.0
    centre = epoch.models(np.zeros(len(z)), trial.algorithm)
    is_random = path.coefficient.rounding.is_stochastic
    words = COEFFICIENT_WORDS if is_random else 1
    squares = []
    for sample in range(trial.problem.shape[0]):
        for position in range(words):
            job = replace(epoch.job, z=z, indices=np.array([sample]), first_step=position)
            trace: Any = run(job, trace=range(1)).trace
            total = 0.0
            for j, a in enumerate(trace.increment[0].tolist()):
                cut = path.increment.fraction + int(epoch.job.exponents[j // path.lanes])
                for share, rounded in model_outcomes(path, a, cut):
                    word = apply_overflow(int(z[j]) + rounded, path.model.width, True, path.model.overflow)
                    total += share * float((centre[j] + units[j] * word - optimum[j]) / scale) ** 2
            squares.append(total)
    return math.fsum(squares) / len(squares)


def _contraction(trial: _Trial, epochs: list[_Epoch]) -> Check:
    """By how much an epoch brings F down, the mean of all epochs; every one starts from a centre of its own."""
    quantized = trial.problem.quantized(trial.path.data_format)
    bound = max(
        halp_bound(
            quantized,
            trial.path,
            step=trial.parameters.step,
            epoch_length=trial.parameters.epoch_length,
            exponent=int(epoch.job.exponents.max()),
        )
        for epoch in epochs
    )
    factor = math.fsum(epoch.after / epoch.before for epoch in epochs) / len(epochs)
    required = f"at most {bound:.3g}" if bound < 1.0 else f"below 1; the bound here, {bound:.3g}, promises nothing"
    return Check(
        "halp.contraction",
        factor <= bound if bound < 1.0 else factor < 1.0,
        f"F falls to {factor:.3g} an epoch",
        required,
        f"mean of {len(epochs)} epochs, all iterates of option II",
    )


def _floor(trial: _Trial, epochs: list[_Epoch]) -> Iterator[Check]:
    """What LP-SVRG's F falls to, the mean over seeds; in the first epoch, and in the last."""
    quantized = trial.problem.quantized(trial.path.data_format)
    delta, problem = trial.parameters.delta or 0.0, quantized.problem
    rho, floor = lp_svrg_bound(
        quantized, trial.path, step=trial.parameters.step, epoch_length=trial.parameters.epoch_length, delta=delta
    )
    first = [epoch for epoch in epochs if epoch.number == 0]
    last = [epoch for epoch in epochs if epoch.number == trial.parameters.epochs - 1]
    fallen = math.fsum(epoch.after for epoch in first) / len(first)
    start = first[0].before
    promised = rho * start + (1.0 - rho) * floor if floor < math.inf else math.inf
    nothing = "below the start's {:.3g}; the bound here promises nothing"
    yield Check(
        "lp_svrg.contraction",
        fallen <= promised if promised < start else fallen < start,
        f"F falls from {start:.3g} to {fallen:.3g} in the first epoch",
        f"at most {promised:.3g}" if promised < start else nothing.format(start),
        f"mean of {len(first)} epochs, all iterates of option II",
    )
    final = math.fsum(epoch.after for epoch in last) / len(last)
    limit = rho**trial.parameters.epochs * start + floor if floor < math.inf else math.inf
    expected = theory.floor_predictor(float(np.mean(np.square(problem.features).sum(axis=1))), delta)
    yield Check(
        "lp_svrg.floor",
        final <= limit if limit < start else final < start,
        f"F = {final:.3g} in epoch {trial.parameters.epochs}; tr(H)δ²/4π = {expected:.3g}",
        f"at most {limit:.3g}" if limit < start else nothing.format(start),
        f"mean of {len(last)} epochs, all iterates of option II",
    )
