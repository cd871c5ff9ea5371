"""The bench of the requantizer: values near ties and near the ends of the target, where circuits go wrong.

Of values drawn evenly nearly all saturate, and a wrong rule for ties passes thousands of them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count, islice, product, repeat
from random import Random
from typing import Any

from rtl_models.benches.bench import Configuration, Field
from rtl_models.benches.clocked import ClockedBench, Row
from rtl_models.elaborate import Unit, literal
from rtl_models.reference_models import RequantizerModel
from sim.datapath import TrainingDatapath
from sim.formats import QFormat
from sim.modes import Overflow, Rounding
from sim.quantize import Requantizer
from sim.reference import limits

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
    """Stimuli and reference of a requantizer.

    Attributes:
        block: of the simulator, that this circuit equals.
        model: its reference.
    """

    unit_name = "requantizer"
    inputs = ("rst_ni", "enable_i", "value_i", "random_i")
    outputs = ("value_o", "overflow_o")
    untimed = ("value_i", "random_i")
    order = "Every row stands alone: its outputs are those of its inputs."

    @classmethod
    def parameters(cls, configuration: Configuration) -> Parameters:
        """Return the parameters of a datapath's model rounding, or those that the configuration sets."""
        path: TrainingDatapath = configuration.datapath
        return {**requantizer_parameters(path.increment_format, path.model_requantizer), **configuration.extra}

    def __init__(self, configuration: Configuration, unit: Unit) -> None:
        super().__init__(configuration, unit)
        constants = unit.constants
        self.cut = constants["Cut"]
        self.source = QFormat(constants["InputWidth"], self.cut, bool(constants["InputSigned"]))
        self.target = QFormat(constants["OutputWidth"], 0, bool(constants["OutputSigned"]))
        self.rounding = list(Rounding)[constants["Rounding"]]
        self.overflow = list(Overflow)[constants["Overflow"]]
        self.random_bits = constants["RandomBits"]
        centered = bool(constants["Centered"])
        self.block = Requantizer(self.target, self.rounding, self.overflow, self.random_bits, centered)
        self.model = RequantizerModel(self.block, self.source)

    def expected(self, value: int, word: int) -> tuple[int, int]:
        """Return result and overflow flag by the reference, as the ports show them."""
        result, overflow = self.model(value, word)
        return result & ((1 << self.target.width) - 1), int(overflow)

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
            hits.append(("direction", "up" if self.model.exact > value >> self.cut else "down"))
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
                hits += [("reset", "in flight")] if any(result is not _NOTHING for result in in_flight) else []
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

    def vectors(self, random: Random, count: int) -> Iterator[Row]:
        """Yield the directed values in random order, then constrained ones."""
        directed = self.directed()
        random.shuffle(directed)
        for value, word in islice(chain(directed, (self.stimulus(random) for _ in repeat(None))), count):
            yield Row((value & ((1 << self.source.width) - 1), word), self.expected(value, word))

    def points(self) -> dict[str, list[Any]]:
        """Return the bins that this configuration can hit."""
        hits: dict[str, set[Any]] = {}
        for value, word in self.directed():
            for point, hit in self.bins(value, word):
                hits.setdefault(point, set()).add(hit)
        flow = {"enable": ["back to back", "after a pause"], **({"reset": ["in flight"]} if self.latency else {})}
        return {**{point: sorted(found) for point, found in hits.items()}, **flow}

    def input_fields(self) -> list[Field]:
        """Return reset, enable, the value and its random field."""
        fields = super().input_fields()
        fields[2] = Field("value_i", 2, 0, self.source.width, self.source.signed, self.source.frac)
        return fields

    def fields(self) -> list[Field]:
        """Return the result and the flag."""
        return [Field("value_o", 0, 0, self.target.width, self.target.signed), Field("overflow_o", 1, 0, 1)]


