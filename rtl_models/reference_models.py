"""The reference, one transaction at a time, and a scoreboard: for cocotb tests of one's own.

Each model is called with what enters a unit and returns what has to leave it. The arithmetic is that of sim.reference
and sim.random_bits; a model only keeps the state between two calls.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

from sim.accumulate import Accumulator
from sim.errors import InputError
from sim.formats import QFormat
from sim.modes import Overflow
from sim.quantize import Requantizer, mode_of
from sim.random_bits import LinearGenerator
from sim.reference import apply_overflow, exact_sum, round_shift


class Outcome(NamedTuple):
    """A result and its flag.

    Attributes:
        value: raw integer of the result's format.
        overflow: whether the exact value lay outside the format; of a sum, whether it did since the last clear.
    """

    value: int
    overflow: bool


class RequantizerModel:
    """Values of one format in, results of another out.

    Args:
        block: target format and modes.
        source: format of the values.

    Attributes:
        exact: of the last value, rounded and before overflow.

    Example:
        >>> model = RequantizerModel(Requantizer(QFormat(8, 4)), QFormat(16, 8))
        >>> model(40), model(5000)
        (Outcome(value=2, overflow=False), Outcome(value=127, overflow=True))
    """

    def __init__(self, block: Requantizer, source: QFormat) -> None:
        _circuit(block.overflow)
        self.block, self.source, self.exact = block, source, 0

    def __call__(self, value: int, word: int = 0) -> Outcome:
        """Return the result of a value, with its random word for a stochastic mode."""
        block, target = self.block, self.block.format
        cut = self.source.frac - target.frac
        self.exact = int(round_shift(int(value), cut, block.rounding, int(word), block.random_bits, block.centered))
        result = int(apply_overflow(self.exact, target.width, target.signed, block.overflow))
        return Outcome(result, result != self.exact)


class MacModel:
    """Pairs in, the accumulator after each out.

    Args:
        width: bits of the accumulator, signed.
        overflow: what it does past its ends.

    Attributes:
        exact: the last sum before overflow.

    Example:
        >>> model = MacModel(8, "SAT")
        >>> model(100, 1), model(100, 1), model(-1, 27), model(3, 4, clear=True)
        (Outcome(value=100, overflow=False), Outcome(value=127, overflow=True), Outcome(value=100, overflow=True), \
Outcome(value=12, overflow=False))
    """

    def __init__(self, width: int, overflow: Overflow | str = Overflow.SAT) -> None:
        unit = Accumulator(width, mode_of(Overflow, "overflow", overflow))
        self.width, self.overflow = unit.width, _circuit(unit.overflow)
        self.reset()

    def reset(self) -> Outcome:
        """Return to a sum of 0 and no overflow, as a reset or a clear without a pair does."""
        self.total, self.exact, self.flag = 0, 0, False
        return Outcome(0, False)

    def __call__(self, a: int, b: int, *, clear: bool = False) -> Outcome:
        """Return the sum with one more product; with `clear` the pair is the first of a new sum."""
        if clear:
            self.reset()
        self.exact = exact_sum(self.total, [int(a) * int(b)])
        self.total = int(apply_overflow(self.exact, self.width, True, self.overflow))
        self.flag |= self.total != self.exact
        return Outcome(self.total, self.flag)


class RowSum(NamedTuple):
    """What a dot product gives after the last beat of a row.

    Attributes:
        value: raw integer of the accumulator.
        overflows: beats of the row that overflowed.
    """

    value: int
    overflows: int


class DotProductModel:
    """Beats in, the sum of every row out.

    Args:
        accumulator: width, overflow and lanes; without a cast of products.

    Attributes:
        exact: the last beat's sum before overflow.

    Example:
        >>> model = DotProductModel(Accumulator(8, Overflow.SAT, lanes=2))
        >>> model([100, 100], [1, 1], last=False)
        >>> model([-20, 0], [1, 1], last=True)
        RowSum(value=107, overflows=1)
    """

    def __init__(self, accumulator: Accumulator) -> None:
        if accumulator.product is not None:
            raise InputError(
                f"accumulator.product: got {accumulator.product}; allowed: none, since the unit adds exactly"
            )
        _circuit(accumulator.overflow)
        self.accumulator = accumulator
        self.reset()

    def reset(self) -> None:
        """Forget the beats of a row that is not complete, as a reset does."""
        self.total = self.exact = self.overflows = 0

    def __call__(self, x: Sequence[int], z: Sequence[int], *, last: bool, exponent: int = 0) -> RowSum | None:
        """Return the row's sum after its last beat, nothing before.

        Args:
            x: data words, one a lane.
            z: model words, one a lane.
            last: whether the beat is the row's last.
            exponent: places by which the beat's sum is shifted left.
        """
        unit = self.accumulator
        if not len(x) == len(z) == unit.lanes:
            raise InputError(f"x, z: got {len(x)} and {len(z)} words; allowed: {unit.lanes}, the lanes")
        self.exact = exact_sum(self.total, [int(a) * int(b) for a, b in zip(x, z, strict=True)], exponent)
        self.total = int(apply_overflow(self.exact, unit.width, True, unit.overflow))
        self.overflows += self.total != self.exact
        if not last:
            return None
        result = RowSum(self.total, self.overflows)
        self.total = self.overflows = 0
        return result


class GeneratorModel:
    """The word that a generator's register shows: word 0 after a seed, and the next after every step.

    Args:
        kind: the class of the stream, `Xorshift32` or `Lfsr`.
        seed: not 0.
        options: further arguments of that class, such as the width of an lfsr.

    Example:
        >>> from sim.random_bits import Xorshift32
        >>> model = GeneratorModel(Xorshift32, 1)
        >>> model.word, model(), model.load(1)
        (270369, 67634689, 270369)
    """

    def __init__(self, kind: type[LinearGenerator], seed: int, **options: Any) -> None:
        self.kind, self.options = kind, options
        self.load(seed)

    def load(self, seed: int) -> int:
        """Return word 0 of a seed."""
        self.stream = self.kind(seed, **self.options)
        return self()

    def __call__(self) -> int:
        """Return the word after a step."""
        self.word = self.stream.next()
        return self.word


class Scoreboard:
    """Compares what leaves a unit with what was expected, in order.

    Args:
        name: of the unit, shown in errors.
        formats: format of each value of an outcome, to show it as a real number too.

    Example:
        >>> board = Scoreboard("rounder", [QFormat(8, 4)])
        >>> board.expect((2,), cause="value 40")
        >>> board.observe((3,))
        Traceback (most recent call last):
        ...
        AssertionError: rounder: output 0 (value 40): got 3 = 0x03 = 0b0000_0011 = 0.1875, expected 2 = 0x02 = \
