"""Every input that cannot be used is refused with one line that names the field, the value and what is allowed."""

import re
from fractions import Fraction

import numpy as np
import pytest

from sim.accumulate import Accumulator, dot, matmul
from sim.errors import InputError
from sim.formats import QFormat
from sim.modes import Overflow, Rounding
from sim.quantize import Requantizer, dequantize, quantize, requantize
from sim.random_bits import Lfsr, RandomWords, Role, Xorshift32, generator_seed, lane_field, row_indices

BYTE, WIDE = QFormat(8, 0), QFormat(16, 4)
NARROW = Accumulator(8, Overflow.SAT)
DITHERED = Requantizer(BYTE, Rounding.STOCHASTIC, random_bits=4)
TABLE = np.array([[1, 2], [3, 4]])

# What is called, and the words that its error must contain: the field and the value
FORMATS = {
    "width of 0 bits": (lambda: QFormat(0, 0), "width: got 0; allowed: a whole number from 1 to 64"),
    "width of 65 bits": (lambda: QFormat(65, 0), "width: got 65; allowed: a whole number from 1 to 64"),
    "width as text": (lambda: QFormat("8", 0), "width: got '8';"),
    "width as a float": (lambda: QFormat(8.0, 0), "width: got 8.0;"),
    "width as a fraction": (lambda: QFormat(Fraction(17, 2), 0), "width: got Fraction(17, 2);"),
    "width as a truth value": (lambda: QFormat(True, 0), "width: got True;"),
    "width as numpy's truth value": (lambda: QFormat(np.True_, 0), "width: got np.True_;"),
    "no width": (lambda: QFormat(None, 0), "width: got None;"),
    "width as a table": (lambda: QFormat(TABLE, 0), "width: got "),
    "frac past the exponents": (lambda: QFormat(8, 1024), "frac: got 1024; allowed: a whole number from -"),
    "frac as a float": (lambda: QFormat(8, 0.5), "frac: got 0.5;"),
    "sign as a number": (lambda: QFormat(8, 0, 1), "signed: got 1; allowed: True or False"),
    "sign as a table": (lambda: QFormat(8, 0, TABLE), "signed: got "),
    "shift by a fraction": (lambda: BYTE << 0.5, "got "),
    "no text form": (lambda: QFormat.parse("fix8"), "got 'fix8'; allowed: sfixW, ufixW"),
    "text form with a tail": (lambda: QFormat.parse("sfix8_En7\n"), r"got 'sfix8_En7\n';"),
    "text form that is none": (lambda: QFormat.parse(8), "got 8;"),
    "step of 3": (lambda: QFormat.covering(0, 9, 3), "step: got 3; allowed: a power of two"),
    "step of 0": (lambda: QFormat.covering(0, 9, 0), "step: got 0;"),
    "end off the grid": (lambda: QFormat.covering(0, 0.5, 1), "got 0 to 1/2; allowed: low <= high, both multiples"),
    "ends reversed": (lambda: QFormat.covering(1, 0, 1), "got 1 to 0;"),
    "end not a number": (lambda: QFormat.covering(0, np.nan, 1), "nan"),
    "negative without a sign": (lambda: QFormat.covering(-1, 1, 1, signed=False), "low: got -1;"),
    "sum of none": (lambda: BYTE.sum_of(0), "count: got 0;"),
    "dot of a fraction": (lambda: BYTE.dot(BYTE, 2.5), "length: got 2.5;"),
    "dot with a number": (lambda: BYTE.dot(8, 2), "got 8; allowed: a QFormat"),
}

