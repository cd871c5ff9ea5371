"""The accumulator by example: when overflow acts, what order does, and which widths suffice."""

from math import ceil, log2

import numpy as np
import pytest

from sim.accumulate import Accumulator, dot, matmul
from sim.errors import InputError
from sim.formats import QFormat
from sim.modes import Overflow, Rounding
from sim.quantize import Requantizer
from sim.statistics import Statistics
from tests.definitions import DETERMINISTIC, cut_off

ONES = [1, 1, 1]


def summed(values, width, overflow="SAT", lanes=1, product=None):
    """The accumulator after these values, as an int."""
    return int(dot(values, np.ones(len(values), np.int8), Accumulator(width, Overflow(overflow), lanes, product)))


def test_saturation_acts_at_every_beat_and_is_left_again():
    assert summed([100, 100, -100], 8) == 127 - 100
    assert summed([-100, -100, 100], 8) == -128 + 100


def test_order_is_part_of_the_result():
    assert summed([100, -100, 100], 8) == 100
    assert summed([100, 100, -100], 8) == 27


def test_one_beat_is_summed_exactly_before_overflow():
    assert summed([100, 100, -100], 8, lanes=3) == 100
    assert summed([100, 100, -100], 8, lanes=2) == 27
    assert summed([100, 100, -100, 100], 8, lanes=2) == 127


def test_lanes_past_the_end_add_nothing():
    for lanes in (4, 5, 1 << 20):
        assert summed([100, 100, -100], 8, lanes=lanes) == 100
    assert summed([100, 20, 10, -5, 60], 8, lanes=2) == 127  # 120, 125, 185


def test_symmetric_saturation_ends_at_minus_max():
    assert summed([-100, -100], 8, "SAT_SYM") == -127
    assert summed([-100, -28], 8, "SAT_SYM") == -127
    assert summed([-100, -28], 8, "SAT") == -128
    assert summed([-100, -28, 100], 8, "SAT_SYM") == -27


def test_wrapped_sums_are_right_again_once_they_fit_and_saturated_ones_are_not():
    values = [100, 100, 100, -100, -100, -50]
    assert summed(values, 8, "WRAP") == sum(values) == 50
    assert summed(values, 8, "SAT") != 50
    assert summed([100, 100], 8, "WRAP") == 200 - 256


@pytest.mark.parametrize(("a_bits", "b_bits"), [(8, 8), (4, 8), (2, 3), (1, 1), (16, 8)])
@pytest.mark.parametrize("length", [1, 2, 3, 7, 8, 64, 65])
@pytest.mark.parametrize("lanes", [1, 3])
def test_sum_of_operand_widths_plus_log_of_the_length_never_overflows(a_bits, b_bits, length, lanes):
    """And the corner −2^(b−1)·−2^(b−1) needs them all where the length is a power of two."""
    corner = np.full(length, QFormat(a_bits, 0).low), np.full(length, QFormat(b_bits, 0).low)
    exact = length << (a_bits + b_bits - 2)
    enough = a_bits + b_bits + ceil(log2(length))
    seen = Statistics()
    assert dot(*corner, Accumulator(enough, Overflow.SAT, lanes), statistics=seen) == exact
    assert seen.overflows == 0
    if length == 1 << (enough - a_bits - b_bits) and enough > 2:
        assert dot(*corner, Accumulator(enough - 1, Overflow.SAT, lanes)) == exact - 1
        assert dot(*corner, Accumulator(enough - 1, Overflow.WRAP, lanes)) == -exact


def test_512_products_of_the_lowest_byte_exceed_24_bits_by_one():
    lowest = np.full(512, -128, np.int8)
    assert dot(lowest, lowest, Accumulator(24, Overflow.SAT)) == 2**23 - 1
    assert dot(lowest, lowest, Accumulator(24, Overflow.WRAP)) == -(2**23)
    assert dot(lowest, lowest, Accumulator(25, Overflow.SAT)) == 2**23


def test_the_sum_saturates_not_only_the_products():
    """A peer (apytypes issue 857) gives 255.97 for 8 products of 7·7 in sfix14_En8, a format that ends at 31.996."""
    seven = np.full(8, 7 << 4)  # sfix8_En4
    product = Requantizer(QFormat(14, 0), Rounding.TO_NEG, Overflow.SAT)
    assert dot(seven, seven, Accumulator(14, Overflow.SAT)) == 2**13 - 1
    assert dot(seven, seven, Accumulator(14, Overflow.SAT, product=product)) == 2**13 - 1
    assert summed([5000, 5000], 14, product=product) == 2**13 - 1


