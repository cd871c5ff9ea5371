"""The training engine's inner loop, compiled; equal to `sim.engine.reference` bit for bit."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from sim.kernels import kernel
from sim.kernels.casts import NO_LIMIT, OverflowRow, RoundingRow, apply_overflow, round_shift
from sim.kernels.random_bits import advance

AFFINE, CENTRED, ABSOLUTE = 0, 1, 2
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
    """The casts of accumulator, product, increment and model; `model_rounding` has a row a block, shape (blocks, 7)."""

    accumulator: OverflowRow
    product: RoundingRow
    increment: OverflowRow
    model_rounding: Any
    model: OverflowRow
    lanes: int


class Streams(NamedTuple):
    """Random sources: generator states and their map; a word serves some lanes, `bits` each from the lowest on."""

    states: Any
    tables: Any
    lanes_a_word: int
    bits: int
    mask: int
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
        value = values[j]
        low, high = min(low, value), max(high, value)
        rest, bits = abs(value), NONE
        for step in (32, 16, 8, 4, 2, 1):
            half = np.int64(rest >> step != 0) * step
            rest >>= half
            bits += half
        bins[np.int64(value < 0), bits + rest] += 1
    ends[0], ends[1] = low, high


@kernel
def _dot(x: Any, z: Any, start: Any, stop: Any) -> Any:
    total = np.int64(0)
    for j in range(start, stop):
        total += np.int64(x[j]) * z[j]
    return total


@kernel
def _random_fields(streams: Any, states: Any, lanes: Any, fields: Any) -> None:
    """Fill `fields` with the random field of every column: the generators advance once a beat, padding included."""
    for start in range(0, fields.shape[0], lanes):
        stop = min(start + lanes, fields.shape[0])
        for g in range(states.shape[0]):
            states[g] = advance(states[g], streams.tables)
            word: Any = np.int64(states[g] & np.uint64(0xFFFFFFFF))
            first = start + g * streams.lanes_a_word
            for j in range(first, min(first + streams.lanes_a_word, stop)):
                fields[j] = word & streams.mask
                word >>= streams.bits


# Two loops of few arrays each: with more, the compiler gives up proving that they do not overlap, and vectors with it.


@kernel
def _increments(c: Any, x: Any, h: Any, casts: Any, products: Any, increments: Any, seen: Any) -> Any:
    """Fill p and a of a row; return how many increments overflowed."""
    overflows = 0
    p_low, p_high, a_low, a_high = seen[6], seen[7], seen[8], seen[9]
    for j in range(increments.shape[0]):
        p = round_shift(c * np.int64(x[j]), NONE, casts.product)
        exact = -p - h[j]
        a = apply_overflow(exact, casts.increment)
        overflows += a != exact
        products[j] = p
        increments[j] = a
        p_low, p_high = min(p_low, p), max(p_high, p)
        a_low, a_high = min(a_low, a), max(a_high, a)
    seen[6], seen[7], seen[8], seen[9] = p_low, p_high, a_low, a_high
    return overflows


@kernel
def _move(increments: Any, fields: Any, rounding: Any, overflow: Any, z: Any, seen: Any) -> Any:
    """Add the rounded increments of a block to z; return how many words overflowed."""
    overflows = 0
    low, high = seen[10], seen[11]
    for j in range(z.shape[0]):
        moved = z[j] + round_shift(increments[j], fields[j], rounding)
        word = apply_overflow(moved, overflow)
        overflows += word != moved
        z[j] = word
        low, high = min(low, word), max(high, word)
    seen[10], seen[11] = low, high
    return overflows


@kernel
def _update(c: Any, x: Any, h: Any, z: Any, fields: Any, casts: Any, products: Any, increments: Any, seen: Any) -> Any:
    """Update z in place; return how many increments and model words overflowed. `seen` gets p, a, z extremes."""
    over_a, over_z = _increments(c, x, h, casts, products, increments, seen), 0
    rows = casts.model_rounding
    size = z.shape[0] if rows.shape[0] == 1 else casts.lanes
    for block in range(rows.shape[0]):
        row = (
            rows[block, 0],
            rows[block, 1],
            rows[block, 2],
            rows[block, 3],
            rows[block, 4],
            rows[block, 5],
            rows[block, 6],
        )
        start, stop = block * size, min((block + 1) * size, z.shape[0])
        part = increments[start:stop]
        over_z += _move(part, fields[start:stop], row, casts.model, z[start:stop], seen)
    return over_a, over_z


@kernel
def run_epoch(
    dot_rows: Any,
    update_rows: Any,
    indices: Any,
    z: Any,
    h: Any,
    exponents: Any,
    lanes: Any,
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

    `exact_dot` tells that no beat can overflow and no exponent is set. `trace` has the arrays of `StageTrace`, for the
    steps from `first` on; `tally` counts what the nodes hold.
    """
    columns = z.shape[0]
    fields = np.zeros(columns, np.int64)
    products, increments = np.empty(columns, np.int64), np.empty(columns, np.int64)
    states, own = streams.states.copy(), streams.own_state
    totals, index_trace, c_trace, random_trace, p_trace, a_trace, z_trace = trace
    bins, ends, profiled = tally.bins, tally.ends, tally.bins.shape[0] > 0
    beat_totals, scalars = np.empty(exponents.shape[0], np.int64), np.empty(2, np.int64)
    if profiled:
        _count(h, bins[6], ends[6])
    for step in range(indices.shape[0]):
        i = indices[step]
        at = step - first
        traced = 0 <= at < c_trace.shape[0]
        xa = dot_rows[i]

        t = np.int64(0)
        if exact_dot and not traced and not profiled:
            t = _dot(xa, z, NONE, columns)
        else:
            for beat in range(exponents.shape[0]):
                s = _dot(xa, z, beat * lanes, min((beat + 1) * lanes, columns))
                exact = t + (s << exponents[beat])
                t = apply_overflow(exact, casts.accumulator)
                counts[0] += t != exact
                beat_totals[beat] = t
            if traced:
                totals[at] = beat_totals
        seen[0], seen[1] = min(seen[0], t), max(seen[1], t)

        v = t + records.offsets[i]
        u, k = np.int64(0), v * link.multiplier
        if link.kind != AFFINE:
            exact = round_shift(v * link.index_multiplier, NONE, link.index_rounding)
            u = apply_overflow(exact, link.index_overflow)
            counts[1] += u != exact
            if link.kind == CENTRED:
                k = v * records.table[records.grid[i], u + link.index_half]
            else:
                k = link.multiplier * (records.table[0, u + link.index_half] - records.targets[i])
        word = np.int64(0)
        if streams.own_random:
            own = advance(own, streams.tables)
            word = np.int64(own & np.uint64(0xFFFFFFFF))
        exact = round_shift(k, word, link.rounding)
        c = apply_overflow(exact, link.overflow)
        counts[2] += c != exact
        seen[2], seen[3] = min(seen[2], u), max(seen[3], u)
        seen[4], seen[5] = min(seen[4], c), max(seen[5], c)

        if states.shape[0] > 0:
            _random_fields(streams, states, lanes, fields)
        over_a, over_z = _update(c, update_rows[i], h, z, fields, casts, products, increments, seen)
        counts[3] += over_a
        counts[4] += over_z
        if traced:
            index_trace[at], c_trace[at] = u, c
            random_trace[at], p_trace[at], a_trace[at], z_trace[at] = fields, products, increments, z
        if profiled:
            scalars[0], scalars[1] = u, c
            _count(beat_totals, bins[0], ends[0])
            if link.kind != AFFINE:
                _count(scalars[:1], bins[1], ends[1])
            _count(scalars[1:], bins[2], ends[2])
            _count(products, bins[3], ends[3])
            _count(increments, bins[4], ends[4])
            _count(z, bins[5], ends[5])


def nothing_seen() -> Any:
    """Return extremes before the first value."""
    return np.array([NO_LIMIT, -NO_LIMIT] * 6, np.int64)


def tally(nodes: int) -> Tally:
    """Return counts of a number of nodes before the first value."""
    ends = np.array([[NO_LIMIT, -NO_LIMIT]] * nodes, np.int64).reshape(nodes, 2)
    return Tally(np.zeros((nodes, 2, 64), np.int64), ends)
