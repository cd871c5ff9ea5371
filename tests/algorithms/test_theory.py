"""The theorems' steps hold, each by exact expectation: over all samples, and over all roundings analytically.

No statistics: what is averaged is enumerated. The formulas of the package are checked against what they were solved
from.
"""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from algorithms import theory
from algorithms.problems import LeastSquares, Logistic
from sim.errors import InputError
from tests.algorithms.ideal import Floats, Smooth, codes, epoch_law, outcomes, problems, transitions

GAMMAS = st.sampled_from([0.1, 0.25, 0.5, 0.75, 0.9])
ROUNDING_ERROR = 1e-9
"""What float64 may be off by, relative to the numbers compared: 1e-16 at each of some hundred operations, and room."""


@st.composite
def situations(draw: st.DrawFn) -> tuple[Smooth, Floats, Floats]:
    """A problem, a model and a centre."""
    problem = draw(problems())
    d = problem.rows.shape[1]
    values = st.lists(st.integers(-40, 40).map(lambda n: n / 8), min_size=d, max_size=d)
    return problem, np.array(draw(values)), np.array(draw(values))


def directions(problem: Smooth, w: Floats, centre: Floats) -> Floats:
    """SVRG's direction for every sample, shape (N, d)."""
    every = np.arange(len(problem.rows))
    return problem.gradients(w[None], every) - problem.gradients(centre[None], every) + problem.full(centre[None])


def size(problem: Smooth, w: Floats, centre: Floats) -> float:
    """How large the numbers are that directions are made of."""
    every = np.arange(len(problem.rows))
    both = problem.gradients(w[None], every), problem.gradients(centre[None], every)
    return float(max(np.abs(both).max(), 1.0))


@given(situations())
def test_the_mean_direction_is_the_gradient(situation: tuple[Smooth, Floats, Floats]) -> None:
    problem, w, centre = situation
    error = directions(problem, w, centre).mean(axis=0) - problem.full(w[None])[0]
    assert np.abs(error).max() <= ROUNDING_ERROR * size(problem, w, centre)


@given(situations())
def test_at_the_centre_every_direction_is_the_full_gradient_and_at_the_optimum_none_is_left(
    situation: tuple[Smooth, Floats, Floats],
) -> None:
    problem, w, _ = situation
    assert (directions(problem, w, w) == problem.full(w[None])).all()
    best = problem.optimum
    assert np.abs(directions(problem, best, best)).max() <= ROUNDING_ERROR * size(problem, best, best)


@given(situations())
def test_the_second_moment_is_at_most_4l_times_both_excesses(situation: tuple[Smooth, Floats, Floats]) -> None:
    problem, w, centre = situation
    moment = (directions(problem, w, centre) ** 2).sum(axis=1).mean()
    bound = 4 * problem.smoothness * float(problem.excess(np.array([w, centre])).sum())
    assert moment <= bound + ROUNDING_ERROR * size(problem, w, centre) ** 2


def expected_distance(targets: Floats, delta: float, bits: int, goal: Floats) -> Floats:
    """The exact mean of ‖Q(u) − goal‖² over the roundings of every target u, shape (N, d), in units of δ."""
    total = np.zeros(len(targets))
    for probability, reached in outcomes(targets, bits):
        total += probability * ((delta * reached - goal) ** 2).sum(axis=-1)
    return total


@st.composite
def boxes(draw: st.DrawFn, situation: tuple[Smooth, Floats, Floats]) -> tuple[float, int]:
    """δ and b of a grid whose range holds the optimum: now and then just so, so that models saturate."""
    bits = draw(st.integers(2, 8))
    largest = float(np.abs(situation[0].optimum).max())
    room = draw(st.sampled_from([1.0, 1.01, 2.0, 10.0]))
    return max(largest * room, 0.1) / (2 ** (bits - 1) - 1), bits


