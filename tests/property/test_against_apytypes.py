"""Another library, apytypes, agrees up to 48 bits; where it is known to be wrong (0.5.1), we equal the definition."""

from fractions import Fraction

import numpy as np
import pytest
from apytypes import APyFixed, APyFixedAccumulatorContext, APyFixedArray, OverflowMode, QuantizationMode
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sim import reference
from sim.accumulate import Accumulator, dot, matmul
from sim.errors import InputError
from sim.formats import QFormat
from sim.modes import Overflow, Rounding
from sim.quantize import Requantizer, requantize
from tests.definitions import DETERMINISTIC, fitted

THEIR_OVERFLOW = {Overflow.WRAP: OverflowMode.WRAP, Overflow.SAT: OverflowMode.SAT}
roundings = st.sampled_from(list(DETERMINISTIC))
overflows = st.sampled_from(list(THEIR_OVERFLOW))


def theirs(raw: NDArray[np.int64], fmt: QFormat) -> APyFixedArray:
    """An array of theirs with these raw values."""
    return APyFixedArray(raw.tolist(), bits=fmt.width, frac_bits=fmt.frac)


def raw_of(array: APyFixedArray) -> NDArray[np.int64]:
    """The raw values of an array of theirs."""
    codes = np.array(array.to_bits(), np.int64)
    return codes - ((codes >> (array.bits - 1)) << array.bits)


def cast_by_them(array: APyFixedArray, target: QFormat, rounding: Rounding, overflow: Overflow) -> NDArray[np.int64]:
    """A cast of theirs; the names of the modes are the same."""
    mode = getattr(QuantizationMode, rounding)
    result = array.cast(bits=target.width, frac_bits=target.frac, quantization=mode, overflow=THEIR_OVERFLOW[overflow])
    return raw_of(result)


