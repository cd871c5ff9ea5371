"""What every bench has: parameters from a datapath, scripts from a seed, coverage to close, a result to report."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar

import msgspec

from rtl_models.benches.stream import FLOWS, Beat, Difference, Script, StreamPlayer, flow
from rtl_models.elaborate import Unit, elaborate, unit_parameters
from sim.datapath import Link, TrainingDatapath

CHUNK = 20
"""Outputs played under one pair of flows."""
LONGER = 4
"""Chunks played in one go once every pair of flows was played: between two spans a unit runs empty."""
SHOWN = 8
"""Inputs that the report of a failure shows."""


class Configuration(msgspec.Struct, frozen=True):
    """A unit's parameters: those of a datapath, and those that no datapath sets (register stages, say).

    Args:
        name: shown in tables.
        datapath: the widths and modes.
        extra: parameters by name, over those of the datapath.
    """

    name: str
    datapath: TrainingDatapath
    extra: dict[str, int | str] = {}


class Result(msgspec.Struct):
    """What a bench found out about one configuration.

    Attributes:
        unit: the module.
        configuration: its name.
        parameters: as SystemVerilog text, by name.
        seed: of the stimuli.
        transactions: outputs compared.
        coverage: bins hit and bins in all, by coverage point.
        missed: bins that were not hit, as "point: bin".
        unchecked: what a module of the user's does not have, and the bench does not check.
        seconds: time taken.
        failure: the first difference in words; empty if there is none.
        differences: part, value found, value expected, of each part of the first output that differs.
        failed_at: time in the simulation of the difference, in ns.
    """

    unit: str
    configuration: str
    parameters: dict[str, str]
    seed: int
    transactions: int = 0
    coverage: dict[str, tuple[int, int]] = {}
    missed: list[str] = []
    unchecked: list[str] = []
    seconds: float = 0.0
    failure: str = ""
    differences: list[tuple[str, str, str]] = []
    failed_at: int = 0

    @property
    def passed(self) -> bool:
        """Whether nothing differed and every bin was hit."""
        return not self.failure and not self.missed


class Plan(msgspec.Struct):
    """What one simulation is to do.

    Args:
        unit: the module.
        configurations: those that the top instantiates, in order.
        transactions: outputs to compare, by configuration.
        seed: of the stimuli.
        results: file for the results.
        foreign: the TOML file of a module of the user's that stands for the unit; empty for the unit itself.
        first: number of the first instance in the top, which may hold other units as well.
    """

    VARIABLE: ClassVar[str] = "BITTRUE_PLAN"
    """Environment variable that names the files of plans."""

    unit: str
    configurations: list[Configuration]
    transactions: list[int]
    seed: int
    results: str
    foreign: str = ""
    first: int = 0


@dataclass(frozen=True, slots=True)
class Field:
    """A part of an output beat.

    Args:
        name: what it is.
        port: number of the port within the beat.
        low: its lowest bit.
        width: bits.
        signed: whether it is two's complement.
        frac: bits below the binary point.
    """

    name: str
    port: int
    low: int
    width: int
    signed: bool = False
    frac: int = 0

    def of(self, beat: Beat) -> int:
        """Return the value of the field."""
        return self.of_port(beat[self.port])

    def of_port(self, value: int) -> int:
        """Return the value of the field from that of its port."""
        raw = value >> self.low & ((1 << self.width) - 1)
        return raw - (1 << self.width) if self.signed and raw >> (self.width - 1) else raw

    def text(self, beat: Beat) -> str:
        """Return the value in decimal, binary and as a real number."""
        value = self.of(beat)
        return f"{value} (0b{value & ((1 << self.width) - 1):0{self.width}b}, {value * 2.0**-self.frac:g})"


class Bench(ABC):
    """Stimuli and reference of a unit under one configuration.

    Args:
        configuration: which.
        unit: the unit under its parameters.
    """

    unit_name: ClassVar[str]
    inputs: ClassVar[Sequence[str]]
    outputs: ClassVar[Sequence[str]]
    link: ClassVar[Link] = Link.AFFINE

    def __init__(self, configuration: Configuration, unit: Unit) -> None:
        self.configuration, self.unit, self.path = configuration, unit, configuration.datapath
        self.unchecked: list[str] = []

    @classmethod
    def parameters(cls, configuration: Configuration) -> dict[str, Any]:
        """Return the unit's parameters under a configuration."""
        return {**unit_parameters(cls.unit_name, configuration.datapath), **configuration.extra}

    @classmethod
    def unused(cls, datapath: TrainingDatapath) -> str:
        """Return why a datapath has no such unit, as the text of an error; nothing if it has one."""
        return ""

    @classmethod
    def benches(cls, configurations: Sequence[Configuration]) -> list[Bench]:
        """Return a bench for each configuration."""
        units = elaborate(cls.unit_name, [cls.parameters(c) for c in configurations])
        return [cls(c, unit) for c, unit in zip(configurations, units, strict=True)]

    @property
    def latency(self) -> int:
        """Cycles from an input beat to its output, as the package derives them."""
        return self.unit.constants["Latency"]

    @abstractmethod
    def points(self) -> dict[str, list[Any]]:
        """Return the coverage points and the bins of each that this configuration can hit."""

    @abstractmethod
    def fields(self) -> list[Field]:
        """Return the parts of an output beat."""

    def input_fields(self) -> list[Field]:
        """Return the parts of an input beat; by default each port, unsigned."""
        return [Field(name, n, 0, self.unit.width(self.input_port(name))) for n, name in enumerate(self.inputs)]

    def input_port(self, name: str) -> str:
        """Return the unit's port of a part of an input beat."""
        return name

    def output_port(self, name: str) -> str:
        """Return the unit's port of a part of an output beat."""
        return name

    def shown_port(self, name: str) -> str:
        """Return the name under which a picture shows a port of the unit; nothing if it leaves it out."""
        return name

    @abstractmethod
    async def check(self, dut: Any, ports: str, random: Random, transactions: int, result: Result) -> None:
        """Play scripts through one instance, up to the first difference; await nothing but `lockstep.NEXT_EDGE`.

        Args:
            dut: the simulated module.
            ports: prefix of the instance's ports.
            random: of the stimuli.
            transactions: outputs to compare.
            result: to fill in.
        """


