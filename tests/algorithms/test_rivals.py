"""HALP against LP-SVRG at the same bits, and against float64 SVRG: on the reference problem and on held-out digits.

Every run is a function of its seed: nothing here is left to chance.
"""

from functools import cache
from itertools import pairwise
from statistics import mean, median
from typing import Any

import pytest

from algorithms.data import DATA_SETS, load, prepare
from algorithms.multiclass import OneVsRest
from algorithms.trace import State, Trace
from algorithms.training import train
from sim.datapath import Accumulation, Coefficient, Increment, Model, Product, TrainingDatapath

SEEDS = range(5)
EIGHT = TrainingDatapath.preset("lp_svrg8")  # the widths of halp8
LONG_COEFFICIENTS = TrainingDatapath.preset("halp12").with_model_width(8)
PATHS = {"8/8/8": EIGHT, "8/16/8": LONG_COEFFICIENTS}
each_path = pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
WIDE = TrainingDatapath(
    model=Model(width=14, random_bits=16),
    coefficient=Coefficient(width=24),
    accumulator=Accumulation(width=40),
    product=Product(cut=4),
    increment=Increment(width=32, fraction=12),
)
"""Wide enough for any δ below: what is left of LP-SVRG's error is the rounding of its model."""


@cache
def reference_run(algorithm: str, path: TrainingDatapath, seed: int, size: float, epochs: int = 10) -> Trace:
    """A run on the reference problem; `size` is HALP's μ, or δ."""
    own: dict[str, Any] = {"mu": size} if algorithm == "halp" else {"delta": size}
    problem = load("reference")[0]
    return train(problem, algorithm, path, step=1e-3, epoch_length=2000, epochs=epochs, seed=seed, minimum=True, **own)


def gaps(trace: Trace) -> list[float]:
    """F − f* at the start of every epoch and at the end."""
    assert trace.minimum is not None
    return [loss - trace.minimum for loss in trace.losses]


def overflows(trace: Trace) -> int:
    return sum(count for record in trace.epochs for count in record.counts.values())


def test_lp_svrg8_has_the_widths_of_halp8() -> None:
    assert EIGHT.replace(name="halp8") == TrainingDatapath.preset("halp8")


@pytest.mark.parametrize("seed", SEEDS)
@each_path
def test_on_the_reference_problem_lp_svrg_stays_above_10_and_halp_gets_below_5e_2(
    path: TrainingDatapath, seed: int
) -> None:
    """Gradient norms from 168; hardly a word saturates in either, so that the grid alone tells them apart."""
    fixed, centred = reference_run("lp_svrg", path, seed, 1.0), reference_run("halp", path, seed, 2.0)
    assert min(fixed.gradient_norms) > 10
    assert fixed.state is State.RUNNING
    assert centred.gradient_norms[-1] < 0.05
    assert centred.state is State.CONVERGED
    assert overflows(fixed) == 0
    assert overflows(centred) <= 1e-5 * sum(record.updates for record in centred.epochs)


@pytest.mark.slow
@each_path
def test_halp_passes_any_accuracy_that_lp_svrg_stops_at_a_hundredfold(path: TrainingDatapath) -> None:
    """The gap f − f* of HALP against the least one of LP-SVRG, over all epochs, seeds and δ, smaller ones included."""
    least = min(
        gap for delta in (0.25, 0.5, 1.0, 2.0) for seed in SEEDS
        for gap in gaps(reference_run("lp_svrg", path, seed, delta))
    )  # fmt: skip
    for seed in SEEDS:
        reached = gaps(reference_run("halp", path, seed, 2.0))
        assert reached[-1] < least / 100
        assert all(after < before for before, after in pairwise(reached))


@pytest.mark.slow
def test_the_floor_of_lp_svrg_falls_fourfold_where_delta_halves() -> None:
    """By 2.5 to 6 each time, as δ² does; the mean suboptimality of epochs 12 to 16, median over seeds."""
    floors = []
    for delta in (1.0, 0.5, 0.25, 0.125, 0.0625):
        traces = [reference_run("lp_svrg", WIDE, seed, delta, 16) for seed in SEEDS]
        assert not any(overflows(trace) for trace in traces)
        floors.append(median(mean(trace.suboptimality[12:]) for trace in traces))
    ratios = [before / after for before, after in pairwise(floors)]
    assert all(2.5 <= ratio <= 6.0 for ratio in ratios)


@pytest.mark.slow
def test_where_delta_halves_the_floor_of_halp_is_not_there() -> None:
    """On the widths at which LP-SVRG stops at a gap near 600, HALP's goes on falling, 1000-fold in ten more epochs."""
    reached = gaps(reference_run("halp", WIDE.replace(model=Model(width=8, random_bits=16)), 0, 2.0, 20))
    assert reached[20] < reached[10] / 1000


@cache
def fold(number: int) -> OneVsRest:
    problem = prepare("digits", held_out="fold", folds=5, fold=number)[0]
    assert isinstance(problem, OneVsRest)
    return problem


def digits_run(number: int, algorithm: str, path: TrainingDatapath | None, **own: Any) -> Trace:
    problem, chosen = fold(number), DATA_SETS["digits"].settings
    common: dict[str, Any] = {"step": chosen.step, "epochs": chosen.epochs, "seed": number}
    return train(problem, algorithm, path, epoch_length=problem.shape[0], **common | own)


@pytest.mark.slow
def test_on_held_out_digits_halp_with_block_exponents_is_within_a_point_of_float64_svrg() -> None:
    """Paired over the five folds, on the same rows of the same seeds: mean difference and that of every fold."""
    path, mu = TrainingDatapath.preset("halp8_blocks"), DATA_SETS["digits"].settings.mu
    differences = []
    for number in range(5):
        exact, low = digits_run(number, "svrg", None), digits_run(number, "halp", path, mu=mu)
        assert exact.accuracy is not None
        assert low.accuracy is not None
        assert exact.accuracy > 0.94
        differences.append(low.accuracy - exact.accuracy)
        assert low.gradient_norms[-1] < 3 * exact.gradient_norms[-1]
    assert mean(differences) >= -0.005
    assert min(differences) >= -0.01


@pytest.mark.slow
def test_on_digits_lp_svrg_stops_at_every_delta_where_halp_with_block_exponents_goes_on() -> None:
    """In 30 epochs at less than a third of the least gradient norm that LP-SVRG of the same bits had at any time."""
    own: dict[str, Any] = {"mu": DATA_SETS["digits"].settings.mu, "epochs": 30}
    centred = digits_run(0, "halp", TrainingDatapath.preset("halp8_blocks"), **own).gradient_norms
    for delta in (0.01, 0.02, 0.04, 0.08):
        fixed = digits_run(0, "lp_svrg", LONG_COEFFICIENTS, delta=delta, epochs=30).gradient_norms
        assert centred[-1] < min(fixed) / 3
    assert centred[30] < centred[20] / 2
