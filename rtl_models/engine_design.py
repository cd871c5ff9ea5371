"""The training engine under a datapath: its parameters, its address map, and the top that a simulation of it runs.

The address map is that of the SystemVerilog package; nothing here states an address.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from rtl_models.benches.generators import generator_parameters
from rtl_models.build import Design
from rtl_models.elaborate import RTL, Unit, elaborate, instance, section_parameters, sources
from rtl_models.package import constants, enums
from sim.datapath import Link, TrainingDatapath
from sim.engine import EpochJob
from sim.errors import InputError
from sim.random_bits import WORD_BITS

ENGINE = "training_engine"
TOP = "engine_top"
HARNESS = Path(__file__).resolve().parent / "harness"
"""Where the row streamer and the monitor are, which are for simulation only."""
LEAST_BEATS = 4
"""Smallest memory of a circuit that is simulated; larger ones are powers of two, so that jobs share builds."""


def register_address(name: str) -> int:
    """Return the byte address of a register.

    Example:
        >>> register_address("STEPS")
        8
    """
    return window_address("REGISTERS") + 4 * enums()["engine_register_e"][name]


def window_address(name: str, word: int = 0) -> int:
    """Return the byte address of a word of a window."""
    return (enums()["engine_window_e"][name] << (constants()["WindowWidth"] + 2)) + 4 * word


def bits(enum: str, *names: str) -> int:
    """Return the word in which the bits of such names are set.

    Example:
        >>> bits("engine_command_e", "START", "SEND")
        9
    """
    return sum(1 << enums()[enum][name] for name in names)


@dataclass(frozen=True, slots=True)
class Engine:
    """A circuit that can run a job.

    Attributes:
        unit: the training engine with its ports and constants.
        rtl: folder of its sources.
    """

    unit: Unit
    rtl: Path = RTL

    @classmethod
    def of_job(cls, job: EpochJob, rtl: Path = RTL) -> Engine:
        """Return the circuit that a job runs on.

        Raises:
            InputError: if a unit refuses a parameter.
        """
        beats = max(1 << (job.beats - 1).bit_length(), LEAST_BEATS)
        return cls.of_datapath(job.datapath, job.link, beats, is_double=job.rows.update is not None, rtl=rtl)

    @classmethod
    def of_datapath(
        cls, path: TrainingDatapath, link: Link, beats: int, *, is_double: bool = False, rtl: Path = RTL
    ) -> Engine:
        """Return the circuit of a datapath.

        Args:
            path: widths, modes, lanes.
            link: the link unit.
            beats: room for so many beats a row.
            is_double: whether the update has rows of its own.
            rtl: folder of the sources.

        Raises:
            InputError: if a unit refuses a parameter, or changed sources have other ports.
        """
        unit = _elaborated(path, link, beats, is_double, rtl)
        if rtl != RTL:
            own = _elaborated(path, link, beats, is_double, RTL).ports
            for port in (*own, *unit.ports):
                if (port in own) != (port in unit.ports):
                    raise InputError(f"rtl: got {ENGINE} with another port {port.name}; allowed: ports as they were")
        return cls(unit, rtl)

    def words_a_beat(self, window: str) -> int:
        """Return the words between the beats of MODEL or GRADIENT: a power of two."""
        return 1 << self.unit.constants[f"{window.capitalize()}WordWidth"]

    @property
    def product_width(self) -> int:
        """Bits of a rounded product, as `update_increment` derives them."""
        names = ("DataWidth", "CoefficientWidth", "ProductCut")
        lane = elaborate("update_increment", [{name: self.unit.constants[name] for name in names}], self.rtl)[0]
        return lane.constants["ProductWidth"]

    def design(self) -> Design:
        """Return what is simulated: the engine, the row streamer and the monitor."""
        text = self._top()
        files = [*sources(self.rtl, text), *sorted(HARNESS.glob("*.sv"))]
        return Design(TOP, files, text)

    def _top(self) -> str:
        """Return the top: the engine's ports, those that steer the streamer, and what the monitor saw."""
        numbers = self.unit.constants
        lanes, row, record = (numbers[name] for name in ("Lanes", "RowWidth", "RecordWidth"))
        own = self.unit.ports
        ports = [
            *(("input" if p.is_input else "output", p.width, p.name) for p in own),
            ("input", 32, "beats"), ("input", 9, "stalls"), ("input", 1, "streams"),
            ("input", 32, "first"), ("input", 32, "stop"), ("input", 32, "waves"),
            ("output", 1, "done"), ("output", 12 * 64, "extremes"),
        ]  # fmt: skip
        declared = [f"  {way} logic [{width - 1}:0] {name} {_VISIBLE}" for way, width, name in ports]
        nets = {p.name: p.name for p in own}
        rows = ("tdata", "tuser", "tlast", "tvalid")
        for name in rows:
            nets[f"s_axis_{name}"] = f"streams ? streamed_{name} : s_axis_{name}"
        update = "u_engine.u_update.u_update"
        inner = f"{update}.gen_lane[j].u_lane.u_increment"
        return "\n".join([
            f"module {TOP} import bittrue_pkg::*; (",
            ",\n".join(declared),
            ");",
            f"  localparam int unsigned ProductWidth = {self.product_width};",
            f"  logic [{row - 1}:0] streamed_tdata;",
            f"  logic [{record - 1}:0] streamed_tuser;",
            "  logic streamed_tlast, streamed_tvalid;",
            f"  logic [{lanes - 1}:0][ProductWidth-1:0] products;",
            f"  logic [{lanes - 1}:0][{numbers['IncrementWidth'] - 1}:0] increments;",
            instance(ENGINE, self.unit.parameters, "u_engine", nets.items()),
            instance("row_streamer", {"Width": str(row + record)}, "u_rows", [
                ("clk_i", "clk_i"), ("rst_ni", "rst_ni"), ("beats_i", "beats"), ("stalls_i", "stalls"),
                ("tdata", "{streamed_tuser, streamed_tdata}"), ("tlast", "streamed_tlast"),
                ("tvalid", "streamed_tvalid"), ("tready", "s_axis_tready & streams"),
            ]),
            f"  for (genvar j = 0; j < {lanes}; j++) begin : gen_seen",
            f"    assign products[j] = {inner}.product;",
            f"    assign increments[j] = {inner}.increment;",
            "  end",
            instance("engine_monitor", {
                **{name: str(numbers[name]) for name in _MONITORED}, "ProductWidth": "ProductWidth",
                "FieldWidth": str(max(numbers["RandomBits"], 1)),
            }, "u_monitor", [
                ("clk_i", "clk_i"), ("start_i", "u_engine.start"), ("last_beat_i", "32'(u_engine.last_beat)"),
                ("last_keep_i", "u_engine.last_keep"), ("first_i", "first"), ("stop_i", "stop"), ("waves_i", "waves"),
                ("accumulates_i", "u_engine.u_dot.valid & u_engine.u_dot.enable"),
                ("accumulator_i", "u_engine.u_dot.u_row.sum_d"),
                ("coefficient_used_i", "u_engine.coefficient_valid & u_engine.coefficient_ready"),
                ("coefficient_i", "u_engine.coefficient"),
                ("index_i", f"u_engine.coefficient_user[{numbers['IndexWidth'] + 1}:2]"),
                ("update_i", "u_engine.coefficient_valid"), ("products_i", "products"),
                ("increments_used_i", f"{update}.u_control.valid_q & {update}.u_control.enable_o"),
                ("random_i", "u_engine.random"),
                ("increments_i", "increments"), ("written_i", "u_engine.written"), ("model_i", "u_engine.updated"),
                ("extremes_o", "extremes"),
            ]),
            "  assign done = u_engine.status[DONE];",
            "endmodule",
            "",
        ])  # fmt: skip