def test_product_cast_rounds_then_overflows_each_product_before_the_sum():
    cut = Requantizer(QFormat(6, -2), Rounding.TIES_POS, Overflow.SAT)
    assert summed([2, 2, 2], 8, product=cut) == 3  # 0.5 rounds to 1, three times
    assert summed([2, 2, 2], 8, lanes=3, product=cut) == 3
    assert summed([1, 1, 1], 8, product=cut) == 0
    assert summed([-2, -2, -3], 8, product=cut) == -1
    assert summed([1000, -60], 8, product=cut) == 31 - 15
    wrap = Requantizer(QFormat(4, 0), Rounding.TO_NEG, Overflow.WRAP)
    assert summed([9, 9, 9], 8, product=wrap) == -21
    unsigned = Requantizer(QFormat(4, 0, signed=False), Rounding.TO_NEG, Overflow.SAT)
    assert summed([-5, 20, 3], 8, product=unsigned) == 18
    left = Requantizer(QFormat(12, 3), Rounding.JAM, Overflow.SAT)
    assert summed([1, 2], 16, product=left) == 9 + 17


def test_padding_lanes_are_masked_and_not_cast():
    """JAM makes 1 of 0: a padding lane that were cast would be counted."""
    jam = Requantizer(QFormat(8, 0), Rounding.JAM, Overflow.SAT)
    for lanes in (1, 2, 3, 4, 8):
        assert summed([2, 2, 2], 8, lanes=lanes, product=jam) == 9


def test_format_of_the_sum_is_in_units_of_a_product():
    assert Accumulator(20, Overflow.SAT).format == QFormat(20, 0)
    assert Accumulator(20, Overflow.SAT, product=Requantizer(QFormat(9, -7))).format == QFormat(20, -7)


@pytest.mark.parametrize(("width", "dtype"), [(2, "i1"), (8, "i1"), (9, "i2"), (17, "i4"), (33, "i8")])
def test_results_come_in_the_narrowest_dtype(width, dtype):
    for overflow in ("SAT", "WRAP"):
        assert matmul([[1]], [[1]], Accumulator(width, Overflow(overflow))).dtype == dtype
        assert dot([1], [1], Accumulator(width, Overflow(overflow))).dtype == dtype


def test_every_operand_dtype_and_layout_gives_the_same_sum():
    a = np.arange(-6, 6).reshape(3, 4)
    b = np.arange(20).reshape(4, 5) % 7
    narrow = Accumulator(5, Overflow.SAT)
    expected = matmul(a, b, narrow)
    for dtype in ("i1", "i2", "i4", "i8"):
        assert np.array_equal(
            matmul(np.asfortranarray(a.astype(dtype)), b.astype(dtype.replace("i", "u")), narrow), expected
        )
    assert np.array_equal(matmul(a[::-1], b[:, ::-1], narrow), expected[::-1, ::-1])


# Statistics count beats


def test_statistics_count_beats_and_the_overflows_among_them():
    seen = Statistics()
    matmul([[100, 100, -100], [1, 1, 1]], [[1], [1], [1]], Accumulator(8, Overflow.SAT), statistics=seen)
    assert seen == Statistics(count=6, overflows=1, at_low=0, at_high=0, smallest=3, largest=27)
    assert seen.bits_used == 6
    seen = Statistics()
    dot([100, 100, 100], ONES, Accumulator(8, Overflow.SAT, lanes=2), statistics=seen)
    assert seen == Statistics(count=2, overflows=2, at_low=0, at_high=1, smallest=127, largest=127)
    seen = Statistics()
    dot([-100, -28, 0], ONES, Accumulator(8, Overflow.SAT_SYM), statistics=seen)
    assert seen == Statistics(count=3, overflows=1, at_low=1, at_high=0, smallest=-127, largest=-127)


def test_a_collector_adds_up_over_calls():
    seen = Statistics()
    assert str(seen) == "no values"
    for _ in range(3):
        dot([100, 100], [1, 1], Accumulator(8, Overflow.WRAP), statistics=seen)
    assert (seen.count, seen.overflows, seen.smallest) == (6, 3, 200 - 256)
    assert str(seen) == "6 values, 3 overflowed (50 %), 0 at the low end, 0 at the high end, -56 to -56: 7 bits used"


# The ends of the widths


def test_the_widest_accumulator_that_can_be_built_can_be_used():
    widest = 2
    for width in range(3, 65):
        try:
            widest = Accumulator(width, Overflow.SAT).width
        except InputError:
            break
    assert widest >= 61
    for overflow in ("SAT", "SAT_SYM", "WRAP"):
        assert summed([1, -3], widest, overflow) == -2


def test_61_bits_saturate_where_they_end():
    end = (1 << 60) - 1
    for overflow, low in (("SAT", -end - 1), ("SAT_SYM", -end)):
        assert summed([end, 1], 61, overflow) == end
        assert summed([-end, -1], 61, overflow) == low
        assert summed([-end, -1, -1, 5], 61, overflow) == low + 5
    assert summed([end, 1], 61, "WRAP") == -end - 1


def test_a_product_cast_may_cut_more_bits_than_a_product_has():
    for cut in (16, 31, 32, 61, 62):
        for rounding in DETERMINISTIC:
            far = Requantizer(QFormat(8, -cut), rounding, Overflow.SAT)
            for value in (-5, -1, 0, 1, 100):
                assert summed([value], 16, product=far) == cut_off(value, cut, rounding)
