"""Stochastic quantization and the estimators on it: means and variances by enumerating every rounding outcome."""

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from algorithms.curves import Floats
from algorithms.zipml import estimators
from algorithms.zipml.levels import Method
from algorithms.zipml.sampling import HostWords, LargestLevel, Sampler, quantized_vector, rounds_up
from sim.errors import InputError
from sim.formats import QFormat
from sim.random_bits import RandomWords

A, X, B = np.array([0.25, -0.625, 1.0]), np.array([1.5, -2.0, 0.75]), 0.3
"""A row with M = 1, a model, a target."""


def outcomes(sampler: Sampler, row: int = 0) -> list[tuple[float, Floats]]:
    """Every rounding of a row with its probability, from the sampler's levels alone."""
    low = sampler.values(sampler.below)[row]
    high = sampler.values(sampler.below + 1)[row]
    phi = sampler.fractions[row]
    result = []
    for ups in itertools.product((0, 1), repeat=len(low)):
        chance = np.prod([f if u else 1 - f for u, f in zip(ups, phi, strict=True)])
        result.append((float(chance), np.where(ups, high, low)))
    return result


def mean_and_variance(pairs: Iterator[tuple[float, Floats]]) -> tuple[Floats, float]:
    held = list(pairs)
    assert sum(p for p, _ in held) == pytest.approx(1.0, abs=1e-12)
    mean = sum(p * v for p, v in held)
    return mean, sum(p * float(np.square(v - mean).sum()) for p, v in held)


@pytest.mark.parametrize("bits", [2, 3, 4])
def test_means_and_variances_of_all_estimators_over_every_outcome(bits: int) -> None:
    sampler = Sampler.uniform(A[None], bits)
    rows, d, gradient = outcomes(sampler), sampler.variances()[0], A * (A @ X - B)
    close = {"rel": 1e-12, "abs": 1e-12}
    mean, spread = mean_and_variance((p, row) for p, row in rows)
    assert mean == pytest.approx(A, **close)
    assert spread == pytest.approx(d.sum(), **close)

    mean, _ = mean_and_variance((p, estimators.naive(row, X, B)) for p, row in rows)
    assert mean == pytest.approx(gradient + d * X, **close)
    assert np.abs(mean - gradient).max() > 0.01

    pairs = [(p * q, one, other) for (p, one), (q, other) in itertools.product(rows, rows)]
    mean, double = mean_and_variance((p, estimators.double(one, other, X, B)) for p, one, other in pairs)
    assert mean == pytest.approx(gradient, **close)
    assert double == pytest.approx(estimators.double_variance(A, X, B, d), **close)
    mean, both = mean_and_variance((p, estimators.symmetric(one, other, X, B)) for p, one, other in pairs)
    assert mean == pytest.approx(gradient, **close)
    assert both == pytest.approx(estimators.symmetric_variance(A, X, B, d), **close)
    assert both <= double


def test_end_to_end_over_every_outcome_of_data_model_and_gradient() -> None:
    """Q4(Q1(a)·(Q2(a)·Q3(x) − b)): the mean is the gradient, the variance the formula's plus that of Q4."""
    a, x = A[:2] / 0.625, X[:2]
    data, model = Sampler.uniform(a[None], 2), Sampler.uniform(x[None], 3)
    pairs = [
        (p * q * r, estimators.double(one, other, near, B))
        for (p, one), (q, other), (r, near) in itertools.product(outcomes(data), outcomes(data), outcomes(model))
    ]
    gradient = a * (a @ x - B)
    mean, spread = mean_and_variance(iter(pairs))
    assert mean == pytest.approx(gradient, abs=1e-12)
    expected = estimators.model_variance(a, x, B, data.variances()[0], model.variances()[0])
    assert spread == pytest.approx(expected, rel=1e-12)

    whole, second, bits = np.zeros(2), 0.0, 4  # Q4 with words of 4 bits: fractions are cut to those, so by its own mean
    for p, g in pairs:
        norm = float(np.sqrt(np.square(g).sum()))
        size = np.abs(g) / norm * 2 if norm else g
        for ups in itertools.product((0, 1), repeat=2):
            phi = size - np.minimum(np.floor(size), 1)
            chance = np.prod([f if u else 1 - f for u, f in zip(ups, phi, strict=True)])
            out = norm * np.sign(g) * (np.minimum(np.floor(size), 1) + ups) / 2
            whole, second = whole + p * chance * out, second + p * chance * float(np.square(out).sum())
            words = RandomWords([(1 << bits) - 1 if u else 0 for u in ups], bits)
            if all(2.0**-bits <= f < 1 for f in phi):
                assert quantized_vector(g, 2, words) == pytest.approx(out, rel=1e-12)
    assert whole == pytest.approx(gradient, abs=1e-12)
    size_of_g = spread + gradient @ gradient
    assert second - gradient @ gradient <= spread + estimators.qsgd_bound(2, 2) * size_of_g + 1e-12