@given(st.data(), situations())
def test_saturation_and_rounding_bring_a_point_no_further_from_the_optimum_than_rounding_alone(
    data: Any, situation: tuple[Smooth, Floats, Floats]
) -> None:
    """The projection lemma, at points far outside of the range too."""
    problem, w, _ = situation
    delta, bits = data.draw(boxes(situation))
    point = w[None] * data.draw(st.sampled_from([0.01, 1.0, 100.0]))
    mean = expected_distance(point / delta, delta, bits, problem.optimum)[0]
    bound = ((point[0] - problem.optimum) ** 2).sum() + len(w) * delta**2 / 4
    assert mean <= bound * (1 + ROUNDING_ERROR)


@given(st.data(), situations(), st.sampled_from([0.02, 0.2, 0.5, 0.9, 0.99]))
def test_one_step_is_expected_to_come_as_near_as_inequality_3_says(
    data: Any, situation: tuple[Smooth, Floats, Floats], share: float
) -> None:
    """Over all samples and roundings, at any step size below 1/(2L), from any point and centre."""
    problem, w, centre = situation
    delta, bits = data.draw(boxes(situation))
    smoothness, best = problem.smoothness, problem.optimum
    step = share / (2 * smoothness)
    targets = w - step * directions(problem, w, centre)
    mean = expected_distance(targets / delta, delta, bits, best).mean()
    here, there = problem.excess(np.array([w, centre]))
    before = ((w - best) ** 2).sum()
    gain = -2 * step * (1 - 2 * smoothness * step) * here + 4 * smoothness * step**2 * there
    bound = before + gain + len(w) * delta**2 / 4
    assert mean <= bound + ROUNDING_ERROR * (before + step**2 * size(problem, w, centre) ** 2 + bound)


def centred_law(problem: Smooth, centre: Floats, delta: float, bits: int, step: float) -> Floats:
    """The law of one step of HALP's offset."""
    grid = codes(bits, len(centre))
    moves = np.array([directions(problem, centre + delta * z, centre) for z in grid])
    return transitions(grid[:, None] - step * moves / delta, bits)


SMALL = problems(columns=st.just(1))


@settings(max_examples=60)
@given(problem=SMALL, gamma=GAMMAS, start=st.integers(-40, 40).map(lambda n: n / 8), spare=st.integers(0, 1))
def test_an_epoch_of_halp_brings_the_excess_down_by_gamma_from_any_centre(
    problem: Smooth, gamma: float, start: float, spare: int
) -> None:
    """The law of the next centre is computed exactly, over all samples and roundings of all steps.

    An epoch starts from any centre, so that the theorem for any number of epochs follows by induction.
    """
    kappa = problem.smoothness / problem.convexity
    assume(kappa <= 60)
    bits = theory.halp_bits(kappa, gamma, 1) + spare
    assume(bits <= 9)
    length = theory.halp_epoch_length(kappa, gamma, 1, bits)
    assume(length <= 20_000)
    centre = np.array([start])
    gradient = float(np.abs(problem.full(centre[None])[0, 0]))
    assume(gradient > 1e-6)
    delta = gradient / (problem.convexity * (2 ** (bits - 1) - 1))
    step = theory.step_size(problem.smoothness, gamma)
    law = centred_law(problem, centre, delta, bits, step)
    reached = epoch_law(law, 2 ** (bits - 1), length)
    before, after = problem.excess(centre[None])[0], problem.excess(centre + delta * codes(bits, 1)) @ reached
    assert after <= gamma * before * (1 + ROUNDING_ERROR) + 1e-14
    bound = theory.halp_contraction(step, length, problem.smoothness, problem.convexity, 1, bits)
    assert bound <= gamma * (1 + 1e-12)
    assert after <= bound * before * (1 + ROUNDING_ERROR) + 1e-14


