"""The losses against plain definitions: values, gradients, constants, minima, quantized samples, labels."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from algorithms import minimum
from algorithms.curves import LOGISTIC
from algorithms.multiclass import OneVsRest, Softmax
from algorithms.problems import LeastSquares, LeastSquaresSvm, Logistic, Problem, SmoothedHinge
from sim.errors import InputError
from sim.formats import QFormat

Floats = NDArray[np.float64]
KINDS: list[type[Problem]] = [LeastSquares, LeastSquaresSvm, Logistic, SmoothedHinge]
CLASSIFIERS = KINDS[1:]
EIGHT = QFormat(8, 0)
CASES = {"kind": st.sampled_from([*KINDS, Softmax]), "seed": st.integers(0, 1 << 32)}
RIDGES = st.sampled_from([0.0, 0.25, 3.0])


def problem_of(kind: Any, seed: int, ridge: float = 0.0, samples: int = 8, columns: int = 3) -> Any:
    """A problem of two classes; softmax has three."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(samples, columns))
    if kind is Softmax:
        return Softmax(features, np.append(rng.integers(0, 3, samples - 1), 2), ridge)
    return kind(features, rng.integers(0, 2, samples).astype(float), ridge)


def model(problem: Any, seed: int, size: float = 1.0) -> Floats:
    classes = (problem.classes,) if isinstance(problem, Softmax) else ()
    return size * np.random.default_rng(seed).normal(size=(*classes, problem.shape[1]))


def sample_loss(problem: Any, x: list[float], target: float, w: Any) -> float:
    """The loss of one sample, as the books have it."""

    def product(v: list[float]) -> float:
        return math.fsum(a * b for a, b in zip(x, v, strict=True))

    if isinstance(problem, Softmax):
        scores = [product(v) for v in w]
        return math.log(math.fsum(math.exp(s) for s in scores)) - scores[int(target)]
    margin, sign = product(w), 2.0 * target - 1.0
    match problem:
        case LeastSquaresSvm():
            return (1.0 - sign * margin) ** 2 / 2
        case LeastSquares():
            return (margin - target) ** 2 / 2
        case Logistic():
            return math.log(1.0 + math.exp(-sign * margin))
    m = sign * margin
    return 0.0 if m >= 1 else (1.0 - m) ** 2 / 2 if m >= 0 else 0.5 - m


def plain_loss(problem: Any, w: Floats) -> float:
    targets = problem.labels if isinstance(problem, Softmax) else problem.targets
    pairs = zip(problem.features.tolist(), targets.tolist(), strict=True)
    losses = [sample_loss(problem, x, y, w.tolist()) for x, y in pairs]
    return math.fsum(losses) / len(losses) + problem.ridge / 2 * math.fsum((w * w).reshape(-1).tolist())


@settings(max_examples=150)
@given(**CASES, ridge=RIDGES, size=st.sampled_from([0.1, 1.0, 10.0]))
def test_the_loss_is_its_definition(kind: Any, seed: int, ridge: float, size: float) -> None:
    problem = problem_of(kind, seed, ridge)
    w = model(problem, seed + 1, size)
    assert problem.loss(w) == pytest.approx(plain_loss(problem, w), rel=1e-12, abs=1e-12)


@settings(max_examples=150)
@given(**CASES, ridge=RIDGES)
def test_the_gradient_lies_between_the_differences_of_the_loss_on_either_side(
    kind: Any, seed: int, ridge: float
) -> None:
    """So it does of a convex function; the two are at most L·h apart, and carry float64's 1e-16/h."""
    problem, h = problem_of(kind, seed, ridge), 1e-5
    w = model(problem, seed + 1)
    gradient, here = problem.gradient(w), problem.loss(w)
    assert gradient.shape == w.shape
    for place in np.ndindex(w.shape):
        moved = np.zeros(w.shape)
        moved[place] = h
        behind, ahead = (here - problem.loss(w - moved)) / h, (problem.loss(w + moved) - here) / h
        assert behind - 1e-8 <= gradient[place] <= ahead + 1e-8
        assert ahead - behind <= problem.smoothness * h * (1 + 1e-6) + 1e-8


