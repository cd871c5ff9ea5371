"""Benches of foreign modules: the stimuli, the reference and the coverage of our units, played through a wrapper.

Whatever a module does not have is left out: ports are masked, pauses and loads not made, and their bins not asked for.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, count, islice
from random import Random
from typing import Any

from rtl_models.benches.bench import CHUNK, Bench, Field, Result, StreamBench, pack
from rtl_models.benches.clocked import ENDLESS
from rtl_models.benches.dot_product import DotProductBench
from rtl_models.benches.foreign_generators import ForeignGenerator, ForeignLfsr, ForeignXorshift32
from rtl_models.benches.latencies import PROBED, delays, stop_clock_of, tell, watch
from rtl_models.benches.mac import MacBench
from rtl_models.benches.requantizer import RequantizerBench
from rtl_models.benches.stream import FLOWS, Beat, Script, StreamPlayer
from rtl_models.elaborate import Unit, elaborate
from rtl_models.foreign import NO_LATENCY, ForeignModule
from rtl_models.foreign_blocks import MacBlock, RequantizerBlock
from rtl_models.foreign_wrapper import Wrapper, their_port, unchecked, wrap
from sim.errors import InputError

_SETTLED = 64
"""Cycles without a result after which none is expected of a module whose latency is not known."""


class ForeignStream(StreamBench):
    """The bench of a module with values in and results out.

    Args:
        foreign: the module.
        inner: the bench of our unit of the same block.
        wrapper: what gives the module a stream on either side.
    """

    def __init__(self, foreign: ForeignModule, inner: Bench, wrapper: Wrapper) -> None:
        super().__init__(inner.configuration, replace(inner.unit, ports=wrapper.unit.ports))
        binding = foreign.binding
        self.foreign, self.inner = foreign, inner
        self.masks = [wrapper.masks[self.unit_port(name, "m_axis_")] for name in self.outputs]
        is_frozen = isinstance(binding.block, RequantizerBlock) and "enable_i" in binding.ports
        self.sinks = FLOWS if is_frozen or "m_axis_tready" in binding.ports else ("steady",)
        self.is_latency_known = binding.latency != NO_LATENCY
        self.has_reset = bool(binding.reset.port)

    def unit_port(self, name: str, side: str) -> str:
        """Return our unit's port of a part of a beat."""
        return name

    @property
    def latency(self) -> int:
        """Cycles from an input to its output, as the binding states them."""
        return self.foreign.binding.latency if self.is_latency_known else _SETTLED

    def shown_port(self, name: str) -> str:
        """Return the module's own name of a port."""
        return their_port(self.foreign.binding, name)

    async def check(self, dut: Any, ports: str, random: Random, transactions: int, result: Result) -> None:
        """Play scripts up to the first difference; then see whether another latency would explain it."""
        await super().check(dut, ports, random, transactions, result)
        if not result.failure or self.foreign.binding.is_stream:
            return
        stop_clock_of(result)
        player = StreamPlayer(dut, ports, self.inputs, self.outputs, self.latency, self.has_random)
        script = next(self.scripts(random, PROBED))
        await player.start()
        player.m_ready.drive(1)
        rows = [(1, *beat) for beat in script.inputs] + [(0, *script.inputs[-1])]
        seen = await watch([player.s_valid, *player.inputs], rows, player.outputs)
        tell(result, delays(seen, zip(script.completes, script.outputs, strict=True)), self.latency)

    @abstractmethod
    def unmasked(self, random: Random, transactions: int) -> Iterator[Script]:
        """Yield scripts of so many outputs in all, of a module that has every port."""

    def scripts(self, random: Random, transactions: int) -> Iterator[Script]:
        """Yield scripts of so many outputs in all, of the bits that the module has."""
        for script in self.unmasked(random, transactions):
            script.outputs = [self._masked(beat) for beat in script.outputs]
            yield script

    def _masked(self, beat: Beat) -> Beat:
        return tuple(value & mask for value, mask in zip(beat, self.masks, strict=True))

    def points(self) -> dict[str, list[Any]]:
        """Return the bins of our unit; how values come and go is a matter of the flows."""
        return {point: bins for point, bins in self.inner.points().items() if point not in ("enable", "reset")}

    def fields(self) -> list[Field]:
        """Return those parts of an output that the module has."""
        parts = self.inner.fields()
        return [part for part in parts if self.masks[part.port] >> part.low & ((1 << part.width) - 1)]

    def input_fields(self) -> list[Field]:
        """Return the parts of an input beat, as our unit's bench has them."""
        parts = [(part, self.inner.inputs[part.port]) for part in self.inner.input_fields()]
        return [replace(part, port=self.inputs.index(name)) for part, name in parts if name in self.inputs]


class ForeignRequantizer(ForeignStream):
    """A value and its random word in, a result and its flag out."""

    unit_name = "requantizer"
    inputs = ("value_i", "random_i")
    outputs = ("value_o", "overflow_o")
    inner: RequantizerBench

    def unmasked(self, random: Random, transactions: int) -> Iterator[Script]:
        """Yield the directed values in random order, then constrained ones."""
        bench = self.inner
        directed = bench.directed()
        random.shuffle(directed)
        stimuli = islice(chain(directed, (bench.stimulus(random) for _ in count())), transactions)
        while pairs := list(islice(stimuli, 1000)):
            yield Script(
                inputs=[(pack([value], bench.source.width), word) for value, word in pairs],
                outputs=[bench.expected(*pair) for pair in pairs],
                completes=list(range(len(pairs))),
                hits=[bench.bins(*pair) for pair in pairs],
            )


