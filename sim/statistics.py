"""Counts of what a datapath did to its values."""

from __future__ import annotations

from dataclasses import dataclass

from sim.formats import width_of


@dataclass
class Statistics:
    """A collector of counts: hand it to any number of calls, then read or print it.

    Attributes:
        count: values (for accumulators: beats) seen.
        overflows: values (beats) that overflow changed.
        at_low: results at the smallest value the overflow mode allows.
        at_high: results at the largest value.
        smallest: smallest result, None before the first value.
        largest: largest result, None before the first value.

    Example:
        >>> from sim.quantize import quantize
        >>> from sim.formats import QFormat
        >>> seen = Statistics()
        >>> quantize([0.5, 3.0], QFormat(4, 3), statistics=seen)
        array([4, 7], dtype=int8)
        >>> print(seen)
        2 values, 1 overflowed (50 %), 0 at the low end, 1 at the high end, 4 to 7: 4 bits used
    """

    count: int = 0
    overflows: int = 0
    at_low: int = 0
    at_high: int = 0
    smallest: int | None = None
    largest: int | None = None

    @property
    def bits_used(self) -> int:
        """Width of the narrowest signed format that holds every result seen; 0 before the first."""
        if self.smallest is None or self.largest is None:
            return 0
        return width_of(self.smallest, self.largest)

    def add(self, count: int, overflows: int, at_low: int, at_high: int, smallest: int, largest: int) -> None:
        """Add the counts of one call."""
        self.count += count
        self.overflows += overflows
        self.at_low += at_low
        self.at_high += at_high
        self.smallest = smallest if self.smallest is None else min(self.smallest, smallest)
        self.largest = largest if self.largest is None else max(self.largest, largest)

    def __str__(self) -> str:
        """One line: what was seen, and whether it saturated."""
        if not self.count:
            return "no values"
        return (
            f"{self.count} values, {self.overflows} overflowed ({100 * self.overflows / self.count:.3g} %), "
            f"{self.at_low} at the low end, {self.at_high} at the high end, "
            f"{self.smallest} to {self.largest}: {self.bits_used} bits used"
        )