0b0000_0010 = 0.125
    """

    def __init__(self, name: str, formats: Sequence[QFormat] = ()) -> None:
        self.name, self.formats = name, tuple(formats)
        self.compared = 0
        self._waiting: deque[tuple[tuple[int, ...], str]] = deque()

    def expect(self, outcome: Sequence[int], cause: str = "") -> None:
        """Add an outcome of a model.

        Args:
            outcome: the values that have to leave the unit.
            cause: what they come from, shown if they do not.
        """
        self._waiting.append((tuple(int(value) for value in outcome), cause))

    def observe(self, values: Sequence[int]) -> None:
        """Compare what left the unit with the oldest outcome that waits.

        Raises:
            AssertionError: naming the output, what it comes from, and each value that differs; or if none was expected.
        """
        got = tuple(int(value) for value in values)
        if not self._waiting:
            raise AssertionError(f"{self.name}: output {self.compared}: got {got}, expected nothing")
        expected, cause = self._waiting.popleft()
        if got != expected:
            where = f"{self.name}: output {self.compared}" + (f" ({cause})" if cause else "")
            raise AssertionError(f"{where}: got {self._text(got)}, expected {self._text(expected)}")
        self.compared += 1

    def close(self, at_least: int = 1) -> None:
        """Check that nothing waits, and that enough was compared.

        Raises:
            AssertionError: if outputs are missing.
        """
        if self._waiting:
            raise AssertionError(f"{self.name}: {len(self._waiting)} outputs are missing after {self.compared}")
        if self.compared < at_least:
            raise AssertionError(f"{self.name}: {self.compared} outputs were compared, less than {at_least}")

    def _text(self, values: Sequence[int]) -> str:
        shown = []
        for number, value in enumerate(values):
            fmt = self.formats[number] if number < len(self.formats) else None
            shown.append(fmt.show(value) if fmt and fmt.low <= value <= fmt.high else str(value))
        return ", ".join(shown)


def _circuit(overflow: Overflow) -> Overflow:
    """Return an overflow mode that a circuit has."""
    if overflow is Overflow.ERROR:
        raise InputError("overflow: got ERROR; allowed: WRAP, SAT, SAT_SYM, since a circuit raises nothing")
    return overflow
