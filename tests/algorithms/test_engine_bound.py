"""What the engine adds to the ideal step is as large as docs/theory.md bounds it, and no larger; so are its epochs.

The engine's increments are its own integers, of every sample at every model word; roundings of the model are then
averaged analytically, so that one column's epoch has an exact law. Only with more columns are runs averaged.
"""

from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from algorithms import theory
from algorithms.engine_bound import halp_bound, lp_svrg_bound, sample_errors, step_errors
from algorithms.halp import halp
from algorithms.low_precision import lp_svrg
from algorithms.points import Parameters, Point
from algorithms.problems import LeastSquares, Logistic, Quantized
from algorithms.training import train
from sim.datapath import Accumulation, Coefficient, Data, Increment, Model, Product, TrainingDatapath
from sim.engine import EpochJob, StageTrace, run
from sim.errors import InputError
from sim.modes import Rounding
from tests.algorithms.ideal import Floats, codes, epoch_law, transitions

HALP8 = TrainingDatapath.preset("halp8")
WIDE = TrainingDatapath(
    name="wide increments",
    data=Data(width=8),
    model=Model(width=6, random_bits=16),
    coefficient=Coefficient(width=24),
    accumulator=Accumulation(width=40),
    product=Product(cut=4),
    increment=Increment(width=32, fraction=12),
)
STOCHASTIC = replace(HALP8, coefficient=replace(HALP8.coefficient, rounding=Rounding.STOCHASTIC))
NEAREST = replace(WIDE, model=replace(WIDE.model, rounding=Rounding.TIES_EVEN, random_bits=0))
FLOOR = replace(WIDE, coefficient=replace(WIDE.coefficient, rounding=Rounding.TO_NEG))
PATHS = [HALP8, WIDE, STOCHASTIC, NEAREST, FLOOR]
ROOM = 1 + 1e-9
"""For float64 sums."""


