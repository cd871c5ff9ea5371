"""The algebra of formats: each result format is the narrowest one that holds every exact result, by enumeration."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from sim.errors import InputError
from sim.formats import LARGEST_FRAC, QFormat, width_of

SMALL = [QFormat(width, frac, signed) for width in (1, 2, 3, 5) for frac in (-1, 0, 2) for signed in (True, False)]
PAIRS = list(product(SMALL, SMALL))


def codes(fmt: QFormat) -> range:
    """Every raw value of a format, written from its definition."""
    return range(-(2 ** (fmt.width - 1)), 2 ** (fmt.width - 1)) if fmt.signed else range(2**fmt.width)


def real(fmt: QFormat, code: int) -> Fraction:
    """The worth of a raw value."""
    return code / Fraction(2) ** fmt.frac


def values(fmt: QFormat) -> list[Fraction]:
    """Every real value of a format."""
    return [real(fmt, code) for code in codes(fmt)]


def narrowest(results: list[Fraction], frac: int, signed: bool) -> QFormat:
    """The first of all widths whose format holds every result."""
    low, high = min(results), max(results)
    formats = (QFormat(width, frac, signed) for width in range(1, 65))
    return next(f for f in formats if real(f, codes(f)[0]) <= low and high <= real(f, codes(f)[-1]))


def test_a_format_is_its_codes_times_its_step():
    for fmt in SMALL:
        expected = values(fmt)
        assert (fmt.low * fmt.step, fmt.high * fmt.step) == (expected[0], expected[-1])
        assert fmt.high - fmt.low + 1 == len(expected)


def test_product_format_is_the_narrowest_that_holds_every_product():
    for a, b in PAIRS:
        products = [x * y for x in values(a) for y in values(b)]
        assert a * b == narrowest(products, a.frac + b.frac, a.signed or b.signed)


def test_sum_format_is_the_narrowest_that_holds_every_sum():
    for a, b in PAIRS:
        sums = [x + y for x in values(a) for y in values(b)]
        assert a + b == narrowest(sums, max(a.frac, b.frac), a.signed or b.signed)


def test_negative_format_is_the_narrowest_that_holds_every_negative():
    for a in SMALL:
        assert -a == narrowest([-x for x in values(a)], a.frac, True)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 8, 9, 16, 17])
def test_sum_of_is_the_narrowest_that_holds_every_sum_of_so_many(count):
    """A sum is extreme where every term is."""
    for a in SMALL:
        extremes = [count * x for x in (values(a)[0], values(a)[-1])]
        assert a.sum_of(count) == narrowest(extremes, a.frac, a.signed)


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 8])
def test_dot_is_the_narrowest_that_holds_every_dot_product(length):
    for a, b in PAIRS:
        products = [x * y for x in values(a) for y in values(b)]
        extremes = [length * min(products), length * max(products)]
        assert a.dot(b, length) == narrowest(extremes, a.frac + b.frac, a.signed or b.signed)


def test_all_sums_of_three_and_all_dot_products_of_two_fit_by_enumeration():
    a, b = QFormat(2, 0), QFormat(2, 1, signed=False)
    sums = {sum(terms) for terms in product(values(a), repeat=3)}
    assert sums <= set(values(a.sum_of(3)))
    terms = [x * y for x in values(a) for y in values(b)]
    assert {x + y for x, y in product(terms, terms)} <= set(values(a.dot(b, 2)))


def test_shift_moves_the_point_and_keeps_the_codes():
    for a in SMALL:
        for places in (-3, 0, 2):
            assert values(a << places) == [x * Fraction(2) ** places for x in values(a)]


def test_the_most_negative_corner_takes_the_full_width():
    """(−2^(b−1))² needs all 2b bits, and 512 of them one bit more than a sum of products of the largest codes."""
    a = QFormat(8, 7)
    assert a * a == QFormat(16, 14)
    assert (a * a).high >= a.low**2 > QFormat(15, 14).high
    assert a.dot(a, 512) == QFormat(25, 14)
    assert 512 * a.low**2 == QFormat(24, 14).high + 1


def test_width_of_is_the_fewest_bits_by_enumeration():
    for low, high in product(range(-20, 21), repeat=2):
        if low > high:
            continue
        assert width_of(low, high) == next(w for w in range(1, 9) if -(2 ** (w - 1)) <= low and high < 2 ** (w - 1))
        if low >= 0:
            assert width_of(low, high, signed=False) == next(w for w in range(1, 9) if high < 2**w)


@pytest.mark.parametrize("step", [Fraction(1, 8), Fraction(1), Fraction(4)])
def test_covering_is_the_narrowest_format_with_that_step(step):
    for low, high in product(range(-9, 10), repeat=2):
        if low > high:
            continue
        ends = [low * step, high * step]
        frac = {Fraction(1, 8): 3, Fraction(1): 0, Fraction(4): -2}[step]
        assert QFormat.covering(*ends, step) == narrowest(ends, frac, low < 0)
        assert QFormat.covering(*ends, step, signed=True) == narrowest(ends, frac, True)


def test_covering_takes_exact_numbers_of_any_kind():
    assert QFormat.covering(-1, 1, 2.0**-7) == QFormat(9, 7)
    assert QFormat.covering(np.int64(-1), 1 - 2.0**-7, Fraction(1, 128)) == QFormat(8, 7)
    assert QFormat.covering(0, 2**64 - 1, 1) == QFormat(64, 0, signed=False)


# Text and numpy


@pytest.mark.parametrize(
    ("fmt", "text"),
    [
        (QFormat(8, 7), "sfix8_En7"),
        (QFormat(16, 8, signed=False), "ufix16_En8"),
        (QFormat(8, 0), "sfix8"),
        (QFormat(8, -3), "sfix8_E3"),
        (QFormat(1, 12, signed=False), "ufix1_En12"),
    ],
)
def test_text_form_is_that_of_hdl_tools(fmt, text):
    assert str(fmt) == text
    assert QFormat.parse(text) == fmt


def test_text_form_returns_from_the_round_trip():
    for width, frac, signed in product(range(1, 65), (-LARGEST_FRAC, -9, 0, 1, 70, LARGEST_FRAC), (True, False)):
        fmt = QFormat(width, frac, signed)
        assert QFormat.parse(str(fmt)) == fmt


@pytest.mark.parametrize(
    ("fmt", "raw", "text"),
    [
        (QFormat(8, 7), -5, "-5 = 0xfb = 0b1111_1011 = -0.0390625"),
        (QFormat(8, 7), 5, "5 = 0x05 = 0b0000_0101 = 0.0390625"),
        (QFormat(1, 0), -1, "-1 = 0x1 = 0b1 = -1.0"),
        (QFormat(5, -2), -16, "-16 = 0x10 = 0b1_0000 = -64.0"),
        (QFormat(9, 0, signed=False), 511, "511 = 0x1ff = 0b1_1111_1111 = 511.0"),
        (QFormat(64, 0), -(2**63), f"{-(2**63)} = 0x8{'0' * 15} = 0b1000{'_0000' * 15} = {-(2.0**63)}"),
    ],
)
def test_show_gives_decimal_hexadecimal_binary_and_real(fmt, raw, text):
    assert fmt.show(raw) == text


def test_show_pads_to_the_width_and_reads_back():
    for fmt in SMALL:
        for raw in range(fmt.low, fmt.high + 1):
            decimal, hexadecimal, binary, real = fmt.show(raw).split(" = ")
            assert int(decimal) == raw
            assert int(hexadecimal, 16) == int(binary, 2) == raw % 2**fmt.width
            assert len(binary.replace("_", "")) == 2 + fmt.width
            assert Fraction(float(real)) == raw * fmt.step


def test_show_refuses_a_code_outside_the_format():
    with pytest.raises(InputError, match=r"raw value of sfix8: got 128; allowed: .* -128 to 127"):
        QFormat(8, 0).show(128)


@pytest.mark.parametrize("fmt", [QFormat(64, -LARGEST_FRAC), QFormat(64, LARGEST_FRAC)], ids=str)
def test_every_code_of_every_format_can_be_shown(fmt):
    assert fmt.show(fmt.high).startswith(f"{2**63 - 1} = 0x7fffffffffffffff = ")


def test_dtype_is_the_narrowest_that_holds_every_code():
    for width, signed in product(range(1, 65), (True, False)):
        fmt = QFormat(width, 3, signed)
        kinds = [np.iinfo(kind) for kind in (("i1", "i2", "i4", "i8") if signed else ("u1", "u2", "u4", "u8"))]
        assert fmt.dtype == next(kind.dtype for kind in kinds if kind.min <= fmt.low and fmt.high <= kind.max)


def test_formats_are_values():
    assert QFormat(np.int8(8), np.int64(7), np.bool_(True)) == QFormat(8, 7)
    assert len({QFormat(8, 7), QFormat(8, 7, True), QFormat(8, 7, False)}) == 2
    with pytest.raises(AttributeError):
        QFormat(8, 7).width = 9


def test_results_past_64_bits_are_refused_by_name():
    for make, name in [
        (lambda: QFormat(33, 0) * QFormat(32, 0), "sfix33 * sfix32 needs 65 bits"),
        (lambda: QFormat(64, 0) + QFormat(8, 0), "sfix64 + sfix8 needs 65 bits"),
        (lambda: -QFormat(64, 0), "-sfix64 needs 65 bits"),
        (lambda: QFormat(60, 0).sum_of(17), "sfix60.sum_of(17) needs 65 bits"),
        (lambda: QFormat(16, 0).dot(QFormat(16, 0), 2**34), "sfix16.dot(sfix16, 17179869184) needs 66 bits"),
        (lambda: QFormat.covering(-1, 2**63, 1), "needs 65 bits"),
    ]:
        with pytest.raises(InputError) as refused:
            make()
        assert name in str(refused.value)
