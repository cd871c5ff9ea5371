"""Stochastic rounding: mean and variance as identities over all random words, and the symmetries of a single word.

Cutting s bits of x with r random bits, in units of an output step: φ is the fraction cut off, t the low s − r bits of x
that no word can meet. All claims are enumerated; there is no statistical test.
"""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sim.formats import QFormat
from sim.modes import Overflow, Rounding
from sim.quantize import Requantizer, quantize, requantize
from sim.random_bits import RandomWords, Xorshift32
from tests import definitions
from tests.definitions import CIRCUIT_OVERFLOWS

VALUES = np.arange(-512, 512)
WIDE = QFormat(20, 0)
CUTS = range(1, 9)
ALL_MODES = [(rounding, 4 if rounding.is_stochastic else 0) for rounding in Rounding]


def drawn(
    values: NDArray[np.int64], cut: int, bits: int, centered: bool = True, target: QFormat = WIDE
) -> NDArray[np.int64]:
    """Every value rounded with every word: shape (values, words)."""
    words = RandomWords(np.tile(np.arange(1 << bits), values.size), bits)
    raw = np.repeat(values, 1 << bits)
    source = QFormat(20, cut)
    result = requantize(raw, source, target, Rounding.STOCHASTIC, Overflow.SAT, words, centered=centered)
    return result.astype(np.int64).reshape(values.size, -1)


def biases(cut: int, bits: int, centered: bool) -> NDArray[np.int64]:
    """Mean result minus x, for every x, in units of 2^−(cut+bits) of an output step."""
    return (drawn(VALUES, cut, bits, centered).sum(axis=1) << cut) - (VALUES << bits)


@pytest.mark.parametrize("centered", [True, False])
@pytest.mark.parametrize("cut", CUTS)
def test_enough_random_bits_are_exactly_unbiased(cut, centered):
    for bits in range(cut, 11):
        assert not biases(cut, bits, centered).any()


@pytest.mark.parametrize("cut", CUTS)
def test_variance_is_that_of_a_coin_and_only_the_neighbours_occur(cut):
    """The variance is φ(1 − φ): no other rounding to the two neighbours with the right mean has another."""
    floor, rest = VALUES >> cut, VALUES & ((1 << cut) - 1)
    for bits in range(cut, 11):
        results = drawn(VALUES, cut, bits)
        squares = ((results << cut) - VALUES[:, None]) ** 2
        assert np.array_equal(squares.sum(axis=1), (rest * ((1 << cut) - rest)) << bits)
        assert np.array_equal(results.min(axis=1), floor)
        assert np.array_equal(results.max(axis=1), floor + (rest > 0))


@pytest.mark.parametrize(("cut", "bits"), [(cut, bits) for cut in CUTS for bits in range(1, cut)])
def test_few_uncentered_bits_drift_downwards_by_what_no_word_meets(cut, bits):
    """The bias is −t·2^−s: from −(2^−r − 2^−s) to 0, both reached."""
    bias = biases(cut, bits, centered=False)
    assert np.array_equal(bias, -(VALUES & ((1 << (cut - bits)) - 1)) << bits)
    assert (bias.min(), bias.max()) == ((1 << bits) - (1 << cut), 0)


@pytest.mark.parametrize(("cut", "bits"), [(cut, bits) for cut in CUTS for bits in range(1, cut)])
def test_centering_halves_the_bias_and_leaves_no_drift(cut, bits):
    """The bias lies between −(2^−(r+1) − 2^−s) and 2^−(r+1), both reached; its mean over all x is 2^−(s+1) only."""
    bias, center = biases(cut, bits, centered=True), 1 << (cut - bits - 1)
    missed = (VALUES + center) & (2 * center - 1)
    assert np.array_equal(bias, (center - missed) << bits)
    assert (bias.min(), bias.max()) == ((1 << bits) - (1 << (cut - 1)), 1 << (cut - 1))
    assert 2 * bias.sum() == VALUES.size << bits


@pytest.mark.parametrize(("bits", "worst"), [(2, -0.234375), (3, -0.109375), (6, 0.0)])
def test_worst_bias_of_a_cut_of_six_bits(bits, worst):
    """Golden values: −(1/4 − 1/64), −(1/8 − 1/64), none."""
    assert biases(6, bits, centered=False).min() / 2.0 ** (6 + bits) == worst


