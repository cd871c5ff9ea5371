"""`bt.testing`: strategies stay in range and reach its ends; checkers let right units pass and name wrong ones."""

import re

import numpy as np
import pytest
from hypothesis import find, given
from hypothesis import strategies as st

import bittrue as bt
from sim import reference
from sim.modes import Overflow, Rounding
from tests.definitions import CIRCUIT_OVERFLOWS, DETERMINISTIC, cut_off, fitted

SFIX8_EN4, SFIX4, SFIX10_EN4 = bt.QFormat(8, 4), bt.QFormat(4, 0), bt.QFormat(10, 4)
ALL_FORMS = r"-?\d+ = 0x[0-9a-f]+ = 0b[01_]+ = -?\d+(\.\d+)?(e-\d+)?"
"""A raw value in decimal, hexadecimal, binary and real form."""


# Strategies


@given(st.data(), st.integers(1, 64), st.integers(0, 63), st.integers(-9, 9), st.sampled_from([None, False, True]))
def test_formats_keep_to_what_was_asked(data, min_width, more, min_frac, signed):
    max_width = min(min_width + more, 64)
    bounds = {"min_width": min_width, "max_width": max_width, "min_frac": min_frac, "max_frac": min_frac + 3}
    fmt = data.draw(bt.testing.formats(**bounds, signed=signed))
    assert min_width <= fmt.width <= max_width
    assert min_frac <= fmt.frac <= min_frac + 3
    assert signed in (None, fmt.signed)


@pytest.mark.parametrize("wanted", [lambda f: f.signed, lambda f: not f.signed, lambda f: f.frac > f.width,
                                    lambda f: f.frac < 0, lambda f: f.width == 1, lambda f: f.width == 16])  # fmt: skip
def test_formats_reach_every_kind(wanted):
    assert wanted(find(bt.testing.formats(), wanted))


@pytest.mark.parametrize("fmt", [bt.QFormat(1, 0), bt.QFormat(1, 0, False), bt.QFormat(9, -3), bt.QFormat(64, 70)])
def test_raw_values_and_boundary_values_are_of_the_format_and_reach_both_ends(fmt):
    @given(bt.testing.raw_values(fmt), bt.testing.boundary_values(fmt))
    def holds(raw, boundary):
        assert fmt.low <= raw <= fmt.high
        assert boundary in {fmt.low, fmt.low + 1, -1, 0, 1, fmt.high - 1, fmt.high}
        assert fmt.low <= boundary <= fmt.high

    holds()
    for end in (fmt.low, fmt.high, 0):
        assert find(bt.testing.boundary_values(fmt), lambda raw, end=end: raw == end) == end


@pytest.mark.parametrize(("bounds", "field"), [({"min_width": 0}, "min_width"), ({"max_width": 65}, "max_width"),
                                               ({"min_width": 9, "max_width": 8}, "max_width")])  # fmt: skip
def test_widths_that_no_format_has_are_refused(bounds, field):
    with pytest.raises(bt.InputError, match=f"^{field}: got "):
        bt.testing.formats(**bounds)


# assert_unbiased


def cut(raw, words):
    return (raw + words) >> 4


@pytest.mark.parametrize("bits", [4, 5, 9])
def test_unbiased_rounders_pass_for_every_value_that_fits(bits):
    def rounder(raw, words):
        return (raw + (words >> (bits - 4))) >> 4

    assert bt.testing.assert_unbiased(rounder, source=SFIX8_EN4, target=bt.QFormat(8, 0), random_bits=bits) == 256
    inside = sum(-4 <= raw / 16 <= 3 for raw in range(-128, 128))
    narrow = bt.QFormat(3, 0)
    assert bt.testing.assert_unbiased(rounder, source=SFIX8_EN4, target=narrow, random_bits=bits) == inside