@given(
    values=st.lists(st.integers(-16, 16), min_size=1, max_size=3), bits=st.integers(2, 3),
    scaling=st.sampled_from(LargestLevel),
)  # fmt: skip
def test_a_draw_is_unbiased_over_all_random_words(values: list[int], bits: int, scaling: LargestLevel) -> None:
    """The mean of the decoded samples over all words is the row, an identity between dyadic numbers."""
    row = np.array(values) / 16.0
    row[0] = np.copysign(1.0, row[0])
    sampler = Sampler.uniform(np.array([row]), bits, scaling=scaling, lanes=1)
    steps, width = sampler.shape[1], 5
    if (sampler.fractions * 32 % 1).any():  # column and row scales need not be powers of two
        return
    totals = np.zeros((2, steps))
    for column in range(steps):
        for word in range(1 << width):
            words = np.zeros((2, 1, steps), np.int64)
            words[:, 0, column] = word
            rows = sampler.draw(RandomWords(words.reshape(-1), width))
            assert rows.update is not None
            totals[:, column] += [sampler.values(part)[0, column] for part in (rows.dot, rows.update)]
    assert (totals / (1 << width) == row).all()


def test_the_two_samples_of_a_draw_are_neighbours_and_independent() -> None:
    """All pairs of words: each pair of outcomes occurs as often as the product of their shares says."""
    sampler, width = Sampler.uniform([[0.3125, 1.0]], 3, lanes=1), 4
    counts = np.zeros((2, 2), int)
    for one, other in itertools.product(range(1 << width), repeat=2):
        rows = sampler.draw(RandomWords([one, 0, other, 0], width))
        assert rows.update is not None
        up = rows.dot[0, 0] - sampler.below[0, 0], rows.update[0, 0] - sampler.below[0, 0]
        counts[up] += 1
    share = sampler.fractions[0, 0] * 16
    assert counts[1].sum() == 16 * share
    assert counts[1, 1] == share * share
    assert counts[0, 0] == (16 - share) ** 2


@pytest.mark.parametrize("method", [Method.DIVIDE, Method.GRID, Method.UNIFORM])
def test_levels_of_columns_are_data_words_around_every_value(method: Method) -> None:
    features = np.random.default_rng(0).lognormal(size=(60, 5))
    sampler = Sampler.with_levels(features, 3, QFormat(8, 0), method=method)
    column = np.arange(5)[None, :]
    low, high = (sampler.values(sampler.table[column, sampler.below + up]) for up in (0, 1))
    mean = low + sampler.fractions * (high - low)
    assert mean == pytest.approx(features, rel=1e-12)
    assert sampler.variances() == pytest.approx((high - features) * (features - low), rel=1e-9, abs=1e-12)
    assert (np.abs(sampler.table) <= 127).all()
    rows = sampler.draw(RandomWords(np.zeros(600, int), 4))
    assert (sampler.values(rows.dot) <= features + 1e-12).all()


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=12).filter(any), st.integers(1, 5))
def test_variance_and_sparsity_of_a_quantized_vector_stay_within_their_bounds(values: list[int], s: int) -> None:
    """Σ φ(1 − φ)·‖v‖²/s² and the expected number of non-zeros, exactly from the fractions."""
    v = np.array(values, float)
    norm = np.sqrt(np.square(v).sum())
    size = np.abs(v) / norm * s
    level = np.minimum(np.floor(size), s - 1)
    phi = size - level
    n = len(v)
    assert (phi * (1 - phi)).sum() * norm**2 / s**2 <= min(estimators.qsgd_bound(n, s), n / (4 * s**2)) * norm**2 + 1e-9
    assert np.where(level > 0, 1.0, phi).sum() <= s * (s + np.sqrt(n)) + 1e-9
    for word in range(8):
        out = quantized_vector(v, s, RandomWords([word] * n, 3))
        assert (np.abs(np.abs(out) * s / norm - level - rounds_up(phi, np.full(n, word), 3)) < 1e-9).all()


