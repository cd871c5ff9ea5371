"""Values worked out by hand, and inputs that other libraries are known to get wrong."""

from fractions import Fraction

import numpy as np
import pytest

from sim.formats import QFormat
from sim.modes import Overflow, Rounding
from sim.quantize import dequantize, quantize, requantize
from sim.random_bits import RandomWords
from sim.reference import round_shift

TIES = (2.5, 1.5, 0.5, -0.5, -1.5, -2.5)
TIES_BECOME = {
    Rounding.TO_NEG: (2, 1, 0, -1, -2, -3),
    Rounding.TO_POS: (3, 2, 1, 0, -1, -2),
    Rounding.TO_ZERO: (2, 1, 0, 0, -1, -2),
    Rounding.TO_AWAY: (3, 2, 1, -1, -2, -3),
    Rounding.TIES_EVEN: (2, 2, 0, 0, -2, -2),
    Rounding.TIES_ODD: (3, 1, 1, -1, -1, -3),
    Rounding.TIES_AWAY: (3, 2, 1, -1, -2, -3),
    Rounding.TIES_ZERO: (2, 1, 0, 0, -1, -2),
    Rounding.TIES_POS: (3, 2, 1, 0, -1, -2),
    Rounding.TIES_NEG: (2, 1, 0, -1, -2, -3),
    Rounding.TRN_MAG: (2, 1, 0, 0, -1, -2),
    Rounding.JAM: (3, 1, 1, -1, -1, -3),
    Rounding.JAM_UNBIASED: (3, 1, 1, -1, -1, -3),
}
WHOLE = (2.0, 1.0, 0.0, -1.0, -2.0)
WHOLE_BECOME = {Rounding.JAM: (3, 1, 1, -1, -1), Rounding.TRN_MAG: (2, 1, 0, 0, -1)}  # all other modes keep them

BYTE = QFormat(8, 0)


@pytest.mark.parametrize("rounding", TIES_BECOME)
def test_what_ties_become(rounding):
    assert quantize(TIES, BYTE, rounding).tolist() == list(TIES_BECOME[rounding])
    halves = [int(2 * tie) for tie in TIES]
    assert requantize(halves, QFormat(8, 1), BYTE, rounding).tolist() == list(TIES_BECOME[rounding])


@pytest.mark.parametrize("rounding", TIES_BECOME)
def test_what_whole_numbers_become(rounding):
    expected = list(WHOLE_BECOME.get(rounding, WHOLE))
    assert quantize(WHOLE, BYTE, rounding).tolist() == expected
    assert requantize([int(2 * value) for value in WHOLE], QFormat(8, 1), BYTE, rounding).tolist() == expected


# The quantizer of HALP, Q of step 0.5 and 4 bits


def test_domain_of_four_bits_in_steps_of_a_half():
    codes = np.arange(-8, 8)
    assert dequantize(codes, QFormat(4, 0), scale=0.5).tolist() == [code / 2 for code in range(-8, 8)]
    assert quantize([9.0, -9.0], QFormat(4, 0), scale=0.5).tolist() == [7, -8]  # 3.5 and −4.0


def test_stochastic_threshold_mean_and_variance_of_1_3_in_steps_of_a_half():
    """1.3/0.5 = 2.6: down to 1.0 for U < 0.4, else up to 1.5; 16 bits miss a probability by less than 2^−16."""
    words = np.arange(1 << 16)
    raw = quantize(np.full(words.size, 1.3), QFormat(4, 0), "STOCHASTIC", scale=0.5, random=RandomWords(words, 16))
    assert np.array_equal(raw, np.where(words / 2.0**16 < 0.4, 2, 3))
    values = dequantize(raw, QFormat(4, 0), scale=0.5)
    assert (values == 1.5).mean() == pytest.approx(0.6, abs=2.0**-16)
    assert values.mean() == pytest.approx(1.3, abs=2.0**-17)
    assert values.var() == pytest.approx(0.06, abs=2.0**-18)


def test_bias_of_a_square_is_the_variance():
    """ZipML: levels 0, ½, 1 and a = 0.3 give D = 0.06, so that a·(a·x) with one sample is off by D·x = 0.3 at x = 5."""
    words = np.arange(1 << 16)
    raw = quantize(np.full(words.size, 0.3), QFormat(4, 0), "STOCHASTIC", scale=0.5, random=RandomWords(words, 16))
    samples = dequantize(raw, QFormat(4, 0), scale=0.5)
    assert (samples * samples * 5).mean() - samples.mean() ** 2 * 5 == pytest.approx(0.3, abs=5 * 2.0**-18)


def test_minus_five_quarters_with_every_word_of_two_bits():
    results = [round_shift(-5, 2, Rounding.STOCHASTIC, word, 2) for word in range(4)]
    assert results == [-2, -1, -1, -1]
    assert sum(results) == -5