BIASED = {
    "floor": lambda raw, words: raw >> 4,
    "nearest": lambda raw, words: (raw + 8) >> 4,
    "too few bits": lambda raw, words: (raw + (words & 7) * 2) >> 4,
    "twice the bits": lambda raw, words: (raw + words // 2 * 2) >> 4,
    "symmetric": lambda raw, words: np.sign(raw) * ((np.abs(raw) + words) >> 4) + (raw == -128),
    "off at one value": lambda raw, words: np.where(raw == 77, 5, cut(raw, words)),
    "a bit of the word lost": lambda raw, words: cut(raw, words & ~8),
}


@pytest.mark.parametrize("name", BIASED)
def test_biased_rounders_are_named_with_the_value_in_all_forms(name):
    with pytest.raises(AssertionError) as error:
        bt.testing.assert_unbiased(BIASED[name], source=SFIX8_EN4, target=bt.QFormat(8, 0), random_bits=4)
    assert re.fullmatch(
        rf"biased at {ALL_FORMS} \(sfix8_En4\): the mean over all 16 words is \S+, "
        r"which is [+-]\S+ last bits of sfix8 off",
        str(error.value),
    )


def test_a_unit_that_does_not_round_is_refused():
    """Its mean is right, but what it returns are no raw values."""
    with pytest.raises((AssertionError, bt.InputError)):
        bt.testing.assert_unbiased(
            lambda raw, words: raw / 16, source=SFIX8_EN4, target=bt.QFormat(8, 0), random_bits=4
        )


def test_the_named_bias_is_the_real_one():
    """Always up at 77/16 = 4.8125: 5 is 0.1875 too much."""
    with pytest.raises(AssertionError) as error:
        bt.testing.assert_unbiased(BIASED["off at one value"], source=SFIX8_EN4, target=bt.QFormat(8, 0), random_bits=4)
    assert str(error.value) == (
        "biased at 77 = 0x4d = 0b0100_1101 = 4.8125 (sfix8_En4): the mean over all 16 words is 5.0, "
        "which is +0.1875 last bits of sfix8 off"
    )


# assert_equal_to_reference


def model(source, target, rounding, overflow, bits=0, centered=True):
    """A requantizer written from the definitions, on arrays."""

    def unit(raw, words=None):
        words = np.zeros_like(raw) if words is None else words
        shift = source.frac - target.frac
        pairs = zip(raw.tolist(), words.tolist(), strict=True)
        rounded = [cut_off(value, shift, rounding, word, bits, centered) for value, word in pairs]
        return np.array([fitted(value, target.width, target.signed, overflow) for value in rounded])

    return unit


@pytest.mark.parametrize("overflow", CIRCUIT_OVERFLOWS)
@pytest.mark.parametrize("rounding", Rounding)
def test_right_requantizers_pass_and_every_value_is_compared(rounding, overflow):
    bits = 3 if rounding.is_stochastic else 0
    for target in (SFIX4, bt.QFormat(5, 2, False), bt.QFormat(6, 6)):
        unit = model(SFIX8_EN4, target, rounding, overflow, bits)
        names = {"source": SFIX8_EN4, "target": target, "rounding": rounding, "overflow": overflow}
        assert bt.testing.assert_equal_to_reference(unit, **names, random_bits=bits) == 256 << bits


WRONG_CASTS = {
    "wraps": lambda raw: (((raw + 8) >> 4) + 8) % 16 - 8,
    "ties to minus infinity": lambda raw: np.clip((raw + 7) >> 4, -8, 7),
    "saturates before it rounds": lambda raw: (np.clip(raw, -128, 127) + 8) >> 4,
    "symmetric range": lambda raw: np.clip((raw + 8) >> 4, -7, 7),
    "wrong at the smallest value": lambda raw: np.where(raw == -512, 7, np.clip((raw + 8) >> 4, -8, 7)),
    "through the magnitude": lambda raw: np.clip(np.sign(raw) * ((np.abs(raw) + 8) >> 4), -8, 7),
}


@pytest.mark.parametrize("name", WRONG_CASTS)
def test_wrong_requantizers_are_named_with_all_values_in_all_forms(name):
    names = {"source": SFIX10_EN4, "target": SFIX4, "rounding": "TIES_POS", "overflow": "SAT"}
    assert bt.testing.assert_equal_to_reference(lambda raw: np.clip((raw + 8) >> 4, -8, 7), **names) == 1024
    with pytest.raises(AssertionError) as error:
        bt.testing.assert_equal_to_reference(WRONG_CASTS[name], **names)
    assert re.fullmatch(
        rf"TIES_POS, SAT, sfix10_En4 to sfix4: {ALL_FORMS} gives -?\d+, the reference {ALL_FORMS}", str(error.value)
    )


def test_a_wrong_word_is_named():
    names = {"source": SFIX8_EN4, "target": SFIX4, "rounding": "STOCHASTIC", "overflow": "SAT", "random_bits": 4}
    assert bt.testing.assert_equal_to_reference(lambda raw, words: np.clip(cut(raw, words), -8, 7), **names) == 4096
    with pytest.raises(AssertionError, match=rf"STOCHASTIC, SAT, .*: {ALL_FORMS} with word 0xf gives -?\d+, the ref"):
        bt.testing.assert_equal_to_reference(lambda raw, words: np.clip(cut(raw, words % 15), -8, 7), **names)


def test_centring_is_part_of_what_is_compared():
    names = {"source": SFIX8_EN4, "target": SFIX4, "rounding": "STOCHASTIC", "overflow": "SAT", "random_bits": 2}
    plain = model(SFIX8_EN4, SFIX4, Rounding.STOCHASTIC, Overflow.SAT, 2, centered=False)
    assert bt.testing.assert_equal_to_reference(plain, **names, centered=False) == 1024
    with pytest.raises(AssertionError):
        bt.testing.assert_equal_to_reference(plain, **names)


@pytest.mark.parametrize("end", ["low", "high"])
def test_wide_formats_are_compared_at_ends_and_ties(end):
    wide, target = bt.QFormat(40, 12), bt.QFormat(20, 0)

    def right(raw):
        return np.array([reference.cast(x, 12, 20, True, Rounding.TIES_EVEN, Overflow.SAT) for x in raw.tolist()])

    names = {"source": wide, "target": target, "rounding": "TIES_EVEN", "overflow": "SAT"}
    assert bt.testing.assert_equal_to_reference(right, **names) > 1 << 16
    for near in (getattr(wide, end), 1 << 11, -(1 << 11), (1 << 12) + (1 << 11)):
        with pytest.raises(AssertionError):
            bt.testing.assert_equal_to_reference(lambda raw, at=near: right(raw) + (raw == at), **names)


@pytest.mark.parametrize(("rounding", "bits"), [("TIES_EVEN", 3), ("STOCHASTIC", 0), ("STOCHASTIC", 17)])
def test_random_bits_that_do_not_fit_the_mode_are_refused(rounding, bits):
    with pytest.raises(bt.InputError, match=r"^random_bits: got "):
        bt.testing.assert_equal_to_reference(
            lambda raw, words=None: raw,
            source=SFIX4,
            target=SFIX4,
            rounding=rounding,
            overflow="SAT",
            random_bits=bits,
        )


# assert_dot_equal_to_reference


def running(width, overflow, lanes, *, every=True):
    """A dot product that fits its running sum at every beat, or only at the end."""

    def dot(x, y):
        total = 0
        for start in range(0, len(x), lanes):
            total += int(x[start : start + lanes] @ y[start : start + lanes])
            total = fitted(total, width, True, overflow) if every else total
        return fitted(total, width, True, overflow)

    return dot


@pytest.mark.parametrize("overflow", CIRCUIT_OVERFLOWS)
@pytest.mark.parametrize("lanes", [1, 4, 16])
def test_right_dot_products_pass(overflow, lanes):
    unit, fmt = bt.Accumulator(12, overflow, lanes), bt.QFormat(6, 0)
    checked = bt.testing.assert_dot_equal_to_reference(
        running(12, overflow, lanes), unit, a=fmt, b=fmt, length=10, seed=0
    )
    assert checked == 80


WRONG_DOTS = {
    "saturates at the end only": running(12, Overflow.SAT, 4, every=False),
    "wraps": running(12, Overflow.WRAP, 4),
    "one lane after the other": running(12, Overflow.SAT, 1),
    "a bit too wide": running(13, Overflow.SAT, 4),
    "symmetric": running(12, Overflow.SAT_SYM, 4),
    "products saturate, the sum does not": lambda x, y: sum(
        fitted(p, 12, True, Overflow.SAT) for p in (x * y).tolist()
    ),
    "the last value lost": lambda x, y: running(12, Overflow.SAT, 4)(x[:-1], y[:-1]),
}


@pytest.mark.parametrize("name", WRONG_DOTS)
def test_wrong_dot_products_are_named_with_their_vectors(name):
    fmt = bt.QFormat(6, 0)
    with pytest.raises(AssertionError, match=r"^Accumulator\(.*\): dot of \[.*\] and \[.*\] gives -?\d+, not -?\d+$"):
        bt.testing.assert_dot_equal_to_reference(
            WRONG_DOTS[name], bt.Accumulator(12, Overflow.SAT, 4), a=fmt, b=fmt, length=10, seed=0
        )


def test_an_accumulator_that_casts_its_products_is_refused():
    unit = bt.Accumulator(12, Overflow.SAT, product=bt.Requantizer(bt.QFormat(8, 0)))
    with pytest.raises(bt.InputError, match=r"^accumulator product: got a cast; allowed: None"):
        bt.testing.assert_dot_equal_to_reference(lambda x, y: 0, unit, a=SFIX4, b=SFIX4, length=4, seed=0)


def test_every_deterministic_mode_has_a_definition_here():
    assert set(DETERMINISTIC) == {rounding for rounding in Rounding if not rounding.is_stochastic}