def test_golden_values_and_buckets() -> None:
    """‖(3, 4)‖ = 5, s = 1: non-zero with shares 0.6 and 0.8; buckets have norms of their own."""
    ups = [quantized_vector([3.0, 4.0], 1, RandomWords([w, w], 10)).astype(bool) for w in range(1024)]
    assert np.sum(ups, axis=0).tolist() == [614, 819]
    assert quantized_vector([3.0, 4.0, 0.0, -2.0], 1, RandomWords([1023] * 4, 10), bucket=2).tolist() == [5, 5, 0, -2]
    d = Sampler.uniform([[0.3, 1.0]], 3)
    assert d.step.item() * 2 == 1.0
    assert d.variances()[0, 0] == pytest.approx(0.06)


def test_zeros_constants_and_single_rows() -> None:
    for scaling in LargestLevel:
        sampler = Sampler.uniform([[0.0, 0.0], [0.0, 2.0]], 2, scaling=scaling)
        rows = sampler.draw(RandomWords(np.full(8, 7), 3))
        assert sampler.values(rows.dot).tolist() == [[0.0, 0.0], [0.0, 2.0]]
    sampler = Sampler.with_levels([[3.0, 0.0]], 4, QFormat(8, 0))
    assert sampler.values(sampler.draw(RandomWords([0] * 4, 3)).dot) == pytest.approx(np.array([[3.0, 0.0]]))
    many = Sampler.with_levels([[1.0], [2.0], [4.0]], 8, QFormat(8, 0))
    assert (many.table[:, 4:] == many.table[:, -1:]).all()


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (
            lambda: Sampler.uniform([[1.0, 2.0], [3.0, np.nan]], 2),
            r"features\[1, 1\]: got nan; allowed: finite numbers",
        ),
        (lambda: Sampler.uniform([1.0], 2), r"features: got shape \(1,\); allowed: \(N, d\)"),
        (lambda: Sampler.uniform([[1.0]], 9), "RowFormat.bits: got 9; allowed: a whole number from 1 to 8"),
        (lambda: Sampler.uniform([[-1.0]], 1, signed=False), "features: got -1.0; allowed: no negative numbers"),
        (lambda: Sampler.uniform([[1.0]], 2, scaling="rows"), "scaling: got 'rows'; allowed: all, column, row"),
        (lambda: Sampler.with_levels([[1.0]], 2, QFormat(8, 0), method="greedy"), "method: got 'greedy'"),
        (lambda: Sampler.with_levels([[1.0]], 2, 8), "words: got 8; allowed: a QFormat"),
        (lambda: Sampler.with_levels([[-np.inf]], 2, QFormat(8, 0)), r"features\[0, 0\]: got -inf; allowed: finite"),
        (
            lambda: Sampler.uniform([[0.0, 1e200]], 4),
            r"features: got 1e\+200 as largest magnitude; allowed: 0, or 3.9e",
        ),
        (lambda: Sampler.uniform([[5e-324, 0.0], [1.0, 2.0]], 4, scaling="row"), "features: got 5e-324 as largest"),
        (lambda: Sampler.with_levels([[-1e200]], 4, QFormat(8, 0)), r"features: got 1e\+200 as largest magnitude"),
        (lambda: quantized_vector([3e200, 1.0], 1, RandomWords([0], 1)), "values: got a norm past float64; allowed"),
        (lambda: quantized_vector([0.0, np.inf], 1, RandomWords([0], 1)), r"values\[1\]: got inf; allowed: finite"),
        (lambda: quantized_vector([[1.0]], 1, RandomWords([0], 1)), r"values: got shape \(1, 1\); allowed: \(n,\)"),
        (lambda: quantized_vector([1.0], 0, RandomWords([0], 1)), "intervals: got 0; allowed: a whole number"),
    ],
)
def test_bad_input_is_refused_in_one_line(make, text: str) -> None:
    with pytest.raises(InputError, match=text):
        make()


