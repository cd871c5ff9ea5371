"""Matrix products through an accumulator of limited width: every fast path equals the sum beat by beat.

Two theorems make them fast. A sum that wraps at every beat is the exact sum wrapped once. Where the L1 norm of a row
times the largest |b| fits the accumulator, no beat of that row can saturate, and the exact sum is the result.
"""

from functools import cache
from itertools import product

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from sim import reference
from sim.accumulate import Accumulator, dot, matmul
from sim.formats import QFormat
from sim.modes import Overflow, Rounding
from sim.quantize import Requantizer
from sim.statistics import Statistics
from tests.definitions import CIRCUIT_OVERFLOWS, DETERMINISTIC

SATURATING = (Overflow.SAT, Overflow.SAT_SYM)


def one_after_another(a: NDArray, b: NDArray, width: int, overflow: Overflow, lanes: int) -> NDArray[np.int64]:
    """The definition in numpy: overflow applied once a beat, on all outputs together."""
    a, b = a.astype(np.int64), b.astype(np.int64)
    high = 2 ** (width - 1) - 1
    low = -high if overflow is Overflow.SAT_SYM else -high - 1
    total = np.zeros((a.shape[0], b.shape[1]), np.int64)
    for first in range(0, a.shape[1], lanes):
        total += a[:, first : first + lanes] @ b[first : first + lanes]
        total = (total - low) % 2**width + low if overflow is Overflow.WRAP else np.clip(total, low, high)
    return total


def one_by_one(a: NDArray, b: NDArray, accumulator: Accumulator) -> tuple[list[list[int]], int]:
    """The definition on Python integers, which cannot overflow: the sums, and how many beats overflowed."""
    overflows, sums = 0, []
    for row in a.tolist():
        sums.append([])
        for column in b.T.tolist():
            products, total = [x * y for x, y in zip(row, column, strict=True)], 0
            if cast := accumulator.product:
                kind = (cast.format.width, cast.format.signed, cast.rounding, cast.overflow)
                products = [reference.cast(product, -cast.format.frac, *kind) for product in products]
            for first in range(0, len(products), accumulator.lanes):
                beat = products[first : first + accumulator.lanes]
                exact = total + sum(beat)
                total = reference.accumulate(total, beat, accumulator.width, accumulator.overflow)
                overflows += total != exact
            sums[-1].append(total)
    return sums, overflows


@cache
def bytes_of_512() -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    random = np.random.default_rng(7)
    a, b = random.integers(-128, 128, (2, 512, 512), dtype=np.int8)
    return a, b


@pytest.mark.parametrize("lanes", [1, 16])
@pytest.mark.parametrize("overflow", CIRCUIT_OVERFLOWS)
def test_512_cubed_bytes_in_18_bits_equal_the_sequential_sum_on_every_output(overflow, lanes):
    a, b = bytes_of_512()
    result = matmul(a, b, Accumulator(18, overflow, lanes))
    assert np.array_equal(result, one_after_another(a, b, 18, overflow, lanes))


def test_more_than_half_of_the_outputs_saturate_on_the_way():
    """So the test above compares saturation, not only sums. The seed is fixed: nothing is left to chance."""
    a, b = bytes_of_512()
    exact = a.astype(np.int64) @ b.astype(np.int64)
    differ = np.mean(matmul(a, b, Accumulator(18, Overflow.SAT)) != exact)
    assert differ == pytest.approx(0.55, abs=0.01)


@pytest.mark.parametrize("lanes", [1, 16])
@pytest.mark.parametrize("overflow", SATURATING)
def test_rows_that_cannot_saturate_and_rows_that_can_are_both_sequential(overflow, lanes):
    """Rows of growing norm: 18 bits are proven exact for the first hundred, and saturate in the last."""
    a, b = bytes_of_512()
    a = (a * (np.arange(512) / 511)[:, None] ** 2).astype(np.int8)
    proven = np.abs(a.astype(np.int64)).sum(axis=1) * 128 < 1 << 17
    result = matmul(a, b, Accumulator(18, overflow, lanes))
    exact = a.astype(np.int64) @ b.astype(np.int64)
    assert np.count_nonzero(proven) == 100
    assert np.array_equal(result, one_after_another(a, b, 18, overflow, lanes))
    assert np.array_equal(result[proven], exact[proven])
    assert not np.array_equal(result[~proven], exact[~proven])


