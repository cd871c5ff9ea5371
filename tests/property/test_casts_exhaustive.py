"""Casts of 1 to 10 bits, every one of them: kernels = reference = definition, over all modes, cuts, words and targets.

The ladder has three rungs. Rounding and overflow of the reference equal their definitions, each over all arguments that
any cast below can give it; the reference's cast is the one after the other; the kernels equal the reference.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from sim import reference
from sim.formats import QFormat
from sim.modes import Overflow, Rounding
from sim.quantize import Requantizer, requantize
from sim.random_bits import RandomWords
from sim.statistics import Statistics
from tests import definitions
from tests.definitions import CIRCUIT_OVERFLOWS

WIDTHS = range(1, 11)
LEFTMOST = 2  # places of the longest left shift


@dataclass(frozen=True)
class Mode:
    """A rounding with all that it depends on but the value, the cut and the word."""

    rounding: Rounding
    bits: int = 0
    centered: bool = True

    def __str__(self) -> str:
        drawn = f"-{self.bits}bits" if self.bits else ""
        return f"{self.rounding}{drawn}{'' if self.centered else '-uncentered'}"

    @property
    def width(self) -> int:
        """The widest source tried: 256 words of 8 bits are tried on values of up to 6 bits."""
        return 6 if self.bits == 8 else WIDTHS[-1]

    @property
    def values(self) -> range:
        """Every value of a source, signed or unsigned."""
        return range(-1 << (self.width - 1), 1 << self.width)

    @property
    def cuts(self) -> range:
        return range(-LEFTMOST, self.width + 3)

    @property
    def words(self) -> range:
        return range(1 << self.bits)


MODES = [
    *(Mode(rounding) for rounding in Rounding if not rounding.is_stochastic),
    *(Mode(Rounding.STOCHASTIC, bits, centered) for bits in (1, 2, 3, 4, 8) for centered in (True, False)),
    *(Mode(Rounding.STOCHASTIC_EQUAL, bits) for bits in (1, 2, 3, 4, 8)),
]
ROUNDED = range(-1 << (WIDTHS[-1] - 1 + LEFTMOST), 1 + (1 << (WIDTHS[-1] + LEFTMOST)))  # all that a rounding can give
FORMATS = [QFormat(width, 0, signed) for width in range(1, WIDTHS[-1] + LEFTMOST + 2) for signed in (True, False)]


@cache
def rounded(mode: Mode, cut: int) -> NDArray[np.int64]:
    """The reference's rounding of every value with every word: shape (values, words)."""
    table = [
        [reference.round_shift(value, cut, mode.rounding, word, mode.bits, mode.centered) for word in mode.words]
        for value in mode.values
    ]
    return np.array(table)


@cache
def fitted(target: QFormat, overflow: Overflow) -> NDArray[np.int64]:
    """The reference's overflow of every rounded value."""
    return np.array([reference.apply_overflow(value, target.width, target.signed, overflow) for value in ROUNDED])


def targets(width: int, cut: int) -> list[QFormat]:
    """Formats of the bits that remain, of one fewer and of one more."""
    kept = max(width - cut, 1)
    return [QFormat(target, 0, signed) for target in {max(kept - 1, 1), kept, kept + 1} for signed in (True, False)]


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_rounding_of_the_reference_is_the_definition(mode):
    for cut in mode.cuts:
        for value, row in zip(mode.values, rounded(mode, cut).tolist(), strict=True):
            expected = [
                definitions.cut_off(value, cut, mode.rounding, word, mode.bits, mode.centered) for word in mode.words
            ]
            assert row == expected, f"{value}·2^{-cut} by {mode}"


@pytest.mark.parametrize("overflow", CIRCUIT_OVERFLOWS)
def test_overflow_of_the_reference_is_the_definition(overflow):
    for target in FORMATS:
        expected = [definitions.fitted(value, target.width, target.signed, overflow) for value in ROUNDED]
        assert fitted(target, overflow).tolist() == expected, target


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode.bits <= 2], ids=str)
def test_cast_of_the_reference_rounds_and_then_overflows(mode):
    draw = (mode.bits, mode.centered)
    for width in range(1, 5):
        for cut in range(-LEFTMOST, width + 3):
            for target in targets(width, cut):
                for overflow in CIRCUIT_OVERFLOWS:
                    kind = (target.width, target.signed)
                    for value in range(-1 << (width - 1), 1 << width):
                        for word in mode.words:
                            exact = definitions.cut_off(value, cut, mode.rounding, word, *draw)
                            result = reference.cast(value, cut, *kind, mode.rounding, overflow, word, *draw)
                            assert result == definitions.fitted(exact, *kind, overflow)


@pytest.mark.parametrize("signed", [True, False], ids=["signed", "unsigned"])
@pytest.mark.parametrize("width", WIDTHS)
def test_kernel_equals_the_reference_and_counts_what_overflowed(width, signed):
    for mode in MODES:
        if width > mode.width:
            continue
        source = QFormat(width, 0, signed)
        values = np.arange(source.low, source.high + 1)
        raw = np.repeat(values, len(mode.words))
        words = RandomWords(np.tile(mode.words, values.size), mode.bits) if mode.bits else None
        for cut in range(-LEFTMOST, width + 3):
            exact = rounded(mode, cut)[values - mode.values.start].reshape(-1)
            for target in targets(width, cut):
                for overflow in CIRCUIT_OVERFLOWS:
                    expected = fitted(target, overflow)[exact - ROUNDED.start]
                    seen = Statistics()
                    circuit = Requantizer(target, mode.rounding, overflow, mode.bits, mode.centered)
                    result = circuit(raw, QFormat(width, cut, signed), words, seen)
                    case = f"{mode}, {source} cut by {cut} to {target}, {overflow}"
                    assert result.dtype == target.dtype, case
                    assert np.array_equal(result, expected), case
                    assert seen == counted(exact, expected, target, overflow), case


def counted(exact: NDArray[np.int64], results: NDArray[np.int64], target: QFormat, overflow: Overflow) -> Statistics:
    """What a collector must say of these results."""
    low, high = (-target.high if overflow is Overflow.SAT_SYM and target.signed else target.low), target.high
    changed, at_low, at_high = (
        int(np.count_nonzero(mask)) for mask in (exact != results, results == low, results == high)
    )
    return Statistics(results.size, changed, at_low, at_high, int(results.min()), int(results.max()))


def test_requantize_is_the_requantizer():
    raw, words = np.arange(-128, 128), np.arange(256) % 8
    source, target = QFormat(8, 4), QFormat(4, 0)
    for mode in MODES:
        if mode.bits in (0, 3):
            random = RandomWords(words, 3) if mode.bits else None
            circuit = Requantizer(target, mode.rounding, Overflow.SAT, mode.bits, mode.centered)
            direct = requantize(raw, source, target, mode.rounding, Overflow.SAT, random, centered=mode.centered)
            assert np.array_equal(circuit(raw, source, random), direct)