@pytest.mark.parametrize("exponent", [-395, 395])
@pytest.mark.parametrize("levels", ["uniform", "optimal"])
def test_very_small_and_very_large_features_are_sampled_as_others_are(levels: str, exponent: int) -> None:
    """By a power of two: the same codes, and numbers that many times as large."""
    rows = np.random.default_rng(0).normal(size=(30, 4))

    def sampler(rows: Floats) -> Sampler:
        return Sampler.uniform(rows, 4) if levels == "uniform" else Sampler.with_levels(rows, 4, QFormat(8, 0))

    common, scaled = sampler(rows), sampler(np.ldexp(rows, exponent))
    assert scaled.draw(HostWords(0, 1)).data.tolist() == common.draw(HostWords(0, 1)).data.tolist()
    assert scaled.nearest().tolist() == np.ldexp(common.nearest(), exponent).tolist()
    assert scaled.variances().tolist() == np.ldexp(common.variances(), 2 * exponent).tolist()
    assert scaled.noise() == common.noise()


@pytest.mark.parametrize("scaling", LargestLevel)
def test_drawn_rows_know_what_they_are_worth(scaling: LargestLevel) -> None:
    rows = np.random.default_rng(0).normal(size=(30, 4))
    sampler = Sampler.uniform(rows, 4, scaling=scaling)
    drawn = sampler.draw(HostWords(0, 1))
    assert (np.abs(drawn.values(0) - rows) <= sampler.step * (1 + 1e-12)).all()
    assert (drawn.values(1) == sampler.values(drawn.words(1))).all()


@pytest.mark.parametrize("scaling", LargestLevel)
@pytest.mark.parametrize("bits", [2, 3, 8])
def test_the_variance_of_a_row_is_at_most_a_quarter_of_its_intervals_squared(bits: int, scaling: LargestLevel) -> None:
    """Σ D ≤ Σ M²/4s², with equality half-way between levels."""
    rows = np.random.default_rng(0).normal(size=(50, 6))
    rows[:, 0] = np.abs(rows).max() * np.where(np.arange(50) % 2, 1, -1)
    s = 2 ** (bits - 2)
    axis = {LargestLevel.ALL: None, LargestLevel.COLUMN: 0, LargestLevel.ROW: 1}[scaling]
    bound = np.broadcast_to(np.abs(rows).max(axis=axis, keepdims=True) ** 2 / (4 * s**2), rows.shape)
    sampler = Sampler.uniform(rows, bits, scaling=scaling)
    assert (sampler.variances().sum(axis=1) <= bound.sum(axis=1) * (1 + 1e-12)).all()
    halves = Sampler.uniform([[1.0, -1.0, 0.5 / s, -0.5 / s]], bits, scaling=scaling if axis != 0 else LargestLevel.ALL)
    assert halves.variances()[0].tolist() == [0.0, 0.0, 0.25 / s**2, 0.25 / s**2]


def test_the_bits_of_two_samples_are_independent_with_the_generator_of_a_run() -> None:
    """χ² of both bits of a value, and of neighbours: three degrees of freedom, above 34 in less than 1e-6 of runs."""
    sampler = Sampler.uniform(np.array([[1.0, *np.full(999, 0.5)]] * 200), 2, scaling="all")
    rows = sampler.draw(HostWords(0, 1))
    first, second = (rows.words(k)[:, 1:] for k in (0, 1))
    for one, other in ((first, second), (first[:, :-1], first[:, 1:]), (first[:-1], second[1:])):
        counts = np.bincount((2 * one + other).reshape(-1), minlength=4)
        expected = one.size / 4
        assert len(counts) == 4
        assert np.square(counts - expected).sum() / expected <= 34