@settings(max_examples=20)
@given(problem=problems(columns=st.just(2), logistic=False), share=st.sampled_from([0.1, 0.3]), bits=st.integers(2, 4))
def test_an_epoch_of_halp_in_two_columns_stays_under_its_contraction(problem: Smooth, share: float, bits: int) -> None:
    """For any bits, enough or not, and any epoch length: what it says is then above 1."""
    step, centre = share / (2 * problem.smoothness), np.array([3.0, -2.0])
    delta = float(np.linalg.norm(problem.full(centre[None]))) / (problem.convexity * (2 ** (bits - 1) - 1))
    assume(delta > 1e-6)
    law = centred_law(problem, centre, delta, bits, step)
    excesses = problem.excess(centre + delta * codes(bits, 2))
    middle = (2 ** (bits - 1)) * (2**bits + 1)
    for length in (1, 10, 300):
        after = excesses @ epoch_law(law, middle, length)
        bound = theory.halp_contraction(step, length, problem.smoothness, problem.convexity, 2, bits)
        assert after <= bound * problem.excess(centre[None])[0] * (1 + ROUNDING_ERROR)


def grid_of(problem: Smooth, bits: int) -> float:
    """δ of a grid of twice the range that holds the optimum."""
    return max(2 * float(np.abs(problem.optimum).max()), 0.1) / (2 ** (bits - 1) - 1)


def lp_svrg_law(problem: Smooth, delta: float, bits: int, step: float, length: int) -> Floats:
    """The law of an epoch of LP-SVRG in one column, from every centre to every next one."""
    grid = codes(bits, 1)
    rows = []
    for start, centre in enumerate(grid):
        moves = np.array([directions(problem, delta * z, delta * centre) for z in grid])
        rows.append(epoch_law(transitions(grid[:, None] - step * moves / delta, bits), start, length))
    return np.array(rows)


@settings(max_examples=15)
@given(problem=SMALL, gamma=GAMMAS, bits=st.integers(2, 5))
def test_lp_svrg_falls_by_gamma_an_epoch_down_to_its_floor(problem: Smooth, gamma: float, bits: int) -> None:
    """F after any number of epochs, exactly, from every model of the grid."""
    kappa = problem.smoothness / problem.convexity
    assume(kappa <= 20)
    length = theory.epoch_length_svrg(kappa, gamma)
    assume(length <= 2000)
    step, delta = theory.step_size(problem.smoothness, gamma), grid_of(problem, bits)
    law = lp_svrg_law(problem, delta, bits, step, length)
    start = excess = problem.excess(delta * codes(bits, 1))
    floor = theory.lp_svrg_floor(delta, 1, problem.smoothness, gamma)
    assert floor <= theory.lp_svrg_floor_simple(delta, 1, problem.smoothness, gamma) * 2 / 3 * (1 + 1e-12)
    rho = theory.contraction(step, length, problem.smoothness, problem.convexity)
    noise = theory.rounding_term(step, problem.smoothness, 1, delta)
    for epoch in range(1, 30):
        fallen = law @ excess
        assert (fallen <= gamma**epoch * start + floor + 1e-12).all()
        if epoch == 1:
            assert (fallen <= rho * start + noise + 1e-12).all()
        excess = fallen


CURVED = Smooth(
    np.array([[2.0], [1.6], [-1.8], [2.2], [1.4], [-2.0]]), np.array([1.0, 1.0, 0.0, 1.0, 0.0, 1.0]), 0.5, logistic=True
)
"""Logistic regression in one column: for least squares the floor would be fourfold by scaling alone."""


def exact_floor(delta: float, bits: int, step: float, length: int) -> float:
    """F/δ² of LP-SVRG once it no longer changes, the mean over places of the optimum between two points of the grid."""
    optimum, floors = float(CURVED.optimum[0]), []
    for phase in (np.arange(8) + 0.5) / 8:
        placed = optimum / (round(optimum / delta) + phase)
        law, excess = lp_svrg_law(CURVED, placed, bits, step, length), CURVED.excess(placed * codes(bits, 1))
        final = np.linalg.matrix_power(law, 1 << 12) @ excess
        assert np.ptp(final) <= 1e-9 * placed**2
        floors.append(final[0] / placed**2)
    return float(np.mean(floors))