def _casts() -> list[Configuration]:
    """Return all modes, signs and relations of the widths: (source, target, rounding, overflow, random bits, …)."""
    rows: list[tuple[Any, ...]] = [
        ("sfix16_En8", "sfix8", "TO_NEG", "SAT"),
        ("sfix12_En6", "sfix5", "TO_POS", "SAT_SYM"),
        ("sfix16_En8", "sfix8", "TO_ZERO", "WRAP"),
        ("sfix20_En10", "sfix8", "TO_AWAY", "SAT"),
        ("sfix32_En16", "sfix16", "TIES_EVEN", "SAT"),
        ("sfix16_En6", "sfix10", "TIES_ODD", "WRAP"),
        ("sfix24_En12", "sfix12", "TIES_AWAY", "SAT"),
        ("sfix24_En12", "sfix12", "TIES_ZERO", "SAT_SYM"),
        ("sfix24_En8", "sfix32", "TIES_POS", "SAT"),
        ("ufix12_En6", "ufix4", "TIES_NEG", "SAT"),
        ("sfix16_En8", "sfix8", "TRN_MAG", "SAT"),
        ("sfix10_En2", "sfix6", "JAM", "WRAP"),
        ("sfix16_En12", "sfix3", "JAM_UNBIASED", "SAT"),
        ("sfix16_En8", "sfix8", "STOCHASTIC", "SAT", 8),
        ("sfix16_En6", "sfix8", "STOCHASTIC_EQUAL", "SAT_SYM", 1),
        ("sfix20_En12", "sfix8", "STOCHASTIC", "SAT_SYM", 4),
        ("sfix20_En12", "sfix6", "STOCHASTIC", "SAT", 4, False),
        ("sfix16_En4", "sfix8", "STOCHASTIC", "WRAP", 16),
        ("sfix32_En10", "sfix16", "STOCHASTIC", "SAT", 32),
        ("ufix16_En11", "ufix4", "STOCHASTIC", "SAT", 10),
        ("ufix9_En5", "sfix4", "STOCHASTIC_EQUAL", "SAT", 32),
        ("sfix8_En12", "sfix4", "STOCHASTIC", "SAT", 16),
        ("sfix6_En9", "sfix3", "TIES_EVEN", "SAT"),
        ("sfix2_En1", "sfix2", "TIES_EVEN", "SAT_SYM"),
        ("sfix8_En2", "ufix6", "TIES_AWAY", "SAT"),
        ("ufix16_En8", "sfix8", "TIES_EVEN", "SAT_SYM"),
        ("ufix8_En3", "ufix3", "TO_POS", "WRAP"),
        ("sfix8", "sfix16_En4", "TIES_EVEN", "SAT"),
        ("sfix8", "sfix8_En3", "TO_NEG", "SAT_SYM"),
        ("sfix8", "sfix8", "JAM", "SAT_SYM"),
        ("sfix15_En7", "sfix8", "TIES_POS", "SAT"),
        ("sfix4_En2", "sfix1", "TIES_EVEN", "SAT_SYM"),
        ("sfix62_En30", "sfix31", "TIES_EVEN", "SAT"),
    ]
    stages = ((0, 1), (0, 0), (1, 1), (1, 0), (2, 3))
    found = []
    for number, (source, target, rounding, overflow, *random) in enumerate(rows):
        block = Requantizer(QFormat.parse(target), Rounding(rounding), Overflow(overflow), *random)
        parameters = requantizer_parameters(QFormat.parse(source), block, *stages[number % len(stages)])
        name = f"{source}_to_{target}_{rounding}_{overflow}{''.join(f'_{part}' for part in random)}"
        extra: dict[str, int | str] = {key: literal(value) for key, value in parameters.items()}
        found.append(Configuration(name, TrainingDatapath(), extra))
    return found


CONFIGURATIONS = _casts()
"""Checked by default: every mode, widths from 2 to 32, signed and unsigned, cuts past the width, left shifts."""