@pytest.mark.parametrize("bits", [1, 3, 8])
def test_equal_rounding_goes_up_for_half_of_the_words_unless_exact(bits):
    words = np.arange(1 << bits)
    for value in range(-64, 64):
        raw = requantize(
            np.full(words.size, value), QFormat(8, 3), WIDE, Rounding.STOCHASTIC_EQUAL, random=RandomWords(words, bits)
        )
        floor = value >> 3
        ups = words.size // 2 if value & 7 else 0
        assert ((raw == floor).sum(), (raw == floor + 1).sum()) == (words.size - ups, ups)


# One word, many values


@pytest.mark.parametrize("centered", [True, False])
@pytest.mark.parametrize(("rounding", "bits"), ALL_MODES)
def test_every_mode_is_monotone_through_saturation(rounding, bits, centered):
    for cut in range(-1, 8):
        for word in range(1 << bits):
            random = RandomWords([word], bits) if bits else None
            for overflow in (Overflow.SAT, Overflow.SAT_SYM):
                source, target = QFormat(10, cut), QFormat(5, 0)
                raw = requantize(VALUES, source, target, rounding, overflow, random, centered=centered)
                assert (np.diff(raw) >= 0).all()


@pytest.mark.parametrize("centered", [True, False])
@pytest.mark.parametrize(("rounding", "bits"), ALL_MODES)
def test_scaling_value_and_step_by_a_power_of_two_changes_nothing(rounding, bits, centered):
    for cut in range(1, 8):
        for word in range(1 << bits):
            random = RandomWords([word], bits) if bits else None
            plain, *scaled = (
                requantize(
                    VALUES << k, QFormat(20, cut + k), QFormat(5, 0), rounding, Overflow.SAT, random, centered=centered
                )
                for k in range(5)
            )
            assert all(np.array_equal(plain, other) for other in scaled)


@pytest.mark.parametrize("centered", [True, False])
def test_adding_whole_steps_adds_them_to_the_result(centered):
    for cut in CUTS:
        for bits in (1, 3, 8):
            for steps in (-3, 1, 8):
                moved = drawn(VALUES + (steps << cut), cut, bits, centered)
                assert np.array_equal(moved, drawn(VALUES, cut, bits, centered) + steps)


@pytest.mark.parametrize("cut", CUTS)
def test_negative_value_with_inverted_word_gives_the_mirror_image(cut):
    """With fewer bits than the cut, centering mirrors all but sums that land exactly on a step: these go up twice."""
    for bits in range(1, 9):
        image = -drawn(-VALUES, cut, bits)[:, ::-1]
        results = drawn(VALUES, cut, bits)
        if bits >= cut:
            assert np.array_equal(image, results)
        else:
            missing = cut - bits
            lifted = VALUES[:, None] + (np.arange(1 << bits) << missing) + (1 << (missing - 1))
            on_a_step = lifted & ((1 << cut) - 1) == 0
            assert np.array_equal(image, results - on_a_step)


@pytest.mark.parametrize("bits", [1, 8, 32])
def test_a_generator_gives_each_value_the_low_bits_of_one_word(bits):
    """A bare call uses all 32 bits of a word; a circuit those of its random bits."""
    words, source = Xorshift32(7).words(VALUES.size), QFormat(20, 5)
    generator, circuit = Xorshift32(7), Requantizer(WIDE, Rounding.STOCHASTIC, random_bits=bits)
    low_bits = RandomWords(words & ((1 << bits) - 1), bits)
    assert np.array_equal(circuit(VALUES, source, generator), circuit(VALUES, source, low_bits))
    assert generator.position == VALUES.size
    if bits == 32:
        generators = Xorshift32(7), Xorshift32(7)
        expected = circuit(VALUES, source, low_bits)
        assert np.array_equal(requantize(VALUES, source, WIDE, "STOCHASTIC", random=generators[0]), expected)
        assert np.array_equal(quantize(VALUES / 32, WIDE, "STOCHASTIC", random=generators[1]), expected)


# The projection lemma, on which the convergence of low-precision training rests


