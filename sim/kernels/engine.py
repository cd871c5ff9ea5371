"""The training engine's inner loop, compiled; equal to `sim.engine.reference` bit for bit."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from sim.kernels import kernel
from sim.kernels.casts import NO_LIMIT, OverflowRow, RoundingRow, apply_overflow, round_shift
from sim.kernels.random_bits import advance, lane_fields, words_of_shifts, words_of_tables
from sim.kernels.vectors import LANES, lanes, largest, numbers, prefetch, smallest, store, total, where

AFFINE, CENTRED, ABSOLUTE = 0, 1, 2
AHEAD, LINE = 4, 64
"""Steps before which a row is asked for, and bytes that memory gives at a time."""
NONE = np.int64(0)
"""No word, or the first column; a literal 0 would be compiled as a type of its own."""


class LinkNumbers(NamedTuple):
    """The link as numbers: its kind, registers, and the rows of its casts."""

    kind: int
    multiplier: int
    index_multiplier: int
    index_rounding: RoundingRow
    index_overflow: OverflowRow
    rounding: RoundingRow
    overflow: OverflowRow
    index_half: int


class Records(NamedTuple):
    """Per-sample words of the link, and its table (2-D; one row if absolute)."""

    offsets: Any
    grid: Any
    targets: Any
    table: Any


class Casts(NamedTuple):
    """The casts of accumulator, product, increment and model.

    Those of the update are rows of either kind, and `model_rounding` has an array by column in each place where blocks
    have exponents of their own.
    """

    accumulator: OverflowRow
    product: Any
    increment: Any
    model_rounding: Any
    model: Any


class Streams(NamedTuple):
    """Random sources of the update, and the state of the coefficient's own.

    There are `generators` of them, with states filled up to whole vectors. Their map is three shifts, or `tables` where
    the first shift is 0. `words` has room for the words of a row, one a beat and generator, and a vector more; `fields`
    has the `bits` of each column: it is the same memory, or memory of its own if words are to be taken `apart`.
    """

    states: Any
    shifts: tuple[int, int, int]
    tables: Any
    words: Any
    fields: Any
    apart: bool
    generators: int
    bits: int
    own_state: Any
    own_random: bool


class Tally(NamedTuple):
    """What the nodes t u c p a z h held; with arrays of no node nothing is counted.

    `bins` has a count a node, sign (at least 0, negative) and bits of the magnitude, shape (7, 2, 64); `ends` the
    smallest and largest value, shape (7, 2).
    """

    bins: Any
    ends: Any


@kernel
def _count(values: Any, bins: Any, ends: Any) -> None:
    """Count values by sign and bits of their magnitude, and widen the extremes."""
    low, high = ends[0], ends[1]
    for j in range(values.shape[0]):
        value = np.int64(values[j])
        low, high = min(low, value), max(high, value)
        rest, bits = abs(value), NONE
        for step in (32, 16, 8, 4, 2, 1):
            half = np.int64(rest >> step != 0) * step
            rest >>= half
            bits += half
        bins[np.int64(value < 0), bits + rest] += 1
    ends[0], ends[1] = low, high


@kernel
def _dot(rows: Any, start: Any, z: Any, exponents: Any) -> Any:
    """Return the dot product of the row from `start` on, each column times 2^exponent; z is 0 past the last."""
    sums = lanes(0, 0, z)
    for at in range(0, z.shape[0], LANES):
        sums = sums + lanes(rows, start + at, z) * (lanes(z, at, z) << lanes(exponents, at, z))
    return total(sums)


@kernel
def _update(
    c: Any, rows: Any, start: Any, h: Any, z: Any, columns: Any, fields: Any, casts: Any, kept: Any, seen: Any
) -> Any:
    """Update z by the row from `start` on; p and a go to `kept`.

    Returns `seen` with this row in it: extremes of p, a and z, overflows of a and z, each by lane.
    """
    products, increments = kept
    p_low, p_high, a_low, a_high, z_low, z_high, a_over, z_over = seen
    place = numbers(z)
    for at in range(0, z.shape[0], LANES):
        inside = place < columns
        place = place + LANES
        p = round_shift(lanes(c, at, z) * lanes(rows, start + at, z), lanes(0, at, z), casts.product)
        exact = -p - lanes(h, at, z)
        a = apply_overflow(exact, casts.increment)
        rounding = lanes(casts.model_rounding, at, z)
        moved = lanes(z, at, z) + round_shift(a, lanes(fields, at, z), rounding)
        word = where(inside, apply_overflow(moved, casts.model), 0)
        store(p, products, at)
        store(a, increments, at)
        store(word, z, at)
        p_low, p_high = where(inside, min(p_low, p), p_low), where(inside, max(p_high, p), p_high)
        a_low, a_high = where(inside, min(a_low, a), a_low), where(inside, max(a_high, a), a_high)
        z_low, z_high = where(inside, min(z_low, word), z_low), where(inside, max(z_high, word), z_high)
        a_over = where((a != exact) & inside, a_over + 1, a_over)
        z_over = where((word != moved) & inside, z_over + 1, z_over)
    return p_low, p_high, a_low, a_high, z_low, z_high, a_over, z_over


@kernel
def run_epoch(
    dot_rows: Any,
    update_rows: Any,
    indices: Any,
    z: Any,
    h: Any,
    columns: Any,
    exponents: Any,
    raised: Any,
    width: Any,
    exact_dot: Any,
    link: Any,
    records: Any,
    casts: Any,
    streams: Any,
    counts: Any,
    seen: Any,
    first: Any,
    trace: Any,
    tally: Any,
) -> None:
    """Run all steps; z, `counts` (5) and `seen` (12: low and high of t u c p a z) change in place.

    z and h, and what else has an entry a column but for the rows, are filled up to whole vectors, z and h by 0; the
    dtype of both is that in which the update is exact. `exact_dot` tells that no beat can overflow, and that the dot
    product fits that dtype, too; `raised` is the exponent of all columns then, or of each. `width` is the columns of a
    beat. `trace` has the arrays of `StageTrace`, for the steps from `first` on; `tally` counts what the nodes hold.
    """
    # Out of their tuples here, since in the loop each use of an array would count references to it.
    offsets, grid, targets, table = records
    initial, shifts, tables, words, fields, apart, generators, bits, own, own_random = streams
    states, states_32 = initial.copy(), initial.astype(np.uint32)
    kept = np.zeros_like(z), np.zeros_like(z)
    totals, index_trace, c_trace, random_trace, p_trace, a_trace, z_trace = trace
    bins, ends, profiled = tally.bins, tally.ends, tally.bins.shape[0] > 0
    beat_totals, scalars = np.empty(exponents.shape[0], np.int64), np.empty(2, np.int64)
    low, high, none = lanes(NO_LIMIT, 0, z), lanes(-NO_LIMIT, 0, z), lanes(0, 0, z)
    moved = (low, high, low, high, low, high, none, none)
    if profiled:
        _count(h[:columns], bins[6], ends[6])
    for step in range(indices.shape[0]):
        i = indices[step]
        at = step - first
        traced = 0 <= at < c_trace.shape[0]
        soon = indices[min(step + AHEAD, indices.shape[0] - 1)] * columns
        for place in range(0, columns, LINE // dot_rows.itemsize):
            prefetch(dot_rows, soon + place)
            prefetch(update_rows, soon + place)
        if shifts[0] > 0:
            words_of_shifts(shifts, states_32, generators, exponents.shape[0], words)
        else:
            words_of_tables(tables, states, generators, exponents.shape[0], words)
        if apart:
            lane_fields(words, generators, bits, width, fields[:columns])

        t = np.int64(0)
        if exact_dot and not traced and not profiled:
            t = _dot(dot_rows, i * columns, z, raised)
        else:
            for beat in range(exponents.shape[0]):
                s = np.int64(0)
                for j in range(beat * width, min((beat + 1) * width, columns)):
                    s += np.int64(dot_rows[i, j]) * np.int64(z[j])
                exact = t + (s << exponents[beat])
                t = apply_overflow(exact, casts.accumulator)
                counts[0] += t != exact
                beat_totals[beat] = t
            if traced:
                totals[at] = beat_totals
        seen[0], seen[1] = min(seen[0], t), max(seen[1], t)

        v = t + offsets[i]
        u, k = np.int64(0), v * link.multiplier
        if link.kind != AFFINE:
            exact = round_shift(v * link.index_multiplier, NONE, link.index_rounding)
            u = apply_overflow(exact, link.index_overflow)
            counts[1] += u != exact
            if link.kind == CENTRED:
                k = v * table[grid[i], u + link.index_half]
            else:
                k = link.multiplier * (table[0, u + link.index_half] - targets[i])
        word = np.int64(0)
        if own_random:
            own = advance(own, tables)
            word = np.int64(own & np.uint64(0xFFFFFFFF))
        exact = round_shift(k, word, link.rounding)
        c = apply_overflow(exact, link.overflow)
        counts[2] += c != exact
        seen[2], seen[3] = min(seen[2], u), max(seen[3], u)
        seen[4], seen[5] = min(seen[4], c), max(seen[5], c)

        moved = _update(c, update_rows, i * columns, h, z, columns, fields, casts, kept, moved)
        if traced:
            index_trace[at], c_trace[at] = u, c
            random_trace[at], p_trace[at] = fields[:columns], kept[0][:columns]
            a_trace[at], z_trace[at] = kept[1][:columns], z[:columns]
        if profiled:
            scalars[0], scalars[1] = u, c
            _count(beat_totals, bins[0], ends[0])
            if link.kind != AFFINE:
                _count(scalars[:1], bins[1], ends[1])
            _count(scalars[1:], bins[2], ends[2])
            _count(kept[0][:columns], bins[3], ends[3])
            _count(kept[1][:columns], bins[4], ends[4])
            _count(z[:columns], bins[5], ends[5])
    p_low, p_high, a_low, a_high, z_low, z_high, a_over, z_over = moved
    seen[6], seen[8], seen[10] = smallest(p_low), smallest(a_low), smallest(z_low)
    seen[7], seen[9], seen[11] = largest(p_high), largest(a_high), largest(z_high)
    counts[3], counts[4] = total(a_over), total(z_over)


def nothing_seen() -> Any:
    """Return extremes before the first value."""
    return np.array([NO_LIMIT, -NO_LIMIT] * 6, np.int64)


def tally(nodes: int) -> Tally:
    """Return counts of a number of nodes before the first value."""
    ends = np.array([[NO_LIMIT, -NO_LIMIT]] * nodes, np.int64).reshape(nodes, 2)
    return Tally(np.zeros((nodes, 2, 64), np.int64), ends)
