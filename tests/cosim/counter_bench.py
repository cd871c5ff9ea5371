"""A bench of `saturating_counter`: random amounts against a count that stops at its largest value."""

from random import Random
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge


@cocotb.test()
async def it_counts_up_to_its_largest_value(dut: Any) -> None:
    """Clear it now and then, so that it starts often and reaches the end often."""
    random, count = Random(1), 0
    most, amounts = (1 << len(dut.count_o)) - 1, 1 << len(dut.amount_i)
    dut.rst_ni.value = 0
    Clock(dut.clk_i, 10, "ns").start()
    await FallingEdge(dut.clk_i)
    dut.rst_ni.value = 1
    for _ in range(2_000):
        amount, clears = random.randrange(amounts), random.random() < 0.05
        dut.amount_i.value, dut.clear_i.value = amount, clears
        count = 0 if clears else min(count + amount, most)
        await FallingEdge(dut.clk_i)
        assert int(dut.count_o.value) == count