@settings(max_examples=150)
@given(**CASES, ridge=RIDGES, size=st.sampled_from([1e-3, 1.0, 30.0]))
def test_every_sample_lies_between_parabolas_of_curvature_mu_and_l(
    kind: Any, seed: int, ridge: float, size: float
) -> None:
    """f_i(b) ≤ f_i(a) + ⟨∇f_i(a), b − a⟩ + L/2·‖b − a‖² for each sample; f(b) ≥ the same with μ for their mean."""
    problem = problem_of(kind, seed, ridge)
    a, b = model(problem, seed + 1), model(problem, seed + 1) + model(problem, seed + 2, size)
    way = b - a

    def above_tangent(f: Any) -> float:
        return float(f.loss(b) - f.loss(a) - (f.gradient(a) * way).sum())

    room = 1e-10 * (1.0 + size**2)
    assert above_tangent(problem) >= problem.strong_convexity / 2 * (way**2).sum() - room
    assert problem.strong_convexity >= ridge
    if kind is not Softmax:
        for x, y in zip(problem.features, problem.targets, strict=True):
            assert above_tangent(kind([x], [y], ridge)) <= problem.smoothness / 2 * (way**2).sum() + room
    assert above_tangent(problem) <= problem.smoothness / 2 * (way**2).sum() + room


@pytest.mark.parametrize(("kind", "start"), [(LeastSquaresSvm, 0.0), (Logistic, 0.0), (SmoothedHinge, 0.5)])
def test_smoothness_is_reached(kind: Any, start: float) -> None:
    """By the longest row, along itself, where its loss is most curved; of softmax, with two classes at equal scores."""
    row, other = np.array([3.0, 4.0]), np.array([1.0, 0.0])
    problem = kind([row, other], [1.0, 0.0], 0.5)
    one = kind([row], [1.0], 0.5)
    w, way = start * row / 25, 1e-4 * row / 5
    curved = (one.gradient(w + way) - one.gradient(w - way)) @ row / 5 / 2e-4
    assert curved == pytest.approx(problem.smoothness, rel=1e-6)
    softmax = Softmax(np.array([row, other]), np.array([0, 1]), 0.5)
    alone = Softmax(np.array([row]), np.array([1]), 0.5)
    ways = np.array([way, -way]) / math.sqrt(2)
    change = alone.gradient(ways) - alone.gradient(-ways)
    assert np.linalg.norm(change) / 2e-4 == pytest.approx(softmax.smoothness, rel=1e-6)


@settings(max_examples=60)
@given(**CASES, ridge=st.sampled_from([1.0, 5.0]), size=st.sampled_from([0.0, 0.1, 3.0]))
def test_the_minimum_is_where_plain_descent_ends(kind: Any, seed: int, ridge: float, size: float) -> None:
    """f(w) − ‖∇f(w)‖²/2μ ≤ f* ≤ f(w) for every w: at the end of a descent the two meet."""
    problem = problem_of(kind, seed, ridge)
    w = model(problem, seed + 1, size)
    for _ in range(math.ceil(40 * problem.smoothness / ridge)):  # each brings the gradient down by 1 − μ/L or more
        g = problem.gradient(w)
        assert problem.loss(w) - (g**2).sum() / (2 * ridge) - 1e-9 <= problem.least_loss() <= problem.loss(w) + 1e-12
        if (g**2).sum() < 1e-20:
            break
        w = w - g / problem.smoothness
    assert np.linalg.norm(problem.gradient(w)) < 1e-7


@pytest.mark.parametrize("kind", [Logistic, SmoothedHinge])
def test_without_a_ridge_term_separable_classes_have_the_infimum(kind: Any) -> None:
    problem = kind([[1.0, 0.2], [-1.0, 0.1], [2.0, 0.3]], [1.0, 0.0, 1.0])
    assert 0.0 <= problem.minimum < 1e-6


def test_past_the_columns_of_newtons_method_the_minimum_is_that_of_the_rotated_rows() -> None:
    """Five rows span five columns, whatever their length: with Q·R = Xᵀ the losses of X and Rᵀ have one minimum."""
    rng = np.random.default_rng(0)
    rows, labels = rng.normal(size=(5, minimum.DENSE + 1)), np.array([1.0, 0.0, 0.0, 1.0, 0.0])
    narrow = np.linalg.qr(rows.T)[1].T
    wide = minimum.least_loss(rows, labels, LOGISTIC, 0.1)
    assert wide == pytest.approx(minimum.least_loss(narrow, labels, LOGISTIC, 0.1), rel=1e-10)


def test_the_hinge_takes_its_labels_as_signs_of_its_rows() -> None:
    problem = SmoothedHinge([[1.0, -2.0], [3.0, 0.0]], [1.0, 0.0])
    assert problem.rows.tolist() == [[1.0, -2.0], [-3.0, 0.0]]
    assert problem.responses.tolist() == [0.0, 0.0]
    quantized = problem.quantized(EIGHT)
    assert quantized.raw.tolist() == [[42, -85], [-127, 0]]
    assert quantized.raw.dtype == np.int8
    np.testing.assert_array_equal(quantized.raw * quantized.scale, quantized.problem.rows)


