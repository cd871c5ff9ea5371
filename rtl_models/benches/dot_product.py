"""The bench of the dot product: rows of beats against `sim.reference.accumulate`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle, product
from random import Random
from typing import Any

from rtl_models.benches.bench import Configuration, Field, StreamBench, corner, pack
from rtl_models.benches.stream import Script
from rtl_models.reference_models import DotProductModel
from sim.datapath import TrainingDatapath
from sim.formats import QFormat
from sim.modes import Overflow
from sim.reference import limits

Row = list[tuple[int, list[int], list[int]]]
"""Beats of exponent, data words, model words."""

EDGES = ("low", "high")
_LONGEST = 24
"""Beats of the longest row that steers a sum to an edge."""


class DotProductBench(StreamBench):
    """Rows whose sums are steered to the edges of the accumulator, past them by one, far past them, and back."""

    unit_name = "dot_product"
    inputs = ("tdata", "tuser", "tlast")
    outputs = ("tdata", "tuser")

    def __init__(self, configuration: Configuration, unit: Any) -> None:
        super().__init__(configuration, unit)
        constants, path = unit.constants, self.path
        self.record_width, self.count_width = constants["RecordWidth"], constants["CountWidth"]
        self.exponent_width = constants["ExponentWidth"]
        self.x, self.z = QFormat(path.data.width, 0), QFormat(path.model.width, 0)
        self.low, self.high = limits(path.accumulator.width, True, path.accumulator.overflow)
        self.model = DotProductModel(path.dot_accumulator)
        self.reachable = len(self._steer(self.high)) < _LONGEST
        self.targets = cycle(product((self.low, self.high), (0, 1, 2, -1)))

    def fields(self) -> list[Field]:
        """Return sum, count of overflows and record."""
        return [
            Field("sum", 0, 0, self.path.accumulator.width, signed=True),
            Field("overflows", 1, 0, self.count_width),
            Field("record", 1, self.count_width, self.record_width),
        ]

    def points(self) -> dict[str, list[Any]]:
        """Return the bins: sums at and past the edges, what rows are made of, exponents, lengths, counts."""
        points: dict[str, list[Any]] = {
            "kind": ["uniform", "min·min", "min·max", "all ones", "alternating", "corners"],
            "beats": ["1", "2", "more"],
            "exponent": list(range(self.path.exponents.maximum + 1)),
            "sign": ["negative", "positive"],
        }
        if self.reachable:
            points["kind"] += ["steered", "there and back"]
            points["edge"] = [(end, where) for end in EDGES for where in ("at", "one past", "past")]
            points["overflows"] = ["0", "1", "more"]
        return points

    def scripts(self, random: Random, transactions: int) -> Iterator[Script]:
        """Yield scripts of at most 1000 rows."""
        for start in range(0, transactions, 1000):
            script = Script()
            for _ in range(min(1000, transactions - start)):
                kind = random.choice(self.points()["kind"])
                self._add(script, kind, self._row(kind, random), random.getrandbits(self.record_width))
            yield script

    def _add(self, script: Script, kind: str, row: Row, record: int) -> None:
        """Add a row, the reference's sum, and what it covers."""
        model, result = self.model, None
        hits: list[tuple[str, Any]] = [("kind", kind)]
        for number, (exponent, x, z) in enumerate(row):
            last = number == len(row) - 1
            result = model(x, z, last=last, exponent=exponent)
            hits.append(("exponent", exponent))
            for end, past in (("high", model.exact - self.high), ("low", self.low - model.exact)):
                if past >= 0:
                    hits.append(("edge", (end, ("at", "one past")[past] if past < 2 else "past")))
            carried = record if last else record ^ ((1 << self.record_width) - 1)  # only the last beat's counts
            data = pack(z, self.z.width) << (len(x) * self.x.width) | pack(x, self.x.width)
            script.inputs.append((data, carried << self.exponent_width | exponent, int(last)))
        assert result is not None
        total, overflows = result
        shown = min(overflows, (1 << self.count_width) - 1)
        hits += [
            ("beats", str(len(row)) if len(row) < 3 else "more"),
            ("overflows", str(overflows) if overflows < 2 else "more"),
            ("sign", "negative" if total < 0 else "positive"),
        ]
        script.outputs.append((total & ((1 << self.path.accumulator.width) - 1), record << self.count_width | shown))
        script.completes.append(len(script.inputs) - 1)
        script.hits.append(hits)

    def _row(self, kind: str, random: Random) -> Row:
        lanes, x, z = self.path.lanes, self.x, self.z
        match kind:
            case "steered" | "there and back":
                target, past = next(self.targets)
                steered = self._steer(target + (past if target > 0 else -past))
                if kind == "steered":
                    return steered
                back = self._steer(-target)  # past the edge, then as far back, and half of it once more
                return steered + self._steer(target // 2) + back + back[: len(back) // 2]
            case "min·min":
                fill = [x.low] * lanes, [z.low] * lanes
            case "min·max":
                fill = random.choice((([x.low] * lanes, [z.high] * lanes), ([x.high] * lanes, [z.low] * lanes)))
            case "all ones":
                fill = [-1] * lanes, [-1] * lanes
            case _:
                fill = [], []
        row: Row = []
        for number in range(random.choice((1, 1, 2, 3, 4))):
            words = fill
            if kind == "uniform":
                words = (
                    [random.randint(x.low, x.high) for _ in range(lanes)],
                    [random.randint(z.low, z.high) for _ in range(lanes)],
                )
            elif kind == "corners":
                words = [corner(random, x.width) for _ in range(lanes)], [corner(random, z.width) for _ in range(lanes)]
            elif kind == "alternating":  # signs alternate from lane to lane and from beat to beat
                words = [(x.low, x.high)[(lane + number) % 2] for lane in range(lanes)], [z.high] * lanes
            row.append((random.randint(0, self.path.exponents.maximum), *words))
        return row

    def _steer(self, target: int) -> Row:
        """Return beats whose exact sum is `target`: greedy, with the largest exponent as long as it helps."""
        lanes = self.path.lanes
        row: Row = []
        largest = lanes * self.x.high * self.z.high
        while (target or not row) and len(row) < _LONGEST:
            exponent = self.path.exponents.maximum if abs(target) > largest else 0
            sign = 1 if target > 0 else -1  # towards 0 everywhere: no beat goes past the target
            rest, xs, zs = abs(target) >> exponent, [], []
            for _ in range(lanes):
                z = 1 if rest <= self.x.high else min(rest, self.z.high)
                xs.append(sign * min(self.x.high, rest // z))
                zs.append(z)
                rest -= abs(xs[-1]) * z
            target -= sum(a * b for a, b in zip(xs, zs, strict=True)) << exponent
            row.append((exponent, xs, zs))
        return row


def _datapath(
    data: int, model: int, lanes: int, width: int, overflow: Overflow, exponents: int = 0
) -> TrainingDatapath:
    return TrainingDatapath().with_fields(
        {
            "lanes": lanes,
            "data.width": data,
            "model.width": model,
            "accumulator.width": width,
            "accumulator.overflow": overflow,
            "exponents.maximum": exponents,
        }
    )


CONFIGURATIONS = [
    Configuration("halp8", TrainingDatapath.preset("halp8")),
    Configuration("halp8_blocks", TrainingDatapath.preset("halp8_blocks")),
    Configuration("narrow", _datapath(8, 8, 4, 18, Overflow.SAT)),
    Configuration("symmetric", _datapath(8, 8, 4, 18, Overflow.SAT_SYM, 3)),
    Configuration("wrapping", _datapath(8, 8, 4, 18, Overflow.WRAP, 5)),
    Configuration("smallest", _datapath(2, 2, 1, 3, Overflow.SAT), {"RecordWidth": 1, "CountWidth": 1}),
    Configuration("one_lane", _datapath(4, 6, 1, 9, Overflow.SAT_SYM, 1), {"CountWidth": 2}),
    Configuration("two_lanes", _datapath(5, 3, 2, 8, Overflow.WRAP), {"CountWidth": 3}),
    Configuration("wide_beat", _datapath(8, 8, 8, 12, Overflow.SAT, 4)),
    Configuration("widest", _datapath(24, 32, 2, 58, Overflow.SAT)),
    Configuration("unregistered", _datapath(6, 6, 8, 14, Overflow.SAT, 2),
                  {"MultiplyStages": 0, "LevelsPerStage": 0, "ExponentStages": 0, "CountWidth": 3}),
    Configuration("deep", _datapath(6, 7, 8, 16, Overflow.SAT_SYM, 2),
                  {"MultiplyStages": 2, "LevelsPerStage": 1, "ExponentStages": 2, "CountWidth": 3}),
]  # fmt: skip