def test_the_floor_falls_fourfold_when_delta_halves_and_is_near_its_predictor() -> None:
    """Computed exactly, with small steps: fourfold (2.5 to 6 allowed), within twice the predictor, under the bound.

    A single place of the optimum says little: at a point of the grid the floor is almost 0.
    """
    gamma = 0.5
    step = theory.step_size(CURVED.smoothness, gamma) / 4
    length = 4 * theory.epoch_length_svrg(CURVED.smoothness / CURVED.convexity, gamma)
    trace = float(np.trace(CURVED.hessian(CURVED.optimum)))
    floors = []
    for delta, bits in ((0.2, 4), (0.1, 5), (0.05, 6)):
        floors.append(exact_floor(delta, bits, step, length) * delta**2)
        predicted = theory.floor_predictor(trace, delta)
        assert predicted / 2 <= floors[-1] <= predicted * 2
        assert floors[-1] <= theory.rounding_term(step, CURVED.smoothness, 1, delta) / (1 - gamma)
    for wide, fine in pairwise(floors):
        assert 2.5 <= wide / fine <= 6


@settings(max_examples=30)
@given(problem=SMALL, bits=st.integers(2, 7), share=st.sampled_from([0.05, 0.5, 1.0]))
def test_lp_sgd_comes_as_near_as_its_floor(problem: Smooth, bits: int, share: float) -> None:
    """E‖w − w*‖² after many steps, exactly, from every model of the grid."""
    step, delta, grid = share / (2 * problem.smoothness), grid_of(problem, bits), codes(bits, 1)
    every = np.arange(len(problem.rows))
    targets = np.array([z - step * problem.gradients(delta * z[None], every) / delta for z in grid])
    law = transitions(targets, bits)
    distance = ((delta * grid - problem.optimum) ** 2).sum(axis=1)
    variance = float((problem.gradients(problem.optimum[None], every) ** 2).sum(axis=1).mean())
    floor = theory.lp_sgd_floor(step, problem.convexity, variance, 1, delta)
    now = distance
    for steps in range(1, 200):
        now = law @ now
        assert (now <= (1 - step * problem.convexity) ** steps * distance + floor + 1e-12).all()


@given(gamma=GAMMAS, smoothness=st.floats(1e-6, 1e6), kappa=st.floats(1, 1e4), columns=st.integers(1, 1000))
def test_the_formulas_solve_what_they_were_solved_from(
    gamma: float, smoothness: float, kappa: float, columns: int
) -> None:
    """At T the contraction is γ or less, at T − 1 more; b is the least with a T; very many bits leave ρ."""
    step, convexity = theory.step_size(smoothness, gamma), smoothness / kappa
    length = theory.epoch_length_svrg(kappa, gamma)
    assert theory.contraction(step, length, smoothness, convexity) <= gamma * (1 + 1e-12)
    if length > 1:
        assert theory.contraction(step, length - 1, smoothness, convexity) > gamma * (1 - 1e-12)

    bits = theory.halp_bits(kappa, gamma, columns)
    assert bits - 1 <= 1 + math.log2(1 + math.sqrt(2 * kappa**2 * columns * (1 + gamma)) / gamma) <= bits + 1e-9
    long = theory.halp_epoch_length(kappa, gamma, columns, bits)
    assert length <= theory.halp_epoch_length(kappa, gamma, columns, 60) <= long
    assert theory.halp_contraction(step, long, smoothness, convexity, columns, bits) <= gamma * (1 + 1e-9)
    if long > 1:
        assert theory.halp_contraction(step, long - 1, smoothness, convexity, columns, bits) > gamma * (1 - 1e-9)
    assert math.isclose(
        theory.halp_contraction(step, long, smoothness, convexity, columns, 64),
        theory.contraction(step, long, smoothness, convexity),
        rel_tol=1e-9,
    )
    if bits > 2:
        with pytest.raises(InputError, match=f"at least {bits} "):
            theory.halp_epoch_length(kappa, gamma, columns, bits - 1)