@settings(max_examples=60)
@given(kind=st.sampled_from(KINDS), seed=st.integers(0, 1 << 32), bits=st.integers(2, 16))
def test_the_minimum_on_quantized_samples_is_that_of_the_nearest_words(kind: Any, seed: int, bits: int) -> None:
    problem, high = problem_of(kind, seed, 0.3), 2 ** (bits - 1) - 1
    scale = np.abs(problem.features).max() / high
    expected = kind(np.rint(problem.features / scale) * scale, problem.targets, 0.3)
    quantized = problem.quantized(QFormat(bits, 0)).problem
    np.testing.assert_array_equal(quantized.features, expected.features)
    assert problem.least_loss(QFormat(bits, 0)) == pytest.approx(expected.minimum, rel=1e-9)
    assert problem.least_loss() == problem.minimum


@pytest.mark.parametrize("kind", CLASSIFIERS)
def test_classes_share_their_quantized_samples_which_are_made_once(kind: Any) -> None:
    base = problem_of(kind, 1, samples=30)
    problem = OneVsRest(base, np.arange(30) % 3)
    parts = [binary.quantized(EIGHT) for binary in problem.binaries]
    alone = problem_of(kind, 1, samples=30).quantized(EIGHT)
    for binary, part in zip(problem.binaries, parts, strict=True):
        assert part.problem.features is parts[0].problem.features
        assert binary.quantized(EIGHT) is part
        np.testing.assert_array_equal(part.problem.features, alone.problem.features)
        np.testing.assert_array_equal(part.raw, binary.fold(np.rint(base.features / part.scale)))
        np.testing.assert_array_equal(part.problem.targets, binary.targets)
        assert part.scale == alone.scale
    narrow = problem.binaries[0].quantized(QFormat(4, 0))
    assert narrow.scale != parts[0].scale
    assert np.abs(narrow.raw).max() == 7
    finer = parts[0].problem.quantized(QFormat(4, 0))  # of the quantized samples, not of those it was made from
    np.testing.assert_array_equal(finer.raw, parts[0].problem.fold(np.rint(parts[0].problem.features / finer.scale)))


def test_one_vs_rest_is_the_mean_of_its_classes() -> None:
    problem = OneVsRest(problem_of(Logistic, 2, 0.1, samples=20), np.arange(20) % 4)
    singles = [Logistic(problem.first.features, 1.0 * (problem.labels == k), 0.1) for k in range(4)]
    assert [binary.targets.tolist() for binary in problem.binaries] == [one.targets.tolist() for one in singles]
    for fmt in (None, EIGHT):
        assert problem.least_loss(fmt) == pytest.approx(sum(one.least_loss(fmt) for one in singles) / 4, rel=1e-14)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [1e4, -1e4, 800.0])
def test_far_margins_neither_overflow_nor_lose_the_loss(kind: Any, size: float) -> None:
    """Warnings are errors here."""
    for label in (0.0, 1.0):
        problem, sign = kind([[1.0]], [label]), 2.0 * label - 1.0
        wrong = max(-sign * size, 0.0)
        squares = ((size - (label if kind is LeastSquares else sign)) ** 2 / 2, size - label if kind is LeastSquares
                   else size - sign)  # fmt: skip
        linear = (wrong + 0.5 * (kind is SmoothedHinge and wrong > 0), -sign * (wrong > 0))
        loss, slope = squares if issubclass(kind, LeastSquares) else linear
        assert problem.loss(np.array([size])) == pytest.approx(loss, abs=1e-300)
        assert problem.gradient(np.array([size])).tolist() == pytest.approx([slope], abs=1e-300)


def test_far_scores_of_softmax_neither_overflow_nor_lose_the_loss() -> None:
    problem = Softmax(np.array([[1.0]]), np.array([2]))
    w = np.array([[1e4], [-1e4], [0.0]])
    assert problem.loss(w) == 1e4
    assert problem.gradient(w).tolist() == [[1.0], [0.0], [-1.0]]


