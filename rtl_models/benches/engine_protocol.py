"""A bench of the training engine's buses: what the register file refuses, rows from Python with pauses, wrong lasts.

The rows and what has to come out are in the plan of `rtl_models.benches.training_engine`.
"""

from __future__ import annotations

import os
from itertools import cycle
from pathlib import Path
from random import Random
from typing import Any

import cocotb
import msgspec
from cocotb.triggers import RisingEdge

from rtl_models.benches.training_engine import Host, Plan
from rtl_models.engine_design import bits, register_address, window_address
from rtl_models.package import constants

RESPONSES = {0: "OKAY", 2: "SLVERR"}


class ProtocolPlan(msgspec.Struct):
    """What one simulation is to do.

    Args:
        loop: the loop; its outcome is unused.
        rows: beats of every step's row.
        records: the record of every step.
        model: words of the window MODEL behind the loop.
        later: the same behind a second loop on the same rows, for which the generators run on.
        largest_columns: columns that the circuit has room for.
    """

    VARIABLE = "BITTRUE_PROTOCOL_PLAN"

    loop: Plan
    rows: list[list[int]]
    records: list[int]
    model: list[int]
    later: list[int]
    largest_columns: int


def _plan() -> ProtocolPlan:
    return msgspec.json.decode(Path(os.environ[ProtocolPlan.VARIABLE]).read_bytes(), type=ProtocolPlan)


async def _response(host: Host, address: int, word: int) -> str:
    return RESPONSES[int((await host.bus.write(address, word.to_bytes(4, "little"))).resp)]


@cocotb.test()
async def registers_keep_what_is_allowed_and_refuse_the_rest(dut: Any) -> None:
    """Write and read every register, its ends and past them."""
    plan = _plan()
    host = await Host.of(dut, plan.loop)
    columns = plan.largest_columns
    for name, allowed, refused in (
        ("COLUMNS", (1, columns), (0, columns + 1, 1 << 31)),
        ("STEPS", (0, 0xFFFFFFFF), ()),
        ("MULTIPLIER", (0, 0xFFFF), (0x10000, 0xFFFFFFFF)),
        ("SHIFT", (0, 62), (63, 1 << 30)),
        ("INDEX_MULTIPLIER", (1, 0xABCD), (0x1ABCD,)),
        ("INDEX_SHIFT", (0, 62), (63,)),
        ("CONTROL", (), (0, bits("engine_command_e", "CLEAR", "SEED", "SEND"), 0x11)),
        ("STATUS", (), (0, 1)),
        ("MODEL_OVERFLOWS", (), (1,)),
    ):
        address = register_address(name)
        for word in allowed:
            assert await _response(host, address, word) == "OKAY", (name, word)
            assert await host.read(address) == [word], name
        for word in refused:
            assert await _response(host, address, word) == "SLVERR", (name, word)
            if allowed:
                assert await host.read(address) == [allowed[-1]], name
    for address in (register_address("MODEL_OVERFLOWS") + 4, window_address("TABLE") + (1 << 20)):
        assert await _response(host, address, 1) == "SLVERR"
    for address in (register_address("MODEL_OVERFLOWS") + 4, window_address("GRADIENT"), window_address("SEEDS")):
        assert RESPONSES[int((await host.bus.read(address, 4)).resp)] == "SLVERR"
    strobed = await host.bus.write(register_address("STEPS"), b"\1")
    assert RESPONSES[int(strobed.resp)] == "SLVERR"
    assert await host.read(register_address("STEPS")) == [0xFFFFFFFF]


async def _stream(host: Host, plan: ProtocolPlan, lasts: dict[int, list[int]]) -> None:
    """Send all rows; a frame ends where a beat is marked as last, as `lasts` says for some steps."""
    from cocotbext.axi import AxiStreamFrame

    data: list[int] = []
    records: list[int] = []
    for step, (row, record) in enumerate(zip(plan.rows, plan.records, strict=True)):
        right = [0] * (len(row) - 1) + [1]
        for beat, is_last in zip(row, lasts.get(step, right), strict=True):
            data.append(beat)
            records.append(record)
            if is_last:
                await host.source.send(AxiStreamFrame(data, tuser=records))
                data, records = [], []


