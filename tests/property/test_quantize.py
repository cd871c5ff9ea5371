"""From reals to raw values: one exact rounding of value·2^frac, or of the float64 quotient value/scale."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sim.formats import QFormat
from sim.modes import Overflow, Rounding
from sim.quantize import dequantize, quantize
from sim.random_bits import RandomWords
from sim.statistics import Statistics
from tests import definitions
from tests.definitions import CIRCUIT_OVERFLOWS, DETERMINISTIC

finite = st.floats(allow_nan=False, allow_infinity=False)
roundings = st.sampled_from(list(DETERMINISTIC))
overflows = st.sampled_from(CIRCUIT_OVERFLOWS)
formats = st.builds(QFormat, st.integers(1, 62), st.integers(-40, 70), st.booleans())


@st.composite
def near_the_format(draw, fmt):
    """A value a few quarter steps from an end of the format, from zero or from anywhere inside."""
    raw = draw(st.sampled_from([fmt.low, fmt.high, 0]) | st.integers(fmt.low, fmt.high))
    value = float((raw + Fraction(draw(st.integers(-9, 9)), 4)) * fmt.step)
    return draw(st.sampled_from([value, float(np.nextafter(value, -np.inf)), float(np.nextafter(value, np.inf))]))


@st.composite
def formats_and_values(draw):
    fmt = draw(formats)
    return fmt, draw(near_the_format(fmt) | finite)


def defined(quotient: Fraction, fmt: QFormat, rounding: Rounding, overflow: Overflow) -> int:
    """The raw value of a real number, counted in steps of the format."""
    return definitions.fitted(definitions.rounded(quotient, rounding), fmt.width, fmt.signed, overflow)


@settings(max_examples=2000)
@given(formats_and_values(), roundings, overflows)
@example((QFormat(8, 0), 5e-324), Rounding.TO_POS, Overflow.SAT)
@example((QFormat(8, -40), -5e-324), Rounding.TO_NEG, Overflow.SAT)
@example((QFormat(8, 0), -0.0), Rounding.TRN_MAG, Overflow.SAT)
@example((QFormat(8, 0), 0.49999999999999994), Rounding.TIES_POS, Overflow.SAT)
@example((QFormat(62, 0), 2.0**62), Rounding.JAM, Overflow.WRAP)
@example((QFormat(62, 70), -1.7976931348623157e308), Rounding.TRN_MAG, Overflow.WRAP)
@example((QFormat(62, 0, False), float(2**62 - 2**9)), Rounding.TIES_EVEN, Overflow.SAT)
def test_quantize_rounds_the_exact_multiple_of_the_step_once(fmt_and_value, rounding, overflow):
    fmt, value = fmt_and_value
    raw = quantize([value], fmt, rounding, overflow)
    assert raw.dtype == fmt.dtype
    assert int(raw[0]) == defined(Fraction(value) / fmt.step, fmt, rounding, overflow)


@settings(max_examples=1000)
@given(formats, st.lists(finite, min_size=1, max_size=20), st.floats(1e-300, 1e300), roundings, overflows)
@example(QFormat(8, 0), [0.3], 0.1, Rounding.TIES_EVEN, Overflow.SAT)  # 0.3/0.1 is a little less than 3
@example(QFormat(8, 0), [5e-324], 4.0, Rounding.TO_POS, Overflow.SAT)  # the quotient is 0
@example(QFormat(8, 0), [-5e-324], 4.0, Rounding.TO_NEG, Overflow.SAT)
def test_quantize_with_a_scale_rounds_the_float64_quotient(fmt, values, scale, rounding, overflow):
    values = [value for value in values if abs(value) <= 1e300 * scale] or [0.0]  # the quotient is a number
    raw = quantize(values, fmt, rounding, overflow, scale=scale)
    quotients = np.array(values) / scale
    assert raw.tolist() == [defined(Fraction(float(q)), fmt, rounding, overflow) for q in quotients]


@given(formats, st.sampled_from([-1.0, 1.0]))
def test_a_quotient_past_the_largest_float64_saturates(fmt, sign):
    for rounding in DETERMINISTIC:
        raw = quantize([sign * 1e308], fmt, rounding, Overflow.SAT, scale=1e-308)
        assert int(raw[0]) == (fmt.high if sign > 0 else fmt.low)


@settings(max_examples=500)
@given(st.data(), formats.filter(lambda fmt: fmt.width <= 53), st.sampled_from([Overflow.SAT, Overflow.SAT_SYM]))
def test_fast_nearest_even_path_is_the_general_one(data, fmt, overflow):
    """A scale takes the general path; a power of two as scale changes nothing else."""
    values = data.draw(st.lists(near_the_format(fmt) | finite, min_size=1, max_size=30))
    values = [value for value in values if abs(value) < 2.0**900]
    counts = Statistics(), Statistics()
    fast = quantize([*values, 0.0], fmt, Rounding.TIES_EVEN, overflow, statistics=counts[0])
    general = quantize([*values, 0.0], fmt, Rounding.TIES_EVEN, overflow, scale=float(fmt.step), statistics=counts[1])
    assert np.array_equal(fast, general)
    assert counts[0] == counts[1]


@settings(max_examples=500)
@given(formats_and_values(), roundings, overflows)
def test_a_value_counts_as_overflow_exactly_when_overflow_changed_it(fmt_and_value, rounding, overflow):
    fmt, value = fmt_and_value
    exact = definitions.rounded(Fraction(value) / fmt.step, rounding)
    seen = Statistics()
    raw = int(quantize([value], fmt, rounding, overflow, statistics=seen)[0])
    assert (seen.count, seen.overflows, seen.smallest, seen.largest) == (1, raw != exact, raw, raw)


# What follows from the definition, for the formats that circuits have


@given(st.integers(1, 53), st.integers(-40, 70), st.booleans(), st.sampled_from([*DETERMINISTIC]), st.data())
def test_the_grid_is_fixed_and_returns_from_the_round_trip(width, frac, signed, rounding, data):
    """Quantizing twice is quantizing once; but JAM moves even codes and TRN_MAG negative ones, by definition."""
    fmt = QFormat(width, frac, signed)
    stays = {Rounding.JAM: lambda raw: raw % 2 == 1, Rounding.TRN_MAG: lambda raw: raw >= 0}.get(rounding)
    codes = st.integers(fmt.low, fmt.high)
    raws = data.draw(st.lists(codes.filter(stays) if stays else codes, min_size=1, max_size=20))
    back = quantize(dequantize(raws, fmt), fmt, rounding)
    assert back.tolist() == raws


@given(st.lists(st.integers(-128, 127), min_size=1), st.integers(0, 255))
def test_no_word_moves_a_grid_point(raws, word):
    for rounding in (Rounding.STOCHASTIC, Rounding.STOCHASTIC_EQUAL):
        values = dequantize(raws, QFormat(8, 7))
        assert quantize(values, QFormat(8, 7), rounding, random=RandomWords([word], 8)).tolist() == raws


@given(st.lists(st.integers(-(2**53), 2**53), min_size=1), st.integers(-40, 70))
def test_dequantize_is_the_exact_value(raws, frac):
    fmt = QFormat(62, frac)
    assert [Fraction(float(value)) for value in dequantize(raws, fmt)] == [raw * fmt.step for raw in raws]


@given(st.lists(st.integers(-128, 127), min_size=1), st.floats(1e-30, 1e30))
def test_dequantize_with_a_scale_is_one_float64_product(raws, scale):
    assert dequantize(raws, QFormat(8, 0), scale).tolist() == [raw * scale for raw in raws]


@given(formats, st.lists(finite, min_size=1), roundings, overflows)
def test_every_result_is_a_code_of_the_format(fmt, values, rounding, overflow):
    raw = quantize(values, fmt, rounding, overflow).astype(object)
    low = fmt.low + (overflow is Overflow.SAT_SYM and fmt.signed)
    assert all(low <= code <= fmt.high for code in raw)


@given(st.floats(-127, 127), roundings)
def test_a_result_in_range_is_a_neighbour_and_nearest_modes_stay_within_half_a_step(value, rounding):
    raw = int(quantize([value], QFormat(8, 0), rounding)[0])
    below = Fraction(value) // 1
    if rounding is Rounding.JAM:
        assert raw in (below, below + 1)
    elif rounding is Rounding.TRN_MAG:
        assert raw == below + (value < 0)
    else:
        assert raw in {below, -(-Fraction(value) // 1)}
    if rounding.startswith("TIES_"):
        assert abs(raw - Fraction(value)) <= Fraction(1, 2)


def test_nearest_modes_differ_on_ties_only():
    """Property 7: over all eighths from −8 to 8."""
    values = np.arange(-64, 65) / 8
    results = {mode: quantize(values, QFormat(8, 0), mode) for mode in Rounding if mode.startswith("TIES_")}
    ties = values % 1 == 0.5
    even = results[Rounding.TIES_EVEN]
    assert all(np.array_equal(raw[~ties], even[~ties]) for raw in results.values())
    assert np.array_equal(results[Rounding.TIES_ODD] != even, ties)
    assert np.array_equal(results[Rounding.TIES_POS] != even, ties & (np.floor(values) % 2 == 0))


@pytest.mark.parametrize("bits", range(1, 8))
def test_truncation_loses_half_a_step_less_half_a_last_bit_on_average(bits):
    values = np.arange(-4 << bits, 4 << bits) / (1 << bits)
    errors = quantize(values, QFormat(8, 0), Rounding.TO_NEG) - values
    assert errors.mean() == -(0.5 - 2.0 ** -(bits + 1))


def test_shape_is_kept_whatever_the_strides():
    assert quantize(np.zeros((2, 3, 1)), QFormat(8, 0)).shape == (2, 3, 1)
    strided = np.arange(24, dtype=np.float64).reshape(4, 6)[::2, ::-3]
    assert quantize(strided, QFormat(8, 0)).tolist() == strided.tolist()
    assert dequantize(strided.astype(np.int8), QFormat(8, 1)).tolist() == (strided / 2).tolist()


@pytest.mark.parametrize("kind", [float, np.float32, np.float16, np.array])
def test_a_scalar_gives_a_scalar(kind):
    raw = quantize(kind(0.5), QFormat(8, 4))
    assert (raw.shape, int(raw)) == ((), 8)
    assert dequantize(raw, QFormat(8, 4)).shape == ()
