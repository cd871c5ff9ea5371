"""The bench of the model update: beats of lanes against `sim.engine.reference.update`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle, product
from random import Random
from typing import Any, ClassVar

from rtl_models.benches.bench import Configuration, Field, StreamBench, corner, cut_class, pack
from rtl_models.benches.stream import Script
from rtl_models.elaborate import Unit
from sim.datapath import TrainingDatapath
from sim.engine import reference
from sim.modes import Overflow, Rounding
from sim.random_bits import WORD_BITS, lane_field
from sim.reference import limits

CLASSES = ("exact", "tie", "near tie")
_BEATS = 500
"""Of a script."""
Lane = tuple[int, int, int]
"""Data word, model word, gradient word."""


class ModelUpdateBench(StreamBench):
    """Products, increments and model words steered to ties and to the edges of their registers, lane by lane."""

    unit_name = "model_update"
    inputs: ClassVar = ("tdata", "tkeep", "tuser", "tlast")
    outputs: ClassVar = ("tdata", "tkeep", "tuser", "tlast")

    def __init__(self, configuration: Configuration, unit: Unit) -> None:
        super().__init__(configuration, unit)
        path = self.path
        self.exponent_width = unit.constants["ExponentWidth"]
        self.words = max(self.path.generators, 1)
        self.random_mask = (1 << unit.width("random_i")) - 1
        self.increment = limits(path.increment.width, True, path.increment.overflow)
        self.model = limits(path.model.width, True, path.model.overflow)
        self.products = cycle((*CLASSES, "corners", "uniform"))
        ends = ("in", "in", "low", "high")
        self.goals = cycle(product((*CLASSES, "edge", "edge", "uniform"), ends, ("at", "one past", "past")))

    @property
    def has_random(self) -> bool:
        """Whether z is rounded with random bits."""
        return self.path.model.random_bits > 0

    def fields(self) -> list[Field]:
        """Return model words, lanes that are kept, flags, last."""
        lanes, width = self.path.lanes, self.path.model.width
        return [
            *(Field(f"z of lane {j}", 0, j * width, width, signed=True) for j in range(lanes)),
            Field("lanes kept", 1, 0, lanes),
            Field("increments that overflowed, by lane", 2, 0, lanes),
            Field("model words that overflowed, by lane", 2, lanes, lanes),
            Field("last", 3, 0, 1),
        ]

    def points(self) -> dict[str, list[Any]]:
        """Return the bins: what is cut, by sign and whether the register behind overflows; edges; lanes; words."""
        path, places = self.path, ("at", "one past", "past")
        ends = [(end, where) for end in ("low", "high") for where in places]
        # Bits of the largest rounded product, and of the largest rounded increment: few of them pass no edge.
        product_bits = path.data.width + path.coefficient.width - 2 - path.product.cut
        step_bits = path.increment.width - 1 - path.increment.fraction
        points: dict[str, list[Any]] = {
            "exponent": list(range(path.exponents.maximum + 1)),
            "increment": ends if product_bits >= 2 else [],
            "model": ends if step_bits >= 2 else [],
            "lanes": ["all", "fewer"] if path.lanes > 1 else ["all"],
            "product": [bin_ for bin_ in self._cuts(path.product.cut, product_bits)
                        if bin_[0] != "near tie" or path.product.cut < path.coefficient.width],
            "step": self._cuts(path.largest_cut, step_bits),
        }  # fmt: skip
        if self.has_random:
            points["word"] = ["zeros", "ones", "other"] if path.model.random_bits > 1 else ["zeros", "ones"]
        return points

    @staticmethod
    def _cuts(cut: int, left: int) -> list[tuple[str, bool, str]]:
        """Return the bins of a cut that leaves a magnitude of so many bits."""
        classes = CLASSES if cut > 1 else CLASSES[: 1 + cut]
        over = (False, True) if left >= 2 else (False,)
        bins = [(name, flag, sign) for name in classes for flag in over for sign in ("negative", "not")]
        return bins if left >= 1 else [("exact", False, "not")]

    def scripts(self, random: Random, transactions: int) -> Iterator[Script]:
        """Yield scripts of at most 500 beats."""
        for start in range(0, transactions, _BEATS):
            script = Script()
            for _ in range(min(_BEATS, transactions - start)):
                self._add(script, random)
            yield script

    def _add(self, script: Script, random: Random) -> None:
        """Add a beat, the reference's words and flags, and what it covers."""
        path, lanes = self.path, self.path.lanes
        exponent = random.randint(0, path.exponents.maximum)
        last = random.random() < 0.3
        kept = random.randint(1, lanes) if last else lanes
        kind = next(self.products)
        c = self._coefficient(kind, random)
        words = [random.choice((0, 2**WORD_BITS - 1, random.getrandbits(WORD_BITS))) for _ in range(self.words)]
        bits = path.model.random_bits
        hits: list[tuple[str, Any]] = [("exponent", exponent), ("lanes", "all" if kept == lanes else "fewer")]
        columns, model, increments, models = [], [], 0, 0
        for j in range(lanes):
            word = lane_field(words, j, bits) if bits else 0
            x, z, h = self._lane(kind, c, exponent, word, random)
            columns.append((x, z, h))
            if j >= kept:
                model.append(z)
                continue
            _, exact, a, moved, updated = reference.update(path, c, x, h, z, exponent, word)
            model.append(updated)
            increments |= (a != exact) << j
            models |= (updated != moved) << j
            if bits:
                hits.append(("word", "zeros" if word == 0 else "ones" if word + 1 == 1 << bits else "other"))
            hits += _edges("increment", exact, self.increment) + _edges("model", moved, self.model)
            for point, value, cut, over in (
                ("product", c * x, path.product.cut, a != exact),
                ("step", a, path.increment.fraction + exponent, updated != moved),
            ):
                hits.append((point, (cut_class(value, cut), over, "negative" if value < 0 else "not")))
        xs, zs, hs = zip(*columns, strict=True)
        widths = path.data.width, path.model.width, path.increment.width
        data, low = 0, 0
        for part, width in zip((xs, zs, hs), widths, strict=True):
            data |= pack(part, width) << low
            low += lanes * width
        keep = (1 << kept) - 1
        user = (c & ((1 << path.coefficient.width) - 1)) << self.exponent_width | exponent
        script.inputs.append((data, keep, user, int(last)))
        script.outputs.append((pack(model, path.model.width), keep, models << lanes | increments, int(last)))
        script.completes.append(len(script.inputs) - 1)
        script.words.append(pack(words, WORD_BITS) & self.random_mask)
        script.hits.append(hits)

    def _coefficient(self, kind: str, random: Random) -> int:
        """Return a coefficient that makes the products of `_data` exact, ties or near ties."""
        width, cut = self.path.coefficient.width, self.path.product.cut
        match kind:
            case "tie" if cut:
                return _odd(width - min(cut - 1, width - 2), random) << min(cut - 1, width - 2)
            case "near tie" if 1 < cut < width:
                half, step = 1 << (cut - 1), random.choice((-1, 1))
                return _multiple(width, cut, random) + half + step
            case "exact" if cut < width:
                return _multiple(width, cut, random)
            case "uniform":
                return _multiple(width, 0, random)
        return corner(random, width)

    def _data(self, kind: str, random: Random) -> int:
        width, cut = self.path.data.width, self.path.product.cut
        match kind:
            case "tie" if cut:
                shift = cut - 1 - min(cut - 1, self.path.coefficient.width - 2)
                return _odd(width - shift, random) << shift if shift < width - 1 else corner(random, width)
            case "exact" if cut >= self.path.coefficient.width:
                return _multiple(width, min(cut, width - 2), random)
            case "near tie":
                return 1
            case "uniform":
                return _multiple(width, 0, random)
        return corner(random, width)

    def _lane(self, kind: str, c: int, exponent: int, word: int, random: Random) -> Lane:
        """Return words of a lane whose increment and model word go where the next goal wants them."""
        path, x = self.path, self._data(kind, random)
        step, end, where = next(self.goals)
        distance = {"at": 0, "one past": 1, "past": random.randint(2, 40)}[where]
        low, high = self.increment
        p = reference.product(path, c, x)
        cut = path.increment.fraction + exponent
        is_small = end == "in" or random.random() < 0.5
        most = min(high, 1 << path.model.width + cut) if is_small else high  # small: z has room for it
        match step:
            case "edge":
                a = high + distance if random.random() < 0.5 else low - distance
            case "uniform":
                a = random.randint(-most, most)
            case _:
                a = random.randint(-most, most) >> cut << cut
                half = 1 << (cut - 1) if cut else 0
                a += {"exact": 0, "tie": half, "near tie": half + random.choice((-1, 1))}[step]
        h = min(max(-p - a, -(1 << (path.increment.width - 1))), (1 << (path.increment.width - 1)) - 1)
        low, high = self.model
        if end == "in":
            z = random.randint(low, high)
        else:
            moved = reference.update(path, c, x, h, 0, exponent, word)[3]
            z = (low - distance if end == "low" else high + distance) - moved
        return x, min(max(z, -(1 << (path.model.width - 1))), (1 << (path.model.width - 1)) - 1), h


