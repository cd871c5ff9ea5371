"""The benches of the three links: dot products and records against `table_index` and `coefficient` of the engine."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from itertools import cycle, product
from random import Random
from typing import Any, ClassVar

import numpy as np

from rtl_models.benches.bench import Configuration, Field, StreamBench, corner, cut_class
from rtl_models.benches.stream import Script
from rtl_models.elaborate import Unit
from sim.datapath import Link, TrainingDatapath
from sim.engine.job import Registers
from sim.engine.reference import coefficient, table_index, table_value
from sim.modes import Overflow, Rounding
from sim.random_bits import WORD_BITS
from sim.reference import limits

CLASSES = ("exact", "tie", "near tie")
_OUTPUTS = 100
"""Of a script, that is under one set of registers."""
_TRIES = 3
"""Values tried until one hits what is wanted."""


class LinkBench(StreamBench):
    """Products steered to ties and to the edges of the coefficient, under registers and shifts of all sizes."""

    inputs: ClassVar = ("tdata", "tuser")
    outputs: ClassVar = ("tdata", "tuser")
    link: ClassVar[Link]

    def __init__(self, configuration: Configuration, unit: Unit) -> None:
        super().__init__(configuration, unit)
        path = self.path
        self.width = path.accumulator.width
        self.total = limits(self.width, True, Overflow.WRAP)
        self.ends = limits(path.coefficient.width, True, path.coefficient.overflow)
        self.largest_shift = unit.constants["MaxShift"]
        self.goals = cycle(product((*CLASSES, "any", "any"), (False, True), (-1, 1), (0, 1, 2)))

    @property
    def has_random(self) -> bool:
        """Whether the coefficient is rounded with random bits."""
        return self.path.coefficient.rounding.is_stochastic

    @property
    def is_table(self) -> bool:
        """Whether the link has a table."""
        return self.link is not Link.AFFINE

    def fields(self) -> list[Field]:
        """Return coefficient, flags and index."""
        parts = [Field("c", 0, 0, self.path.coefficient.width, signed=True), Field("c overflowed", 1, 0, 1)]
        if self.is_table:
            index = Field("u", 1, 2, self.path.link.index_bits, signed=True)
            parts += [Field("u overflowed", 1, 1, 1), index]
        return parts

    def points(self) -> dict[str, list[Any]]:
        """Return the bins: what is cut, by overflow and sign; edges of c; shifts; random words; indices."""
        signs = ("negative", "not")
        points: dict[str, list[Any]] = {
            "cut": [(kind, over, sign) for n, kind in enumerate(CLASSES) for over in (False, True) for sign in signs
                    if not over or self._spare > 2 * n + 1],
            "edge": [(end, at) for end in ("low", "high") for at in ("at", "one past", "past")
                     if self._reaches(end, at)],
            "shift": ["0", "1", "more", "past a word", "largest"],
        }  # fmt: skip
        if self.largest_shift <= WORD_BITS:
            points["shift"].remove("past a word")
        if self.has_random:
            points["word"] = ["zeros", "ones", "other"]
        if self.is_table:
            bits = self.path.link.index_bits
            points["index"] = ["too low", "too high", "tie", "near tie"]
            if bits <= 4:
                points["entry"] = list(range(-(1 << (bits - 1)), 1 << (bits - 1)))
        return points

    @property
    def _spare(self) -> int:
        """Bits by which the largest product is longer than c: with few, no product that overflows is tied."""
        return self._factor_bits() + self._multiplier_bits() - self.path.coefficient.width

    def _reaches(self, end: str, at: str) -> bool:
        """Whether a factor can be steered to an edge of c, or past it at all."""
        coefficient = self.path.coefficient
        if at == "past":
            return self._spare > 1
        is_even = (self.ends[1] + (at == "one past") if end == "high" else self.ends[0] - (at == "one past")) % 2 == 0
        always_odd = coefficient.rounding is Rounding.JAM and is_even  # but for a shift of 0
        return self._factor_bits() > coefficient.width and not always_odd

    def scripts(self, random: Random, transactions: int) -> Iterator[Script]:
        """Yield scripts under registers and tables of their own."""
        for number, start in enumerate(range(0, transactions, _OUTPUTS)):
            # A residue under a shift of s bits wants a factor of more than s bits; an edge of c, products of its size.
            multiplier = self._multiplier(number, random)
            match number % 6:
                case 2 | 5:
                    shift = (0, 1, self.largest_shift)[number // 3 % 3]
                case 3:
                    shift = min(multiplier.bit_length(), self.largest_shift)
                case _:
                    shift = self._shift(random)
            index_multiplier = self._multiplier(number // 2, random)
            index_shift = self._index_shift(index_multiplier, random)
            registers = Registers(multiplier, shift, index_multiplier, index_shift)
            table = self._table(random)
            script = Script(self._ports(registers), self._writes(table))
            for _ in range(min(_OUTPUTS, transactions - start)):
                self._add(script, registers, table, random)
            yield script

    def _shift(self, random: Random) -> int:
        """Return a shift under which factors of the link reach the edges of c and all residues."""
        spare = max(self._factor_bits() + self._multiplier_bits() - self.path.coefficient.width - 2, 2)
        return random.randint(2, max(2, min(spare, self._factor_bits() - 2, self.largest_shift)))

    def _multiplier(self, number: int, random: Random) -> int:
        """Return a register's value: any odd one, or one whose products reach ties and edges more often."""
        bits = self.path.link.multiplier_bits
        largest = (1 << bits) - 1
        small = random.choice((3, 5, 7)) & largest
        return (random.getrandbits(bits) | 1, 1, largest, 1 << (bits - 1), small)[number % 5]

    def _index_shift(self, multiplier: int, random: Random) -> int:
        """Return a shift under which the index runs over its range for dot products of so many bits."""
        if random.random() < 0.1:
            return self.largest_shift
        size = random.randint(max(self.width // 3, 3), self.width)
        return min(max(size + multiplier.bit_length() - self.path.link.index_bits, 2), self.largest_shift)

    def _ports(self, registers: Registers) -> dict[str, int]:
        names = {
            "multiplier_i": registers.multiplier,
            "shift_i": registers.shift,
            "index_multiplier_i": registers.index_multiplier,
            "index_shift_i": registers.index_shift,
        }
        return {port.name: names[port.name] for port in self.unit.ports if port.name in names}

    def _writes(self, table: np.ndarray[Any, Any]) -> list[tuple[int, int]]:
        width = self.unit.width("table_data_i") if self.is_table else 1
        return [(address, int(word) & ((1 << width) - 1)) for address, word in enumerate(table.reshape(-1))]

    def _add(self, script: Script, registers: Registers, table: np.ndarray[Any, Any], random: Random) -> None:
        """Add a dot product with its record, the reference's coefficient, and what it covers."""
        path, goal = self.path, next(self.goals)
        word = random.choice((0, (1 << WORD_BITS) - 1, random.getrandbits(WORD_BITS)))
        for attempt in range(_TRIES):
            is_free = attempt == 0 and random.random() < 0.25
            v, record = self._sample(registers, table, goal, random, is_free=is_free)
            total = min(max(v // 2 + random.randint(-3, 3), self.total[0]), self.total[1])
            if random.random() < 0.5:
                total = min(max(v, self.total[0]), self.total[1])
            offset = min(max(v - total, self.total[0]), self.total[1])
            v = total + offset
            hits: list[tuple[str, Any]] = []
            exact_index, index, value = 0, 0, 0
            if self.is_table:
                exact_index, index = table_index(path, registers, v)
                value = table_value(path, self.link, table, index, record)
                hits += self._index_hits(registers, v, exact_index, index)
            target = record if self.link is Link.ABSOLUTE_TABLE else 0
            used = word if self.has_random else 0
            exact, c = coefficient(path, self.link, registers, v, value, target, used)
            factor, multiplier = self._product(registers, v, value, target)
            cut = (cut_class(factor * multiplier, registers.shift), c != exact)
            if is_free or cut == goal[:2] or (goal[0] == "any" and cut[1] == goal[1]):
                break
        hits.append(("cut", (*cut, "negative" if factor * multiplier < 0 else "not")))
        for end, past in (("low", self.ends[0] - exact), ("high", exact - self.ends[1])):
            if past >= 0:
                hits.append(("edge", (end, ("at", "one past")[past] if past < 2 else "past")))
        size = registers.shift
        names = {0: "0", 1: "1", self.largest_shift: "largest"}
        hits.append(("shift", names.get(size, "more")))
        if size > WORD_BITS:
            hits.append(("shift", "past a word"))
        hits.append(("word", "zeros" if word == 0 else "ones" if word + 1 == 1 << WORD_BITS else "other"))
        mask = (1 << self.width) - 1
        script.inputs.append((total & mask, self._record(record) << self.width | offset & mask))
        user = int(c != exact)
        if self.is_table:
            index_mask = (1 << path.link.index_bits) - 1
            user |= int(index != exact_index) << 1 | (index & index_mask) << 2
        script.outputs.append((c & ((1 << path.coefficient.width) - 1), user))
        script.completes.append(len(script.inputs) - 1)
        script.words.append(word)
        script.hits.append(hits)

    def _index_hits(self, registers: Registers, v: int, exact: int, index: int) -> list[tuple[str, Any]]:
        hits: list[tuple[str, Any]] = [("entry", index)]
        if exact != index:
            hits.append(("index", "too low" if exact < index else "too high"))
        return [*hits, ("index", cut_class(v * registers.index_multiplier, registers.index_shift))]

    def _steer(self, multiplier: int, shift: int, goal: tuple[str, bool, int, int], random: Random) -> int:
        """Return a factor whose product with `multiplier` is cut and rounded as the goal wants, if any is."""
        kind, over, sign, distance = goal
        edge = self.ends[1] if sign > 0 else self.ends[0]
        away = distance + 1 if over else -distance
        if not over and random.random() < 0.5:
            away = -random.randint(0, 2 * self.ends[1])
        near = ((edge + sign * away) << shift) // max(multiplier, 1)
        zeros = (multiplier & -multiplier).bit_length() - 1
        left = shift - zeros  # an even multiplier cuts fewer bits of the factor
        if kind == "any" or multiplier == 0 or left <= 0:
            return near
        half = 1 << (left - 1)
        residue = {"exact": 0, "tie": half, "near tie": half + random.choice((-1, 1))}[kind]
        wanted = residue * pow(multiplier >> zeros, -1, 1 << left)
        if (sign > 0) == over:  # away from 0 what is to overflow, towards it what is not
            return near + (wanted - near) % (1 << left)
        return near - (near - wanted) % (1 << left)

    def _table(self, random: Random) -> np.ndarray[Any, Any]:
        return np.zeros(0, np.int64)

    def _record(self, record: int) -> int:
        return 0

    def _factor_bits(self) -> int:
        return self.width + 1

    def _multiplier_bits(self) -> int:
        return self.path.link.multiplier_bits

    @abstractmethod
    def _product(self, registers: Registers, v: int, value: int, target: int) -> tuple[int, int]:
        """Return the two factors of the link's product."""

    @abstractmethod
    def _sample(
        self,
        registers: Registers,
        table: np.ndarray[Any, Any],
        goal: tuple[str, bool, int, int],
        random: Random,
        *,
        is_free: bool,
    ) -> tuple[int, int]:
        """Return v and the record's table word, steered to a goal unless free."""


class AffineBench(LinkBench):
    """The affine link."""

    unit_name = "link_affine"
    link = Link.AFFINE

    def _product(self, registers: Registers, v: int, value: int, target: int) -> tuple[int, int]:
        return v, registers.multiplier

    def _sample(
        self,
        registers: Registers,
        table: np.ndarray[Any, Any],
        goal: tuple[str, bool, int, int],
        random: Random,
        *,
        is_free: bool,
    ) -> tuple[int, int]:
        if is_free:
            return corner(random, self.width + 1), 0
        return self._steer(registers.multiplier, registers.shift, goal, random), 0


class CentredTableBench(LinkBench):
    """The centred table link."""

    unit_name = "link_centred_table"
    link = Link.CENTRED_TABLE

    def __init__(self, configuration: Configuration, unit: Unit) -> None:
        super().__init__(configuration, unit)
        self.parities = cycle((1, 1, 1, 0))  # of the slopes of a table: products of odd ones reach every residue

    def _table(self, random: Random) -> np.ndarray[Any, Any]:
        links = self.path.link
        shape = 1 << links.grid_bits, 1 << links.index_bits
        parity = next(self.parities)
        words = [corner(random, links.slope_bits, signed=False) & ~1 | parity for _ in range(shape[0] * shape[1])]
        return np.array(words, np.int64).reshape(shape)

    def _record(self, record: int) -> int:
        return record

    def _multiplier_bits(self) -> int:
        return self.path.link.slope_bits

    def _product(self, registers: Registers, v: int, value: int, target: int) -> tuple[int, int]:
        return v, value

    def _sample(
        self,
        registers: Registers,
        table: np.ndarray[Any, Any],
        goal: tuple[str, bool, int, int],
        random: Random,
        *,
        is_free: bool,
    ) -> tuple[int, int]:
        grid = random.randrange(len(table))
        if is_free:  # around the middle between two indices
            places, factor = registers.index_shift, registers.index_multiplier
            index = random.randint(-(1 << self.path.link.index_bits), 1 << self.path.link.index_bits)
            return ((2 * index + 1 << places) // (2 * factor) + random.randint(-1, 1), grid)
        v = self._steer(random.choice(table[grid].tolist()), registers.shift, goal, random)
        _, index = table_index(self.path, registers, v)  # v decides which slope is read: steer by that one
        return self._steer(table_value(self.path, self.link, table, index, grid), registers.shift, goal, random), grid


class AbsoluteTableBench(LinkBench):
    """The absolute table link."""

    unit_name = "link_absolute_table"
    link = Link.ABSOLUTE_TABLE

    def _table(self, random: Random) -> np.ndarray[Any, Any]:
        links = self.path.link
        return np.array([corner(random, links.table_bits) for _ in range(1 << links.index_bits)], np.int64)

    def _record(self, record: int) -> int:
        return record & ((1 << self.path.link.table_bits) - 1)

    def _factor_bits(self) -> int:
        return self.path.link.table_bits + 1

    def _product(self, registers: Registers, v: int, value: int, target: int) -> tuple[int, int]:
        return value - target, registers.multiplier

    def _sample(
        self,
        registers: Registers,
        table: np.ndarray[Any, Any],
        goal: tuple[str, bool, int, int],
        random: Random,
        *,
        is_free: bool,
    ) -> tuple[int, int]:
        bits = self.path.link.table_bits
        index = random.randint(-(1 << self.path.link.index_bits), 1 << self.path.link.index_bits)
        v = (2 * index + random.randint(0, 1) << registers.index_shift) // (2 * registers.index_multiplier)
        v = min(max(v + random.randint(-1, 1), 2 * self.total[0]), 2 * self.total[1])
        if is_free:
            return v, corner(random, bits)
        _, index = table_index(self.path, registers, v)
        value = table_value(self.path, self.link, table, index, 0)
        target = value - self._steer(registers.multiplier, registers.shift, goal, random)
        return v, min(max(target, -(1 << (bits - 1))), (1 << (bits - 1)) - 1)


def _datapath(**fields: Any) -> TrainingDatapath:
    return TrainingDatapath().with_fields({name.replace("__", "."): value for name, value in fields.items()})


_NO_STAGES = {"OffsetStages": 0, "MultiplyStages": 0, "RoundStages": 0}
_MORE_STAGES = {"OffsetStages": 2, "MultiplyStages": 3, "RoundStages": 2, "SaturateStages": 2}
_NO_TABLE_STAGES = {"IndexMultiplyStages": 0, "IndexRoundStages": 0, "TableStages": 0}
_MORE_TABLE_STAGES = {"IndexMultiplyStages": 3, "IndexRoundStages": 2, "TableStages": 2}
_STOCHASTIC = {"coefficient__rounding": Rounding.STOCHASTIC}
_PATHS = {
    "default": _datapath(accumulator__width=24),
    "stochastic": _datapath(accumulator__width=26, coefficient__width=8, **_STOCHASTIC),
    "floor": _datapath(accumulator__width=20, coefficient__width=12, coefficient__rounding=Rounding.TO_NEG,
                       coefficient__overflow=Overflow.WRAP, link__grid_bits=0),
    "nearest": _datapath(accumulator__width=18, coefficient__width=8, coefficient__rounding=Rounding.TIES_POS,
                         coefficient__overflow=Overflow.SAT_SYM, link__index_bits=3, link__table_bits=12),
    "narrow": _datapath(accumulator__width=10, coefficient__width=4, link__multiplier_bits=6, link__slope_bits=5,
                        link__table_bits=8, link__index_bits=2, link__grid_bits=1),
    "wide": _datapath(accumulator__width=36, coefficient__width=24, link__multiplier_bits=24, link__slope_bits=24,
                      link__table_bits=24, link__index_bits=6, link__grid_bits=2),
    "least": _datapath(accumulator__width=8, coefficient__width=2, link__multiplier_bits=2, link__slope_bits=2,
                       link__table_bits=2, link__index_bits=2, link__grid_bits=0),
    "most": _datapath(accumulator__width=36, coefficient__width=32, link__multiplier_bits=24, link__slope_bits=24,
                      link__table_bits=24, link__index_bits=4, link__grid_bits=0, **_STOCHASTIC),
}  # fmt: skip
_SHALLOW = _datapath(accumulator__width=16, coefficient__width=6, link__multiplier_bits=8, **_STOCHASTIC)
_DEEP = _datapath(accumulator__width=16, coefficient__width=6, link__multiplier_bits=8,
                  coefficient__overflow=Overflow.SAT_SYM)  # fmt: skip
AFFINE_CONFIGURATIONS = [
    *(Configuration(name, path) for name, path in _PATHS.items()),
    Configuration("unregistered", _SHALLOW, {**_NO_STAGES, "MaxShift": 20}),
    Configuration("deep", _DEEP, {**_MORE_STAGES}),
]
TABLE_CONFIGURATIONS = [
    *(Configuration(name, path) for name, path in _PATHS.items()),
    Configuration("unregistered", _SHALLOW, {**_NO_STAGES, **_NO_TABLE_STAGES, "MaxShift": 20}),
    Configuration("deep", _DEEP, {**_MORE_STAGES, **_MORE_TABLE_STAGES}),
]
