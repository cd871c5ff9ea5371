"""Generator words: the linear map of a generator as byte tables, or as the shifts of a xorshift; fields of lanes."""

from __future__ import annotations

from typing import Any

import numpy as np

from sim.kernels import kernel
from sim.kernels.vectors import LANES, lanes, store
from sim.random_bits import WORD_BITS


@kernel
def advance(state: Any, tables: Any) -> Any:
    """Return the state one word later."""
    result = np.uint64(0)
    for byte in range(tables.shape[0]):
        result ^= tables[byte, (state >> np.uint64(8 * byte)) & np.uint64(255)]
    return result


@kernel
def generate(state: Any, tables: Any, out: Any) -> Any:
    """Fill `out` with words and return the final state."""
    for i in range(out.shape[0]):
        state = advance(state, tables)
        out[i] = np.int64(state & np.uint64(0xFFFFFFFF))
    return state


@kernel
def words_of_tables(tables: Any, states: Any, count: Any, beats: Any, words: Any) -> None:
    """Write the next word of each of `count` generators for each beat."""
    for beat in range(beats):
        for g in range(count):
            states[g] = advance(states[g], tables)
            words[beat * count + g] = np.uint32(states[g])


@kernel
def words_of_shifts(shifts: Any, states: Any, count: Any, beats: Any, words: Any) -> None:
    """Write what `words_of_tables` would, for xorshifts; states are filled up to whole vectors, words by one more."""
    left, right, last = shifts
    low = (1 << (WORD_BITS - right)) - 1
    for g in range(0, count, LANES):
        state = lanes(states, g, words)
        for beat in range(beats):
            state = state ^ (state << left)
            state = state ^ ((state >> right) & low)
            state = state ^ (state << last)
            store(state, words, beat * count + g)  # the next beat goes over the lanes that are no generator
        store(state, states, g)


@kernel
def lane_fields(words: Any, count: Any, bits: Any, width: Any, fields: Any) -> None:
    """Take the words of `count` generators a beat apart: `bits` for each of its `width` columns, the lowest first."""
    per_word, mask = WORD_BITS // bits, (1 << bits) - 1
    for j in range(fields.shape[0]):
        beat, lane = j // width, j % width
        word = np.int64(words[beat * count + lane // per_word])
        fields[j] = (word >> (bits * (lane % per_word))) & mask