class StreamBench(Bench):
    """The bench of a unit with a stream on either side.

    Attributes:
        sinks: ways in which results are taken.
        chunk: outputs played under one pair of flows.
        is_latency_known: whether the latency is compared where nothing stalls.
        has_reset: whether there is a reset to be tested.
    """

    sinks: Sequence[str] = FLOWS
    chunk: int = CHUNK
    is_latency_known: bool = True
    has_reset: bool = True

    @property
    def has_random(self) -> bool:
        """Whether the unit uses random words under this configuration."""
        return False

    def input_port(self, name: str) -> str:
        """Return the port of the input stream."""
        return f"s_axis_{name}"

    def output_port(self, name: str) -> str:
        """Return the port of the output stream."""
        return f"m_axis_{name}"

    @abstractmethod
    def scripts(self, random: Random, transactions: int) -> Iterator[Script]:
        """Yield scripts of so many outputs in all."""

    async def check(self, dut: Any, ports: str, random: Random, transactions: int, result: Result) -> None:
        """Play scripts under every pair of flows, with resets in flight.

        Half of the time nothing stalls; once every pair was played, most of the time.
        """
        pairs = [(source, sink) for source in FLOWS for sink in self.sinks]
        points = {"flows": [f"{source} to {sink}" for source, sink in pairs]}
        points |= {"reset": ["in flight"]} if self.has_reset else {}
        coverage = Coverage({**points, **self.points()})
        player = StreamPlayer(dut, ports, self.inputs, self.outputs, self.latency, self.has_random)
        try:
            await self._play(player, pairs, random, transactions, coverage, result)
        except Difference as difference:
            result.failure = self._explain(player.script, difference, result)
        coverage.close(result)

    async def _play(
        self,
        player: StreamPlayer,
        pairs: Sequence[tuple[str, str]],
        random: Random,
        transactions: int,
        coverage: Coverage,
        result: Result,
    ) -> None:
        """Play scripts, each in chunks under a pair of flows.

        Raises:
            Difference: at the first one.
        """
        await player.start()
        chunk = 0
        for script in self.scripts(random, transactions):
            await player.load(script)
            start = 0
            while start < len(script.outputs):
                is_early = chunk < 2 * len(pairs)
                every, size = (2, self.chunk) if is_early else (8, LONGER * self.chunk)
                span = range(start, min(start + size, len(script.outputs)))
                source, sink = pairs[chunk // every % len(pairs)] if chunk % every == 1 else ("steady", "steady")
                if chunk % 16 == 8:
                    await player.interrupt(script, span, random, "random" if "random" in self.sinks else "steady")
                    coverage.add([("reset", "in flight")])
                is_steady = self.is_latency_known and source == sink == "steady"
                await player.play(script, span, flow(source, random), flow(sink, random), is_steady)
                for hits in script.hits[start : span.stop]:
                    coverage.add(hits)
                start = span.stop
                coverage.add([("flows", f"{source} to {sink}")])
                result.transactions += len(span)
                chunk += 1

    def _explain(self, script: Script, difference: Difference, result: Result) -> str:
        """Return the report of a failure: where, with what, both values, the inputs before it."""
        number, got, expected = difference.number, difference.got, difference.expected
        lines = [
            f"{result.unit} {result.configuration}: {difference.reason}",
            f"  seed {result.seed}, transaction {result.transactions} and up, output {number} of its script",
            "  parameters " + ", ".join(f"{name} {value}" for name, value in result.parameters.items()),
        ]
        for part in self.fields():
            if got is None or expected is None or part.of(got) != part.of(expected):
                texts = [part.text(beat) if beat else "nothing" for beat in (got, expected)]
                result.differences.append((part.name, texts[0], texts[1]))
                lines.append(f"  {part.name}: got {texts[0]}")
                lines.append(f"  {' ' * len(part.name)}  expected {texts[1]}")
        last = script.completes[number] if number < len(script.completes) else number
        for beat in script.inputs[max(last - SHOWN + 1, 0) : last + 1]:
            lines.append("  input " + ", ".join(f"{n} 0x{v:x}" for n, v in zip(self.inputs, beat, strict=True)))
        return "\n".join(lines)


class Coverage:
    """Counts the bins hit, and hands them to cocotb-coverage at the end, once each, since sampling is slow."""

    def __init__(self, points: dict[str, list[Any]]) -> None:
        self.points = {point: bins for point, bins in points.items() if bins}
        self.hits = Counter[tuple[str, Any]]()

    def add(self, hits: Sequence[tuple[str, Any]]) -> None:
        """Count bins as (point, bin)."""
        self.hits.update(hits)

    def close(self, result: Result) -> None:
        """Fill in a result's coverage."""
        from cocotb_coverage.coverage import CoverPoint, coverage_db

        for point, bins in self.points.items():
            name = f"{result.unit}.{result.configuration}.{point}"
            sample = CoverPoint(name, bins=bins)(lambda _: None)
            for hit in bins:
                if self.hits[point, hit]:
                    sample(hit)
            hits = coverage_db[name].detailed_coverage
            result.coverage[point] = coverage_db[name].coverage, coverage_db[name].size
            result.missed += [f"{point}: {bin_}" for bin_, number in hits.items() if not number]


def corner(random: Random, width: int, signed: bool = True) -> int:
    """Return a word that is likely to be near an end, all ones, alternating, or zero.

    Example:
        >>> -8 <= corner(Random(1), 4) <= 7
        True
    """
    low, high = (-(1 << (width - 1)), (1 << (width - 1)) - 1) if signed else (0, (1 << width) - 1)
    if random.random() < 0.5:
        return random.randint(low, high)
    alternating = int("01" * width, 2) & high
    return random.choice((low, min(low + 1, high), -1 if signed else high, 0, 1 & high, high - 1, high, alternating))


def pack(words: Sequence[int], width: int) -> int:
    """Return words side by side, word 0 lowest, each cut to `width` bits.

    Example:
        >>> hex(pack([1, -1], 4))
        '0xf1'
    """
    mask, packed = (1 << width) - 1, 0
    for word in reversed(words):
        packed = packed << width | word & mask
    return packed


def cut_class(value: int, cut: int) -> str:
    """Return what the bits are that a cut drops: exact, tie, near tie (one from it), or other.

    Example:
        >>> [cut_class(value, 3) for value in (8, 12, 13, 14)]
        ['exact', 'tie', 'near tie', 'other']
    """
    if cut <= 0:
        return "exact"
    rest, half = value & ((1 << cut) - 1), 1 << (cut - 1)
    if rest == 0:
        return "exact"
    return "tie" if rest == half else "near tie" if abs(rest - half) == 1 else "other"
