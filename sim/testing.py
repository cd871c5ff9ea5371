"""For the tests of users' own units: hypothesis strategies of formats and raw values, and checkers of callables.

The checkers take a callable on numpy arrays, so they serve a Python model, a kernel, or a simulator wrapped in a
function. They enumerate all values and all random words where that is affordable, and say what they covered.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from sim import reference
from sim.accumulate import Accumulator
from sim.errors import InputError, integers, whole_number
from sim.formats import QFormat
from sim.modes import Overflow, Rounding
from sim.quantize import INTERMEDIATE_BITS, mode_of

Integers = NDArray[np.int64]
ENUMERATED = 1 << 16
"""Values enumerated completely; wider formats are checked at their boundaries, at ties and at evenly spaced values."""


def formats(
    *, min_width: int = 1, max_width: int = 16, min_frac: int = -8, max_frac: int = 24, signed: bool | None = None
) -> st.SearchStrategy[QFormat]:
    """Return a strategy of formats.

    Args:
        min_width: smallest width in bits.
        max_width: largest width in bits, at most 64.
        min_frac: smallest number of fraction bits.
        max_frac: largest number of fraction bits.
        signed: force the sign; None for both.

    Example:
        >>> from hypothesis import find
        >>> find(formats(min_width=4), lambda fmt: fmt.signed)
        QFormat(width=4, frac=0, signed=True)
    """
    min_width = whole_number("min_width", min_width, 1, 64)
    max_width = whole_number("max_width", max_width, min_width, 64)
    signs = st.booleans() if signed is None else st.just(signed)
    return st.builds(QFormat, st.integers(min_width, max_width), st.integers(min_frac, max_frac), signs)


def raw_values(fmt: QFormat) -> st.SearchStrategy[int]:
    """Return a strategy of raw values of a format, its boundary values more often than others.

    Example:
        >>> from hypothesis import find
        >>> find(raw_values(QFormat(8, 0)), lambda raw: raw > 100)
        101
    """
    return st.integers(fmt.low, fmt.high) | boundary_values(fmt)


def boundary_values(fmt: QFormat) -> st.SearchStrategy[int]:
    """Return a strategy of the values where circuits go wrong: both ends, their neighbours, and those of 0.

    Example:
        >>> from hypothesis import find
        >>> find(boundary_values(QFormat(8, 0)), lambda raw: raw < -1)
        -127
    """
    return st.sampled_from(sorted(_boundary(fmt), key=abs))


def assert_unbiased(
    rounder: Callable[[Integers, Integers], Any], *, source: QFormat, target: QFormat, random_bits: int
) -> int:
    """Assert that a stochastic rounder is exactly unbiased: over all random words, its mean is its input.

    Args:
        rounder: takes raw values of `source` and random words of `random_bits` bits (arrays of one shape), returns raw
            values of `target`.
        source: format of the values.
        target: format of the results; values outside its range are left out.
        random_bits: width of a word, at most 16.

    Returns:
        The number of values checked, each with all words.

    Raises:
        AssertionError: naming the first biased value, its mean and the bias in last bits of the result.

    Example:
        >>> cut = lambda raw, words: (raw + words) >> 4
        >>> assert_unbiased(cut, source=QFormat(8, 4), target=QFormat(8, 0), random_bits=4)
        256
        >>> floor = lambda raw, words: raw >> 4
        >>> assert_unbiased(floor, source=QFormat(8, 4), target=QFormat(8, 0), random_bits=4)
        Traceback (most recent call last):
        ...
        AssertionError: biased at 1 = 0x01 = 0b0000_0001 = 0.0625 (sfix8_En4): the mean over all 16 words is 0.0,
        which is -0.0625 last bits of sfix8 off
    """
    random_bits = whole_number("random_bits", random_bits, 1, 16)
    words = np.arange(1 << random_bits)
    scale = Fraction(2) ** (target.frac - source.frac)  # last bits of the result in one last bit of the input
    inside = [raw for raw in _values(source, source.frac - target.frac) if target.low <= raw * scale <= target.high]
    for raw in sorted(inside, key=lambda raw: (abs(raw), -raw)):
        results = integers("what the rounder returns", rounder(np.full(words.size, raw), words))
        mean = Fraction(int(results.astype(object).sum()), words.size)
        if mean != raw * scale:
            raise AssertionError(
                f"biased at {source.show(raw)} ({source}): the mean over all {words.size} words is "
                f"{float(mean * target.step)}, which is {float(mean - raw * scale):+} last bits of {target} off"
            )
    return len(inside)


def assert_equal_to_reference(
    cast: Callable[..., Any],
    *,
    source: QFormat,
    target: QFormat,
    rounding: Rounding,
    overflow: Overflow,
    random_bits: int = 0,
    centered: bool = True,
) -> int:
    """Assert that a requantizer gives the bits of `sim.reference.cast`.

    Args:
        cast: takes an array of raw values of `source` (and, for stochastic modes, one of words), returns raw values of
            `target`.
        source: format of the values.
        target: format of the results.
        rounding: the mode it implements.
        overflow: what it does past the ends of `target`.
        random_bits: width of a random word, at most 16; 0 for deterministic modes.
        centered: for STOCHASTIC with fewer random bits than bits cut.

    Returns:
        The number of comparisons.

    Raises:
        AssertionError: at the first difference, with input, word, expected and actual value in all forms.

    Example:
        >>> floor = lambda raw: np.clip(raw >> 4, -8, 7)
        >>> names = dict(source=QFormat(10, 4), target=QFormat(4, 0), overflow="SAT")
        >>> assert_equal_to_reference(floor, rounding="TO_NEG", **names)
        1024
    """
    rounding, overflow = mode_of(Rounding, "rounding", rounding), mode_of(Overflow, "overflow", overflow)
    if rounding.is_stochastic != bool(whole_number("random_bits", random_bits, 0, 16)):
        allowed = "1 to 16" if rounding.is_stochastic else "0"
        raise InputError(f"random_bits: got {random_bits}; allowed: {allowed} with rounding {rounding}")
    cut = source.frac - target.frac
    values = np.array(_values(source, cut), np.int64)
    words = _words(random_bits, len(values))
    grid = np.repeat(values, len(words)), np.tile(words, len(values))
    actual = integers("what the cast returns", cast(*grid) if random_bits else cast(grid[0]))
    if actual.shape != grid[0].shape:
        raise AssertionError(f"the cast returns shape {actual.shape} for values of shape {grid[0].shape}")
    for raw, word, found in zip(grid[0].tolist(), grid[1].tolist(), actual.tolist(), strict=True):
        expected = reference.cast(
            raw, cut, target.width, target.signed, rounding, overflow, word, random_bits, centered
        )
        if found != expected:
            with_word = f" with word {word:#x}" if random_bits else ""
            raise AssertionError(
                f"{rounding}, {overflow}, {source} to {target}: {source.show(raw)}{with_word} gives {found}, "
                f"the reference {target.show(expected)}"
            )
    return len(actual)


def assert_dot_equal_to_reference(
    dot: Callable[[Integers, Integers], Any],
    accumulator: Accumulator,
    *,
    a: QFormat,
    b: QFormat,
    length: int,
    seed: int,
) -> int:
    """Assert that a dot product gives the bits of the reference accumulator, on vectors chosen to overflow.

    Args:
        dot: takes two arrays of raw values of shape (length,), returns the accumulator's value.
        accumulator: width, overflow and lanes; exact products.
        a: format of the first vector's values.
        b: format of the second vector's values.
        length: values in a vector.
        seed: of the random vectors, drawn besides the constant and alternating ones at the ends of the formats.

    Returns:
        The number of vector pairs.

    Raises:
        AssertionError: at the first difference.

    Example:
        >>> from sim.accumulate import dot
        >>> unit = Accumulator(12, Overflow.SAT, lanes=4)
        >>> assert_dot_equal_to_reference(
        ...     lambda x, y: dot(x, y, unit), unit, a=QFormat(6, 0), b=QFormat(6, 0), length=10, seed=0
        ... )
        80
    """
    if accumulator.product is not None:
        raise InputError("accumulator product: got a cast; allowed: None (exact products)")
    random = np.random.default_rng(seed)
    pairs = [*product(_patterns(a, length), _patterns(b, length))]
    pairs += zip(_random_vectors(a, length, random), _random_vectors(b, length, random), strict=True)
    for x, y in pairs:
        total = 0
        for start in range(0, length, accumulator.lanes):
            beat = slice(start, start + accumulator.lanes)
            products = [left * right for left, right in zip(x[beat].tolist(), y[beat].tolist(), strict=True)]
            total = reference.accumulate(total, products, accumulator.width, accumulator.overflow)
        found = int(dot(x, y))
        if found != total:
            raise AssertionError(f"{accumulator}: dot of {x.tolist()} and {y.tolist()} gives {found}, not {total}")
    return len(pairs)


def _boundary(fmt: QFormat) -> set[int]:
    near = (fmt.low, fmt.low + 1, -1, 0, 1, fmt.high - 1, fmt.high)
    return {raw for raw in near if fmt.low <= raw <= fmt.high}


def _values(fmt: QFormat, cut: int) -> list[int]:
    """Return all values of a narrow format, or the telling ones of a wide one."""
    if fmt.width > INTERMEDIATE_BITS:
        raise InputError(f"source: got {fmt}; allowed: at most {INTERMEDIATE_BITS} bits")
    if fmt.width <= ENUMERATED.bit_length() - 1:
        return list(range(fmt.low, fmt.high + 1))
    half = 1 << max(cut - 1, 0)
    ends = [end + k * half + near for end in (fmt.low, 0, fmt.high) for k in range(-8, 9) for near in (-1, 0, 1)]
    spaced = range(fmt.low, fmt.high, (fmt.high - fmt.low) // ENUMERATED)
    return sorted({raw for raw in (*ends, *spaced, *_boundary(fmt)) if fmt.low <= raw <= fmt.high})


def _words(random_bits: int, values: int) -> Integers:
    """Return all words, or evenly spaced ones and both ends where there are too many for that many values."""
    count = 1 << random_bits
    most = max(16, (1 << 20) // values)
    step = -(-count // most)
    odd = [word for word in (1, count // 2 - 1, count // 2 + 1, count - 1) if 0 <= word < count]
    return np.unique(np.append(np.arange(0, count, step), odd))


def _patterns(fmt: QFormat, length: int) -> list[Integers]:
    even = np.arange(length) % 2 == 0
    ends = fmt.low, fmt.high
    return [np.where(even, first, second) for first in ends for second in ends]


def _random_vectors(fmt: QFormat, length: int, random: np.random.Generator) -> list[Integers]:
    ends = random.choice([fmt.low, fmt.high], (32, length))
    return [*ends, *random.integers(fmt.low, fmt.high, (32, length), endpoint=True)]