def test_rounding_never_leads_away_from_a_point_of_the_box_by_more_than_its_variance():
    """E(Q(u) − w)² ≤ (u − w)² + ¼ for every w in the box, however far u is outside; Q clips, then flips a coin."""
    cut, box = 4, QFormat(4, 0)
    values = np.arange(-20 << cut, 20 << cut)
    points = np.arange(box.low << cut, (box.high << cut) + 1)
    results = drawn(values, cut, cut, target=box) << cut
    mean_square = ((results[:, :, None] - points) ** 2).sum(axis=1)  # in units of 2^−3·cut
    clipped = np.clip(values, points[0], points[-1])
    rest = clipped & ((1 << cut) - 1)
    coin = rest * ((1 << cut) - rest)
    assert np.array_equal(mean_square, ((clipped[:, None] - points) ** 2 + coin[:, None]) << cut)
    allowed = ((values[:, None] - points) ** 2 + (1 << (2 * cut - 2))) << cut
    assert (mean_square <= allowed).all()
    assert (mean_square == allowed).any()


def test_projection_lemma_needs_the_point_inside_the_box():
    box, point, value = QFormat(4, 0), 8 << 4, np.array([8 << 4])  # the first grid point past the box
    assert ((drawn(value, 4, 4, target=box) << 4) - point).min() ** 2 > (1 << 6)


# From reals, where a float64 sum would round a second time


@st.composite
def words(draw):
    bits = draw(st.integers(1, 32))
    return draw(st.integers(0, (1 << bits) - 1)), bits


def defined(value: float, fmt: QFormat, rounding: Rounding, overflow: Overflow, word: int, bits: int) -> int:
    """The definition of one quantized value."""
    exact = definitions.rounded(Fraction(value) * Fraction(2) ** fmt.frac, rounding, word, bits)
    return definitions.fitted(exact, fmt.width, fmt.signed, overflow)


@settings(max_examples=1000)
@given(
    value=st.floats(allow_nan=False, allow_infinity=False) | st.floats(-4, 4) | st.floats(-1e-12, 1e-12),
    fmt=st.builds(QFormat, st.integers(1, 62), st.integers(-40, 70), st.booleans()),
    rounding=st.sampled_from([Rounding.STOCHASTIC, Rounding.STOCHASTIC_EQUAL]),
    overflow=st.sampled_from(CIRCUIT_OVERFLOWS),
    random=words(),
)
@example(5e-324, QFormat(8, 0), Rounding.STOCHASTIC, Overflow.SAT, (2**32 - 1, 32))
@example(-5e-324, QFormat(8, 0), Rounding.STOCHASTIC, Overflow.SAT, (0, 32))
@example(-5e-324, QFormat(8, -40), Rounding.STOCHASTIC_EQUAL, Overflow.SAT, (0, 1))
@example(1.7976931348623157e308, QFormat(62, 70), Rounding.STOCHASTIC, Overflow.WRAP, (1, 1))
@example(-(2.0**62), QFormat(62, 0), Rounding.STOCHASTIC, Overflow.WRAP, (0, 8))
def test_reals_round_up_exactly_when_their_fraction_reaches_the_word(value, fmt, rounding, overflow, random):
    raw = quantize([value], fmt, rounding, overflow, random=RandomWords([random[0]], random[1]))
    assert int(raw[0]) == defined(value, fmt, rounding, overflow, *random)


@pytest.mark.parametrize(
    ("value", "word", "bits", "result"),
    [
        (-(2.0**-60), 0, 8, -1),  # the fraction is 1 − 2^−60: a float64 takes it for 1
        (-(2.0**-60), 1, 8, 0),
        (-0.25 - 2.0**-54, 1, 2, -1),  # the fraction is just under 3/4
        (-0.25, 1, 2, 0),
        (0.25 - 2.0**-55, 3, 2, 0),  # value + 3/4 is just under 1
        (0.25, 3, 2, 1),
    ],
)
def test_a_fraction_just_below_the_word_stays_down(value, word, bits, result):
    assert quantize([value], QFormat(8, 0), Rounding.STOCHASTIC, random=RandomWords([word], bits)).tolist() == [result]


@pytest.mark.parametrize("bits", [1, 4, 10])
def test_reals_on_the_grid_of_the_words_are_exactly_unbiased(bits):
    every = np.arange(1 << bits)
    for numerator in range(-3 << bits, 3 << bits):
        value = numerator / (1 << bits)
        raw = quantize(np.full(every.size, value), QFormat(8, 0), "STOCHASTIC", random=RandomWords(every, bits))
        assert raw.sum() == numerator
