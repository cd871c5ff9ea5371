"""The bench of the training engine: plays one inner loop through its bus and its streams, and writes what came out.

What goes in is prepared, and what comes out judged, by `rtl_models.engine_backend`; the rows come from files, and no
Python runs while the loop does.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any, ClassVar

import cocotb
import msgspec
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge

from rtl_models.engine_design import register_address

PERIOD_NS = 10
STATUS_WORDS = 8
"""From STATUS on."""


class Plan(msgspec.Struct):
    """One inner loop.

    Args:
        writes: (byte address, words) in order, the last starts the loop.
        beats: beats a row.
        steps: steps of the loop.
        outcome: file for the outcome.
        stalls: of 256 cycles, how many stall on average before a beat of a row.
        traced: first step to trace, and the step behind the last.
        resets: cycles after which loops begun before this one are cut off by a reset.
    """

    VARIABLE: ClassVar[str] = "BITTRUE_ENGINE_PLAN"

    writes: list[tuple[int, list[int]]]
    beats: int
    outcome: str
    stalls: int = 0
    traced: tuple[int, int] = (0, 0)
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


@cocotb.test()
async def one_loop(dut: Any) -> None:
    """Play the plan that the environment names."""
    from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiStreamBus, AxiStreamSink

    plan = msgspec.json.decode(Path(os.environ[Plan.VARIABLE]).read_bytes(), type=Plan)
    logging.getLogger("cocotb").setLevel(logging.WARNING)
    clock = dut.clk_i
    for name, value in {
        "rst_ni": 1, "beats": plan.beats, "stalls": plan.stalls, "streams": 1, "first": plan.traced[0],
        "stop": plan.traced[1], "s_axis_tdata": 0, "s_axis_tuser": 0, "s_axis_tlast": 0, "s_axis_tvalid": 0,
    }.items():  # fmt: skip
        getattr(dut, name).value = value
    Clock(clock, PERIOD_NS, "ns", impl="gpi").start()
    bus = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), clock, dut.rst_ni, reset_active_level=False)
    sink = AxiStreamSink(
        AxiStreamBus.from_prefix(dut, "m_axis"), clock, dut.rst_ni, reset_active_level=False, byte_lanes=1
    )

    async def reset() -> None:
        await ClockCycles(clock, 2)
        dut.rst_ni.value = 0
        await ClockCycles(clock, 2)
        dut.rst_ni.value = 1
        await ClockCycles(clock, 2)
        sink.clear()  # before the first reset registers are random

    async def start() -> None:
        for address, words in plan.writes:
            await bus.write(address, b"".join(word.to_bytes(4, "little") for word in words))

    await reset()
    for cycles in plan.resets:
        await start()
        await ClockCycles(clock, cycles)
        await reset()
    await start()
    if not int(dut.done.value):
        await RisingEdge(dut.done)
    await ClockCycles(clock, 2)
    frame = await sink.recv()
    data = (await bus.read(register_address("STATUS"), 4 * STATUS_WORDS)).data
    status = [int.from_bytes(data[4 * k : 4 * k + 4], "little") for k in range(STATUS_WORDS)]
    seen = int(dut.extremes.value)
    ends = [seen >> 64 * k & ((1 << 64) - 1) for k in range(12)]
    extremes = [end - (1 << 64) if end >> 63 else end for end in ends]
    Path(plan.outcome).write_bytes(msgspec.json.encode(Outcome(status, [int(word) for word in frame.tdata], extremes)))
