"""Fixed-point formats and their exact result algebra."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from sim.errors import InputError, whole_number

LARGEST_FRAC = 950
"""Bound on |frac|: every value of every format is a float64 in range."""


@dataclass(frozen=True, slots=True)
class QFormat:
    """A fixed-point format: the integers of `width` bits, each worth raw·2^−frac.

    Args:
        width: bits, 1 to 64, the sign bit included.
        frac: bits below the binary point; may be negative or exceed `width`.
        signed: two's complement if true, else unsigned.

    Raises:
        InputError: for anything else, a width as a string or a fraction included.

    The operators give the narrowest format that holds every exact result: `a * b`, `a + b`, `-a`, `a << k`,
    `a.sum_of(n)`, `a.dot(b, n)`.

    Example:
        >>> a = QFormat(8, 7)
        >>> print(a, a * a, a + a, a.dot(a, 512))
        sfix8_En7 sfix16_En14 sfix9_En7 sfix25_En14
        >>> a.low, a.high, a.step
        (-128, 127, Fraction(1, 128))
    """

    width: int
    frac: int
    signed: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "width", whole_number("QFormat width", self.width, 1, 64))
        object.__setattr__(self, "frac", whole_number("QFormat frac", self.frac, -LARGEST_FRAC, LARGEST_FRAC))
        if not isinstance(self.signed, bool | np.bool_):
            raise InputError(f"QFormat signed: got {self.signed!r}; allowed: True or False")
        object.__setattr__(self, "signed", bool(self.signed))

    @classmethod
    def parse(cls, text: str) -> QFormat:
        """Read the text form: `sfix8_En7`, `ufix16`, `sfix8_E3` (frac −3).

        Example:
            >>> QFormat.parse("sfix8_E3")
            QFormat(width=8, frac=-3, signed=True)
        """
        match = re.fullmatch(r"([su])fix(\d+)(?:_(En|E)(\d+))?", text) if isinstance(text, str) else None
        if match is None:
            raise InputError(f"QFormat: got {text!r}; allowed: sfixW, ufixW, sfixW_EnF or sfixW_EF, as in sfix8_En7")
        sign, width, direction, digits = match.groups()
        frac = int(digits or 0)
        return cls(int(width), frac if direction == "En" else -frac, sign == "s")

    @classmethod
    def covering(
        cls,
        low: int | float | Fraction,
        high: int | float | Fraction,
        step: int | float | Fraction,
        signed: bool | None = None,
    ) -> QFormat:
        """Return the narrowest format with last bit `step` that holds `low` to `high`.

        Args:
            low: smallest real value, a multiple of `step`.
            high: largest real value, a multiple of `step`.
            step: worth of the last bit, a power of two.
            signed: force the sign; by default signed if and only if `low` is negative.

        Raises:
            InputError: if `step` is no power of two, the ends are no multiples of it, or 64 bits do not suffice.

        Example:
            >>> print(QFormat.covering(-1, 1, Fraction(1, 128)))
            sfix9_En7
        """
        try:
            low, high, step = (Fraction(v.item() if isinstance(v, np.generic) else v) for v in (low, high, step))
        except (TypeError, ValueError, OverflowError):
            raise InputError(f"covering: got ({low!r}, {high!r}, {step!r}); allowed: three finite numbers") from None
        numerator, denominator = step.numerator, step.denominator
        if step <= 0 or numerator & (numerator - 1) or denominator & (denominator - 1):
            raise InputError(f"covering step: got {step}; allowed: a power of two")
        if low > high or (low / step).denominator != 1 or (high / step).denominator != 1:
            raise InputError(f"covering: got {low} to {high}; allowed: low <= high, both multiples of the step {step}")
        signed = low < 0 if signed is None else signed
        if low < 0 and not signed:
            raise InputError(f"covering low: got {low}; allowed: at least 0 for an unsigned format")
        width = width_of(int(low / step), int(high / step), signed)
        if width > 64:
            raise InputError(f"covering: {low} to {high} in steps of {step} needs {width} bits; allowed: at most 64")
        return cls(width, denominator.bit_length() - numerator.bit_length(), signed)

    @property
    def low(self) -> int:
        """Smallest raw value."""
        return -(1 << (self.width - 1)) if self.signed else 0

    @property
    def high(self) -> int:
        """Largest raw value."""
        return (1 << (self.width - self.signed)) - 1

    @property
    def step(self) -> Fraction:
        """Worth of the last bit (one ulp)."""
        return Fraction(2) ** -self.frac

    @property
    def dtype(self) -> np.dtype[np.integer]:
        """The narrowest numpy integer dtype that holds every raw value."""
        size = next(size for size in (1, 2, 4, 8) if 8 * size >= self.width)
        return np.dtype(f"{'i' if self.signed else 'u'}{size}")

    def __str__(self) -> str:
        """The text form of HDL tools: `sfix8_En7`, `ufix16`, `sfix8_E3`."""
        suffix = f"_En{self.frac}" if self.frac > 0 else f"_E{-self.frac}" if self.frac < 0 else ""
        return f"{'s' if self.signed else 'u'}fix{self.width}{suffix}"

    def show(self, raw: int) -> str:
        """Return a raw value in decimal, hexadecimal, binary and real form.

        Args:
            raw: an integer of this format.

        Raises:
            InputError: if `raw` is outside the format.

        Example:
            >>> QFormat(8, 7).show(-5)
            '-5 = 0xfb = 0b1111_1011 = -0.0390625'
        """
        code = whole_number(f"raw value of {self}", raw, self.low, self.high) & ((1 << self.width) - 1)
        digits, bits = -(-self.width // 4), self.width + (self.width - 1) // 4
        return f"{int(raw)} = 0x{code:0{digits}x} = 0b{code:0{bits}_b} = {float(raw * self.step)}"

    def __mul__(self, other: QFormat) -> QFormat:
        """Format of every exact product."""
        if not isinstance(other, QFormat):
            return NotImplemented
        low, high = _product_bounds(self, other)
        return self._of(low, high, self.frac + other.frac, self.signed or other.signed, f"{self} * {other}")

    def __add__(self, other: QFormat) -> QFormat:
        """Format of every exact sum."""
        if not isinstance(other, QFormat):
            return NotImplemented
        frac = max(self.frac, other.frac)
        left, right = frac - self.frac, frac - other.frac
        low, high = (self.low << left) + (other.low << right), (self.high << left) + (other.high << right)
        return self._of(low, high, frac, self.signed or other.signed, f"{self} + {other}")

    def __neg__(self) -> QFormat:
        """Format of every exact negative."""
        return self._of(-self.high, -self.low, self.frac, True, f"-{self}")

    def __lshift__(self, places: int) -> QFormat:
        """Format after multiplication by 2^places: the same raw values, the point moved."""
        return QFormat(self.width, self.frac - places, self.signed)

    def sum_of(self, count: int) -> QFormat:
        """Return the format of every exact sum of `count` values of this format."""
        count = whole_number("sum_of count", count, 1, 1 << 62)
        return self._of(count * self.low, count * self.high, self.frac, self.signed, f"{self}.sum_of({count})")

    def dot(self, other: QFormat, length: int) -> QFormat:
        """Return the format of every exact dot product of two vectors of `length` values."""
        if not isinstance(other, QFormat):
            raise InputError(f"dot: got {other!r}; allowed: a QFormat")
        length = whole_number("dot length", length, 1, 1 << 62)
        low, high = _product_bounds(self, other)
        name = f"{self}.dot({other}, {length})"
        return self._of(length * low, length * high, self.frac + other.frac, self.signed or other.signed, name)

    @staticmethod
    def _of(low: int, high: int, frac: int, signed: bool, name: str) -> QFormat:
        width = width_of(low, high, signed)
        if width > 64:
            raise InputError(f"{name} needs {width} bits; allowed: at most 64")
        return QFormat(width, frac, signed)


def width_of(low: int, high: int, signed: bool = True) -> int:
    """Return the bits that hold every integer from `low` to `high`.

    Example:
        >>> width_of(-128, 127), width_of(0, 128), width_of(0, 255, signed=False)
        (8, 9, 8)
    """
    if not signed:
        return max(high.bit_length(), 1)
    return 1 + max(high.bit_length() if high >= 0 else 0, (-low - 1).bit_length() if low < 0 else 0)


def _product_bounds(a: QFormat, b: QFormat) -> tuple[int, int]:
    corners = [x * y for x in (a.low, a.high) for y in (b.low, b.high)]
    return min(corners), max(corners)