class ForeignMac(ForeignStream):
    """A pair in, the sum and its flag after it out; a script starts with a reset or with a clear."""

    unit_name = "mac"
    inputs = ("clear_i", "enable_i", "a_i", "b_i")
    outputs = ("sum_o", "overflow_o")
    chunk = ENDLESS
    inner: MacBench

    @property
    def block(self) -> MacBlock:
        """What the module claims to be."""
        block = self.foreign.binding.block
        assert isinstance(block, MacBlock)
        return block

    def points(self) -> dict[str, list[Any]]:
        """Return the bins of our unit, without pairs that come with a clear if the module takes none."""
        points = super().points()
        if not self.block.clear_takes_pair:
            points["cycle"] = [one for one in points["cycle"] if one != "clear with a pair"]
            if "flag" in points:
                points["flag"] = [one for one in points["flag"] if one != "cleared by a pair"]
        return points

    def unmasked(self, random: Random, transactions: int) -> Iterator[Script]:
        """Yield the pairs and clears of our unit's bench; idle cycles are up to the flows."""
        left, script = transactions, Script(is_fresh=True)
        waiting: list[tuple[str, Any]] = []
        for row in self.inner.rows(random, ENDLESS):
            is_out, clear, enable, *pair = row.inputs
            assert row.outputs is not None
            if not is_out or (clear and len(script.outputs) >= CHUNK):
                left -= len(script.outputs)
                if script.outputs:
                    yield script
                script = Script(is_fresh=not is_out)
            waiting += row.hits
            if not is_out or not (clear or enable):
                continue
            for beat, outputs in self._beats(clear, enable, pair, row.outputs):
                script.inputs.append(beat)
                script.outputs.append(outputs)
                script.completes.append(len(script.completes))
                script.hits.append(waiting)
                waiting = []
                if len(script.outputs) == left:
                    yield script
                    return

    def _beats(self, clear: int, enable: int, pair: list[int], outputs: Beat) -> list[tuple[Beat, Beat]]:
        """Return the beats of one row of our unit's bench."""
        if not self.block.clear_takes_pair:
            cleared = ((1, 1, *pair), (0, 0))  # with a pair that must not count
            return [*([cleared] if clear else []), *([((0, 1, *pair), outputs)] if enable else [])]
        if not enable and "enable_i" not in self.foreign.binding.ports:
            pair = [0, 0]
        return [((clear, enable, *pair), outputs)]


class ForeignDotProduct(ForeignStream):
    """Beats in, the sum of every row out."""

    unit_name = "dot_product"
    inputs = DotProductBench.inputs
    outputs = DotProductBench.outputs
    inner: DotProductBench

    def unit_port(self, name: str, side: str) -> str:
        """Return our unit's port, which is a stream's."""
        return side + name

    def unmasked(self, random: Random, transactions: int) -> Iterator[Script]:
        """Yield the scripts of our unit's bench."""
        return self.inner.scripts(random, transactions)


_STREAMS: dict[str, tuple[type[Bench], type[ForeignStream]]] = {
    "requantizer": (RequantizerBench, ForeignRequantizer),
    "mac": (MacBench, ForeignMac),
    "dot_product": (DotProductBench, ForeignDotProduct),
}
_GENERATORS: dict[str, type[ForeignGenerator]] = {"xorshift32": ForeignXorshift32, "lfsr": ForeignLfsr}


def foreign_bench(foreign: ForeignModule) -> Bench:
    """Return the bench of a module.

    Raises:
        InputError: for ports that do not fit the block.
    """
    return bench_and_wrapper(foreign)[0]


def bench_and_wrapper(foreign: ForeignModule) -> tuple[Bench, Wrapper]:
    """Return the bench of a module, and what gives the module the ports that it plays.

    Raises:
        InputError: for ports that do not fit the block.
    """
    name, configuration = foreign.binding.block.unit_name, foreign.binding.block.configuration(foreign.binding.top)
    kind: type[Bench] = _GENERATORS[name] if name in _GENERATORS else _STREAMS[name][0]
    try:
        unit = elaborate(name, [kind.parameters(configuration)])[0]
        wrapper = wrap(foreign, unit)
    except InputError as error:
        raise InputError(f"{foreign.file}: {error}") from None
    bench = kind(configuration, _at_once(unit))
    if isinstance(bench, ForeignGenerator):
        bench.bind(foreign, wrapper)
    else:
        bench = _STREAMS[name][1](foreign, bench, wrapper)
    bench.unchecked = unchecked(foreign, wrapper.masks, unit)
    return bench, wrapper


def _at_once(unit: Unit) -> Unit:
    """Return a unit whose bench expects a result together with its input: the module's own latency comes on top."""
    return replace(unit, constants={**unit.constants, "Latency": 0})