QUANTIZE = {
    "NaN": (lambda: quantize([0.0, np.nan], BYTE), "values[1]: got nan; allowed: finite numbers"),
    "infinity": (lambda: quantize([[0.0, 1.0], [np.inf, 1.0]], BYTE), "values[1, 0]: got inf;"),
    "minus infinity": (lambda: quantize([-np.inf], BYTE, "TO_NEG"), "values[0]: got -inf;"),
    "NaN that wraps": (lambda: quantize([1.0, 2.0, np.nan], BYTE, overflow="WRAP"), "values[2]: got nan;"),
    "NaN with a scale": (lambda: quantize([np.nan], BYTE, scale=0.5), "values[0]: got nan;"),
    "a scalar NaN": (lambda: quantize(np.nan, BYTE), "got nan;"),
    "no values": (lambda: quantize([], BYTE), "values: got an empty array of shape (0,); allowed: at least one value"),
    "no columns": (lambda: quantize(np.zeros((3, 0)), BYTE), "values: got an empty array of shape (3, 0);"),
    "ragged rows": (lambda: quantize([[1.0], [1.0, 2.0]], BYTE), "values: got "),
    "text": (lambda: quantize(["1.5"], BYTE), "values: got "),
    "complex values": (lambda: quantize([1j], BYTE), "values: got "),
    "objects": (lambda: quantize(np.array([Fraction(1, 2)]), BYTE), "values: got "),
    "truth values": (lambda: quantize(np.array([True]), BYTE), "values: got "),
    "no format": (lambda: quantize([1.0], "sfix8"), "fmt: got 'sfix8'; allowed: a QFormat"),
    "63 bits": (lambda: quantize([1.0], QFormat(63, 0)), "an intermediate of 63 bits; allowed: at most 62 bits"),
    "unknown rounding": (lambda: quantize([1.0], BYTE, "NEAREST"), "rounding: got 'NEAREST'; allowed: TO_NEG, TO_POS,"),
    "unknown overflow": (lambda: quantize([1.0], BYTE, overflow="CLIP"), "overflow: got 'CLIP'; allowed: WRAP, SAT,"),
    "scale of 0": (lambda: quantize([1.0], BYTE, scale=0), "scale: got 0; allowed: a positive finite number"),
    "negative scale": (lambda: quantize([1.0], BYTE, scale=-0.5), "scale: got -0.5;"),
    "scale NaN": (lambda: quantize([1.0], BYTE, scale=np.nan), "scale: got nan;"),
    "scale infinite": (lambda: quantize([1.0], BYTE, scale=np.inf), "scale: got inf;"),
    "scale as text": (lambda: quantize([1.0], BYTE, scale="0.5"), "scale: got '0.5';"),
    "scale as bytes": (lambda: quantize([1.0], BYTE, scale=b"1"), "scale: got b'1';"),
    "scale as a truth value": (lambda: quantize([1.0], BYTE, scale=True), "scale: got True;"),
    "scale as numpy's truth value": (lambda: quantize([1.0], BYTE, scale=np.True_), "scale: got np.True_;"),
    "complex scale": (lambda: quantize([1.0], BYTE, scale=1j), "scale: got 1j;"),
    "scale past float64": (lambda: quantize([1.0], BYTE, scale=10**400), "scale: got 1"),
    "scale as a list": (lambda: quantize([1.0], BYTE, scale=[0.5]), "scale: got [0.5];"),
    "scale as a table": (lambda: quantize([1.0], BYTE, scale=TABLE), "scale: got "),
    "overflow by ERROR": (
        lambda: quantize([[0.0, 1.0], [2.0, 300.0]], BYTE, overflow="ERROR"),
        "value[1, 1]: got 300.0; allowed: -128.0 to 127.0",
    ),
    "overflow far out by ERROR": (lambda: quantize([0, -1e300], BYTE, overflow="ERROR"), "value[1]: got -1e+300;"),
    "overflow of a step by ERROR": (
        lambda: quantize([100.0], BYTE, scale=0.5, overflow="ERROR"),
        "value[0]: got 100.0; allowed: -64.0 to 63.5",
    ),
    "real raw values": (lambda: dequantize([0.5], BYTE), "raw: got dtype float64; allowed: an integer dtype"),
    "raw value past the format": (
        lambda: dequantize([128], BYTE),
        "raw: got values from 128 to 128; allowed: -128 to 127",
    ),
    "dequantize without a format": (lambda: dequantize([1], "sfix8"), "fmt: got 'sfix8'; allowed: a QFormat"),
    "dequantize by a scale of 0": (lambda: dequantize([1], BYTE, scale=0.0), "scale: got 0.0;"),
}