def test_a_margin_of_nothing_is_on_the_side_of_label_0_and_ties_go_to_the_lowest_class() -> None:
    rows, labels = [[1.0], [-1.0], [0.0], [0.0]], [1.0, 1.0, 0.0, 0.0]
    assert Logistic(rows, labels).accuracy(np.ones(1)) == 0.75
    assert LeastSquares(rows, labels).accuracy(np.ones(1)) is None
    held_out = (np.array([[2.0], [-2.0], [-3.0]]), np.array([1.0, 0.0, 1.0]))
    assert Logistic(rows, labels, held_out=held_out).accuracy(np.ones(1)) == 2 / 3
    codes, tied = np.array([0, 1, 2, 2]), np.array([[0.0], [1.0], [1.0]])
    one_vs_rest = OneVsRest(Logistic(rows, [0.0] * 4), codes)
    for problem in (Softmax(np.array(rows), codes), one_vs_rest):
        assert problem.accuracy(tied) == 0.0  # chosen: 1, 0, 0, 0
        assert problem.accuracy(-tied) == 0.5  # chosen: 0, 1, 0, 0
    held = OneVsRest(Logistic(rows, [0.0] * 4), codes, (held_out[0], np.array([1, 0, 2])))
    assert held.accuracy(tied) == 2 / 3
    assert [binary.accuracy(np.ones(1)) for binary in held.binaries] == [1 / 3, 1.0, 1 / 3]


ROWS, BINARY, CODES = np.ones((3, 2)), np.array([0.0, 1.0, 1.0]), np.array([0, 1, 2])
BAD: list[tuple[Any, str]] = [
    (lambda kind: kind(ROWS, [0.0, 1.0, 2.0]), r"targets: got 2.0; allowed: class labels, 0 and 1"),
    (lambda kind: kind(ROWS, [0.0, -1.0, 1.0]), r"targets: got -1.0; allowed"),
    (lambda kind: kind(ROWS, [0.0, np.nan, 1.0]), r"targets\[1\]: got nan; allowed: finite numbers"),
    (lambda kind: kind(ROWS, BINARY, held_out=(ROWS, 3 * BINARY)), r"held-out targets: got 3.0; allowed"),
    (lambda kind: kind(ROWS, BINARY, held_out=(ROWS, BINARY[:2])), r"held-out targets: got shape \(2,\)"),
    (lambda kind: kind(ROWS, BINARY, held_out=(ROWS[:, :1], BINARY)), r"held-out features: got shape \(3, 1\)"),
    (lambda kind: kind(ROWS, BINARY, held_out=(ROWS * np.inf, BINARY)), r"held-out features\[0, 0\]: got inf"),
    (lambda kind: kind(ROWS, BINARY).accuracy(np.zeros(3)), r"w: got shape \(3,\); allowed: \(2,\)"),
    (lambda kind: OneVsRest(kind(ROWS, BINARY), CODES[:2]), r"labels: got shape \(2,\); allowed: \(3,\)"),
    (lambda kind: OneVsRest(kind(ROWS, BINARY), CODES - 1), r"labels: got -1; allowed: class numbers"),
    (lambda kind: OneVsRest(kind(ROWS, BINARY), BINARY), r"labels: got dtype float64"),
    (lambda kind: OneVsRest(kind(ROWS, BINARY), CODES, (ROWS, CODES + 1)), r"held-out labels: got 3; allowed: .* to 2"),
    (lambda kind: OneVsRest(kind(ROWS, BINARY), CODES).accuracy(np.zeros((3, 1))), r"w: got shape \(3, 1\)"),
    (lambda _: OneVsRest(LeastSquares(ROWS, BINARY), CODES), r"first: got LeastSquares; allowed: a problem of two"),
    (lambda _: Softmax(ROWS, BINARY), r"labels: got dtype float64"),
    (lambda _: Softmax(ROWS, CODES[:2]), r"labels: got shape \(2,\); allowed: \(3,\)"),
    (lambda _: Softmax(ROWS, CODES - 1), r"labels: got -1; allowed: class numbers"),
    (lambda _: Softmax(ROWS * np.nan, CODES), r"features\[0, 0\]: got nan"),
    (lambda _: Softmax(ROWS[0], CODES), r"features: got shape \(2,\); allowed: \(N, d\)"),
    (lambda _: Softmax(ROWS, CODES, -1.0), r"ridge: got -1.0"),
    (lambda _: Softmax(ROWS, CODES, held_out=(ROWS[:, :1], CODES)), r"held-out features: got shape \(3, 1\)"),
    (lambda _: Softmax(ROWS, CODES).loss(np.zeros((2, 2))), r"w: got shape \(2, 2\); allowed: \(3, 2\)"),
    (lambda _: Softmax(ROWS, CODES).accuracy(np.zeros((3, 1))), r"w: got shape \(3, 1\); allowed: \(3, 2\)"),
    (lambda _: Softmax(ROWS, CODES).least_loss(EIGHT), r"problem: got softmax on sfix8; allowed: one-vs-rest"),
]


@pytest.mark.parametrize("kind", CLASSIFIERS)
@pytest.mark.parametrize(("make", "text"), BAD)
def test_what_is_no_label_model_or_row_is_refused(kind: Any, make: Any, text: str) -> None:
    with pytest.raises(InputError, match=text):
        make(kind)
