"""A bench for any unit, under a simulator with undefined values: a reset between two clock edges defines every output.

The second reset leaves what the first one left.
"""

from __future__ import annotations

import os
from pathlib import Path
from random import Random
from typing import Any, ClassVar

import cocotb
import msgspec
from cocotb.triggers import Timer

STEPS = 40
"""Clock cycles with random inputs."""


class ResetPlan(msgspec.Struct):
    """What one simulation is to do.

    Args:
        ports: for each instance its prefix.
        inputs: for each instance the bits of its inputs but clock and reset.
        outputs: for each instance the names of its outputs.
        seed: of the inputs.
    """

    VARIABLE: ClassVar[str] = "BITTRUE_RESETS"
    """Environment variable that names the plan's file."""

    ports: list[str]
    inputs: list[dict[str, int]]
    outputs: list[list[str]]
    seed: int


@cocotb.test()
async def a_reset_defines_every_output(dut: Any) -> None:
    """Check every instance, one after the other."""
    plan = msgspec.json.decode(Path(os.environ[ResetPlan.VARIABLE]).read_bytes(), type=ResetPlan)
    random = Random(plan.seed)
    undefined = 0
    for ports, inputs, outputs in zip(plan.ports, plan.inputs, plan.outputs, strict=True):
        undefined += await _check(dut, ports, inputs, outputs, random)
    assert undefined, "no instance is undefined before its reset"


async def _check(dut: Any, ports: str, inputs: dict[str, int], outputs: list[str], random: Random) -> bool:
    """Check one instance; return whether any output was undefined before the reset."""
    clock, reset = getattr(dut, f"{ports}clk_i"), getattr(dut, f"{ports}rst_ni")
    handles = {name: getattr(dut, ports + name) for name in inputs}

    def drive(is_random: bool) -> None:
        for name, handle in handles.items():
            handle.value = random.getrandbits(inputs[name]) if is_random else 0

    def shown() -> dict[str, str]:
        return {name: str(getattr(dut, ports + name).value) for name in outputs}

    async def is_defined(when: str) -> None:
        await Timer(1, "ns")
        bad = {name: value for name, value in shown().items() if set(value) - set("01")}
        assert not bad, f"{ports}: undefined {when}: {bad}"

    clock.value, reset.value = 0, 1
    drive(False)
    await Timer(1, "ns")
    was_undefined = any(set(value) - set("01") for value in shown().values())
    reset.value = 0
    await is_defined("in reset, without a clock edge")
    first = shown()
    reset.value = 1
    for step in range(STEPS):
        drive(True)
        await is_defined(f"{step} cycles after the reset")
        clock.value = 1
        await Timer(1, "ns")
        clock.value = 0
    drive(False)
    reset.value = 0
    await is_defined("in the second reset, without a clock edge")
    assert shown() == first, f"{ports}: the second reset leaves {shown()}, the first one {first}"
    return was_undefined