@st.composite
def small_products(draw, largest_bits=28):
    """Operands of a few rows and columns whose products use `bits` bits each, the ends of the range often."""
    rows, length, columns = (draw(st.integers(1, top)) for top in (3, 9, 3))
    operands = []
    for shape in ((rows, length), (length, columns)):
        low = -(1 << draw(st.integers(0, largest_bits)))
        elements = st.sampled_from([low, -low - 1, 0, 1, -1]) | st.integers(low, -low - 1)
        operands.append(draw(arrays(np.int64, shape, elements=elements)))
    return operands


NO_CAST = st.none()


@st.composite
def accumulators(draw, product=NO_CAST):
    width, lanes, overflow = st.integers(2, 60), st.integers(1, 10), st.sampled_from(CIRCUIT_OVERFLOWS)
    return Accumulator(draw(width), draw(overflow), draw(lanes), draw(product))


@st.composite
def casts(draw):
    fmt = QFormat(draw(st.integers(1, 40)), -draw(st.integers(-4, 30)), draw(st.booleans()))
    return Requantizer(fmt, draw(st.sampled_from(list(DETERMINISTIC))), draw(st.sampled_from(CIRCUIT_OVERFLOWS)))


@settings(max_examples=1000)
@given(small_products(), accumulators())
def test_matmul_equals_the_reference(operands, accumulator):
    sums, _ = one_by_one(*operands, accumulator)
    assert matmul(*operands, accumulator).tolist() == sums


@settings(max_examples=1000)
@given(small_products(largest_bits=24), accumulators(product=casts()))
def test_matmul_with_a_product_cast_equals_the_reference(operands, accumulator):
    sums, _ = one_by_one(*operands, accumulator)
    assert matmul(*operands, accumulator).tolist() == sums