def test_golden_values() -> None:
    """γ = ½, L = 1, κ = 10, d = 16: α = 1/12, T = 480; b > 8.12, and T ≥ 681.1 with 9 bits."""
    assert theory.step_size(1.0, 0.5) == pytest.approx(1 / 12)
    assert theory.epoch_length_svrg(10, 0.5) == 480
    assert theory.halp_bits(10, 0.5, 16) == 9
    assert theory.halp_epoch_length(10, 0.5, 16, 9) == 682
    assert [theory.halp_bits(kappa, 0.5, 100) for kappa in (3.6, 306)] == [8, 15]


@given(variance=st.floats(1e-3, 1e3), columns=st.integers(1, 100), delta=st.floats(1e-3, 1), factor=st.floats(0.1, 10))
def test_no_step_of_lp_sgd_has_a_lower_floor_than_the_best(
    variance: float, columns: int, delta: float, factor: float
) -> None:
    best = theory.lp_sgd_best_step(variance, columns, delta)
    floor = theory.lp_sgd_floor(best, 1.0, variance, columns, delta)
    assert floor <= theory.lp_sgd_floor(best * factor, 1.0, variance, columns, delta) * (1 + 1e-12)
    assert floor == pytest.approx(math.sqrt(2 * variance * columns) * delta)


@given(problems())
def test_constants_of_the_package_are_those_of_the_theorems(problem: Smooth) -> None:
    """L, μ and gradients of its problems are those that the theorems are checked with here."""
    assume(np.abs(problem.rows).max() > 0)
    kind = Logistic if problem.logistic else LeastSquares
    own = kind(problem.rows, problem.targets, problem.ridge)
    assert own.smoothness == pytest.approx(problem.smoothness)
    assert own.strong_convexity == pytest.approx(problem.convexity)
    point = np.linspace(-1, 1, problem.rows.shape[1])
    assert own.gradient(point) == pytest.approx(problem.full(point[None])[0], abs=1e-9)
    assert own.loss(point) == pytest.approx(problem.losses(point[None])[0])


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda: theory.step_size(0.0, 0.5), "smoothness"),
        (lambda: theory.step_size(1.0, 1.0), "gamma"),
        (lambda: theory.step_size(1.0, math.nan), "gamma"),
        (lambda: theory.epoch_length_svrg(0.5, 0.5), "kappa"),
        (lambda: theory.epoch_length_svrg(math.inf, 0.5), "kappa"),
        (lambda: theory.halp_bits(1e30, 0.5, 4), "kappa"),
        (lambda: theory.halp_bits(2.0, 0.5, 0), "columns"),
        (lambda: theory.halp_epoch_length(10.0, 0.5, 16, 8), "model.width"),
        (lambda: theory.contraction(0.5, 10, 1.0, 0.1), "step"),
        (lambda: theory.contraction(0.1, 0, 1.0, 0.1), "epoch_length"),
        (lambda: theory.contraction(0.1, 10, 1.0, 2.0), "convexity"),
        (lambda: theory.halp_contraction(0.1, 10, 1.0, 0.1, 4, 8, mu=0.2), "mu"),
        (lambda: theory.rounding_term(0.1, 1.0, 4, -1.0), "delta"),
        (lambda: theory.lp_sgd_floor(0.1, 1.0, math.nan, 4, 0.1), "variance"),
        (lambda: theory.floor_predictor(math.inf, 0.1), "hessian_trace"),
    ],
)
def test_values_that_the_theorems_do_not_cover_are_refused(call: Any, field: str) -> None:
    with pytest.raises(InputError, match=rf"^{field}: got .*; allowed: "):
        call()
