"""SVRG in float64 equals a naive loop step for step, and its direction has the properties that the proofs rest on.

The direction v_i(w) is read off the compiled loop: loops that differ in their last sample i share all steps before it,
so that v_i = (w − w')/α where w is the model after the steps they share and w' the one after the last.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from algorithms.curves import QUADRATIC_KIND
from algorithms.kernels import svrg_loop
from algorithms.problems import LeastSquares
from algorithms.trace import State
from algorithms.training import train
from sim.errors import InputError
from sim.random_bits import Role, Xorshift32, generator_seed, row_indices

Floats = NDArray[np.float64]
RIDGES = [0.0, 0.3]


def problem_of(seed: int, ridge: float, samples: int = 12, columns: int = 3) -> LeastSquares:
    rng = np.random.default_rng(seed)
    return LeastSquares(rng.normal(size=(samples, columns)), rng.normal(size=samples), ridge)


def inner_loop(problem: LeastSquares, indices: list[int], w: Floats, snapshot: Floats, step: float) -> None:
    """The compiled loop, in place on w."""
    margins, gradient = problem.margins(snapshot), problem.gradient(snapshot)
    rows = np.array(indices, np.int64)
    svrg_loop(QUADRATIC_KIND, problem.rows, margins, rows, w, gradient, np.float64(step), np.float64(problem.ridge))


def naive_steps(problem: LeastSquares, indices: list[int], w: list[float], step: float) -> list[list[float]]:
    """The models after every SVRG step, on Python floats."""
    snapshot, models = list(w), []
    gradient = problem.gradient(np.array(snapshot)).tolist()
    for i in indices:
        x = problem.features[i].tolist()
        moved = [a - b for a, b in zip(w, snapshot, strict=True)]
        inner = 0.0
        for a, b in zip(x, moved, strict=True):
            inner += a * b
        direction = [inner * x_j + problem.ridge * m + g for x_j, m, g in zip(x, moved, gradient, strict=True)]
        w = [a - step * v for a, v in zip(w, direction, strict=True)]
        models.append(w)
    return models


@settings(max_examples=60)
@given(
    seed=st.integers(0, 1 << 32),
    ridge=st.sampled_from(RIDGES),
    indices=st.lists(st.integers(0, 11), min_size=0, max_size=30),
)
def test_the_compiled_loop_equals_the_naive_one_after_every_step(seed: int, ridge: float, indices: list[int]) -> None:
    problem = problem_of(seed, ridge)
    start = np.random.default_rng(seed + 1).normal(size=3)
    expected = naive_steps(problem, indices, start.tolist(), 0.05)
    for count in range(len(indices) + 1):
        w = start.copy()
        inner_loop(problem, indices[:count], w, start, 0.05)
        assert w.tolist() == (expected[count - 1] if count else start.tolist())


@pytest.mark.parametrize("ridge", RIDGES)
def test_a_run_draws_the_rows_of_its_seed_and_takes_the_last_model_of_every_epoch(ridge: float) -> None:
    problem, seed, length = problem_of(5, ridge), 7, 20
    rows, w = Xorshift32(generator_seed(seed, Role.ROWS, 0)), [0.0, 0.0, 0.0]
    for epochs in range(4):
        trace = train(problem, "svrg", step=0.05, epoch_length=length, epochs=epochs, seed=seed)
        assert trace.w.tolist() == w
        assert len(trace.epochs) == epochs + 1
        w = naive_steps(problem, row_indices(rows, 12, length).tolist(), w, 0.05)[-1]


def test_svrg_converges_linearly_to_the_solution() -> None:
    problem = problem_of(1, 0.1, samples=40)
    trace = train(problem, "svrg", step=0.02, epoch_length=200, epochs=25)
    assert trace.state is State.CONVERGED
    np.testing.assert_allclose(trace.w, problem.solution(), atol=1e-9)


def test_svrg_takes_no_datapath() -> None:
    from sim.datapath import TrainingDatapath

    with pytest.raises(InputError, match="datapath: got 'halp8'; allowed: none"):
        train(problem_of(1, 0.0), "svrg", TrainingDatapath.preset("halp8"), step=0.1, epoch_length=1, epochs=1)


def directions(problem: LeastSquares, snapshot: Floats, shared: list[int], step: float) -> tuple[Floats, Floats]:
    """The model after the shared steps, and the direction of every sample there, shape (N, d)."""

    def after(indices: list[int]) -> Floats:
        w = snapshot.copy()
        inner_loop(problem, indices, w, snapshot, step)
        return w

    w = after(shared)
    return w, np.array([(w - after([*shared, i])) / step for i in range(problem.shape[0])])


@pytest.mark.parametrize("ridge", RIDGES)
@pytest.mark.parametrize("shared", [[], [0], [3, 3, 7], list(range(12))])
def test_the_mean_direction_is_the_full_gradient(shared: list[int], ridge: float) -> None:
    """E_i[v] = ∇f(w), over all samples; the float64 difference of two models carries 1e-12 of them."""
    problem = problem_of(2, ridge)
    w, v = directions(problem, np.array([1.0, -2.0, 0.5]), shared, 0.1)
    np.testing.assert_allclose(v.mean(axis=0), problem.gradient(w), atol=1e-12)


@pytest.mark.parametrize("ridge", RIDGES)
def test_at_the_snapshot_every_direction_is_the_full_gradient(ridge: float) -> None:
    problem, snapshot = problem_of(3, ridge), np.array([1.0, -2.0, 0.5])
    _, v = directions(problem, snapshot, [], 0.1)
    np.testing.assert_allclose(v, np.tile(problem.gradient(snapshot), (12, 1)), atol=1e-12)


@pytest.mark.parametrize("ridge", RIDGES)
def test_at_the_solution_no_direction_is_left(ridge: float) -> None:
    problem = problem_of(4, ridge)
    _, v = directions(problem, problem.solution(), [], 0.1)
    np.testing.assert_allclose(v, 0.0, atol=1e-12)


def gaps(problem: LeastSquares, *points: Floats) -> float:
    """Sum of f − f* over points: half the curvature along the way to the solution, where loss by loss would cancel."""
    ways = [point - problem.solution() for point in points]
    return sum(np.square(problem.features @ way).mean() / 2 + problem.ridge / 2 * way @ way for way in ways)


@settings(max_examples=100)
@given(
    seed=st.integers(0, 1 << 32),
    ridge=st.sampled_from(RIDGES),
    shared=st.lists(st.integers(0, 11), max_size=5),
    distance=st.sampled_from([0.0, 0.01, 1.0, 30.0]),
)
def test_the_second_moment_of_the_direction_is_bounded_by_the_distance_in_loss(
    seed: int, ridge: float, shared: list[int], distance: float
) -> None:
    """E‖v‖² ≤ 4L·(f(w) − f* + f(w̃) − f*), over all samples."""
    problem = problem_of(seed, ridge)
    snapshot = problem.solution() + distance * np.random.default_rng(seed).normal(size=3)
    w, v = directions(problem, snapshot, shared, 0.25 / problem.smoothness)
    assert np.square(v).sum(axis=1).mean() <= 4 * problem.smoothness * gaps(problem, w, snapshot) * (1 + 1e-9) + 1e-20


@settings(max_examples=100)
@given(
    seed=st.integers(0, 1 << 32),
    ridge=st.sampled_from(RIDGES),
    shared=st.lists(st.integers(0, 11), max_size=5),
    scale=st.sampled_from([1e-3, 0.1, 2.0]),
    fraction=st.sampled_from([0.01, 0.1, 0.24]),
)
def test_one_step_with_stochastic_rounding_contracts_as_the_proof_says(
    seed: int, ridge: float, shared: list[int], scale: float, fraction: float
) -> None:
    """E‖Q(u) − w*‖² ≤ ‖w − w*‖² − 2α(1 − 2Lα)(f(w) − f*) + 4Lα²(f(w̃) − f*) + d·δ²/4 with u = w − α·v.

    The mean over the samples is enumerated; that over the rounding to multiples of δ is ‖u − w*‖² + Σ δ²·φ(1 − φ).
    """
    problem = problem_of(seed, ridge)
    solution, step = problem.solution(), fraction / problem.smoothness
    snapshot = solution + np.random.default_rng(seed).normal(size=3)
    w, v = directions(problem, snapshot, shared, step)
    u = w - step * v
    part = u / scale - np.floor(u / scale)
    reached = (np.square(u - solution) + scale**2 * part * (1 - part)).sum(axis=1).mean()
    bound = (
        np.square(w - solution).sum()
        - 2 * step * (1 - 2 * problem.smoothness * step) * gaps(problem, w)
        + 4 * problem.smoothness * step**2 * gaps(problem, snapshot)
        + len(w) * scale**2 / 4
    )
    assert reached <= bound * (1 + 1e-9)
