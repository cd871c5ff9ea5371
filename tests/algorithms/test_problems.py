"""The least-squares problem: loss, gradient, solution and constants agree with their definitions and each other."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from algorithms.data import DATA_SETS, load, load_problem
from algorithms.multiclass import OneVsRest
from algorithms.problems import LeastSquares
from algorithms.trace import State
from algorithms.training import train
from sim.datapath import TrainingDatapath
from sim.errors import InputError
from sim.formats import QFormat

Floats = NDArray[np.float64]
RIDGES = st.sampled_from([0.0, 0.25, 3.0])


@st.composite
def problems(draw: st.DrawFn) -> LeastSquares:
    """Problems on small multiples of 1/8, so that float64 sums of them are exact."""
    samples, columns = draw(st.integers(1, 8)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    features = rng.integers(-40, 41, (samples, columns)) / 8
    return LeastSquares(features, rng.integers(-40, 41, samples) / 8, draw(RIDGES))


def points(problem: LeastSquares, seed: int) -> Floats:
    return np.random.default_rng(seed).integers(-40, 41, problem.shape[1]) / 8


def exact_loss(problem: LeastSquares, w: list[Fraction]) -> Fraction:
    """f(w) by its definition, in fractions."""
    rows = [[Fraction(value) for value in row] for row in problem.features.tolist()]
    targets = [Fraction(value) for value in problem.targets.tolist()]
    residuals = [sum(a * b for a, b in zip(x, w, strict=True)) - y for x, y in zip(rows, targets, strict=True)]
    return sum(r * r for r in residuals) / (2 * len(targets)) + Fraction(problem.ridge) * sum(a * a for a in w) / 2


@settings(max_examples=60)
@given(problem=problems(), seed=st.integers(0, 1 << 32))
def test_the_loss_is_its_definition(problem: LeastSquares, seed: int) -> None:
    w = points(problem, seed)
    assert problem.loss(w) == pytest.approx(float(exact_loss(problem, [Fraction(a) for a in w.tolist()])), rel=1e-15)


@settings(max_examples=60)
@given(problem=problems(), seed=st.integers(0, 1 << 32))
def test_the_gradient_is_the_exact_difference_quotient_of_the_loss(problem: LeastSquares, seed: int) -> None:
    """On a quadratic the central difference is the derivative, whatever the distance."""
    w = points(problem, seed)
    gradient = problem.gradient(w)
    for j in range(len(w)):
        ahead, behind = ([Fraction(a) + d * (k == j) for k, a in enumerate(w.tolist())] for d in (1, -1))
        expected = (exact_loss(problem, ahead) - exact_loss(problem, behind)) / 2
        assert gradient[j] == pytest.approx(float(expected), abs=1e-12)


@settings(max_examples=60)
@given(problem=problems())
def test_the_solution_has_no_gradient_and_no_smaller_loss_beside_it(problem: LeastSquares) -> None:
    solution = problem.solution()
    np.testing.assert_allclose(problem.gradient(solution), 0.0, atol=1e-9)
    for direction in np.vstack([np.eye(len(solution)), -np.eye(len(solution))]):
        assert problem.loss(solution + 0.1 * direction) >= problem.loss(solution) - 1e-12


def test_of_many_solutions_it_is_the_one_of_least_norm() -> None:
    problem = LeastSquares([[1.0, 1.0]], [2.0])
    np.testing.assert_allclose(problem.solution(), [1.0, 1.0])


@settings(max_examples=60)
@given(problem=problems(), seed=st.integers(0, 1 << 32))
def test_smoothness_is_the_largest_of_any_sample_and_met(problem: LeastSquares, seed: int) -> None:
    """A sample's gradient changes by at most L times the distance, and by just that along its own row."""
    one, other = points(problem, seed), points(problem, seed + 1)
    pairs = zip(problem.features, problem.targets, strict=True)
    samples = [LeastSquares([x], [y], problem.ridge) for x, y in pairs]

    def change(sample: LeastSquares, a: Floats, b: Floats) -> float:
        return float(np.linalg.norm(sample.gradient(a) - sample.gradient(b)))

    for sample in samples:
        assert change(sample, one, other) <= problem.smoothness * np.linalg.norm(one - other) * (1 + 1e-12) + 1e-12
    steepest = max(samples, key=lambda sample: float(np.linalg.norm(sample.features)))
    row = steepest.features[0]
    assert change(steepest, one + row, one) == pytest.approx(problem.smoothness * np.linalg.norm(row), rel=1e-9)


@settings(max_examples=60)
@given(problem=problems(), seed=st.integers(0, 1 << 32))
def test_strong_convexity_is_the_least_curvature(problem: LeastSquares, seed: int) -> None:
    """⟨∇f(a) − ∇f(b), a − b⟩ ≥ μ·‖a − b‖², and the Hessian less μ is singular."""
    one, other = points(problem, seed), points(problem, seed + 1)
    mu, moved = problem.strong_convexity, one - other
    assert (problem.gradient(one) - problem.gradient(other)) @ moved >= mu * moved @ moved - 1e-9
    columns = problem.shape[1]
    hessian = np.array([problem.gradient(unit) - problem.gradient(np.zeros(columns)) for unit in np.eye(columns)])
    smallest = np.linalg.svd(hessian - mu * np.eye(columns), compute_uv=False)[-1]
    assert smallest == pytest.approx(0.0, abs=1e-9)