REQUANTIZE = {
    "floats": (lambda: requantize([1.0], WIDE, BYTE), "raw: got dtype float64; allowed: an integer dtype"),
    "truth values": (lambda: requantize([True], WIDE, BYTE), "raw: got dtype bool;"),
    "complex values": (lambda: requantize([1j], WIDE, BYTE), "raw: got dtype complex128;"),
    "objects": (lambda: requantize([2**70], WIDE, BYTE), "raw: got dtype object;"),
    "text": (lambda: requantize(["1"], WIDE, BYTE), "raw: got dtype "),
    "ragged rows": (lambda: requantize([[1], [1, 2]], WIDE, BYTE), "raw: got "),
    "no values": (lambda: requantize(np.zeros((2, 0), int), WIDE, BYTE), "raw: got an empty array of shape (2, 0);"),
    "past int64": (lambda: requantize(np.array([2**63], np.uint64), WIDE, BYTE), "raw: got a value past 62 bits;"),
    "value past the source": (
        lambda: requantize([0, 128], BYTE, WIDE),
        "got values from 0 to 128; allowed: -128 to 127",
    ),
    "negative in an unsigned source": (lambda: requantize([-1], QFormat(8, 0, False), BYTE), "allowed: 0 to 255"),
    "source of 63 bits": (
        lambda: requantize([1], QFormat(63, 0), BYTE),
        "sfix63 to sfix8: an intermediate of 63 bits;",
    ),
    "target of 63 bits": (
        lambda: requantize([1], BYTE, QFormat(63, 0)),
        "sfix8 to sfix63: an intermediate of 63 bits;",
    ),
    "left shift of 55 places": (
        lambda: requantize([1], BYTE, QFormat(8, 55)),
        "sfix8 to sfix8_En55: an intermediate of 63 bits; allowed: at most 62 bits",
    ),
    "cut of 63 bits": (
        lambda: requantize([1], QFormat(8, 63), BYTE),
        "sfix8_En63 to sfix8: an intermediate of 63 bits;",
    ),
    "no source": (lambda: requantize([1], "sfix8", BYTE), "source: got 'sfix8'; allowed: a QFormat"),
    "no target": (lambda: requantize([1], WIDE, "sfix8"), "format: got 'sfix8'; allowed: a QFormat"),
    "unknown rounding": (lambda: requantize([1], WIDE, BYTE, "RND"), "rounding: got 'RND'; allowed: TO_NEG,"),
    "unknown overflow": (lambda: Requantizer(BYTE, overflow="SATURATE"), "overflow: got 'SATURATE'; allowed: WRAP,"),
    "overflow by ERROR": (
        lambda: requantize([[16, 32], [0, 5000]], WIDE, BYTE, overflow="ERROR"),
        "value[1, 1]: got 312.5; allowed: -128.0 to 127.0 (sfix8, overflow ERROR)",
    ),
}