def _multiple(width: int, zeros: int, random: Random) -> int:
    """Return a word that ends in so many zeros, a small one as often as any other."""
    if random.random() < 0.5:
        width = random.randint(min(zeros + 2, width), width)
    return random.randint(-(1 << (width - 1)), (1 << (width - 1)) - 1) >> zeros << zeros


def _odd(width: int, random: Random) -> int:
    return _multiple(width, 0, random) | 1


def _edges(point: str, exact: int, ends: tuple[int, int]) -> list[tuple[str, Any]]:
    """Return the bins of a value at or past the ends of its register."""
    hits: list[tuple[str, Any]] = []
    for end, past in (("low", ends[0] - exact), ("high", exact - ends[1])):
        if past >= 0:
            hits.append((point, (end, ("at", "one past")[past] if past < 2 else "past")))
    return hits


def _datapath(**fields: Any) -> TrainingDatapath:
    named = {name.replace("__", "."): value for name, value in fields.items()}
    return TrainingDatapath().with_fields({"lanes": 4, **named})


def _deterministic(rounding: Rounding, **fields: Any) -> TrainingDatapath:
    return _datapath(model__rounding=rounding, model__random_bits=0, biased_ok=True, **fields)


CONFIGURATIONS = [
    Configuration("default", _datapath()),
    Configuration("halp8", TrainingDatapath.preset("halp8")),
    Configuration("halp8_blocks", TrainingDatapath.preset("halp8_blocks")),
    Configuration("halp16", TrainingDatapath.preset("halp16").replace(lanes=2)),
    Configuration("nearest_even", _deterministic(Rounding.TIES_EVEN, product__rounding=Rounding.TIES_EVEN,
                                                 exponents__maximum=3)),
    Configuration("floor", _deterministic(Rounding.TO_NEG, product__rounding=Rounding.TO_NEG, product__cut=5,
                                          model__overflow=Overflow.WRAP, increment__overflow=Overflow.WRAP)),
    Configuration("nearest", _deterministic(Rounding.TIES_POS, product__cut=0, increment__fraction=6,
                                            model__overflow=Overflow.SAT_SYM, increment__overflow=Overflow.SAT_SYM)),
    Configuration("few_random_bits", _datapath(model__random_bits=4, increment__fraction=6, exponents__maximum=4,
                                               biased_ok=True)),
    Configuration("not_centred", _datapath(model__random_bits=2, model__centered=False, increment__fraction=5,
                                           biased_ok=True, lanes=8)),
    Configuration("one_random_bit", _datapath(model__random_bits=1, increment__fraction=4, biased_ok=True, lanes=2)),
    Configuration("many_random_bits", _datapath(model__random_bits=32, model__width=12, increment__width=24,
                                                increment__fraction=14, coefficient__width=12)),
    Configuration("whole_increments", _datapath(increment__fraction=0, increment__width=10, model__random_bits=8,
                                                exponents__maximum=5, data__width=4, model__width=5)),
    Configuration("smallest", _datapath(lanes=1, data__width=3, model__width=2, coefficient__width=2, product__cut=1,
                                        increment__width=4, increment__fraction=1, model__random_bits=1)),
    Configuration("widest", _datapath(lanes=1, data__width=24, model__width=32, coefficient__width=32,
                                      product__cut=20, increment__width=48, increment__fraction=20,
                                      model__random_bits=32)),
    Configuration("odd", _deterministic(Rounding.TIES_ODD, product__rounding=Rounding.TIES_AWAY, lanes=2,
                                        exponents__maximum=2)),
    Configuration("jam", _deterministic(Rounding.JAM, product__rounding=Rounding.TRN_MAG, lanes=2),
                  {"MultiplyStages": 0, "ProductStages": 0, "IncrementStages": 0}),
    Configuration("deep", _datapath(lanes=2, model__random_bits=16),
                  {"MultiplyStages": 3, "ProductStages": 2, "IncrementStages": 2, "ModelStages": 2}),
]  # fmt: skip