_VISIBLE = "/* verilator public_flat_rw */"
_MONITORED = ("Lanes", "AccumulatorWidth", "IndexWidth", "CoefficientWidth", "IncrementWidth", "ModelWidth")


@lru_cache
def _elaborated(path: TrainingDatapath, link: Link, beats: int, is_double: bool, rtl: Path) -> Unit:
    parameters: dict[str, Any] = {
        **section_parameters(path),
        **generator_parameters(path.generator),
        "Link": link,
        "DoubleRows": is_double,
        "MaxBeats": beats,
    }
    return elaborate(ENGINE, [parameters], rtl)[0]


def beat_words(values: Sequence[int], width: int, lanes: int, words: int) -> list[int]:
    """Return the 32-bit words in which a memory of beats holds a row.

    Args:
        values: the row.
        width: bits of a value.
        lanes: values a beat.
        words: words from one beat to the next.

    Example:
        >>> [hex(word) for word in beat_words([1, -1, 2], width=12, lanes=2, words=1)]
        ['0xfff001', '0x2']
    """
    mask, found = (1 << width) - 1, []
    for start in range(0, len(values), lanes):
        beat = sum((int(value) & mask) << width * lane for lane, value in enumerate(values[start : start + lanes]))
        found += [beat >> WORD_BITS * k & ((1 << WORD_BITS) - 1) for k in range(words)]
    return found
