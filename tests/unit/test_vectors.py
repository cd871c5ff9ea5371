"""Vectors in kernels give, lane by lane, what Python integers give."""

import operator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba.core.errors import TypingError

from sim.kernels import kernel
from sim.kernels.vectors import LANES, lanes, largest, numbers, padded, smallest, store, total, where

WIDTHS = (np.int32, np.int64)


@kernel
def operations(x, y, number, out):
    """Write each operation of two arrays of one dtype, and of an array and a number, to a row of `out`."""
    a, b = lanes(x, 0, x), lanes(y, 0, x)
    store(a + b, out[0], 0)
    store(a - b, out[1], 0)
    store(a * b, out[2], 0)
    store(a & b, out[3], 0)
    store(a ^ b, out[4], 0)
    store(min(a, b), out[5], 0)
    store(max(a, b), out[6], 0)
    store(a != b, out[7], 0)
    store(a < b, out[8], 0)
    store(-a, out[9], 0)
    store(a + number, out[10], 0)
    store(number - a, out[11], 0)
    store(where(a < b, a, number), out[12], 0)
    store(numbers(x), out[13], 0)


@kernel
def shifts(x, amount, out):
    store(lanes(x, 0, x) << amount, out[0], 0)
    store(lanes(x, 0, x) >> amount, out[1], 0)


@kernel
def reductions(x):
    a = lanes(x, 0, x)
    return total(a), smallest(a), largest(a)


@kernel
def converted(x, at, like, out):
    store(lanes(x, at, like), out, at)


def wrapped(value: int, dtype: type) -> int:
    bits = np.iinfo(dtype).bits
    return (value + (1 << (bits - 1))) % (1 << bits) - (1 << (bits - 1))


def arrays(dtype: type) -> st.SearchStrategy[np.ndarray]:
    ends = np.iinfo(dtype)
    values = st.one_of(st.integers(ends.min, ends.max), st.integers(-3, 3))
    return st.lists(values, min_size=LANES, max_size=LANES).map(lambda given: np.array(given, dtype))


@pytest.mark.parametrize("dtype", WIDTHS)
@given(data=st.data())
def test_operators_are_those_of_integers_within_the_width(dtype, data):
    x, y, number = data.draw(arrays(dtype)), data.draw(arrays(dtype)), data.draw(st.integers(-(2**63), 2**63 - 1))
    out = np.zeros((14, LANES), dtype)
    operations(x, y, number, out)
    near = min(max(number, np.iinfo(dtype).min), np.iinfo(dtype).max)  # a number comes into the range of the lanes
    both = [operator.add, operator.sub, operator.mul, operator.and_, operator.xor, min, max, operator.ne, operator.lt]
    pairs = list(zip(x.tolist(), y.tolist(), strict=True))
    expected = [[function(a, b) for a, b in pairs] for function in both]
    expected += [[-a for a, _ in pairs], [a + near for a, _ in pairs], [near - a for a, _ in pairs]]
    expected += [[a if a < b else near for a, b in pairs], list(range(LANES))]
    assert out.tolist() == [[wrapped(int(value), dtype) for value in row] for row in expected]


@pytest.mark.parametrize("dtype", WIDTHS)
@given(data=st.data())
def test_shifts_past_the_width_are_by_the_width_less_one(dtype, data):
    x, amount = data.draw(arrays(dtype)), data.draw(st.integers(0, 100))
    out = np.zeros((2, LANES), dtype)
    shifts(x, amount, out)
    by = min(amount, np.iinfo(dtype).bits - 1)
    assert out[0].tolist() == [wrapped(value << by, dtype) for value in x.tolist()]
    assert out[1].tolist() == [value >> by for value in x.tolist()]


@given(x=arrays(np.int32))
def test_sums_of_narrow_lanes_have_64_bits(x):
    assert reductions(x) == (sum(x.tolist()), x.min(), x.max())


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "i8"])
@pytest.mark.parametrize("like", WIDTHS)
def test_entries_of_any_width_become_lanes_and_entries_again(dtype, like):
    ends, at = np.iinfo(dtype), 5
    x = np.random.default_rng(0).integers(ends.min, ends.max, 40, dtype, endpoint=True)
    out = np.zeros(40, like)
    converted(x, at, np.zeros(1, like), out)
    expected = [wrapped(int(value), like) for value in x[at : at + LANES]]
    assert out.tolist() == [0] * at + expected + [0] * (40 - at - LANES)
    back = np.zeros(40, dtype)
    converted(out, at, np.zeros(1, like), back)
    if np.iinfo(like).bits >= ends.bits:
        assert back[at : at + LANES].tolist() == x[at : at + LANES].tolist()


def test_whole_vectors_hold_every_count():
    assert [padded(count) for count in (0, 1, 16, 17, 785)] == [0, 16, 16, 32, 800]


def test_an_array_with_gaps_is_refused():
    with pytest.raises(TypingError, match="allowed: C arrays"):
        converted(np.zeros((2, 40), np.int32)[:, ::2], 0, np.zeros(1, np.int32), np.zeros(40, np.int32))