@st.composite
def casts(draw):
    """A source, a target at most 62 bits away, and codes of the source: its ends, ties, and anything."""
    source = QFormat(draw(st.integers(2, 48)), draw(st.integers(-20, 20)))
    cut = draw(st.integers(source.width - 62, 50) | st.integers(0, source.width))
    target = QFormat(draw(st.integers(1, 48)), source.frac - cut)
    half = 1 << min(max(cut - 1, 0), source.width - 1)
    ties = st.integers(source.low // half, source.high // half).map(lambda k: k * half)
    near_ties = st.tuples(ties, st.integers(-1, 1)).map(lambda pair: min(max(sum(pair), source.low), source.high))
    codes = near_ties | st.integers(source.low, source.high) | st.sampled_from([source.low, source.high, -1, 0, 1])
    return source, target, np.array(draw(st.lists(codes, min_size=1, max_size=30)), np.int64)


@st.composite
def operands(draw, largest_bits):
    fmt = QFormat(draw(st.integers(2, largest_bits)), draw(st.integers(-10, 10)))
    codes = st.integers(fmt.low, fmt.high) | st.sampled_from([fmt.low, fmt.high])
    return fmt, np.array(draw(st.lists(codes, min_size=1, max_size=8)), np.int64)


@settings(max_examples=1000)
@given(casts(), roundings, overflows)
def test_casts_agree(cast, rounding, overflow):
    source, target, raw = cast
    ours = requantize(raw, source, target, rounding, overflow)
    assert ours.tolist() == cast_by_them(theirs(raw, source), target, rounding, overflow).tolist()


@settings(max_examples=300)
@given(operands(24), operands(24))
def test_products_agree_and_so_do_their_formats(left, right):
    (a_format, a), (b_format, b) = left, right
    by_them = theirs(a[:, None], a_format) * theirs(b[None, :], b_format)
    assert (by_them.bits, by_them.frac_bits) == ((a_format * b_format).width, (a_format * b_format).frac)
    assert np.array_equal(matmul(a[:, None], b[None, :], Accumulator(49, Overflow.SAT)), raw_of(by_them))


@settings(max_examples=300)
@given(operands(24), operands(24), st.integers(1, 48), st.integers(-10, 50), roundings, overflows)
def test_casts_of_products_agree(left, right, width, cut, rounding, overflow):
    (a_format, a), (b_format, b) = left, right
    by_them = theirs(a[:, None], a_format) * theirs(b[None, :], b_format)
    cast = Requantizer(QFormat(width, -cut), rounding, overflow)
    ours = matmul(a[:, None], b[None, :], Accumulator(60, Overflow.SAT, product=cast))
    target = QFormat(width, (a_format * b_format).frac - cut)
    assert np.array_equal(ours, cast_by_them(by_them, target, rounding, overflow))


@settings(max_examples=300)
@given(operands(24), operands(24))
def test_sums_agree_and_so_do_their_formats(left, right):
    (a_format, a), (b_format, b) = left, right
    total = a_format + b_format
    ours = requantize(a, a_format, total)[:, None].astype(np.int64) + requantize(b, b_format, total)
    their_sum = theirs(a[:, None], a_format) + theirs(b[None, :], b_format)
    assert (their_sum.bits, their_sum.frac_bits) == (total.width, total.frac)
    assert np.array_equal(ours, raw_of(their_sum))


@settings(max_examples=300)
@given(operands(20), st.data())
def test_exact_inner_products_agree(left, data):
    a_format, a = left
    b_format = QFormat(20, 3)
    b = np.array(data.draw(st.lists(st.integers(b_format.low, b_format.high), min_size=a.size, max_size=a.size)))
    their_dot = theirs(a, a_format) @ theirs(b, b_format)
    fmt = a_format.dot(b_format, a.size)
    assert dot(a, b, Accumulator(fmt.width, Overflow.SAT)) * fmt.step == their_dot.to_fraction()


# Known faults of theirs, kept so that a new version of the oracle is noticed and so that ours stays free of them


@pytest.mark.parametrize(("width", "shift"), [(2, 63), (8, 60), (32, 33), (48, 17)])
def test_they_saturate_wrongly_when_a_left_shift_passes_64_bits(width, shift):
    """The end code moved left by so many places saturates; theirs lost its top bits first."""
    source, target = QFormat(width, 0), QFormat(8, shift)
    for raw in (source.low, source.high):
        definition = fitted(raw << shift, 8, True, Overflow.SAT)
        assert reference.cast(raw, -shift, 8, True, Rounding.TO_NEG, Overflow.SAT) == definition
        with pytest.raises(InputError, match=f"an intermediate of {width + shift} bits"):
            requantize([raw], source, target, Rounding.TO_NEG, Overflow.SAT)
    by_them = cast_by_them(theirs(np.array([source.low, source.high]), source), target, Rounding.TO_NEG, Overflow.SAT)
    assert by_them.tolist() != [-128, 127]


def test_their_accumulator_leaves_its_format():
    """Issue 857: in sfix14_En8, which ends at 31.97, they sum eight products of 49 to 255.97."""
    seven = np.full(8, 7 << 4)
    with APyFixedAccumulatorContext(
        bits=14, frac_bits=8, quantization=QuantizationMode.TO_NEG, overflow=OverflowMode.SAT
    ):
        total = theirs(seven, QFormat(8, 4)) @ theirs(seven, QFormat(8, 4))
    end = QFormat(14, 8).high
    assert isinstance(total, APyFixed)
    assert total.to_fraction() == 8 * Fraction(end, 2**8)
    assert dot(seven, seven, Accumulator(14, Overflow.SAT)) == end


def test_their_limited_accumulator_sums_exactly_instead_of_saturating():
    random = np.random.default_rng(3)
    a, b = random.integers(-128, 128, (4, 512)), random.integers(-128, 128, (512, 64))
    with APyFixedAccumulatorContext(
        bits=18, frac_bits=0, quantization=QuantizationMode.TO_NEG, overflow=OverflowMode.SAT
    ):
        by_them = (theirs(a, QFormat(8, 0)) @ theirs(b, QFormat(8, 0))).to_numpy()
    total = np.zeros((4, 64), np.int64)
    for k in range(512):
        total = np.clip(total + np.outer(a[:, k], b[k]), -(1 << 17), (1 << 17) - 1)
    assert np.array_equal(matmul(a, b, Accumulator(18, Overflow.SAT)), total)
    assert np.array_equal(by_them, a @ b)
    assert np.mean(by_them != total) > 0.5
