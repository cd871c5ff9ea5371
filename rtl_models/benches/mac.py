"""The bench of the multiply-accumulate unit: pairs, gaps and clears against `sim.reference.accumulate`."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle, product
from random import Random
from typing import Any, ClassVar

from rtl_models.benches.bench import Configuration, Field, corner
from rtl_models.benches.clocked import ClockedBench, Row
from rtl_models.elaborate import Unit
from rtl_models.reference_models import MacModel
from sim.datapath import TrainingDatapath
from sim.formats import QFormat
from sim.modes import Overflow
from sim.reference import limits

_CYCLES = 250
"""From one reset to the next."""
_LONGEST = 30
"""Pairs that steer a sum to an edge, at most."""


@dataclass(slots=True)
class State:
    """The reference, and what the circuit shows of it in the coming cycles."""

    model: MacModel
    shown: deque[tuple[int, int]] = field(default_factory=deque)


class MacBench(ClockedBench):
    """Sums steered to the edges of the accumulator and past them, with idle cycles and clears of either kind."""

    unit_name = "mac"
    inputs: ClassVar = ("rst_ni", "clear_i", "enable_i", "a_i", "b_i")
    outputs: ClassVar = ("sum_o", "overflow_o")
    untimed: ClassVar = ("clear_i", "a_i", "b_i")
    order: ClassVar = (
        "Rows in order, the first with clear_i: every row adds its pair, with clear_i to a new sum, "
        "and its outputs are the sum and the flag after that."
    )

    def __init__(self, configuration: Configuration, unit: Unit) -> None:
        super().__init__(configuration, unit)
        constants, stage = unit.constants, self.path.accumulator
        self.a = QFormat(constants["AWidth"], 0, bool(constants["ASigned"]))
        self.b = QFormat(constants["BWidth"], 0, bool(constants["BSigned"]))
        self.low, self.high = limits(stage.width, True, stage.overflow)
        self.mask = (1 << stage.width) - 1
        edges = [edge for edge in (self.low, self.high) if self._reaches(edge)]
        self.targets = cycle(product(edges, (0, 1, 2, -1)))

    @classmethod
    def parameters(cls, configuration: Configuration) -> dict[str, Any]:
        """Return the parameters: operand a is a data word, operand b a model word."""
        path = configuration.datapath
        operands = {"AWidth": path.data.width, "BWidth": path.model.width}
        return {**super().parameters(configuration), **operands, **configuration.extra}

    def model(self) -> MacModel:
        """Return the reference."""
        return MacModel(self.path.accumulator.width, self.path.accumulator.overflow)

    def input_fields(self) -> list[Field]:
        """Return reset, clear, enable and the operands."""
        operands = [
            Field(name, number, 0, operand.width, operand.signed)
            for name, number, operand in (("a_i", 3, self.a), ("b_i", 4, self.b))
        ]
        return [*super().input_fields()[:3], *operands]

    def fields(self) -> list[Field]:
        """Return the sum and the flag."""
        return [Field("sum", 0, 0, self.path.accumulator.width, signed=True), Field("overflow", 1, 0, 1)]

    def points(self) -> dict[str, list[Any]]:
        """Return the bins: sums at and past the edges, signs, kinds of pairs, clears, the flag's life."""
        signs = [(a, b) for a in self._signs(self.a) for b in self._signs(self.b)]
        points: dict[str, list[Any]] = {
            "kind": ["uniform", "lowest", "highest", "mixed", "all ones", "corners"],
            "signs": signs,
            "cycle": ["pair", "idle", "clear with a pair", "clear alone"],
            "reset": ["in flight"],
        }
        ends = [end for end, edge in (("high", self.high), ("low", self.low)) if self._reaches(edge)]
        if ends:
            points["kind"].append("steered")
            points["edge"] = [(end, where) for end in ends for where in ("at", "one past", "past")]
            points["flag"] = ["set", "kept", "cleared by a pair", "cleared alone", "set by the first pair"]
            if not self._first_overflows():
                points["flag"].remove("set by the first pair")
        return points

    @staticmethod
    def _signs(operand: QFormat) -> list[str]:
        return ["negative", "not"] if operand.signed else ["not"]

    def _first_overflows(self) -> bool:
        corners = [a * b for a in (self.a.low, self.a.high) for b in (self.b.low, self.b.high)]
        return max(corners) > self.high or min(corners) < self.low

    def _reaches(self, edge: int) -> bool:
        if edge < 0 and not (self.a.signed or self.b.signed):
            return False
        return len(self._steer(edge)) < _LONGEST

    def rows(self, random: Random, transactions: int) -> Iterator[Row]:
        """Yield cycles: a reset now and then, pairs of all kinds, idle cycles and clears between them."""
        kinds = self.points()["kind"]
        kinds += ["steered"] * 2 * kinds.count("steered")
        state = State(self.model())
        for start in range(0, transactions, _CYCLES):
            yield self._row(state, None, is_reset=True, hits=[("reset", "in flight")] if start else [])
            left = min(_CYCLES, transactions - start) - 1
            while left > 0:
                kind = random.choice(kinds)
                for number, pair in enumerate(self._pairs(kind, random)):
                    while random.random() < 0.1:
                        yield self._row(state, None, is_clear=random.random() < 0.3)
                        left -= 1
                    is_clear = number == 0 and (kind == "steered" or random.random() < 0.5)
                    yield self._row(state, pair, is_clear=is_clear, hits=[("kind", kind)])
                    left -= 1

    def vectors(self, random: Random, count: int) -> Iterator[Row]:
        """Yield pairs of all kinds, each with the sum right after it."""
        kinds, state, number = self.points()["kind"], State(self.model()), 0
        while number < count:
            kind = random.choice(kinds)
            for first, pair in enumerate(self._pairs(kind, random)[: count - number]):
                is_clear = first == 0 and (number == 0 or kind == "steered" or random.random() < 0.5)
                row = self._row(state, pair, is_clear=is_clear)
                _, clear, _, a, b = row.inputs
                yield Row((clear, a, b), row.outputs)
                number += 1

    def _row(
        self,
        state: State,
        pair: tuple[int, int] | None,
        *,
        is_clear: bool = False,
        is_reset: bool = False,
        hits: Sequence[tuple[str, Any]] = (),
    ) -> Row:
        """Return a cycle, and bring the state to what it is after it."""
        model, covered = state.model, list(hits)
        if is_reset:
            model.reset()
            state.shown = deque([(0, 0)] * self.latency)
        cause = f"clear {is_clear:d}, pair {pair}, before it sum {model.total}"
        before = model.flag
        if before and is_clear:
            covered.append(("flag", "cleared alone" if pair is None else "cleared by a pair"))
        if pair is None:
            if is_clear:
                model.reset()
            covered += [] if is_reset else [("cycle", "clear alone" if is_clear else "idle")]
            beat = (int(not is_reset), int(is_clear), 0, self.a.high, self.b.high)  # operands that must not count
        else:
            a, b = pair
            total, exact = model(a, b, clear=is_clear).value, model.exact
            if total != exact and not before:
                covered.append(("flag", "set by the first pair" if is_clear else "set"))
            if total == exact and before and not is_clear:
                covered.append(("flag", "kept"))
            for end, past in (("high", exact - self.high), ("low", self.low - exact)):
                if past >= 0:
                    covered.append(("edge", (end, ("at", "one past")[past] if past < 2 else "past")))
            covered.append(("signs", ("negative" if a < 0 else "not", "negative" if b < 0 else "not")))
            covered.append(("cycle", "clear with a pair" if is_clear else "pair"))
            beat = (1, int(is_clear), 1, a & ((1 << self.a.width) - 1), b & ((1 << self.b.width) - 1))
        state.shown.append((model.total & self.mask, int(model.flag)))
        return Row(beat, state.shown.popleft(), cause, covered)

    def _pairs(self, kind: str, random: Random) -> list[tuple[int, int]]:
        a, b, count = self.a, self.b, random.randint(1, 6)
        match kind:
            case "steered":
                edge, past = next(self.targets)
                pairs = self._steer(edge + (past if edge > 0 else -past))
                return pairs + self._steer(-edge // 3)[:3] if random.random() < 0.5 else pairs
            case "lowest":
                return [(a.low, b.low)] * count
            case "highest":
                return [(a.high, b.high)] * count
            case "mixed":
                return [(a.low, b.high), (a.high, b.low), (a.high, b.high)] * count
            case "all ones":
                return [(-1 if a.signed else a.high, -1 if b.signed else b.high)] * count
            case "corners":
                return [(corner(random, a.width, a.signed), corner(random, b.width, b.signed)) for _ in range(count)]
        return [(random.randint(a.low, a.high), random.randint(b.low, b.high)) for _ in range(count)]

    def _steer(self, target: int) -> list[tuple[int, int]]:
        """Return pairs whose products add up to `target`, or as near as a few pairs come."""
        pairs: list[tuple[int, int]] = []
        while (target or not pairs) and len(pairs) < _LONGEST:
            if self.a.low <= target <= self.a.high:
                pair = (target, 1)
            elif self.b.low <= target <= self.b.high:
                pair = (1, target)
            elif target > 0:
                pair = (min(self.a.high, target // self.b.high), self.b.high)
            elif self.a.signed:
                pair = (max(self.a.low, -(-target // self.b.high)), self.b.high)
            elif self.b.signed:
                pair = (min(self.a.high, max(target // self.b.low, 1)), max(self.b.low, target))
            else:
                break
            pairs.append(pair)
            target -= pair[0] * pair[1]
        return pairs


def _datapath(a: int, b: int, width: int, overflow: Overflow) -> TrainingDatapath:
    fields = {"data.width": a, "model.width": b, "accumulator.width": width, "accumulator.overflow": overflow}
    return TrainingDatapath().with_fields(fields)


CONFIGURATIONS = [
    Configuration("signed", _datapath(8, 8, 18, Overflow.SAT)),
    Configuration("symmetric", _datapath(8, 8, 18, Overflow.SAT_SYM)),
    Configuration("wrapping", _datapath(8, 8, 18, Overflow.WRAP)),
    Configuration("unsigned", _datapath(8, 8, 18, Overflow.SAT), {"ASigned": 0, "BSigned": 0}),
    Configuration("unsigned_a", _datapath(7, 5, 14, Overflow.SAT), {"ASigned": 0}),
    Configuration("unsigned_b", _datapath(5, 7, 14, Overflow.SAT_SYM), {"BSigned": 0}),
    Configuration("smallest", _datapath(2, 2, 2, Overflow.SAT)),
    Configuration("narrow", _datapath(6, 6, 8, Overflow.WRAP), {"BSigned": 0}),
    Configuration("halp8", TrainingDatapath.preset("halp8")),
    Configuration("widest", _datapath(24, 32, 58, Overflow.SAT)),
    Configuration("unregistered", _datapath(4, 9, 15, Overflow.SAT_SYM), {"MultiplyStages": 0}),
    Configuration("deep", _datapath(9, 4, 15, Overflow.SAT), {"MultiplyStages": 4}),
]