@cocotb.test()
async def rows_from_python_with_pauses_give_the_model(dut: Any) -> None:
    """Stream the rows by a source that pauses at random, the model to a sink that does; read it back as well."""
    plan, random = _plan(), Random(1)
    host = await Host.of(dut, plan.loop, streams=False)
    pauses = [random.random() < 0.5 for _ in range(997)]
    host.source.set_pause_generator(cycle(pauses))
    host.sink.set_pause_generator(cycle(pauses[::-1]))
    await host.start()
    assert await _response(host, register_address("STEPS"), 7) == "SLVERR"
    assert await _response(host, window_address("MODEL"), 7) == "SLVERR"
    assert RESPONSES[int((await host.bus.read(window_address("MODEL"), 4)).resp)] == "SLVERR"
    assert await host.read(register_address("STATUS")) == [bits("engine_status_e", "RUNNING")]
    await _stream(host, plan, {})
    await RisingEdge(dut.done)
    sent = (await host.sink.recv()).tdata
    assert await host.read(register_address("STATUS")) == [bits("engine_status_e", "DONE")]
    assert await host.read(window_address("MODEL"), len(plan.model)) == plan.model
    words = len(plan.model) // len(sent)
    assert [int(beat) >> 32 * k & 0xFFFFFFFF for beat in sent for k in range(words)] == plan.model


@cocotb.test()
async def without_seed_and_clear_a_loop_goes_on_where_the_last_one_ended(dut: Any) -> None:
    """Play the rows twice, and send nothing the second time."""
    plan = _plan()
    host = await Host.of(dut, plan.loop, streams=False)
    await host.start()
    await _stream(host, plan, {})
    await RisingEdge(dut.done)
    await host.sink.recv()
    assert await _response(host, register_address("CONTROL"), bits("engine_command_e", "START")) == "OKAY"
    await _stream(host, plan, {})
    await RisingEdge(dut.done)
    assert await host.read(window_address("MODEL"), len(plan.later)) == plan.later
    assert host.sink.empty()


@cocotb.test()
async def every_bit_of_the_bus_and_of_what_it_writes_moves(dut: Any) -> None:
    """Write ones and zeros to registers and windows, at addresses with a single bit; stop a loop that has no end."""
    plan = _plan()
    host = await Host.of(dut, plan.loop, streams=False)
    words = constants()["WindowWidth"]
    for name in ("SEEDS", "GRADIENT", "EXPONENTS", "TABLE", "MODEL"):
        for word in (0, 1, 0) if name == "EXPONENTS" else (0xFFFFFFFF, 0, 0xFFFFFFFF):
            await host.bus.write(window_address(name), word.to_bytes(4, "little") * plan.largest_columns)
    assert await host.read(window_address("MODEL")) == [0xFFFFFFFF & ((1 << len(dut.m_axis_tdata)) - 1)]
    for word in (0, *(1 << k for k in range(words)), 0):
        await _response(host, window_address("SEEDS", word), 0)
        await host.bus.read(window_address("MODEL", word), 4)
    for window in (*range(8), 0):
        await host.bus.read(window << words + 2, 4)
    for byte in range(4):
        await host.bus.read(register_address("STEPS") + byte, 1)
        strobed = await host.bus.write(register_address("STEPS") + byte, b"\1")
        assert RESPONSES[int(strobed.resp)] == "SLVERR"
    for name, most in (
        ("COLUMNS", plan.largest_columns),
        ("STEPS", 0xFFFFFFFF),
        ("MULTIPLIER", 0xFFFF),
        ("SHIFT", 62),
        ("INDEX_MULTIPLIER", 0xFFFF),
        ("INDEX_SHIFT", 62),
    ):
        for word in (1, *(1 << k for k in range(most.bit_length())), most, 1, most):
            assert await _response(host, register_address(name), word) == "OKAY"
            assert await host.read(register_address(name)) == [word]
    assert await _response(host, register_address("CONTROL"), bits("engine_command_e", "START", "CLEAR")) == "OKAY"
    assert await host.read(register_address("STATUS")) == [bits("engine_status_e", "RUNNING")]
    await host.reset()
    assert await host.read(register_address("STATUS")) == [0]


@cocotb.test()
async def a_wrong_last_is_reported_and_forgotten_at_the_next_start(dut: Any) -> None:
    """Mark a beat as last too early, or the last not at all."""
    plan = _plan()
    for name, marks in (("EARLY_LAST", [1] * plan.loop.beats), ("NO_LAST", [0] * plan.loop.beats)):
        host = await Host.of(dut, plan.loop, streams=False)
        for lasts, errors in (({3: marks}, [name]), ({}, [])):
            await host.start()
            await _stream(host, plan, lasts)
            await RisingEdge(dut.done)
            assert await host.read(register_address("STATUS")) == [bits("engine_status_e", "DONE", *errors)]
