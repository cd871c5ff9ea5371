"""The bench of the requantizer: values near ties and near the ends of the target, where circuits go wrong.

Of values drawn evenly nearly all saturate, and a wrong rule for ties passes thousands of them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count, product
from random import Random
from typing import Any

from rtl_models.benches.bench import Configuration, Field
from rtl_models.benches.clocked import ClockedBench, Row
from sim.datapath import TrainingDatapath
from sim.formats import QFormat
from sim.modes import Overflow, Rounding
from sim.quantize import Requantizer
from sim.reference import cast, limits, round_shift

Parameters = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Result:
    """A value on its way through the register stages."""

    outputs: tuple[int, int]
    cause: str
    hits: Sequence[tuple[str, Any]]


_NOTHING = _Result((0, 0), "", ())
"""What a reset leaves in every stage."""


def requantizer_parameters(
    source: QFormat, block: Requantizer, round_stages: int = 0, overflow_stages: int = 1
) -> Parameters:
    """Return the parameters of the circuit of a block.

    Args:
        source: format of its values.
        block: target format and modes.
        round_stages: register stages between rounding and overflow.
        overflow_stages: register stages behind overflow.

    Example:
        >>> requantizer_parameters(QFormat(16, 8), Requantizer(QFormat(8, 4)))["Cut"]
        4
    """
    return {
        "InputWidth": source.width,
        "InputSigned": source.signed,
        "Cut": source.frac - block.format.frac,
        "OutputWidth": block.format.width,
        "OutputSigned": block.format.signed,
        "Rounding": block.rounding,
        "Overflow": block.overflow,
        "RandomBits": block.random_bits,
        "Centered": block.centered,
        "RoundStages": round_stages,
        "OverflowStages": overflow_stages,
    }


class RequantizerBench(ClockedBench):
    """Stimuli and reference of a requantizer."""

    unit_name = "requantizer"
    inputs = ("rst_ni", "enable_i", "value_i", "random_i")
    outputs = ("value_o", "overflow_o")

    @classmethod
    def parameters(cls, configuration: Configuration) -> Parameters:
        """Return the parameters of a datapath's model rounding, or those that the configuration sets."""
        path: TrainingDatapath = configuration.datapath
        return {**requantizer_parameters(path.increment_format, path.model_requantizer), **configuration.extra}

    @property
    def source(self) -> QFormat:
        """Format of the values."""
        constants = self.unit.constants
        return QFormat(constants["InputWidth"], self.cut, bool(constants["InputSigned"]))

    @property
    def target(self) -> QFormat:
        """Format of the results."""
        return QFormat(self.unit.constants["OutputWidth"], 0, bool(self.unit.constants["OutputSigned"]))

    @property
    def cut(self) -> int:
        """Bits cut; negative for a left shift."""
        return self.unit.constants["Cut"]

    @property
    def rounding(self) -> Rounding:
        """The rounding mode."""
        return list(Rounding)[self.unit.constants["Rounding"]]

    @property
    def overflow(self) -> Overflow:
        """The overflow mode."""
        return list(Overflow)[self.unit.constants["Overflow"]]

    @property
    def random_bits(self) -> int:
        """Bits of a random field."""
        return self.unit.constants["RandomBits"]

    @property
    def block(self) -> Requantizer:
        """The block of the simulator that this circuit equals."""
        centered = bool(self.unit.constants["Centered"])
        return Requantizer(self.target, self.rounding, self.overflow, self.random_bits, centered)

    def expected(self, value: int, word: int) -> tuple[int, int]:
        """Return result and overflow flag by the reference, as the ports show them."""
        rounded = self._rounded(value, word)
        result = cast(value, self.cut, self.target.width, self.target.signed, self.rounding, self.overflow,
                      word, self.random_bits, self.block.centered)  # fmt: skip
        return result & ((1 << self.target.width) - 1), int(result != rounded)

    def _rounded(self, value: int, word: int) -> int:
        return int(round_shift(value, self.cut, self.rounding, word, self.random_bits, self.block.centered))

    def bins(self, value: int, word: int) -> list[tuple[str, Any]]:
        """Return the coverage bins of a value."""
        step = 1 << max(self.cut, 0)
        rest = value % step
        kind = "exact" if rest == 0 else "tie" if 2 * rest == step else "between"
        if kind == "between" and abs(2 * rest - step) == 2:
            kind = "near tie"
        flag = "overflows" if self.expected(value, word)[1] else "fits"
        hits: list[tuple[str, Any]] = [("case", (kind, flag, "negative" if value < 0 else "not negative"))]
        if rest:
            hits.append(("direction", "up" if self._rounded(value, word) > value >> self.cut else "down"))
        return hits

    def directed(self) -> list[tuple[int, int]]:
        """Return values and words around every tie rule and every end: all coverage bins that can be hit are hit.

        Between these values the result is monotonous, so that a bin they miss cannot be hit (a test enumerates that).
        """
        source, cut = self.source, self.cut
        low, high = limits(self.target.width, self.target.signed, self.overflow)
        step = 1 << max(cut, 0)
        floors = {
            end + near for end in (low, high, 0, source.low // step, source.high // step) for near in range(-2, 3)
        }
        rests = {rest for rest in (0, 1, step // 2 - 1, step // 2, step // 2 + 1, step - 1) if 0 <= rest < step}
        values = {(floor >> max(-cut, 0)) * step + rest for floor in floors for rest in rests}
        values |= {source.low, source.low + 1, -1, 0, 1, source.high - 1, source.high}
        return list(product(sorted(v for v in values if source.low <= v <= source.high), self._words()))

    def _words(self) -> list[int]:
        bits = self.random_bits
        return sorted({0, 1 << bits >> 1, (1 << bits >> 1) - 1, (1 << bits) - 1}) if bits else [0]

    def stimulus(self, random: Random) -> tuple[int, int]:
        """Return a value near the ends of the target, near a tie, or anywhere, and a word near the turning point."""
        source, cut, bits = self.source, self.cut, self.random_bits
        low, high = limits(self.target.width, self.target.signed, self.overflow)
        step = 1 << max(cut, 0)
        floor = random.choice((low, high, 0, random.randint(low, high))) + random.randint(-2, 2)
        rest = random.choice((0, 1, step - 1, step // 2 - 1, step // 2, step // 2 + 1, random.randrange(step)))
        value = (floor * step if cut >= 0 else floor >> -cut) + rest
        if random.random() < 0.2:
            alternating = int("01" * source.width, 2)
            value = random.choice((source.low, source.high, -1, alternating, random.randint(source.low, source.high)))
        value = (value - source.low) % (1 << source.width) + source.low
        turn = (1 << bits) - (value % step << bits >> max(cut, 0))
        words = (0, (1 << bits) - 1, turn, turn - 1, turn - 2, 0x5555_5555, random.getrandbits(32))
        return value, random.choice(words) % (1 << bits)

    def rows(self, random: Random, transactions: int) -> Iterator[Row]:
        """Yield the directed values in random order, then constrained ones; pauses, and later resets, in between."""
        directed = self.directed()
        random.shuffle(directed)
        stimuli = chain(directed, (self.stimulus(random) for _ in count()))
        undisturbed = 2 * len(directed)  # rows, of which four of five take a value
        in_flight = deque([_NOTHING] * self.latency)
        was_enabled = False
        for number in range(transactions):
            is_reset = number < 2 or (number > undisturbed and random.random() < 0.01)
            enable = random.random() < 0.8 and not is_reset
            value, word = next(stimuli) if enable or not self.latency else self.stimulus(random)
            field = word if self.random_bits else random.getrandbits(1)
            entering = _Result(self.expected(value, word), f"value {value}, word {word:#x}", self.bins(value, word))
            hits: list[tuple[str, Any]] = []
            if is_reset:
                hits += [("reset", "in flight")] if any(result.outputs != (0, 0) for result in in_flight) else []
                in_flight = deque([_NOTHING] * self.latency)
            if enable:
                hits.append(("enable", "back to back" if was_enabled else "after a pause"))
            was_enabled = enable
            leaving = in_flight[-1] if self.latency else entering
            inputs = int(not is_reset), int(enable), value & ((1 << self.source.width) - 1), field
            yield Row(inputs, leaving.outputs, leaving.cause, [*leaving.hits, *hits])
            if self.latency and enable:
                in_flight.pop()
                in_flight.appendleft(entering)

    def points(self) -> dict[str, list[Any]]:
        """Return the bins that this configuration can hit."""
        hits: dict[str, set[Any]] = {}
        for value, word in self.directed():
            for point, hit in self.bins(value, word):
                hits.setdefault(point, set()).add(hit)
        flow = {"enable": ["back to back", "after a pause"], **({"reset": ["in flight"]} if self.latency else {})}
        return {**{point: sorted(found) for point, found in hits.items()}, **flow}

    def fields(self) -> list[Field]:
        """Return the result and the flag."""
        return [Field("value_o", 0, 0, self.target.width, self.target.signed), Field("overflow_o", 1, 0, 1)]
