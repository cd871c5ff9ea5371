"""Plays beats through a streaming unit and compares what leaves it, cycle by cycle.

cocotbext-axi has sources and sinks for AXI4-Stream; they move whole frames through queues, several times slower than
this loop, which also checks the latency, the stability of a waiting output and the use of random words.

Timing: all signals are driven right after a rising edge and read at the next one, before it takes effect.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, count, cycle, repeat
from random import Random
from typing import Any

from rtl_models.benches.lockstep import NEXT_EDGE
from rtl_models.benches.port import Port

Beat = tuple[int, ...]
"""Values of a side's ports, in the order of their names."""


@dataclass(slots=True)
class Script:
    """What a unit is to do under fixed registers.

    Attributes:
        registers: values of ports that do not change meanwhile.
        writes: addresses and words of the table, if the unit has one.
        inputs: beats that go in.
        outputs: beats that must come out.
        completes: for each output, the number of the input beat that completes it.
        words: for each input beat, the random word that it uses.
        hits: for each output, the coverage bins that it hits, as (point, bin).
        is_fresh: whether the unit is reset before.
    """

    registers: dict[str, int] = field(default_factory=dict)
    writes: list[tuple[int, int]] = field(default_factory=list)
    inputs: list[Beat] = field(default_factory=list)
    outputs: list[Beat] = field(default_factory=list)
    completes: list[int] = field(default_factory=list)
    words: list[int] = field(default_factory=list)
    hits: list[Sequence[tuple[str, Any]]] = field(default_factory=list)
    is_fresh: bool = False


class Difference(AssertionError):
    """An output that is not the expected one.

    Args:
        number: of the output, within its script.
        got: the circuit's beat, None if it gave none.
        expected: the reference's beat, None if there should be none.
        reason: what is wrong.
    """

    def __init__(self, number: int, got: Beat | None, expected: Beat | None, reason: str) -> None:
        super().__init__(f"{reason}: output {number}, got {got}, expected {expected}")
        self.number, self.got, self.expected, self.reason = number, got, expected, reason


FLOWS = ("steady", "alternating", "random", "rare", "bursts")
"""Ways in which a side offers or takes beats."""


def flow(kind: str, random: Random) -> Iterator[bool]:
    """Return whether a side is willing, cycle after cycle.

    Example:
        >>> from itertools import islice
        >>> list(islice(flow("alternating", Random(0)), 4))
        [False, True, False, True]
    """
    match kind:
        case "steady":
            return repeat(True)
        case "alternating":
            return cycle((False, True))
        case "random":
            return (random.random() < 0.5 for _ in count())
        case "rare":
            return (random.random() < 0.2 for _ in count())
        case "bursts":
            return chain.from_iterable(repeat(bool(n % 2), random.randint(1, 12)) for n in count())
    raise ValueError(kind)