def sphere(columns: int, samples: int, seed: int) -> LeastSquares:
    """Rows of nearly one length in every direction: κ little above d, the least there is."""
    rng = np.random.default_rng(seed)
    rows = np.vstack([np.linalg.qr(rng.normal(size=(columns, columns)))[0] for _ in range(samples // columns)])
    rows *= 1 + 0.2 * rng.random((len(rows), 1))
    return LeastSquares(rows, rows @ rng.normal(size=columns) + 0.5 * rng.normal(size=len(rows)))


@cache
def quantized_of(columns: int, path: TrainingDatapath, seed: int = 0) -> Quantized:
    return sphere(columns, 6 if columns == 1 else 16, seed).quantized(path.data_format)


def first_point(quantized: Quantized, path: TrainingDatapath, solver: Any = halp, **parameters: Any) -> Point:
    """Where a run stands at its start: the engine's inner loop with its h and registers."""
    return next(solver(quantized.problem, path, Parameters(epoch_length=1, epochs=1, seed=0, **parameters)))


def one_step(job: EpochJob, z: Any, sample: int, seed: int = 0) -> StageTrace:
    """The stages of one step from z on one sample; nothing but the model may saturate."""
    single = EpochJob(
        job.datapath, job.link, job.rows, [sample], z, job.h, job.registers, offsets=job.offsets, seed=seed
    )
    result = run(single, trace=range(1))
    assert not any(count for stage, count in result.counts.items() if stage != "model")
    assert result.trace is not None
    return result.trace


def ideal_step(quantized: Quantized, point: Point, z: Floats, start: Floats, step: float) -> Floats:
    """The step of the theorems on every sample, shape (N, d), in last bits of the model, before rounding."""
    rows, moved = quantized.problem.features, point.scale * (z - start)
    moves = (rows @ moved)[:, None] * rows + point.gradient
    result: Floats = -step * moves / point.scale
    return result


@settings(max_examples=40)
@given(
    path=st.sampled_from(PATHS),
    columns=st.integers(1, 4),
    seed=st.integers(0, 20),
    share=st.sampled_from([0.02, 0.1, 0.4]),
    data=st.data(),
)
def test_no_step_is_further_from_the_theorems_step_than_its_bound(
    path: TrainingDatapath, columns: int, seed: int, share: float, data: Any
) -> None:
    """Of every sample, at any offset: the increment before its rounding, which is random or counted as error itself."""
    quantized = quantized_of(columns, path, seed)
    step = share / (2 * quantized.problem.smoothness)
    point = first_point(quantized, path, step=step)
    end = path.model_format.high
    z = np.array(data.draw(st.lists(st.integers(-end, end), min_size=columns, max_size=columns)))
    ideal = ideal_step(quantized, point, z, np.zeros(columns), step)
    bounds = sample_errors(quantized, path, step)
    squares = np.square(quantized.raw.astype(float)).sum(axis=1)
    is_random = path.coefficient.rounding.is_stochastic
    dither = np.sqrt(squares) * 2.0 ** -(path.increment.fraction + path.product.cut) if is_random else 0 * squares
    for sample in range(len(quantized.raw)):
        trace = one_step(point.job, z, sample)
        moved = trace.increment[0] / 2.0**path.increment.fraction
        if path is NEAREST:
            moved = trace.model[0] - z
            if (np.abs(trace.model[0]) >= end).any():
                continue
        assert np.linalg.norm(moved - ideal[sample]) <= (bounds[sample] + dither[sample]) * ROOM


COARSE_REGISTER = replace(WIDE, link=replace(WIDE.link, multiplier_bits=5))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("path", [HALP8, WIDE, FLOOR, COARSE_REGISTER], ids=["halp8", "wide", "floor", "register"])
def test_the_largest_error_over_all_offsets_comes_near_its_bound(path: TrainingDatapath, seed: int) -> None:
    """In one column, over all samples: 0.8 of the bound at least, so that each of its parts is needed."""
    quantized = quantized_of(1, path, seed)
    step = 0.1 / (2 * quantized.problem.smoothness)
    point, bounds, worst = first_point(quantized, path, step=step), sample_errors(quantized, path, step), 0.0
    for z in range(-path.model_format.high - 1, path.model_format.high + 1):
        ideal = ideal_step(quantized, point, np.array([z]), np.zeros(1), step)
        for sample, bound in enumerate(bounds):
            increment = one_step(point.job, [z], sample).increment[0, 0] / 2.0**path.increment.fraction
            worst = max(worst, abs(increment - ideal[sample, 0]) / bound)
    assert 0.8 <= worst <= ROOM


def engine_targets(quantized: Quantized, point: Point, grid: Any) -> Floats:
    """Where every sample takes every model word before the rounding, in last bits, shape (S, N, d)."""
    fraction = point.job.datapath.increment.fraction
    return np.array([
        [z + one_step(point.job, z, sample).increment[0] / 2.0**fraction for sample in range(len(quantized.raw))]
        for z in grid
    ])  # fmt: skip


def excess(quantized: Quantized, w: Floats) -> Floats:
    """Return f − f* of models, shape (R, d), without cancellation."""
    return 0.5 * np.square((w - quantized.problem.solution()) @ quantized.problem.features.T).mean(axis=1)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("path", [HALP8, WIDE], ids=lambda path: path.name)
def test_the_law_of_an_epoch_in_one_column_stays_under_the_bound(path: TrainingDatapath, seed: int) -> None:
    """F after an epoch, exactly: over all samples of all steps, and all roundings of the offset."""
    quantized = quantized_of(1, path, seed)
    problem, bits = quantized.problem, path.model.width
    kappa, gamma = problem.smoothness / problem.strong_convexity, 0.5
    step = theory.step_size(problem.smoothness, gamma)
    length = 4 * theory.halp_epoch_length(kappa, gamma, 1, bits)
    point = first_point(quantized, path, step=step)
    law = transitions(engine_targets(quantized, point, codes(bits, 1)), bits)
    reached = epoch_law(law, 1 << (bits - 1), length)
    before = excess(quantized, point.w[None])[0]
    after = excess(quantized, point.w + point.scale * codes(bits, 1)) @ reached
    bound = halp_bound(quantized, path, step=step, epoch_length=length)
    ideal = theory.halp_contraction(step, length, problem.smoothness, problem.strong_convexity, 1, bits)
    assert ideal <= bound < 1
    assert after <= bound * before * ROOM


@pytest.mark.parametrize("path", [HALP8, WIDE], ids=lambda path: path.name)
def test_the_law_of_lp_svrg_in_one_column_stays_under_the_bound(path: TrainingDatapath) -> None:
    """From one centre of the grid: F after an epoch is at most ρ·F + (1 − ρ)·floor, exactly."""
    quantized = quantized_of(1, path)
    problem, bits = quantized.problem, 6
    path = replace(path, model=replace(path.model, width=bits))
    step = theory.step_size(problem.smoothness, 0.5)
    length = 2 * theory.epoch_length_svrg(problem.smoothness / problem.strong_convexity, 0.5)
    delta = 2 * float(np.abs(problem.solution()).max()) / path.model_format.high
    rho, floor = lp_svrg_bound(quantized, path, step=step, epoch_length=length, delta=delta)
    assert rho < 1
    point = first_point(quantized, path, lp_svrg, step=step, delta=delta)
    law = transitions(engine_targets(quantized, point, codes(bits, 1)), bits)
    reached = epoch_law(law, 1 << (bits - 1), length)
    before = excess(quantized, point.w[None])[0]
    after = excess(quantized, delta * codes(bits, 1)) @ reached
    assert after <= (rho * before + (1 - rho) * floor) * ROOM


def expected_square(quantized: Quantized, point: Point, z: Any, step: float) -> tuple[float, float]:
    """The exact mean of ‖w' − w*‖² after one engine step, over samples and model roundings; and its bound."""
    job, scale = point.job, point.scale
    path, optimum = job.datapath, (quantized.problem.solution() - point.w) / scale
    end, total, errors = path.model_format.high, 0.0, []
    ideal = ideal_step(quantized, point, z, np.zeros(len(z)), step)
    for sample in range(len(quantized.raw)):
        moved = one_step(job, z, sample).increment[0] / 2.0**path.increment.fraction
        errors.append(moved - ideal[sample])
        low = np.floor(z + moved)
        up = z + moved - low
        for share, reached in ((1 - up, low), (up, low + 1)):
            total += float((share * (np.clip(reached, -end - 1, end) - optimum) ** 2).sum()) / len(quantized.raw)
    bias, spread = np.mean(errors, axis=0), float(np.mean(np.square(errors).sum(axis=1)))
    problem = quantized.problem
    here, there = excess(quantized, np.array([point.w + scale * z, point.w]))
    smoothness = problem.smoothness
    apart = z - optimum
    moment = 4 * smoothness * step**2 * (here + there) / scale**2
    bound = (apart @ apart) - 2 * step * here / scale**2 + 2 * abs(bias @ apart) + len(z) / 4
    bound += moment + 2 * np.sqrt(moment * spread) + spread
    return total, float(bound)


@settings(max_examples=15)
@given(path=st.sampled_from([HALP8, WIDE]), columns=st.integers(1, 4), seed=st.integers(0, 20), data=st.data())
def test_one_step_is_expected_to_come_as_near_as_the_inexact_inequality_says(
    path: TrainingDatapath, columns: int, seed: int, data: Any
) -> None:
    """With the errors that the step has; those are what the bounds above are bounds of."""
    quantized = quantized_of(columns, path, seed)
    step = theory.step_size(quantized.problem.smoothness, 0.5)
    point = first_point(quantized, path, step=step)
    end = path.model_format.high
    z = np.array(data.draw(st.lists(st.integers(-end, end), min_size=columns, max_size=columns)))
    mean, bound = expected_square(quantized, point, z, step)
    assert mean <= bound * ROOM


@pytest.mark.parametrize("columns", [2, 4])
def test_runs_without_saturation_fall_as_the_bound_says(columns: int) -> None:
    """F after an epoch from one centre, mean of 60 seeds with option II.

    Its mean being at the bound, the test would fail by chance in 3e-7 of all choices of seeds (five standard errors).
    """
    path, gamma = replace(WIDE, model=replace(WIDE.model, width=12)), 0.5
    quantized = quantized_of(columns, path)
    problem = quantized.problem
    step = theory.step_size(problem.smoothness, gamma)
    length = theory.halp_epoch_length(problem.smoothness / problem.strong_convexity, gamma, columns, 12)
    bound = halp_bound(quantized, path, step=step, epoch_length=length)
    assert bound < 0.51
    shares = []
    for seed in range(60):
        trace = train(quantized.problem, "halp", path, step=step, epoch_length=length, epochs=1, option="II", seed=seed)
        assert not any(count for stage, count in trace.epochs[0].counts.items() if stage != "model")
        shares.append(excess(quantized, trace.w[None])[0] / excess(quantized, np.zeros((1, columns)))[0])
    assert np.mean(shares) - 5 * np.std(shares, ddof=1) / np.sqrt(len(shares)) <= bound


def test_errors_shrink_with_the_increments_last_bit() -> None:
    """Each bit more of sh halves all that does not come from the register; the bound comes down to the ideal one."""
    bounds = []
    for fraction in range(4, 16, 2):
        path = replace(WIDE, model=replace(WIDE.model, width=10), increment=Increment(width=40, fraction=fraction))
        quantized = quantized_of(2, path)
        step = theory.step_size(quantized.problem.smoothness, 0.5)
        errors = step_errors(quantized, path, step)
        bounds.append(halp_bound(quantized, path, step=step, epoch_length=1000))
        problem = quantized.problem
        ideal = theory.halp_contraction(step, 1000, problem.smoothness, problem.strong_convexity, 2, 10)
        assert ideal <= bounds[-1]
        assert errors.drift <= 8 * 2.0**-fraction * np.sqrt(2) + 0.05
    assert bounds == sorted(bounds, reverse=True)
    assert bounds[-1] <= 1.01 * ideal


def test_nearest_rounding_of_the_model_costs_more_bits_not_every_hope() -> None:
    """Its error is a drift of half a last bit: 6 bits promise nothing, 16 do; measured runs agree."""
    outcomes = []
    for bits in (6, 16):
        path = replace(NEAREST, model=replace(NEAREST.model, width=bits), increment=Increment(width=40, fraction=12))
        quantized = quantized_of(2, path)
        step = theory.step_size(quantized.problem.smoothness, 0.5)
        bound = halp_bound(quantized, path, step=step, epoch_length=1000)
        trace = train(quantized.problem, "halp", path, step=step, epoch_length=1000, epochs=1)
        outcomes.append((bound, excess(quantized, trace.w[None])[0] / excess(quantized, np.zeros((1, 2)))[0]))
    assert outcomes[0][0] > 1
    assert outcomes[1][0] < 0.5
    assert outcomes[1][1] <= outcomes[1][0]


@pytest.mark.parametrize(
    ("problem", "changes", "field"),
    [
        (Logistic([[1.0], [-1.0]], [1.0, 0.0], 0.1), {}, "problem"),
        (LeastSquares([[1.0], [-1.0]], [1.0, 0.0], 0.1), {}, "problem"),
        (LeastSquares([[1.0], [-1.0]], [1.0, 0.0]), {"mu": 2.0}, "mu"),
        (LeastSquares([[1.0], [-1.0]], [1.0, 0.0]), {"step": 0.5}, "step"),
        (LeastSquares([[1.0], [-1.0]], [1.0, 0.0]), {"epoch_length": 0}, "epoch_length"),
    ],
)
def test_what_the_bound_does_not_cover_is_refused(problem: Any, changes: dict[str, Any], field: str) -> None:
    given_values = {"step": 0.1, "epoch_length": 100, **changes}
    with pytest.raises(InputError, match=rf"^{field}: got .*; allowed: "):
        halp_bound(problem.quantized(HALP8.data_format), HALP8, **given_values)