@settings(max_examples=500)
@given(small_products(largest_bits=24), accumulators(product=st.none() | casts()))
def test_statistics_count_the_beats_that_overflow_and_change_no_bit(operands, accumulator):
    sums, overflows = one_by_one(*operands, accumulator)
    seen = Statistics()
    assert matmul(*operands, accumulator, statistics=seen).tolist() == sums
    results = [total for row in sums for total in row]
    low, high = reference.limits(accumulator.width, True, accumulator.overflow)
    beats = len(results) * -(-operands[0].shape[1] // accumulator.lanes)
    ends = (results.count(low), results.count(high), min(results), max(results))
    assert seen == Statistics(beats, overflows, *ends)


@given(small_products(), accumulators())
def test_dot_is_one_output_of_matmul(operands, accumulator):
    a, b = operands
    assert dot(a[0], b[:, 0], accumulator) == matmul(a, b, accumulator)[0, 0]


# The theorems, and the edges of the paths that rest on them


@settings(max_examples=500)
@given(small_products(), st.integers(2, 60), st.integers(1, 10))
def test_wrapping_at_every_beat_is_wrapping_once(operands, width, lanes):
    """On Python integers: the exact sum, reduced modulo 2^width into the range."""
    a, b = operands
    half = 1 << (width - 1)
    exact = a.astype(object) @ b.astype(object)
    result = matmul(a, b, Accumulator(width, Overflow.WRAP, lanes))
    assert result.tolist() == ((exact + half) % (2 * half) - half).tolist()


@settings(max_examples=500)
@given(
    small_products(largest_bits=12), st.sampled_from(SATURATING), st.integers(1, 10), st.integers(-1, 1), st.booleans()
)
@example([np.array([[1, 1, -1]]), np.array([[4], [4], [4]])], Overflow.SAT, 1, -1, True)
def test_the_bound_of_a_row_is_used_where_it_proves_and_not_one_step_before(operands, overflow, lanes, past, negative):
    """The accumulator ends at, just before or just after the L1 norm of the last row times the largest |b|."""
    a, b = operands
    bound = int(np.abs(a[-1]).sum() * np.abs(b).max())
    width = (bound + past).bit_length() + 1
    assume(width >= 2)
    a[-1] = np.where(negative, -a[-1], a[-1])
    accumulator = Accumulator(width, overflow, lanes)
    assert matmul(a, b, accumulator).tolist() == one_by_one(a, b, accumulator)[0]


@pytest.mark.parametrize("end", [7, 127, 2**23 - 1, 2**30 - 1])
@pytest.mark.parametrize("overflow", SATURATING)
@pytest.mark.parametrize("past", [-1, 0, 1])
def test_a_row_whose_norm_just_reaches_the_end(end, overflow, past):
    """One step past the end, a saturating sum loses that step on the way and ends one short."""
    a, b = np.array([[end - 1 + past, 1, -1]]), np.array([[1], [1], [1]])
    width = end.bit_length() + 1
    expected = end - 1 + past - (past > 0)
    assert matmul(a, b, Accumulator(width, overflow)).tolist() == [[expected]]
    expected = -(end - 1 + past) + (past > 0 and overflow is Overflow.SAT_SYM)
    assert matmul(-a, b, Accumulator(width, overflow)).tolist() == [[expected]]


@pytest.mark.parametrize("bits", [24, 53])
@pytest.mark.parametrize("overflow", CIRCUIT_OVERFLOWS)
def test_sums_around_the_last_whole_float_keep_their_last_bit(bits, overflow):
    """2^24 + 1 is no float32 and 2^53 + 1 no float64; the products are far below."""
    half = 1 << (bits - 1)
    for first, second in product(range(half - 2, half + 3), repeat=2):
        for sign in (1, -1):
            a, b = np.array([[first, second], [first, -second]]), np.full((2, 1), sign)
            expected = [[sign * (first + second)], [sign * (first - second)]]
            assert matmul(a, b, Accumulator(60, overflow)).tolist() == expected


@pytest.mark.parametrize("width", [31, 33, 60])
@pytest.mark.parametrize("overflow", CIRCUIT_OVERFLOWS)
def test_sums_past_64_bits_end_where_the_accumulator_does(width, overflow):
    """Forty products of 60 bits, and as many negative ones with one left over."""
    largest = (1 << 30) - 1
    a = np.full((1, 81), largest)
    b = np.full((81, 2), largest)
    b[40:, 0] *= -1
    accumulator = Accumulator(width, overflow)
    assert matmul(a, b, accumulator).tolist() == one_by_one(a, b, accumulator)[0]


@pytest.mark.parametrize("bits", [24, 31, 53])
@pytest.mark.parametrize("overflow", SATURATING)
def test_a_beat_that_passes_the_last_whole_number_of_a_type_and_returns_keeps_its_last_bit(bits, overflow):
    """From t, the beat p + p − p − p passes 2^bits with an odd sum; t is the largest code, and its neighbours."""
    p, largest = (1 << (bits - 1)) - (1 << (bits - 5)), (1 << (bits - 3)) - 1
    for t in range(largest - 3, largest + 1):
        a = np.array([[t, 0, 0, 0, p, p, -p, -p], [-t, 0, 0, 0, -p, -p, p, p]])
        assert matmul(a, np.ones((8, 1), np.int8), Accumulator(bits - 2, overflow, 4)).tolist() == [[t], [-t]]


@pytest.mark.parametrize("bits", [24, 31, 53])
@pytest.mark.parametrize("overflow", SATURATING)
@pytest.mark.parametrize("lanes", [1, 3, 4])
def test_saturating_sums_around_the_last_whole_number_of_a_type_lose_no_bit(bits, overflow, lanes):
    """A float32 holds every integer up to 2^24, an int32 to 2^31, a float64 to 2^53; partial sums pass these ends."""
    random = np.random.default_rng(bits)
    for largest, width in product((1 << (bits - 2), 3 << (bits - 3), 1 << (bits - 1)), (bits - 1, bits)):
        for end in range(largest - 2, largest + 3):
            a, b = random.choice([-end, end, end - 1, 1], (5, 50)), random.choice([-1, 1], (50, 4))
            result = matmul(a, b, Accumulator(width, overflow, lanes))
            assert np.array_equal(result, one_after_another(a, b, width, overflow, lanes))


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (2, 33), (70, 3), (65, 513), (513, 65)])
@pytest.mark.parametrize(
    ("length", "lanes"), [(1, 1), (7, 1), (7, 3), (8, 4), (9, 4), (17, 8), (16, 16), (17, 16), (5, 64)]
)
def test_every_shape_of_block_and_beat_equals_the_sequential_sum(rows, columns, length, lanes):
    random = np.random.default_rng(columns)
    a, b = random.integers(-128, 128, (rows, length)), random.integers(-128, 128, (length, columns))
    for overflow in CIRCUIT_OVERFLOWS:
        result = matmul(a, b, Accumulator(15, overflow, lanes))
        assert np.array_equal(result, one_after_another(a, b, 15, overflow, lanes))


def test_the_rounding_of_products_is_that_of_one_product_at_a_time():
    """Product cast, then sum; not sum, then cast: 64 products of ½ become 64 by TIES_POS, and 0 by TO_NEG."""
    a, b = np.ones((1, 64), np.int8), np.full((64, 1), 2, np.int8)
    for rounding, total in ((Rounding.TIES_POS, 64), (Rounding.TO_NEG, 0), (Rounding.TIES_EVEN, 0)):
        cast = Requantizer(QFormat(8, -2), rounding, Overflow.SAT)
        assert matmul(a, b, Accumulator(16, Overflow.SAT, 4, cast)).tolist() == [[total]]
