"""What a driver of the training engine may rely on in every cycle: when it is done, and what it refuses."""

from pathlib import Path
from typing import Any

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
REGISTERS = {
    "COLUMNS": (1, LANES * BEATS),
    "STEPS": (0, (1 << 32) - 1),
    "MULTIPLIER": (0, (1 << 16) - 1),
    "SHIFT": (0, 62),
    "INDEX_MULTIPLIER": (0, (1 << 16) - 1),
    "INDEX_SHIFT": (0, 62),
}
"""Smallest and largest value."""
EXPONENT = 5
"""The largest."""
WINDOWS = {
    "SEEDS": LANES // 2,
    "MODEL": LANES // 4 * BEATS,
    "GRADIENT": LANES // 2 * BEATS,
    "EXPONENTS": BEATS,
    "TABLE": 0,
}
"""Words, under the default widths."""
START = bits("engine_command_e", "START", "CLEAR", "SEED")
STATUS, CONTROL = register_address("STATUS"), register_address("CONTROL")
COUNT = register_address("INCREMENT_OVERFLOWS")


class Script:
    """A host on buses that never wait: a write is answered a cycle later, a read two.

    Answers that `expect` names are asserted, the others are in `written` and `seen`, by the cycle of the request. A row
    of zeros is always offered; by the gradient's most negative word the increment of every step overflows.
    """

    def __init__(self) -> None:
        self.now = 3
        self._writes: dict[int, tuple[int, int, int]] = {}
        self._reads: dict[int, int] = {}
        self._expected: dict[int, object] = {}
        for address, word in (
            (register_address("COLUMNS"), 1),
            (register_address("STEPS"), STEPS),
            (window_address("GRADIENT"), 0x8000),
        ):
            self.write(address, word)

    def write(self, address: int, word: int, *, strobes: int = 15, expect: int | None = None) -> int:
        """Write in the present cycle; returns its number."""
        return self._at(self._writes, (address, word, strobes), 1, expect)

    def read(self, address: int, *, expect: tuple[int, int] | None = None) -> int:
        """Read in the present cycle, and leave the bus alone in the next two; returns its number."""
        return self._at(self._reads, address, 3, expect)

    def _at(self, asked: dict[int, Any], what: object, cycles: int, expect: object) -> int:
        at = self.now
        asked[at] = what
        if expect is not None:
            self._expected[at] = expect
        self.now += cycles
        return at

    def play(self, rtl: Path = RTL) -> None:
        """Run the circuit through everything."""
        cycles = self.now + 2
        parameters = {"Lanes": LANES, "MaxBeats": BEATS, "MaxExponent": EXPONENT}
        unit = elaborate("training_engine", [parameters], rtl)[0]
        inputs = {p.name: np.zeros((1,) if p.width <= 64 else (1, -(-p.width // 32)), np.uint32)
                  for p in unit.ports if p.is_input and p.name != "clk_i"}  # fmt: skip
        for name in ("s_axil_bready", "s_axil_rready", "s_axis_tvalid", "s_axis_tlast", "m_axis_tready"):
            inputs[name] = np.ones(1, np.uint8)
        for name in ("awvalid", "wvalid", "awaddr", "wdata", "wstrb", "arvalid", "araddr"):
            inputs[f"s_axil_{name}"] = np.zeros(cycles, np.uint32)
        inputs[RESET] = np.ones(cycles, np.uint8)
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
        answers = {**self.written, **self.seen}
        assert {at: answers[at] for at in self._expected} == self._expected


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


def test_a_word_of_the_model_read_as_a_loop_ends_is_right_or_refused() -> None:
    script = Script()
    reads = []
    second = window_address("MODEL", LANES * 8 // 32)
    script.write(second, 0x12345678)
    for offset in range(PLAY):
        start = script.write(CONTROL, bits("engine_command_e", "START", "SEED", "SEND"))
        script.now = start + offset
        reads.append(script.read(second))
        script.now = start + PLAY + 3
    script.play()
    seen = [script.seen[at] for at in reads]
    assert {word for response, word in seen if response == OKAY} == {0x12345678}
    responses = [response for response, _ in seen]
    refused = responses.count(SLVERR)
    assert STEPS * PERIOD < refused < PLAY - 1
    assert responses == [OKAY, *[SLVERR] * refused, *[OKAY] * (PLAY - 1 - refused)]  # the first is asked with START


def test_a_register_holds_its_values_and_refuses_all_others() -> None:
    script = Script()
    for name, (low, high) in REGISTERS.items():
        address = register_address(name)
        for word in (low, high):
            script.write(address, word, expect=OKAY)
            script.read(address, expect=(OKAY, word))
        for word in (low - 1, high + 1, high + (1 << 16), 1 << 31, (1 << 32) - 1):
            if word not in range(low, high + 1) and word in range(1 << 32):
                script.write(address, word, expect=SLVERR)
        for strobes in range(15):
            script.write(address, low, strobes=strobes, expect=SLVERR)
        for byte in (1, 2, 3):
            script.write(address + byte, low, expect=SLVERR)
            script.read(address + byte, expect=(SLVERR, high))
        script.read(address, expect=(OKAY, high))
    for commands in (*range(0, 16, 2), START | 1 << 4, START | 1 << 31):
        script.write(CONTROL, commands, expect=SLVERR)
    for address in (CONTROL, STATUS):
        script.read(address, expect=(OKAY, 0))
    for name in ("STATUS", "CYCLES", "MODEL_OVERFLOWS"):
        script.write(register_address(name), 0, expect=SLVERR)
    script.play()


def test_what_lies_behind_a_window_is_refused_and_repeats_nothing() -> None:
    script = Script()
    words = WINDOWS | {"REGISTERS": register_address("MODEL_OVERFLOWS") // 4 + 1}
    model = [0x01020304 * (n + 1) for n in range(words["MODEL"])]
    for n, word in enumerate(model):
        script.write(window_address("MODEL", n), word, expect=OKAY)
    for name, count in words.items():
        for word in (count, count + 1, 2 * count, 1 << 17, (1 << 18) - 1):
            if word >= count:
                script.write(window_address(name, word), 1, expect=SLVERR)
                script.read(window_address(name, word), expect=(SLVERR, 0))
        if count and name not in ("REGISTERS", "MODEL"):
            script.write(window_address(name, count - 1), 0, expect=OKAY)
            script.read(window_address(name, count - 1), expect=(SLVERR, 0))
    for window in (6, 7):
        script.write(window << 20, 1, expect=SLVERR)
        script.read(window << 20, expect=(SLVERR, 0))
    for exponent in (EXPONENT + 1, 7, 1 << 8, 1 << 31):
        script.write(window_address("EXPONENTS"), exponent, expect=SLVERR)
    script.write(window_address("EXPONENTS"), EXPONENT, expect=OKAY)
    for n, word in enumerate(model):
        script.read(window_address("MODEL", n), expect=(OKAY, word))
    script.play()