RANDOM = {
    "none": (
        lambda: quantize([0.5], BYTE, "STOCHASTIC"),
        "random: got None; allowed: RandomWords or a generator, since STOCHASTIC needs random bits",
    ),
    "none for a cast": (lambda: requantize([5], WIDE, BYTE, "STOCHASTIC_EQUAL"), "random: got None;"),
    "none for a circuit": (lambda: DITHERED([5], WIDE), "random: got None;"),
    "a number": (lambda: quantize([0.5], BYTE, "STOCHASTIC", random=7), "random: got 7;"),
    "a plain array": (lambda: requantize([5], WIDE, BYTE, "STOCHASTIC", random=TABLE), "random: got "),
    "superfluous": (
        lambda: requantize([5], WIDE, BYTE, random=RandomWords([1], 4)),
        "random: got RandomWords; allowed: None, since TIES_EVEN uses no random bits",
    ),
    "superfluous generator": (
        lambda: quantize([5], BYTE, random=Xorshift32(1)),
        "random: got Xorshift32; allowed: None,",
    ),
    "no bits for a mode that needs some": (
        lambda: Requantizer(BYTE, Rounding.STOCHASTIC),
        "random_bits: got 0; allowed: 1 to 32, since STOCHASTIC needs random bits",
    ),
    "bits for a mode that has none": (
        lambda: Requantizer(BYTE, Rounding.TO_NEG, random_bits=4),
        "random_bits: got 4; allowed: 0, since TO_NEG uses no random bits",
    ),
    "33 bits": (lambda: Requantizer(BYTE, Rounding.STOCHASTIC, random_bits=33), "random_bits: got 33;"),
    "words of other bits": (
        lambda: DITHERED([5], WIDE, RandomWords([1], 5)),
        "random: got words of 5 bits; allowed: 4 bits",
    ),
    "word past its bits": (
        lambda: RandomWords([0, 16], 4),
        "RandomWords words: got 0 to 16; allowed: 0 to 15 (4 bits)",
    ),
    "negative word": (lambda: RandomWords([-1], 4), "RandomWords words: got -1 to -1; allowed: 0 to 15"),
    "no words": (lambda: RandomWords([], 4), "RandomWords words: got an empty array"),
    "words as floats": (lambda: RandomWords([0.5], 4), "RandomWords words: got dtype float64;"),
    "words of 0 bits": (lambda: RandomWords([0], 0), "RandomWords bits: got 0;"),
    "too few words": (
        lambda: DITHERED([5, 6, 7], WIDE, RandomWords([1, 2], 4)),
        "random: got 2 words for 3 values; allowed: 1 or 3 words",
    ),
    "seed of 0": (lambda: Xorshift32(0), "seed of a generator: got 0; allowed: a whole number from 1 to 4294967295"),
    "seed past the register": (lambda: Lfsr(1 << 32), "seed of a generator: got 4294967296;"),
    "seed as a float": (lambda: Xorshift32(1.5), "seed of a generator: got 1.5;"),
    "register of 31 bits": (lambda: Lfsr(1, 31), "Lfsr width: got 31; allowed: a whole number from 32 to 64"),
    "leap of 0": (lambda: Lfsr(1, leap=0), "Lfsr leap: got 0;"),
    "taps without the width": (lambda: Lfsr(1, 32, taps=(22, 2, 1)), "Lfsr taps: got (22, 2, 1); allowed:"),
    "tap past the width": (lambda: Lfsr(1, 32, taps=(33, 32)), "Lfsr taps: got 33;"),
    "taps as a number": (lambda: Lfsr(1, 32, taps=32), "Lfsr taps: got 32;"),
    "position before the start": (lambda: Xorshift32(1, position=-1), "jump count: got -1;"),
    "run seed below 0": (lambda: generator_seed(-1, Role.UPDATE, 0), "seed: got -1;"),
    "run seed past 62 bits": (lambda: generator_seed(1 << 62, Role.UPDATE, 0), f"seed: got {1 << 62};"),
    "unknown role": (lambda: generator_seed(1, 4, 0), "role: got 4;"),
    "generator below 0": (lambda: generator_seed(1, Role.UPDATE, -1), "index: got -1;"),
    "lane of 3 bits": (lambda: lane_field([1], 0, 3), "bits: got 3; allowed: 1, 2, 4, 8, 16, 32"),
    "lane of 0 bits": (lambda: lane_field([1], 0, 0), "bits: got 0; allowed: 1, 2, 4, 8, 16, 32"),
    "lane below 0": (lambda: lane_field([1, 2], -1, 16), "lane: got -1;"),
    "lane past the words": (lambda: lane_field([1, 2], 4, 16), "lane: got 4;"),
    "no rows": (lambda: row_indices(Xorshift32(1), 0, 1), "rows: got 0;"),
}

