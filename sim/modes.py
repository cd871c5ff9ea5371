"""The names of rounding and overflow modes; the same names stand in TOML, in SystemVerilog and in the docs."""

from __future__ import annotations

from enum import StrEnum


class Rounding(StrEnum):
    """How a cast gets rid of the bits below the new last bit.

    Names are those of apytypes. A *tie* is a discarded field of exactly 100…0 in two's complement. No mode acts where
    nothing is cut, except `JAM`.

    Example:
        >>> Rounding("TIES_EVEN").is_stochastic
        False
    """

    TO_NEG = "TO_NEG"
    """Toward minus infinity: drop the bits (floor; HLS "TRN")."""
    TO_POS = "TO_POS"
    """Toward plus infinity (ceiling)."""
    TO_ZERO = "TO_ZERO"
    """Toward zero (truncate the magnitude)."""
    TO_AWAY = "TO_AWAY"
    """Away from zero."""
    TIES_EVEN = "TIES_EVEN"
    """Nearest; ties to the even neighbour (convergent, IEEE 754 default)."""
    TIES_ODD = "TIES_ODD"
    """Nearest; ties to the odd neighbour."""
    TIES_AWAY = "TIES_AWAY"
    """Nearest; ties away from zero."""
    TIES_ZERO = "TIES_ZERO"
    """Nearest; ties toward zero."""
    TIES_POS = "TIES_POS"
    """Nearest; ties toward plus infinity: add half, floor (HLS "RND")."""
    TIES_NEG = "TIES_NEG"
    """Nearest; ties toward minus infinity."""
    TRN_MAG = "TRN_MAG"
    """Floor plus the sign bit, whenever bits are cut, even from an exact value."""
    JAM = "JAM"
    """Force the last bit to 1, always, even when nothing is cut (von Neumann rounding)."""
    JAM_UNBIASED = "JAM_UNBIASED"
    """Force the last bit to 1 only if the value is inexact (round to odd)."""
    STOCHASTIC = "STOCHASTIC"
    """Add a random word below the cut, then floor: up with a probability equal to the discarded fraction."""
    STOCHASTIC_EQUAL = "STOCHASTIC_EQUAL"
    """If inexact, up when the top bit of the random word is 1: up or down with equal probability."""

    @property
    def is_stochastic(self) -> bool:
        """Whether the mode consumes random bits."""
        return self in (Rounding.STOCHASTIC, Rounding.STOCHASTIC_EQUAL)


class Overflow(StrEnum):
    """What a cast does with a rounded value outside the target format.

    Example:
        >>> Overflow("SAT") is Overflow.SAT
        True
    """

    WRAP = "WRAP"
    """Keep the low bits (modulo 2^width)."""
    SAT = "SAT"
    """Go to the nearest end of the range."""
    SAT_SYM = "SAT_SYM"
    """As SAT with the range −max..max; the code −2^(width−1) becomes −max and counts as overflow. Unsigned: as SAT."""
    ERROR = "ERROR"
    """Raise, naming index and value. Exists on the host only; no circuit has it."""
