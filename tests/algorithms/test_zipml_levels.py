"""Levels for stochastic rounding: optimal against all choices of levels, the approximations against their bounds."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from algorithms.zipml.levels import Method, candidate_bound, column_levels, levels_of, mean_variance
from sim.errors import InputError

POINTS = st.lists(st.integers(-64, 64), min_size=2, max_size=10).filter(lambda p: len(set(p)) > 1)
"""Small whole numbers: every cost is exact in float64."""


def by_brute_force(points: list[int], intervals: int) -> float:
    """The least mean variance over all choices of levels at data points, each variance summed on its own."""
    distinct = sorted(set(points))
    inner, most = distinct[1:-1], min(intervals - 1, len(distinct) - 2)
    best = np.inf
    for chosen in itertools.combinations(inner, most):
        levels = [distinct[0], *chosen, distinct[-1]]
        total = 0
        for x in points:
            p, q = next((p, q) for p, q in itertools.pairwise(levels) if p <= x <= q)
            total += (q - x) * (x - p)
        best = min(best, total / len(points))
    return best


@given(points=POINTS, intervals=st.integers(1, 4))
def test_optimal_levels_are_those_of_brute_force(points: list[int], intervals: int) -> None:
    expected = by_brute_force(points, intervals)
    for method in (Method.DIVIDE, Method.EXACT):
        levels = levels_of(np.array(points, float), intervals, method)
        assert len(levels) <= intervals + 1
        assert (levels[0], levels[-1]) == (min(points), max(points))
        assert mean_variance(np.array(points, float), levels) == expected


@pytest.mark.parametrize("draw", ["normal", "lognormal", "exponential"])
@pytest.mark.parametrize("count", [3, 17, 256, 1000])
def test_divide_and_conquer_equals_the_plain_programme(draw: str, count: int) -> None:
    points = getattr(np.random.default_rng(1), draw)(size=count)
    for intervals in (1, 2, 5, 15):
        one, other = (mean_variance(points, levels_of(points, intervals, m)) for m in ("divide", "exact"))
        assert one == pytest.approx(other, rel=1e-9, abs=1e-12 * points.var())


@given(points=POINTS, intervals=st.integers(1, 6), extra=st.lists(st.floats(0, 1), max_size=5))
def test_no_levels_off_the_data_do_better(points: list[int], intervals: int, extra: list[float]) -> None:
    values = np.array(points, float)
    low, high = values.min(), values.max()
    other = np.unique([low, high, *(low + f * (high - low) for f in extra[: intervals - 1])])
    best = mean_variance(values, levels_of(values, intervals))
    assert best <= mean_variance(values, np.clip(other, low, high)) * (1 + 1e-12) + 1e-12


@given(points=POINTS, intervals=st.integers(1, 6))
def test_optimal_levels_beat_uniform_ones_and_more_levels_never_hurt(points: list[int], intervals: int) -> None:
    values = np.array(points, float)
    variances = [mean_variance(values, levels_of(values, k)) for k in range(1, 11)]
    assert all(next_one <= one for one, next_one in itertools.pairwise(variances))
    assert variances[intervals - 1] <= mean_variance(values, levels_of(values, intervals, "uniform")) + 1e-9
    assert all(v == 0.0 for v in variances[max(len(set(points)) - 2, 0) :])


@given(points=POINTS, intervals=st.integers(1, 6), scale=st.sampled_from([0.25, 2.0, 1024.0]), shift=st.integers(-9, 9))
def test_scaling_and_shifting_the_points_scales_the_variance(
    points: list[int], intervals: int, scale: float, shift: int
) -> None:
    values = np.array(points, float)
    moved = scale * values + shift
    before, after = (mean_variance(v, levels_of(v, intervals)) for v in (values, moved))
    assert after == scale**2 * before


@given(points=POINTS)
def test_interval_costs_are_sums_of_variances_with_the_quadrangle_inequality(points: list[int]) -> None:
    from algorithms.zipml.levels import _Points

    distinct, counts = np.unique(np.array(points, float), return_counts=True)
    costs = _Points.of(distinct, counts * 1.0, counts * distinct, counts * distinct**2).costs()
    size = len(distinct)
    for i in range(size):
        for j in range(i, size):
            inside = np.array([x for x in points if distinct[i] < x <= distinct[j]], float)
            assert costs[i, j] == ((distinct[j] - inside) * (inside - distinct[i])).sum()
    for i, j, k, m in itertools.combinations_with_replacement(range(size), 4):
        assert costs[i, k] + costs[j, m] <= costs[i, m] + costs[j, k]


@given(points=POINTS, intervals=st.integers(1, 6), candidates=st.integers(1, 40))
def test_the_grid_stays_within_its_bound(points: list[int], intervals: int, candidates: int) -> None:
    values = np.array(points, float)
    levels, best = levels_of(values, intervals, "grid", candidates=candidates), levels_of(values, intervals)
    spacing = (values.max() - values.min()) / candidates
    bound = candidate_bound(mean_variance(values, best), np.diff(best).max(), spacing)
    if candidates >= intervals:  # each optimal level has a candidate of its own near it
        assert mean_variance(values, levels) <= bound + 1e-9
    assert len(levels) <= intervals + 1


@pytest.mark.parametrize("draw", ["normal", "lognormal", "uniform"])
@pytest.mark.parametrize("intervals", [1, 2, 3, 7, 15])
@pytest.mark.parametrize("seed", range(4))
def test_greedy_merging_stays_within_twice_the_optimum(draw: str, intervals: int, seed: int) -> None:
    points = getattr(np.random.default_rng(seed), draw)(size=400)
    levels = levels_of(points, intervals, "greedy")
    assert len(levels) - 1 == 4 * intervals  # where 2k − 1 pairs stay apart, as the proof needs, merging ends here
    assert mean_variance(points, levels) <= 2 * mean_variance(points, levels_of(points, intervals)) + 1e-12


@pytest.mark.parametrize("method", Method)
@pytest.mark.parametrize(
    ("points", "exponent"),
    [
        ([0, 1, 2, 4], -1074),  # the smallest numbers that float64 holds
        ([-4, 0, 1, 4], 1021),  # ±2^1023: their distance is past float64
        ([-1, 1], 1023),
        ([1, 2, 5, -9], 660),
        ([1, 2, 5, 9], -700),
        ([2**52, 2**52 + 1, 2**52 + 3, 2**52 + 4], 0),  # no numbers between them
        ([2**52, 2**52 + 1], 0),
    ],
)
def test_levels_of_the_smallest_and_largest_numbers_are_those_of_common_ones(
    method: Method, points: list[int], exponent: int
) -> None:
    common = [point - min(points) for point in points] if exponent == 0 else points
    levels = levels_of(np.ldexp(np.array(points, float), exponent), 2, method, candidates=4)
    expected = levels_of(np.array(common, float), 2, method, candidates=4)
    rounded = np.ldexp(expected + (points[0] if exponent == 0 else 0), exponent)  # to the numbers that there are
    assert levels.tolist() == np.unique(rounded).tolist()


def test_a_variance_past_float64_is_refused_and_one_within_it_is_right() -> None:
    points, levels = np.array([0.0, 1.0, 3.0]), np.array([0.0, 4.0])
    for exponent in (-500, 0, 511):
        variance = mean_variance(np.ldexp(points, exponent), np.ldexp(levels, exponent))
        assert variance == np.ldexp(2.0, 2 * exponent)
    with pytest.raises(InputError, match=r"^levels: got 0.0 to 1.07.*e\+301; allowed: intervals whose squares float64"):
        mean_variance(np.ldexp(points, 998), np.ldexp(levels, 998))


def test_the_grid_sorts_candidates_and_no_points(monkeypatch: pytest.MonkeyPatch) -> None:
    sorted_sizes, unique = [], np.unique

    def counted(values: np.ndarray) -> np.ndarray:
        sorted_sizes.append(values.size)
        return unique(values)

    monkeypatch.setattr(np, "unique", counted)
    levels_of(np.random.default_rng(0).normal(size=1000), 7, "grid", candidates=64)
    assert max(sorted_sizes) <= 65


def test_levels_beat_uniform_ones_on_skewed_columns_as_measured() -> None:
    values = np.random.default_rng(0)
    gaussian, skewed = values.normal(size=2000), values.lognormal(size=1000)
    for points, intervals, factor in ((gaussian, 3, 1.15), (gaussian, 7, 1.3), (skewed, 3, 1.8), (skewed, 7, 2.0)):
        optimal, uniform = (mean_variance(points, levels_of(points, intervals, m)) for m in ("divide", "uniform"))
        assert uniform > factor * optimal


def test_a_hundred_thousand_values_and_columns_of_every_kind() -> None:
    points = np.random.default_rng(0).normal(size=100_000)
    levels = levels_of(points, 15)
    assert len(levels) == 16
    assert mean_variance(points, levels) < 0.45 * mean_variance(points, levels_of(points, 15, "uniform"))
    columns = column_levels(np.array([[0.0, 7.0, 1.0], [0.0, 7.0, 2.0], [0.0, 7.0, 9.0]]), 7)
    assert [column.tolist() for column in columns] == [[0.0], [7.0], [1.0, 2.0, 9.0]]
    assert column_levels([[3.0, 4.0]], 3)[1].tolist() == [4.0]
    assert mean_variance([7.0, 7.0], [7.0]) == 0.0


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: levels_of([], 2), "values: got an empty array of shape"),
        (lambda: levels_of([0.0, np.nan], 2), r"values\[1\]: got nan; allowed: finite numbers"),
        (lambda: levels_of([0.0, 1.0], 0), "intervals: got 0; allowed: a whole number from 1 to 255"),
        (lambda: levels_of([0.0, 1.0], 2, "best"), "method: got 'best'; allowed: divide, exact, grid, greedy, uniform"),
        (lambda: levels_of([0.0, 1.0], 2, "grid", candidates=0), "candidates: got 0; allowed: a whole number"),
        (lambda: levels_of(np.arange(4097.0), 2, "exact"), "values: got 4097 distinct ones; allowed: at most 4096"),
        (lambda: column_levels([[0.0, 1.0], [np.inf, 2.0]], 2), r"features\[1, 0\]: got inf; allowed: finite numbers"),
        (lambda: column_levels([1.0, 2.0], 2), r"features: got shape \(2,\); allowed: \(N, d\)"),
        (lambda: mean_variance([3.0], [0.0, 2.0]), "values: got 3.0 to 3.0; allowed: 0.0 to 2.0"),
        (lambda: mean_variance([1.0], [2.0, 2.0]), "levels: got 2.0 before 2.0; allowed: rising numbers"),
    ],
)
def test_bad_input_is_refused_in_one_line(make, text: str) -> None:
    with pytest.raises(InputError, match=text):
        make()