ACCUMULATE = {
    "width of 1 bit": (lambda: Accumulator(1, "SAT"), "Accumulator width: got 1;"),
    "width of 63 bits": (lambda: Accumulator(63, "SAT"), "Accumulator width: got 63;"),
    "width as a float": (lambda: Accumulator(8.0, "SAT"), "Accumulator width: got 8.0;"),
    "unknown overflow": (lambda: Accumulator(8, "CLIP"), "Accumulator overflow: got 'CLIP'; allowed: WRAP,"),
    "no lanes": (lambda: Accumulator(8, "SAT", lanes=0), "Accumulator lanes: got 0;"),
    "lanes as a float": (lambda: Accumulator(8, "SAT", lanes=4.0), "Accumulator lanes: got 4.0;"),
    "product as a format": (
        lambda: Accumulator(8, "SAT", product=BYTE),
        "Accumulator product: got QFormat(width=8, frac=0, signed=True); allowed: None or a Requantizer",
    ),
    "stochastic product": (
        lambda: Accumulator(8, "SAT", product=DITHERED),
        "Accumulator product rounding: got STOCHASTIC; allowed: a deterministic mode",
    ),
    "float operand": (lambda: matmul([[1.0]], [[1]], NARROW), "a: got dtype float64; allowed: an integer dtype"),
    "float right operand": (lambda: matmul([[1]], np.ones((1, 1)), NARROW), "b: got dtype float64;"),
    "truth values": (lambda: matmul([[True]], [[1]], NARROW), "a: got dtype bool;"),
    "objects": (lambda: matmul([[1]], [[2**70]], NARROW), "b: got dtype object;"),
    "ragged operand": (lambda: matmul([[1], [1, 2]], [[1]], NARROW), "a: got "),
    "vector in matmul": (lambda: matmul([1, 2], [[1], [2]], NARROW), "a: got shape (2,);"),
    "matrix in dot": (lambda: dot([[1]], [1], NARROW), "a: got shape (1, 1);"),
    "shapes that do not match": (
        lambda: matmul([[1, 2]], [[1, 2]], NARROW),
        "a, b: got shapes (1, 2) and (1, 2); allowed: (M, K) and (K, N)",
    ),
    "lengths that differ": (lambda: dot([1, 2], [1], NARROW), "a, b: got shapes (2,) and (1,); allowed: equal lengths"),
    "empty operand": (lambda: matmul(np.zeros((2, 0), int), np.zeros((0, 2), int), NARROW), "a: got an empty array"),
    "unsigned past int64": (lambda: dot(np.array([2**63], np.uint64), [1], NARROW), "a: got a value past 62 bits;"),
    "no accumulator": (lambda: matmul([[1]], [[1]], 8), "accumulator: got 8; allowed: an Accumulator"),
    "beat past 62 bits": (
        lambda: dot([2**31] * 2, [2**30] * 2, Accumulator(8, "SAT", lanes=2)),
        "accumulator: an intermediate of 64 bits; allowed: at most 62 bits",
    ),
    "product past 62 bits": (
        lambda: dot([2**31], [2**31], Accumulator(8, "SAT", product=Requantizer(BYTE))),
        "product: an intermediate of 64 bits; allowed: at most 62 bits",
    ),
    "product that cuts 63 bits": (
        lambda: dot([1], [1], Accumulator(8, "SAT", product=Requantizer(QFormat(8, -63), "TO_POS"))),
        "product: an intermediate of 63 bits; allowed: at most 62 bits",
    ),
    "product that cuts 100 bits": (
        lambda: dot([-5], [1], Accumulator(8, "SAT", product=Requantizer(QFormat(8, -100), "TO_NEG"))),
        "product: an intermediate of 100 bits; allowed: at most 62 bits",
    ),
    "overflow by ERROR": (
        lambda: matmul([[1, 1], [100, 100]], [[1], [1]], Accumulator(8, "ERROR")),
        "accumulator[1, 0]: got a sum of 200; allowed: -128 to 127",
    ),
}

CASES = [
    pytest.param(call, text, id=f"{table}: {name}")
    for table, cases in (
        ("format", FORMATS),
        ("quantize", QUANTIZE),
        ("requantize", REQUANTIZE),
        ("random", RANDOM),
        ("accumulate", ACCUMULATE),
    )
    for name, (call, text) in cases.items()
]


@pytest.mark.parametrize(("call", "text"), CASES)
def test_bad_input_is_refused_in_one_line_that_says_what_is_allowed(call, text):
    with pytest.raises(InputError) as refused:
        call()
    message = str(refused.value)
    assert text in message
    assert "\n" not in message
    assert re.search(r"; allowed: .+", message)


def test_an_input_error_is_a_value_error():
    assert issubclass(InputError, ValueError)


def test_the_first_value_that_is_no_number_is_named():
    values = np.zeros((3, 4))
    values[2, 1] = values[1, 3] = np.nan
    with pytest.raises(InputError, match=re.escape("values[1, 3]: got nan")):
        quantize(values, BYTE)


def test_the_first_value_that_overflows_is_named():
    with pytest.raises(InputError, match=re.escape("value[1]: got -624.9375")):
        requantize([1, -9999, 9999], WIDE, BYTE, overflow="ERROR")
    with pytest.raises(InputError, match=re.escape("value[1]: got 300.0")):
        quantize([1, 300, -300], BYTE, overflow="ERROR")


def test_nothing_is_drawn_from_a_generator_for_values_that_are_refused():
    generator = Xorshift32(1)
    with pytest.raises(InputError):
        requantize([1000], BYTE, BYTE, "STOCHASTIC", generator)
    with pytest.raises(InputError):
        quantize([], BYTE, "STOCHASTIC", random=generator)
    assert generator.position == 0
