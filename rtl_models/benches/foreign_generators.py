"""Benches of foreign generators: steps, holds, seeds and resets, as far as the module has them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import chain
from random import Random
from typing import Any

from rtl_models.benches.bench import Result
from rtl_models.benches.clocked import ENDLESS, Row
from rtl_models.benches.generators import GeneratorBench, LfsrBench, Xorshift32Bench
from rtl_models.benches.latencies import PROBED, delays, stop_clock_of, tell, watch
from rtl_models.benches.port import Port
from rtl_models.benches.stream import Beat
from rtl_models.foreign import ForeignModule
from rtl_models.foreign_blocks import GeneratorBlock
from rtl_models.foreign_wrapper import Wrapper, their_port
from sim.random_bits import LinearGenerator


class _SeedFirst:
    """A generator whose first word is its seed."""

    def __init__(self, generator: LinearGenerator) -> None:
        self.words = chain([generator.state & 0xFFFFFFFF], generator)

    def next(self) -> int:
        """Return the seed's low bits, then the words of the generator."""
        return next(self.words)


class ForeignGenerator(GeneratorBench):
    """Steps, holds, loads and resets; nothing is compared in reset, nor before a reset's word has come out."""

    foreign: ForeignModule
    mask: int

    def bind(self, foreign: ForeignModule, wrapper: Wrapper) -> None:
        """Set what the binding says of seeds and ports."""
        block = foreign.binding.block
        assert isinstance(block, GeneratorBlock)
        self.foreign, self.mask, self.shows_seed = foreign, wrapper.masks["word_o"], block.shows_seed
        self.reset_seed, self.zero_seed = block.reset_seed, block.zero_seed
        self.loads = "load_i" in foreign.binding.ports

    @property
    def latency(self) -> int:
        """Cycles from a seed or a step to its word, as the binding states them."""
        return self.foreign.binding.latency

    def shown_port(self, name: str) -> str:
        """Return the module's own name of a port."""
        return their_port(self.foreign.binding, name)

    def generator(self, seed: int) -> Any:
        """Return the reference of one generator."""
        generator = super().generator(seed)  # type: ignore[safe-super]  # that of the other base
        return _SeedFirst(generator) if self.shows_seed else generator

    def rows(self, random: Random, transactions: int) -> Iterator[Row]:
        """Yield the rows of our unit's bench, as late as the module's latency says."""
        late = self.foreign.binding.latency - 1
        waiting: list[tuple[str, Any]] = []
        shown: deque[Beat | None] = deque([None] * late)
        can_hold, left = "enable_i" in self.foreign.binding.ports, transactions
        for row in super().rows(random, ENDLESS):
            assert row.outputs is not None
            is_out, load, _, enable = row.inputs
            waiting += row.hits
            if not can_hold and is_out and not load and not enable:
                continue
            shown.append((row.outputs[0] & self.mask,))
            outputs = shown.popleft()
            if not is_out:
                shown, outputs = deque([None] * late), None
            yield Row(row.inputs, outputs, row.cause, waiting)
            waiting = []
            left -= 1
            if not left:
                return

    async def check(self, dut: Any, ports: str, random: Random, transactions: int, result: Result) -> None:
        """Play the rows up to the first difference; then see whether another latency would explain it."""
        await super().check(dut, ports, random, transactions, result)
        if not result.failure:
            return
        stop_clock_of(result)
        inputs, outputs = (
            [Port(getattr(dut, ports + name)) for name in names] for names in (self.inputs, self.outputs)
        )
        rows = [(0, 0, 0, 1)] * 2 + [(1, 0, 0, 1)] * PROBED
        seen = [(word & self.mask,) for (word,) in (await watch(inputs, rows, outputs))[2:]]
        generator = self.generator(self.reset_seed)
        expected = ((cycle, (self.output([generator.next()]) & self.mask,)) for cycle in range(PROBED))
        tell(result, [late + 1 for late in delays(seen, expected)], self.latency)

    def points(self) -> dict[str, list[Any]]:
        """Return the operations that the module has."""
        points, ports = super().points(), self.foreign.binding.ports
        missing = [] if self.zero_seed else ["load seed 0"]
        missing += [] if "enable_i" in ports else ["hold", "load while enabled"]
        missing += [] if self.loads else ["load", "load while enabled", "load seed 0"]
        return {**points, "operation": [one for one in points["operation"] if one not in missing]}


class ForeignXorshift32(ForeignGenerator, Xorshift32Bench):
    """An xorshift32."""


class ForeignLfsr(ForeignGenerator, LfsrBench):
    """An lfsr."""