@pytest.mark.parametrize(("norm", "bits"), [(127.0, 8), (7.0, 4)])
def test_halp_scale_makes_the_gradient_norm_the_largest_code(norm, bits):
    """δ = ‖g̃‖/(μ·(2^(b−1) − 1)), μ = 1: a step of exactly 1."""
    fmt = QFormat(bits, 0)
    scale = norm / (1.0 * fmt.high)
    assert scale == 1.0
    assert quantize([norm, -norm], fmt, scale=scale).tolist() == [fmt.high, -fmt.high]


def test_eight_bit_offset_and_product_share_sixteen_bits_with_room_to_add():
    """With sh = 6: 127 << 6 = 8128, products reach ±16256 (16384 where both ends meet), and 16 bits hold the sum."""
    offset, product = QFormat(8, 0), QFormat(8, 0) * QFormat(8, 0)
    assert product.width == 16
    shifted = requantize([127, -128], offset, QFormat(16, 6))
    assert shifted.tolist() == [8128, -8192]
    assert 8128 + 128 * 127 <= product.high == 32767
    assert product.low <= -8192 - 128 * 128


# Where other libraries are wrong


@pytest.mark.parametrize(
    ("value", "fmt", "rounding", "raw"),
    [
        (0.49999999999999994, BYTE, Rounding.TIES_POS, 0),  # numfi, ac: value + 0.5 rounds up to 1
        (-0.49999999999999994, BYTE, Rounding.TIES_NEG, 0),
        (4503599627370497.0, QFormat(60, 0), Rounding.TIES_POS, 4503599627370497),  # odd, past 2^52: + 0.5 is a tie
        (0.5 + 2.0**-45, BYTE, Rounding.TIES_EVEN, 1),  # apytypes: by way of 40 fraction bits it becomes a tie
        (1.0625 + 2.0**-30, QFormat(8, 3), Rounding.TIES_EVEN, 9),  # ml_dtypes: by way of float32
        (-(2.0**-60), BYTE, Rounding.TO_NEG, -1),  # ac_types issue 33: 0
        (-(2.0**-1074), BYTE, Rounding.TO_NEG, -1),
        (-2.5, BYTE, Rounding.TIES_EVEN, -2),  # HackRF issue 1796: convergent rounding of negatives
        (1e300, BYTE, Rounding.TIES_EVEN, 127),  # a C cast wraps or gives the lowest code
        (-1e300, BYTE, Rounding.TIES_EVEN, -128),
    ],
)
def test_inputs_that_others_round_wrongly(value, fmt, rounding, raw):
    assert quantize([value], fmt, rounding).tolist() == [raw]


def test_all_bits_dropped_still_round_to_nearest():
    """All 8 bits of a byte cut: ±½ at most, so everything is 0; one more bit of value and a tie decides."""
    every = np.arange(-128, 128)
    assert not requantize(every, QFormat(8, 8), BYTE).any()
    assert requantize([128, 129, 384], QFormat(10, 8), BYTE).tolist() == [0, 1, 2]


def test_range_ends_of_each_overflow():
    wide, value = QFormat(12, 0), [-129, -128, -127, 127, 128, 300]
    assert requantize(value, wide, BYTE, overflow="SAT").tolist() == [-128, -128, -127, 127, 127, 127]
    assert requantize(value, wide, BYTE, overflow="SAT_SYM").tolist() == [-127, -127, -127, 127, 127, 127]
    assert requantize(value, wide, BYTE, overflow="WRAP").tolist() == [127, -128, -127, 127, -128, 44]
    unsigned = QFormat(8, 0, signed=False)
    assert requantize(value, wide, unsigned, overflow="SAT").tolist() == [0, 0, 0, 127, 128, 255]
    assert requantize(value, wide, unsigned, overflow="SAT_SYM").tolist() == [0, 0, 0, 127, 128, 255]
    assert requantize(value, wide, unsigned, overflow="WRAP").tolist() == [127, 128, 129, 127, 128, 44]


def test_rounding_comes_before_overflow():
    """127.75 rounds to 128 and saturates; cutting first would have kept it inside."""
    assert requantize([511], QFormat(10, 2), BYTE).tolist() == [127]
    assert requantize([511], QFormat(10, 2), BYTE, overflow="WRAP").tolist() == [-128]
    assert quantize([127.75], BYTE, overflow=Overflow.WRAP).tolist() == [-128]


def test_wide_values_keep_every_bit():
    """In fxpmath wide integers are not rounded, and get_val() of a 62-bit product loses bits."""
    value = 2**61 - 2**8 - 1
    expected = [round(Fraction(value, 2**9))]
    assert requantize([value], QFormat(62, 9), QFormat(60, 0)).tolist() == expected
    assert requantize([value], QFormat(62, 0), QFormat(62, 0)).tolist() == [value]