class StreamPlayer:
    """The ports of a streaming unit.

    Args:
        dut: the simulated module.
        prefix: what stands before the names of the unit's ports.
        inputs: names of the ports of an input beat, without `s_axis_`.
        outputs: names of the ports of an output beat, without `m_axis_`.
        latency: cycles from a completing input beat to its output, without stalls.
        has_random: whether the unit uses random words.
    """

    def __init__(
        self, dut: Any, prefix: str, inputs: Sequence[str], outputs: Sequence[str], latency: int, has_random: bool
    ) -> None:
        self.dut, self.prefix, self.latency, self.has_random = dut, prefix, latency, has_random
        self.ports: dict[str, Port] = {}
        self.script = Script()
        self.inputs = [self.port(f"s_axis_{name}") for name in inputs]
        self.outputs = [self.port(f"m_axis_{name}") for name in outputs]
        self.s_valid, self.s_ready = self.port("s_axis_tvalid"), self.port("s_axis_tready")
        self.m_valid, self.m_ready = self.port("m_axis_tvalid"), self.port("m_axis_tready")

    def port(self, name: str) -> Port:
        """Return a port, always the same one."""
        if name not in self.ports:
            self.ports[name] = Port(getattr(self.dut, self.prefix + name))
        return self.ports[name]

    async def start(self) -> None:
        """Reset the unit."""
        self.port("rst_ni").drive(1)  # an asynchronous reset is an edge
        for port in (*self.inputs, self.m_ready, self.s_valid):
            port.drive(0)
        await NEXT_EDGE
        await self.reset()

    async def reset(self) -> None:
        """Hold the reset for two cycles.

        Raises:
            Difference: if an output is offered after it.
        """
        self.port("rst_ni").drive(0)
        self.s_valid.drive(0)
        await NEXT_EDGE
        await NEXT_EDGE
        self.port("rst_ni").drive(1)
        for _ in range(2):
            await NEXT_EDGE
            if self.m_valid.read():
                raise Difference(0, self._output(), None, "an output right after the reset")

    async def load(self, script: Script) -> None:
        """Take a script: reset the unit if it asks for that, set the registers and write the table."""
        self.script = script
        if script.is_fresh:
            await self.reset()
        for name, value in script.registers.items():
            self.port(name).drive(value)
        for address, word in script.writes:
            self.port("table_address_i").drive(address)
            self.port("table_data_i").drive(word)
            self.port("table_write_i").drive(1)
            await NEXT_EDGE
        if script.writes:
            self.port("table_write_i").drive(0)
        await NEXT_EDGE

    async def play(
        self, script: Script, span: range, source: Iterator[bool], sink: Iterator[bool], is_steady: bool
    ) -> None:
        """Send the input beats of some outputs and compare these outputs.

        Args:
            script: the beats.
            span: numbers of the outputs.
            source: whether a beat is offered, asked while none is.
            sink: whether an output is taken, asked every cycle.
            is_steady: whether both sides are always willing, so that the latency must be met.

        Raises:
            Difference: at the first output that differs, comes late, changes while it waits, or should not be there.
        """
        received, stop = span.start, span.stop
        sent = script.completes[received - 1] + 1 if received else 0
        end, used = script.completes[stop - 1] + 1, sent
        limit = 64 * (end - sent + self.latency + 8)  # cycles that the slowest flows never need
        entered: dict[int, int] = {}
        now = quiet = 0
        valid = ready = False
        waiting: Beat | None = None
        random, random_next = (self.port("random_i"), self.port("random_next_o")) if self.has_random else (None, None)
        s_ready, m_valid = self.s_ready.read, self.m_valid.read
        self.s_valid.drive(0)
        self.m_ready.drive(0)
        if random:
            random.drive(script.words[used])

        while received < stop or quiet < self.latency + 2:
            await NEXT_EDGE
            now += 1
            if now > limit:
                raise Difference(received, None, script.outputs[received], "no output for too long")
            if valid and s_ready():
                entered[sent] = now
                sent, valid = sent + 1, False
            if m_valid():
                got = self._output()
                if waiting not in (None, got):
                    raise Difference(received, got, waiting, "a waiting output changed")
                waiting = None if ready else got
                if ready:
                    self._compare(script, received, stop, got)
                    took = now - entered.get(script.completes[received], now)
                    if is_steady and took != self.latency:
                        raise Difference(received, got, got, f"{took} cycles late where the latency is {self.latency}")
                    received += 1
            elif waiting is not None:
                raise Difference(received, None, waiting, "a waiting output went away")
            if random and random_next and random_next.read():
                used += 1
                random.drive(script.words[used] if used < len(script.words) else 0)

            if not valid and sent < end and next(source):
                valid = True
                for port, value in zip(self.inputs, script.inputs[sent], strict=True):
                    port.drive(value)
            self.s_valid.drive(valid)
            quiet = quiet + 1 if received >= stop else 0
            ready = next(sink) or received >= stop
            self.m_ready.drive(ready)
        if self.has_random and used != end:
            raise Difference(received, None, None, f"{used} random words used after {end} beats")

    async def interrupt(self, script: Script, span: range, random: Random, sink: str) -> None:
        """Start to play, and reset while beats are under way: nothing of them may come out later."""
        attempt = self.play(script, span, flow("random", random), flow(sink, random), False)
        for _ in range(random.randint(1, 2 * self.latency + 4)):
            try:
                attempt.send(None)
            except StopIteration:
                break
            await NEXT_EDGE
        attempt.close()
        await self.reset()

    def _output(self) -> Beat:
        return tuple([port.read() for port in self.outputs])

    def _compare(self, script: Script, number: int, stop: int, got: Beat) -> None:
        if number >= stop:
            raise Difference(number, got, None, "an output too many")
        if got != script.outputs[number]:
            raise Difference(number, got, script.outputs[number], "a wrong output")
