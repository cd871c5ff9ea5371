"""The bench of the training engine: plays one inner loop through its bus and its streams, and writes what came out.

What goes in is prepared, and what comes out judged, by `rtl_models.engine_backend`; the rows come from files, and no
Python runs while the loop does, unless the plan wants every beat from cocotbext-axi.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any, ClassVar

import cocotb
import msgspec
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge, SimTimeoutError, with_timeout

from rtl_models.benches.alive import show_alive
from rtl_models.engine_design import register_address

PERIOD_NS = 10
NO_WAVES = (1 << 32) - 1
"""What the monitor takes for a step that never comes."""


class Plan(msgspec.Struct):
    """One inner loop.

    Args:
        writes: (byte address, words) in order, the last starts the loop.
        beats: beats a row.
        outcome: file for the outcome.
        limit: cycles after which a loop that has not ended never will.
        stalls: of 256 cycles, how many stall on average before a beat of a row.
        traced: first step to trace, and the step behind the last.
        waves: step before which the recording of all signals begins, none by default.
        from_python: every beat of a row comes from cocotbext-axi, none from the row streamer: slow.
        resets: cycles after which loops begun before this one are cut off by a reset.
    """

    VARIABLE: ClassVar[str] = "BITTRUE_ENGINE_PLAN"

    writes: list[tuple[int, list[int]]]
    beats: int
    outcome: str
    limit: int
    stalls: int = 0
    traced: tuple[int, int] = (0, 0)
    waves: int = NO_WAVES
    from_python: bool = False
    resets: list[int] = []


class Outcome(msgspec.Struct):
    """What the circuit left behind.

    Attributes:
        status: words from STATUS on.
        model: beats of the model, as sent.
        extremes: smallest and largest of t, u, c, p, a, z.
    """

    status: list[int]
    model: list[int]
    extremes: list[int]


class Host:
    """The host's side of all buses: `bus` of the registers, `source` of rows, `sink` of the model."""

    def __init__(self, dut: Any, plan: Plan) -> None:
        from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiStreamBus, AxiStreamSink, AxiStreamSource

        self.dut, self.plan = dut, plan
        reset = {"reset": dut.rst_ni, "reset_active_level": False}
        self.bus = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk_i, **reset)
        self.sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), dut.clk_i, byte_lanes=1, **reset)
        self.source = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis"), dut.clk_i, byte_lanes=1, **reset)

    @classmethod
    async def of(cls, dut: Any, plan: Plan, *, streams: bool = True) -> Host:
        """Return the host of an engine that was reset; `streams`: whether rows come from the row streamer."""
        logging.getLogger("cocotb").setLevel(logging.WARNING)
        first, stop = plan.traced
        given = {
            "rst_ni": 1,
            "beats": plan.beats,
            "stalls": plan.stalls,
            "streams": streams,
            "first": first,
            "stop": stop,
            "waves": plan.waves,
        }
        for name, value in given.items():
            getattr(dut, name).value = value
        Clock(dut.clk_i, PERIOD_NS, "ns", impl="gpi").start()
        host = cls(dut, plan)
        await host.reset()
        return host

    async def reset(self) -> None:
        """Reset the engine; drop what came out before, which is of random registers at the very start."""
        await ClockCycles(self.dut.clk_i, 2)
        self.dut.rst_ni.value = 0
        await ClockCycles(self.dut.clk_i, 2)
        self.dut.rst_ni.value = 1
        await ClockCycles(self.dut.clk_i, 2)
        self.sink.clear()

    async def start(self) -> None:
        """Write everything that the plan writes; the last word starts the loop."""
        for address, words in self.plan.writes:
            written = await self.bus.write(address, b"".join(word.to_bytes(4, "little") for word in words))
            if int(written.resp):
                raise AssertionError(
                    f"training_engine: got SLVERR to {len(words)} words from {address:#x} on; expected OKAY"
                )

    async def send_rows(self) -> None:
        """Send the row streamer's files, a frame a row."""
        from cocotbext.axi import AxiStreamFrame

        row = len(self.dut.s_axis_tdata)
        size, beats = -(-(row + len(self.dut.s_axis_tuser)) // 8), self.plan.beats
        rows, indices = Path("rows.bin").read_bytes(), Path("indices.bin").read_bytes()
        for at in range(0, len(indices), 4):
            first = int.from_bytes(indices[at : at + 4], "big") * beats * size
            places = range(first, first + beats * size, size)
            words = [int.from_bytes(rows[place : place + size], "big") for place in places]
            data, records = [word & ((1 << row) - 1) for word in words], [word >> row for word in words]
            await self.source.send(AxiStreamFrame(data, tuser=records))

    async def read(self, address: int, words: int = 1) -> list[int]:
        """Return words from a byte address on."""
        data = (await self.bus.read(address, 4 * words)).data
        return [int.from_bytes(data[4 * k : 4 * k + 4], "little") for k in range(words)]


async def _played(host: Host) -> Any:
    """Start the loop and return the frame of the model."""
    dut = host.dut
    await host.start()
    if not int(dut.done.value):
        await RisingEdge(dut.done)
    await ClockCycles(dut.clk_i, 2)
    return await host.sink.recv()


@cocotb.test()
async def one_loop(dut: Any) -> None:
    """Play the plan that the environment names."""
    show_alive()
    plan = msgspec.json.decode(Path(os.environ[Plan.VARIABLE]).read_bytes(), type=Plan)
    host = await Host.of(dut, plan, streams=not plan.from_python)
    if plan.from_python:
        cocotb.start_soon(host.send_rows())
    for cycles in plan.resets:
        await host.start()
        await ClockCycles(dut.clk_i, cycles)
        await host.reset()
    try:
        frame = await with_timeout(_played(host), plan.limit * PERIOD_NS, "ns")
    except SimTimeoutError:
        raise AssertionError(f"training_engine: no end of the loop after {plan.limit} cycles") from None
    seen = int(dut.extremes.value)
    ends = [seen >> 64 * k & ((1 << 64) - 1) for k in range(12)]
    extremes = [end - (1 << 64) if end >> 63 else end for end in ends]
    first, last = (register_address(name) for name in ("STATUS", "MODEL_OVERFLOWS"))
    status = await host.read(first, (last - first) // 4 + 1)
    Path(plan.outcome).write_bytes(msgspec.json.encode(Outcome(status, [int(word) for word in frame.tdata], extremes)))
