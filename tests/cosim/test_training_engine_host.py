"""What a driver of the training engine may rely on in every cycle: when it is done, and what it refuses."""

from pathlib import Path

import numpy as np
import pytest

from rtl_models.bulk import RESET, Bulk
from rtl_models.elaborate import RTL, elaborate
from rtl_models.engine_design import bits, register_address, window_address
from sim.datapath import Link
from sim.engine import latency

pytestmark = [pytest.mark.cosim, pytest.mark.training_engine]

LANES, BEATS, STEPS = 32, 5, 3
"""The counts of so many lanes lag more than the sequencer, which needs two cycles; five is no power of two."""
PERIOD = 1 + latency(LANES, Link.AFFINE)
PLAY = STEPS * PERIOD + 20
"""Cycles after which a loop has ended for sure."""
OKAY, SLVERR = 0, 2
START = bits("engine_command_e", "START", "CLEAR", "SEED")
STATUS, CONTROL = register_address("STATUS"), register_address("CONTROL")
COUNT = register_address("INCREMENT_OVERFLOWS")


class Script:
    """A host on buses that never wait: a write is answered a cycle later, a read two.

    A row of zeros is always offered; by the gradient's most negative word the increment of every step overflows.
    """

    def __init__(self) -> None:
        self.now = 3
        self._writes: dict[int, tuple[int, int, int]] = {}
        self._reads: dict[int, int] = {}
        for address, word in (
            (register_address("COLUMNS"), 1),
            (register_address("STEPS"), STEPS),
            (window_address("GRADIENT"), 0x8000),
        ):
            self.write(address, word)

    def write(self, address: int, word: int, strobes: int = 15) -> int:
        """Write in the present cycle; returns its number."""
        self._writes[self.now] = (address, word, strobes)
        self.now += 1
        return self.now - 1

    def read(self, address: int) -> int:
        """Read in the present cycle; the next three are its own."""
        self._reads[self.now] = address
        self.now += 3
        return self.now - 3

    def play(self, rtl: Path = RTL) -> None:
        """Run the circuit through everything; `written` and `seen` have the answers by cycle."""
        parameters = {"Lanes": LANES, "MaxBeats": BEATS, "MaxExponent": 5}
        unit = elaborate("training_engine", [parameters], rtl)[0]
        inputs = {p.name: np.zeros((1,) if p.width <= 64 else (1, -(-p.width // 32)), np.uint32)
                  for p in unit.ports if p.is_input and p.name != "clk_i"}  # fmt: skip
        for name in ("s_axil_bready", "s_axil_rready", "s_axis_tvalid", "s_axis_tlast", "m_axis_tready"):
            inputs[name] = np.ones(1, np.uint8)
        for name in ("awvalid", "wvalid", "awaddr", "wdata", "wstrb", "arvalid", "araddr"):
            inputs[f"s_axil_{name}"] = np.zeros(self.now, np.uint32)
        inputs[RESET] = np.ones(self.now, np.uint8)
        inputs[RESET][:2] = 0
        for at, (address, word, strobes) in self._writes.items():
            for name, value in {"awvalid": 1, "wvalid": 1, "awaddr": address, "wdata": word, "wstrb": strobes}.items():
                inputs[f"s_axil_{name}"][at] = value
        for at, address in self._reads.items():
            inputs["s_axil_arvalid"][at], inputs["s_axil_araddr"][at] = 1, address
        out = Bulk("engine_host", [unit], rtl).run([inputs])[0]
        assert all(out["s_axil_awready"][at] and out["s_axil_bvalid"][at + 1] for at in self._writes)
        assert all(out["s_axil_arready"][at] and out["s_axil_rvalid"][at + 2] for at in self._reads)
        self.written = {at: int(out["s_axil_bresp"][at + 1]) for at in self._writes}
        self.seen = {at: (int(out["s_axil_rresp"][at + 2]), int(out["s_axil_rdata"][at + 2])) for at in self._reads}


def test_a_loop_is_done_when_it_has_ended_and_no_sooner() -> None:
    script = Script()
    polls = []
    for phase in (0, 1, 2, 0, 1, 2):  # the second three begin with a loop that has ended before
        start = script.write(CONTROL, START)
        script.now = start + phase  # from the cycle of the start on
        while script.now < start + PLAY:
            polls.append((script.now - start, script.read(STATUS)))
    script.play()
    states = [(offset, script.seen[at]) for offset, at in sorted(polls)]
    running, done = ((OKAY, bits("engine_status_e", name)) for name in ("RUNNING", "DONE"))
    end = min(offset for offset, state in states if state == done)
    assert STEPS * PERIOD < end < PLAY
    assert states == [(offset, done if offset >= end else running) for offset, _ in states]


def test_a_start_is_taken_once_the_counts_have_settled() -> None:
    script = Script()
    tries = {}
    for offset in range(1, PLAY):
        start = script.write(CONTROL, START)
        script.now = start + offset
        again = script.write(CONTROL, START)
        script.now = again + PLAY
        tries[offset] = again, script.read(COUNT), script.read(STATUS)
    script.play()
    responses = [script.written[again] for again, _, _ in tries.values()]
    refused = responses.count(SLVERR)
    assert STEPS * PERIOD < refused < PLAY - 1
    assert responses == [SLVERR] * refused + [OKAY] * (len(tries) - refused)
    assert {script.seen[count] for _, count, _ in tries.values()} == {(OKAY, STEPS)}
    assert {script.seen[status] for _, _, status in tries.values()} == {(OKAY, bits("engine_status_e", "DONE"))}
