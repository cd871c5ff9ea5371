"""Levels that suit the data: those of least mean variance under stochastic rounding, and simpler ones beside them.

A point x between levels p and q is rounded to one of them at random, without bias, with variance (q − x)(x − p).
The levels of least mean variance MV over the points lie at data points, and a dynamic programme finds them. Source: H.
Zhang et al., ZipML, arXiv 1611.05402; the divide-and-conquer form rests on the quadrangle inequality of the costs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from algorithms.problems import finite, real_rows
from sim.errors import InputError, whole_number
from sim.quantize import mode_of

Floats = NDArray[np.float64]
LARGEST_INTERVALS = 255
"""Bound on the intervals between levels: codes have at most 8 bits."""
LARGEST_CANDIDATES = 1 << 14
EXACT_POINTS = 4096
"""Most distinct values for the quadratic programme, which keeps all interval costs."""


class Method(StrEnum):
    """How levels are chosen."""

    DIVIDE = "divide"
    """Least mean variance, by divide and conquer: O(k·N·log N)."""
    EXACT = "exact"
    """Least mean variance, by the plain dynamic programme: O(k·N²), the reference."""
    GRID = "grid"
    """Least mean variance among evenly spaced candidates: O(N + k·M·log M)."""
    GREEDY = "greedy"
    """Merging of neighbouring intervals: at most 4k of them, with at most twice the variance of the best k."""
    UNIFORM = "uniform"
    """Evenly spaced from the smallest to the largest value."""


@dataclass(frozen=True, eq=False)
class _Points:
    """Candidate levels, rising, with running totals of the points: how many, their sum, their squares.

    The totals at a candidate cover the points up to it. Points are shifted to the middle of their range, which changes
    no variance and keeps differences of totals exact enough.
    """

    x: Floats
    counts: Floats
    sums: Floats
    squares: Floats

    @classmethod
    def of(cls, x: Floats, counts: Floats, sums: Floats, squares: Floats) -> _Points:
        return cls(x, *(np.cumsum(part) for part in (counts, sums, squares)))

    def costs(self) -> Floats:
        """Return V(i, j) for all pairs, shape (M, M); infinite where j is before i."""
        left, right = np.arange(len(self.x))[:, None], np.arange(len(self.x))
        costs: Floats = np.where(right >= left, self.between(left, right), np.inf)
        return costs

    def between(self, left: Any, right: Any) -> Floats:
        """Return V(i, j) for arrays of i and j."""
        from algorithms.zipml.kernels import interval_cost

        costs: Floats = interval_cost.py_func(self.x, self.counts, self.sums, self.squares, left, right)
        return costs


def levels_of(
    values: ArrayLike, intervals: int, method: Method | str = Method.DIVIDE, *, candidates: int = 256
) -> Floats:
    """Return levels for stochastic rounding, rising, from the smallest to the largest value.

    Args:
        values: the points, real, any shape.
        intervals: k, so that there are at most k + 1 levels; fewer where there are fewer distinct values, a single one
            for a constant. Greedy merging may use up to 4k intervals.
        method: how they are chosen.
        candidates: M, intervals between the candidates of the grid method.

    Raises:
        InputError: for no points, points that are not finite, numbers out of range, or more distinct values than the
            quadratic programme takes.

    Example:
        >>> levels_of([0.0, 1.0, 2.0, 10.0], 2), levels_of([0.0, 1.0, 2.0, 10.0], 2, "uniform")
        (array([ 0.,  2., 10.]), array([ 0.,  5., 10.]))
    """
    points = finite("values", values)
    intervals = whole_number("intervals", intervals, 1, LARGEST_INTERVALS)
    method = mode_of(Method, "method", method)
    candidates = whole_number("candidates", candidates, 1, LARGEST_CANDIDATES)
    low, high = points.min(), points.max()
    if low == high:
        return np.array([low])
    if method in (Method.UNIFORM, Method.GRID):
        scaled, exponent = _scaled(points)
        levels = np.linspace(scaled.min(), scaled.max(), (candidates if method is Method.GRID else intervals) + 1)
        if method is Method.GRID:
            levels = levels[_least(_binned(scaled, levels), min(intervals, candidates), Method.DIVIDE)]
        return np.unique(np.concatenate(([low], np.ldexp(levels[1:-1], exponent), [high])))
    distinct, counts = np.unique(points, return_counts=True)
    if len(distinct) <= intervals + 1:
        return distinct
    x, weights = _scaled(distinct)[0], counts.astype(np.float64)
    x -= 0.5 * (x[0] + x[-1])
    on_data = _Points.of(x, weights, weights * x, weights * x * x)
    chosen = _merged(on_data, intervals) if method is Method.GREEDY else _least(on_data, intervals, method)
    return distinct[chosen]


def column_levels(
    features: ArrayLike, intervals: int, method: Method | str = Method.DIVIDE, *, candidates: int = 256
) -> list[Floats]:
    """Return levels for every column of the rows, each as `levels_of` gives them.

    Args:
        features: rows, shape (N, d).
        intervals: k.
        method: how they are chosen.
        candidates: M of the grid method.

    Example:
        >>> [column.tolist() for column in column_levels([[0.0, 5.0], [1.0, 5.0], [3.0, 5.0]], 2)]
        [[0.0, 1.0, 3.0], [5.0]]
    """
    rows = real_rows("features", features)
    return [levels_of(column, intervals, method, candidates=candidates) for column in rows.T]


def mean_variance(values: ArrayLike, levels: ArrayLike) -> float:
    """Return MV, the mean of (q − x)(x − p) over the points, p and q being the levels around each.

    Args:
        values: the points, any shape.
        levels: rising, around all points.

    Raises:
        InputError: for points outside the levels, levels that do not rise, or a variance past float64.

    Example:
        >>> mean_variance([0.0, 1.0, 2.0, 10.0], [0.0, 2.0, 10.0])
        0.25
    """
    points, rising = finite("values", values).reshape(-1), finite("levels", levels).reshape(-1)
    for k in np.flatnonzero(rising[1:] <= rising[:-1])[:1]:
        raise InputError(f"levels: got {rising[k]} before {rising[k + 1]}; allowed: rising numbers")
    if points.min() < rising[0] or points.max() > rising[-1]:
        raise InputError(
            f"values: got {points.min()} to {points.max()}; allowed: {rising[0]} to {rising[-1]}, between the levels"
        )
    right = np.clip(np.searchsorted(rising, points), 1, max(len(rising) - 1, 1))
    if len(rising) == 1:
        return 0.0
    (ends, exponent), inside = _scaled(rising), np.ldexp(points, -_exponent(rising))
    mean = float(np.mean((ends[right] - inside) * (inside - ends[right - 1])))
    try:
        return math.ldexp(mean, 2 * exponent)
    except OverflowError:
        raise InputError(
            f"levels: got {rising[0]} to {rising[-1]}; allowed: intervals whose squares float64 holds"
        ) from None


def candidate_bound(least: float, longest: float, spacing: float) -> float:
    """Return the largest mean variance that the grid method can have: MV* + (h/2)·(Λ + h).

    Args:
        least: MV*, that of the best levels.
        longest: Λ, the longest interval between those levels.
        spacing: h, between candidates.

    Example:
        >>> candidate_bound(1.0, 0.5, 0.25)
        1.09375
    """
    return least + 0.5 * spacing * (longest + spacing)


def _exponent(values: Floats) -> int:
    return int(np.frexp(np.abs(values).max())[1])


def _scaled(values: Floats) -> tuple[Floats, int]:
    """Return values divided by a power of two, so that no square is past float64, and its exponent."""
    exponent = _exponent(values)
    return np.ldexp(values, -exponent), exponent


def _binned(points: Floats, levels: Floats) -> _Points:
    """Return the running totals of points up to every candidate, each point counted at the candidate above it."""
    middle = 0.5 * (levels[0] + levels[-1])
    shifted = points.reshape(-1) - middle
    steps = (points.reshape(-1) - levels[0]) * ((len(levels) - 1) / (levels[-1] - levels[0]))
    place = np.clip(np.ceil(steps), 0, len(levels) - 1).astype(np.int64)
    totals: list[Any] = [np.bincount(place, w, len(levels)) for w in (np.ones_like(shifted), shifted, shifted**2)]
    return _Points.of(levels - middle, *totals)


def _least(points: _Points, intervals: int, method: Method) -> list[int]:
    """Return the positions of the levels of least cost, rising."""
    if method is Method.EXACT:
        best = _plain_programme(points, intervals)
    else:
        from algorithms.zipml import kernels

        best, _ = kernels.divide_and_conquer(points.x, points.counts, points.sums, points.squares, intervals)
    end = len(points.x) - 1
    positions = [end]
    for row in best[:0:-1]:
        positions.append(int(row[positions[-1]]))
    return sorted({*positions, 0})


def _plain_programme(points: _Points, intervals: int) -> NDArray[np.int64]:
    """Return best left ends, T(q, j) = min over i of T(q − 1, i) + V(i, j): the reference."""
    if len(points.x) > EXACT_POINTS:
        raise InputError(
            f"values: got {len(points.x)} distinct ones; allowed: at most {EXACT_POINTS} with method exact"
        )
    costs, totals = points.costs(), np.full(len(points.x), np.inf)
    totals[0] = 0.0
    best = np.zeros((intervals + 1, len(points.x)), np.int64)
    for q in range(1, intervals + 1):
        sums = totals[:, None] + costs
        best[q], totals = sums.argmin(axis=0), sums.min(axis=0)
    return best


def _merged(points: _Points, intervals: int) -> list[int]:
    """Return the positions of levels by merging: the 2k costliest pairs of neighbours stay apart in every round.

    Of these at least k hold no level of the best solution inside, and cost it as much; so no merged pair that holds one
    costs more than OPT/k, and there are fewer than k such.
    """
    keep = 2 * intervals - 1
    ends = np.arange(len(points.x))
    while len(ends) - 1 > 2 * (keep + 1):
        pairs = (len(ends) - 1) // 2
        costs = points.between(ends[0 : 2 * pairs : 2], ends[2 : 2 * pairs + 1 : 2])
        apart = np.argsort(costs, kind="stable")[::-1][:keep]
        stays = np.ones(len(ends), bool)
        stays[1 : 2 * pairs : 2] = False
        stays[1 + 2 * apart] = True
        ends = ends[stays]
    return [int(position) for position in ends]
