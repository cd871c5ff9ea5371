"""A cocotb test of one's own: random values, and the reference of bittrue on the other side of the scoreboard."""

import random

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge

import bittrue as bt

SOURCE, TARGET = bt.QFormat(16, 8), bt.QFormat(8, 4)


@cocotb.test()
async def rounds_like_the_reference(dut):
    """Compare results and flags of 1000 values, many of them small."""
    model = bt.RequantizerModel(bt.Requantizer(TARGET, "TIES_EVEN", "SAT"), SOURCE)
    board = bt.Scoreboard("rounder", [TARGET])
    Clock(dut.clk, 2, "ns").start()
    dut.ce.value, dut.rst.value = 1, 1
    await FallingEdge(dut.clk)
    dut.rst.value = 0
    for cycle in range(1000):
        dut.din.value = value = random.randint(SOURCE.low >> cycle % 8, SOURCE.high >> cycle % 8)
        board.expect(model(value), cause=f"din {value}")
        await FallingEdge(dut.clk)
        if cycle >= 2:  # three register stages
            board.observe((dut.dout.value.to_signed(), dut.clipped.value))
    assert board.compared == 998