@settings(max_examples=60)
@given(problem=problems(), bits=st.integers(2, 16))
def test_the_quantized_problem_has_the_nearest_symmetric_words(problem: LeastSquares, bits: int) -> None:
    if not problem.features.any():
        with pytest.raises(InputError, match="features: got only zeros"):
            problem.quantized(QFormat(bits, 0))
        return
    quantized = problem.quantized(QFormat(bits, 0))
    real, raw, scale = quantized.problem, quantized.raw, quantized.scale
    high = 2 ** (bits - 1) - 1
    assert scale == np.abs(problem.features).max() / high
    assert np.abs(raw.astype(int)).max() == high
    np.testing.assert_array_equal(raw, np.rint(problem.features / scale))
    np.testing.assert_array_equal(real.features, raw * scale)
    np.testing.assert_array_equal(real.targets, problem.targets)
    assert real.ridge == problem.ridge


BAD: list[tuple[Any, Any, Any, str]] = [
    ([[1.0, np.nan]], [0.0], 0.0, r"features\[0, 1\]: got nan; allowed: finite numbers"),
    ([[1.0]], [np.inf], 0.0, r"targets\[0\]: got inf; allowed: finite numbers"),
    ([1.0, 2.0], [0.0, 1.0], 0.0, r"features: got shape \(2,\); allowed: \(N, d\)"),
    ([[1.0], [2.0]], [0.0], 0.0, r"targets: got shape \(1,\); allowed: \(2,\)"),
    ([[1.0]], [[0.0]], 0.0, r"targets: got shape \(1, 1\); allowed: \(1,\)"),
    ([[]], [0.0], 0.0, r"features: got an empty array"),
    ([["one"]], [0.0], 0.0, r"features: got list; allowed: real numbers"),
    ([[1.0], [2.0, 3.0]], [0.0, 0.0], 0.0, r"features: got list; allowed: real numbers"),
    ([[1j]], [0.0], 0.0, r"features: got list; allowed: real numbers"),
    ([[1.0]], [0.0], -0.1, r"ridge: got -0.1; allowed: a finite number of at least 0"),
    ([[1.0]], [0.0], np.nan, r"ridge: got nan; allowed: a finite number of at least 0"),
    ([[1.0]], [0.0], np.inf, r"ridge: got inf; allowed: a finite number of at least 0"),
    ([[1.0]], [0.0], "0.1", r"ridge: got '0.1'; allowed: a finite number of at least 0"),
]


@pytest.mark.parametrize(("features", "targets", "ridge", "text"), BAD)
def test_what_is_no_problem_is_refused(features: Any, targets: Any, ridge: Any, text: str) -> None:
    with pytest.raises(InputError, match=text):
        LeastSquares(features, targets, ridge)


@pytest.mark.parametrize("columns", [1, 3])
@pytest.mark.parametrize("method", ["loss", "gradient", "residuals"])
def test_a_model_of_other_than_a_word_a_column_is_refused(method: str, columns: int) -> None:
    """A compiled sum over columns that are not there would read foreign memory."""
    problem = LeastSquares([[1.0, 2.0]], [1.0])
    with pytest.raises(InputError, match=rf"w: got shape \({columns},\); allowed: \(2,\)"):
        getattr(problem, method)(np.zeros(columns))


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.fashion) if "fashion" in name else name for name in DATA_SETS]
)
def test_a_data_set_is_the_same_every_time_and_bears_its_name(name: str) -> None:
    problem, given_settings = load(name)
    load_problem.cache_clear()
    again, same_settings = load(name)
    one, other = (part.first if isinstance(part, OneVsRest) else part for part in (problem, again))
    np.testing.assert_array_equal(one.features, other.features)
    np.testing.assert_array_equal(one.targets, other.targets)
    assert one.features is not other.features
    assert given_settings == same_settings
    assert problem.name == name


@pytest.mark.parametrize(
    "name", ["synthetic-10", "synthetic-100", pytest.param("synthetic-1000", marks=pytest.mark.slow)]
)
def test_the_synthetic_sets_train_at_their_own_settings(name: str) -> None:
    """HALP and SVRG converge; a model of 8 bits on a fixed grid hovers, and neither saturates nor diverges."""
    problem, own = load(name)
    common: dict[str, Any] = {"step": own.step, "epoch_length": own.epoch_length, "epochs": own.epochs}
    paths = {preset: TrainingDatapath.preset(preset) for preset in ("halp8", "lp_svrg8", "lp_sgd8")}
    assert train(problem, "halp", paths["halp8"], mu=own.mu, **common).state is State.CONVERGED
    assert train(problem, "svrg", **common).state is State.CONVERGED
    for algorithm in ("lp_svrg", "lp_sgd"):
        trace = train(problem, algorithm, paths[f"{algorithm}8"], delta=own.delta, **common)
        assert trace.state is State.RUNNING
        assert trace.gradient_norms[-1] < 0.4 * trace.gradient_norms[0]


def test_an_unknown_data_set_is_refused_with_those_there_are() -> None:
    with pytest.raises(InputError, match="data: got 'mnist'; allowed: reference, diabetes, breast_cancer, digits"):
        load("mnist")
