"""Modules of other hands: right ones pass with closed coverage, wrong ones fail, and bad bindings are refused."""

import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomli_w

import bittrue
from reports import command_line
from rtl_models.benches.foreign import foreign_bench
from rtl_models.elaborate import sources
from rtl_models.foreign import ForeignModule
from rtl_models.processes import SIGN, TERMINATED
from rtl_models.verification import verify_foreign
from sim.datapath import TrainingDatapath
from sim.errors import InputError

pytestmark = pytest.mark.cosim

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples" / "foreign"
MODULES = str(Path(__file__).with_name("foreign_modules.sv"))

WAITING_ROUNDER: dict[str, Any] = {
    "sources": [MODULES],
    "top": "waiting_rounder",
    "clock": "clock",
    "reset": {"port": "areset", "active": "high"},
    "block": {
        "unit": "requantizer",
        "source": "sfix12_En6",
        "target": "sfix4",
        "rounding": "STOCHASTIC",
        "random_bits": 4,
    },
    "ports": {
        "s_axis_tvalid": "in_vld", "s_axis_tready": "in_rdy", "value_i": "in_data", "random_i": "in_rnd",
        "m_axis_tvalid": "out_vld", "m_axis_tready": "out_rdy", "value_o": "out_data",
    },
}  # fmt: skip
FREE_MAC: dict[str, Any] = {
    "sources": [MODULES],
    "top": "free_mac",
    "clock": "clk",
    "reset": {"port": "rst", "active": "high", "kind": "synchronous"},
    "latency": 1,
    "block": {
        "unit": "mac", "a": "sfix6", "b": "ufix5", "width": 10, "overflow": "WRAP", "clear_takes_pair": False,
    },
    "ports": {"clear_i": "clr", "a_i": "a", "b_i": "b", "sum_o": "y"},
}  # fmt: skip
LANES_DOT: dict[str, Any] = {
    "sources": [MODULES],
    "top": "lanes_dot",
    "parameters": {"W": 5},
    "clock": "clk",
    "reset": {"port": "rst_n"},
    "latency": 1,
    "ties": {"mode": 2},
    "block": {"unit": "dot_product", "a": "sfix5", "b": "sfix5", "lanes": 4, "width": 11, "overflow": "SAT_SYM"},
    "ports": {
        "s_axis_tvalid": "go", "s_axis_tlast": "done", "s_axis_tdata": "{w3, w2, w1, w0, x3, x2, x1, x0}",
        "m_axis_tvalid": "ok", "m_axis_tdata": "y",
    },
}  # fmt: skip
FREE_XORSHIFT: dict[str, Any] = {
    "sources": [MODULES],
    "top": "free_xorshift",
    "clock": "clk",
    "reset": {"port": "rst", "active": "high", "kind": "synchronous"},
    "latency": 2,
    "block": {"unit": "generator", "kind": "xorshift32", "reset_seed": 7, "shows_seed": True},
    "ports": {"word_o": "{_, low}"},
}
OWN_LFSR: dict[str, Any] = {  # of this project, with all that a generator can have
    "sources": [str(file) for file in sources(text="lfsr")],
    "top": "lfsr",
    "parameters": {"Width": 33, "Taps": "33'h1_0008_0000", "Leap": 33, "ResetSeed": 5},
    "clock": "clk_i",
    "reset": {"port": "rst_ni"},
    "latency": 1,
    "block": {
        "unit": "generator", "kind": "lfsr", "width": 33, "leap": 33, "reset_seed": 5, "zero_seed": 0x9E3779B9,
    },
    "ports": {"load_i": "load_i", "seed_i": "seed_i", "enable_i": "enable_i", "word_o": "word_o"},
}  # fmt: skip
OWN_DOT: dict[str, Any] = {  # of this project, with all that a dot product can have
    "sources": [str(file) for file in sources(text="dot_product")],
    "top": "dot_product",
    "parameters": {
        "Lanes": 4, "DataWidth": 6, "ModelWidth": 5, "MaxExponent": 2, "AccumulatorWidth": 13, "RecordWidth": 3,
        "CountWidth": 2,
    },
    "clock": "clk_i",
    "reset": {"port": "rst_ni"},
    "block": {
        "unit": "dot_product", "a": "sfix6", "b": "sfix5", "lanes": 4, "width": 13, "max_exponent": 2,
        "record_width": 3, "count_width": 2,
    },
    "ports": {f"{side}_axis_{name}": f"{side}_axis_{name}" for side, names in (
        ("s", ("tdata", "tuser", "tlast", "tvalid", "tready")), ("m", ("tdata", "tuser", "tvalid", "tready")),
    ) for name in names},
}  # fmt: skip
WIRED_ROUNDER: dict[str, Any] = {
    "sources": [MODULES],
    "top": "wired_rounder",
    "latency": 0,
    "block": {"unit": "requantizer", "source": "ufix9_En5", "target": "ufix3", "rounding": "TO_NEG"},
    "ports": {"value_i": "x", "value_o": "y", "overflow_o": "over"},
}
FRESH = [
    (WAITING_ROUNDER, ["overflow_o is not compared"]),
    (FREE_MAC, ["overflow_o is not compared", "without enable_i nothing pauses", "results never wait"]),
    (LANES_DOT, ["m_axis_tuser is not compared", "results never wait"]),
    (
        FREE_XORSHIFT,
        ["bits of word_o are not compared", "without enable_i nothing pauses", "without load_i no seed is loaded"],
    ),
    (OWN_LFSR, []),
    (OWN_DOT, []),
    (WIRED_ROUNDER, ["without enable_i nothing pauses", "results never wait", "without a reset none is tested"]),
]


def written(folder: Path, table: dict[str, Any]) -> Path:
    file = folder / "my.toml"
    file.write_text(tomli_w.dumps(table))
    return file


def with_changes(table: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """A copy with other values at dotted paths; None takes a field away."""
    copy = tomllib.loads(tomli_w.dumps(table))
    for path, value in changes.items():
        *sections, name = path.split(".")
        inner = copy
        for section in sections:
            inner = inner.setdefault(section, {})
        inner.pop(name, None)
        if value is not None:
            inner[name] = value
    return copy


def brief(value: Any) -> str:
    """A short name of a binding or of changes to one."""
    return value.get("top", "-".join(value)) if isinstance(value, dict) else ""


@pytest.mark.parametrize(("table", "unchecked"), FRESH, ids=brief)
def test_a_right_module_of_any_style_passes_with_closed_coverage(
    table: dict[str, Any], unchecked: list[str], seed: int, tmp_path: Path
) -> None:
    result = verify_foreign(written(tmp_path, table), 2500, seed)
    assert not result.failure, result.failure
    assert not result.missed
    assert result.transactions == 2500
    assert result.unchecked == unchecked


WRONG = [
    (WAITING_ROUNDER, {"block.centered": False}, "value_o"),
    (FREE_MAC, {"block.clear_takes_pair": True}, "sum"),
    (LANES_DOT, {"latency": 2}, "1 cycles late where the latency is 2"),
    (FREE_XORSHIFT, {"reset.kind": "asynchronous"}, "word_o"),
]


@pytest.mark.parametrize(("table", "changes", "message"), WRONG, ids=brief)
def test_what_a_binding_claims_wrongly_is_found(
    table: dict[str, Any], changes: dict[str, Any], message: str, seed: int, tmp_path: Path
) -> None:
    result = verify_foreign(written(tmp_path, with_changes(table, changes)), 2500, seed)
    assert message in result.failure


ROUNDER: dict[str, Any] = tomllib.loads((EXAMPLES / "rounder.toml").read_text())
LATE = [
    (FREE_MAC, {"latency": 2}, 1),
    (ROUNDER, {"sources": [str(EXAMPLES / "rounder.sv")], "latency": 1}, 3),
    (ROUNDER, {"sources": [str(EXAMPLES / "rounder.sv")], "latency": 12}, 3),
    (LANES_DOT, {"ports.m_axis_tvalid": None, "latency": 2}, 1),
    (FREE_XORSHIFT, {"latency": 4}, 2),
]


@pytest.mark.parametrize(("table", "changes", "latency"), LATE, ids=brief)
def test_the_latency_that_a_module_has_is_told_where_another_is_claimed(
    table: dict[str, Any], changes: dict[str, Any], latency: int, seed: int, tmp_path: Path
) -> None:
    result = verify_foreign(written(tmp_path, with_changes(table, changes)), 2500, seed)
    told = f"\n  these are the values of latency {latency}, where the binding says {changes['latency']}"
    assert result.failure.endswith(told)


def command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: object
) -> tuple[int, str, str]:
    monkeypatch.setattr(command_line.out, "width", 150)
    monkeypatch.setattr(sys, "argv", ["bittrue", *map(str, words)])
    with pytest.raises(SystemExit) as end:
        bittrue.main()
    captured = capsys.readouterr()
    return int(end.value.code or 0), captured.out, captured.err


@pytest.mark.parametrize(("name", "code"), [("rounder", 0), ("mac_sat", 1)])
def test_the_examples_end_as_the_page_shows(
    name: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(EXAMPLES, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    ended, out, _ = command(monkeypatch, capsys, "verify", "--dut", f"{name}.toml")
    assert ended == code
    page = (ROOT / "docs" / "own-rtl.md").read_text(encoding="utf-8")
    blocks = [b for b in re.findall(r"```text\n(.*?)```", page, re.DOTALL) if b.startswith(f"{name} against")]

    def untimed(text: str) -> str:
        return re.sub(r" +", " ", re.sub(r"\d+\.\d s\n", "s\n", re.sub(r" +\n", "\n", text)))

    assert [untimed(block) for block in blocks] == [untimed(out)]
    if code:
        assert "\n  overflow: got 1 (0b1, 1)\n            expected 0 (0b0, 0)\n" in out
        picture = Path("verify/mac_sat-0/failure.svg").read_text()
        labels = ["clk", "nrst", "start", "go", "x", "w", "acc", "ovf", "expected", "input counts", "output counts"]
        assert [text for text in re.findall(r">([^<>]*)</(?:tspan|text)>", picture) if text in labels] == labels
        assert "axis" not in picture


@pytest.mark.parametrize("name", ["rounder", "mac_sat"])
def test_the_examples_bindings_have_at_most_15_lines(name: str) -> None:
    assert len((EXAMPLES / f"{name}.toml").read_text().splitlines()) <= 15


def test_the_bug_of_the_example_is_its_only_one(seed: int, tmp_path: Path) -> None:
    shutil.copytree(EXAMPLES, tmp_path, dirs_exist_ok=True)
    source = tmp_path / "mac_sat.v"
    text = source.read_text()
    assert text.count("exact <= lowest") == 1
    source.write_text(text.replace("exact <= lowest", "exact < lowest"))
    result = verify_foreign(tmp_path / "mac_sat.toml", 2500, seed)
    assert result.passed, result.failure or result.missed


MAC: dict[str, Any] = tomllib.loads((EXAMPLES / "mac_sat.toml").read_text())
REFUSED = [
    (ROUNDER, {"sources": ["no.sv"]}, "sources: got 'no.sv', which is no file; allowed: paths relative to my.toml"),
    (ROUNDER, {"sources": []}, "sources: got none; allowed: at least one file"),
    (ROUNDER, {"sources": ["bad.v"]}, r"sources: .*bad\.v:2:\d+: error: expected expression: assign y = ;"),
    (
        ROUNDER,
        {"sources": ["binary.v"]},
        "sources: got 'binary.v', which is binary; allowed: Verilog or SystemVerilog$",
    ),
    (ROUNDER, {"sources": ["long.v"]}, r"sources: .*long\.v:1:1: error: expected member$"),
    (ROUNDER, {"sources": None}, "sources: got nothing; allowed: a list of texts"),
    (ROUNDER, {"top": "rounde"}, "top: got 'rounde'; allowed: rounder"),
    (
        ROUNDER,
        {"sources": ["odd.v"], "top": "odd", "parameters": None},
        "top: got odd, whose port z is no input or output vector",
    ),
    (ROUNDER, {"parameters.DinX": 3}, "parameters.DinX: got an unknown parameter; allowed: DinW, DoutW, Shift"),
    (ROUNDER, {"parameters.DinW": True}, "parameters: got .*; allowed: a table of whole numbers and texts"),
    (ROUNDER, {"block.unit": "adder"}, "block.unit: got 'adder'; allowed: requantizer, mac, dot_product, generator"),
    (ROUNDER, {"block.source": "s16"}, "block.source: got 's16'; allowed: sfixW, ufixW, sfixW_EnF or sfixW_EF"),
    (ROUNDER, {"block.rounding": "NEAREST"}, "block.rounding: got 'NEAREST'; allowed: TO_NEG, .*, STOCHASTIC_EQUAL"),
    (ROUNDER, {"block.overflow": "ERROR"}, "block.overflow: got 'ERROR'; allowed: WRAP, SAT, SAT_SYM"),
    (ROUNDER, {"block.rounding": "STOCHASTIC"}, "block.random_bits: got 0; allowed: 1 to 32"),
    (
        ROUNDER,
        {"block.rounding": "STOCHASTIC", "block.random_bits": 64},
        "block.random_bits: got 64; allowed: a whole number from 0 to 32",
    ),
    (
        ROUNDER,
        {"block.rounding": "STOCHASTIC", "block.random_bits": 4},
        "ports.random_i: got nothing; allowed: a port of rounder",
    ),
    (ROUNDER, {"block.target": "sfix7_En4"}, r"ports.value_o: got 8 bits \(dout\); allowed: 7 bits"),
    (ROUNDER, {"ports.value": "din"}, "ports.value: got an unknown port; allowed: value_i, value_o, random_i"),
    (ROUNDER, {"ports.value_i": "dim"}, "ports.value_i: got 'dim'; allowed: inputs of rounder: clk, rst, ce, din"),
    (ROUNDER, {"ports.value_i": "dout"}, "ports.value_i: got 'dout'; allowed: inputs of rounder: clk, rst, ce, din"),
    (ROUNDER, {"ports.overflow_o": "dout"}, "ports.overflow_o: got 'dout', which is in use twice"),
    (ROUNDER, {"ports.value_o": None}, "ports.value_o: got nothing; allowed: a port of rounder"),
    (ROUNDER, {"ports.enable_i": None}, "ports: got nothing for the input ce of rounder; allowed: its place under"),
    (ROUNDER, {"ports.enable_i": None, "ties": {"ce": 2}}, r"ties.ce: got 2; allowed: 0 to 1 \(1 bits\)"),
    (ROUNDER, {"clock": "clok"}, "clock: got 'clok'; allowed: inputs of rounder: clk"),
    (ROUNDER, {"clock": None}, "clock: got nothing with a latency of 3; allowed: a port of rounder; without a clock"),
    (ROUNDER, {"latency": 0}, "latency: got 0; allowed: 1 to 64 for this block"),
    (ROUNDER, {"latency": None}, "latency: got none; allowed: 1 to 64, since no m_axis_tvalid is named"),
    (WAITING_ROUNDER, {"clock": None, "reset": None}, "clock: got nothing with m_axis_tvalid; allowed: a port of"),
    (ROUNDER, {"latency": 65}, "latency: got 65; allowed: a whole number from -1 to 64"),
    (ROUNDER, {"reset.active": "up"}, "reset.active: got 'up'; allowed: low, high"),
    (ROUNDER, {"colour": 1}, "colour: got an unknown field; allowed: sources, top"),
    (WIRED_ROUNDER, {"latency": 1}, "clock: got nothing with a latency of 1; allowed: a port of wired_rounder"),
    (WIRED_ROUNDER, {"reset.port": "x"}, "reset.port: got 'x'; allowed: none, since no clock is named"),
    (MAC, {"reset": None}, "reset.port: got nothing; allowed: a port of mac_sat"),
    (MAC, {"block.a": "sfix25"}, "block.a: got 'sfix25'; allowed: 2 to 24 bits"),
    (MAC, {"block.width": 62}, "block.width: got 62; allowed: a whole number from 2 to 61"),
    (LANES_DOT, {"block.lanes": 3}, "block.lanes: got 3; allowed: a power of two from 1 to 256"),
    (LANES_DOT, {"block.max_exponent": 2}, "ports.s_axis_tuser: got nothing; allowed: a port of lanes_dot"),
    (OWN_LFSR, {"ports.seed_i": None}, "ports.seed_i: got nothing; allowed: a port of lfsr"),
    (OWN_LFSR, {"block.reset_seed": 1 << 33}, "block.reset_seed: got .*; allowed: less than 2.33"),
    (OWN_LFSR, {"block.taps": [33, 40]}, r"block: generator.taps: got \[33, 40\]; allowed: exponents from 1 to 33"),
]


@pytest.mark.parametrize(("table", "changes", "message"), REFUSED, ids=brief)
def test_a_bad_binding_is_one_clear_line(
    table: dict[str, Any], changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    shutil.copytree(EXAMPLES, tmp_path, dirs_exist_ok=True)
    (tmp_path / "bad.v").write_text("module bad (output y);\n  assign y = ;\nendmodule\n")
    (tmp_path / "binary.v").write_bytes(bytes(range(256)))
    (tmp_path / "long.v").write_text("%" * 1000)
    (tmp_path / "odd.v").write_text("module odd (inout z);\nendmodule\n")
    with pytest.raises(InputError, match=message) as refusal:
        foreign_bench(ForeignModule.load(written(tmp_path, with_changes(table, changes))))
    assert str(refusal.value).startswith(str(tmp_path / "my.toml"))


def test_bad_files_end_the_command_with_exit_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(EXAMPLES, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    Path("broken.toml").write_text("sources = [")
    preset = TrainingDatapath.preset("halp8")
    for words, message in (
        (("--dut", "none.toml"), "none.toml: got No such file or directory"),
        (("--dut", "broken.toml"), "broken.toml: got broken TOML"),
        (("--dut", "rounder.toml", "--unit", "mac"), "dut: got it with a datapath, --unit"),
        ((preset.name, "--dut", "rounder.toml"), "dut: got it with a datapath, --unit"),
    ):
        code, out, err = command(monkeypatch, capsys, "verify", *words)
        assert (code, out) == (2, "")
        assert message in err
        assert len(err.splitlines()) == 1


def test_what_verilator_refuses_is_its_first_message(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLES, tmp_path, dirs_exist_ok=True)
    source = tmp_path / "rounder.sv"
    extra = "  initial wait (ce);\nendmodule"
    source.write_text(source.read_text().replace("endmodule", extra))
    with pytest.raises(InputError, match=r"rounder\.toml: sources: %Error.*rounder\.sv:\d+"):
        verify_foreign(tmp_path / "rounder.toml", 10, seed=1)


@pytest.mark.parametrize("task", ["$finish", '$error("no")', '$fatal(1, "no")'])
def test_a_module_that_ends_the_simulation_is_a_failure_of_it(task: str, seed: int, tmp_path: Path) -> None:
    shutil.copytree(EXAMPLES, tmp_path, dirs_exist_ok=True)
    source = tmp_path / "rounder.sv"
    source.write_text(source.read_text().replace("endmodule", f"  always @(posedge clk) if (ce) {task};\nendmodule"))
    with pytest.raises(AssertionError, match=r"^requantizer: the simulation ended before its bench did\n[\s\S]*\$"):
        verify_foreign(tmp_path / "rounder.toml", 2500, seed)


def endless(folder: Path) -> None:
    """The example, which never comes to the end of the evaluation in which it takes its first value."""
    shutil.copytree(EXAMPLES, folder, dirs_exist_ok=True)
    source = folder / "rounder.sv"
    loop = "begin turns = 0; while (din[0] & ~turns[0]) turns = turns + 2; clipped <= above | below | turns[0]; end"
    text = source.read_text().replace("  logic guard", "  int turns;\n  logic guard")
    source.write_text(text.replace("clipped   <= above | below;", loop))


def test_a_module_that_loops_for_ever_is_ended_and_is_a_failure_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    endless(tmp_path)
    monkeypatch.chdir(tmp_path)
    code, out, err = command(monkeypatch, capsys, "verify", "--dut", "rounder.toml", "--timeout", 2)
    assert (code, err) == (1, "")
    reported = out.split("\n\n")[1].splitlines()
    assert reported == [
        "requantizer: simulated time stood still for 2 s, as in an endless loop; --timeout sets how long",
        "  again   bittrue verify --dut rounder.toml --seed 26625 -n 5000",
    ]
    assert out.endswith("1 of 1 failed: requantizer rounder\n")


def test_a_program_that_is_told_to_end_ends_its_simulator(tmp_path: Path) -> None:
    endless(tmp_path)
    sign = tmp_path / "verify" / "rounder" / SIGN
    words = [sys.executable, bittrue.__file__, "verify", "--dut", "rounder.toml", "--waves"]
    with subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as program:
        while not sign.exists():
            assert program.poll() is None
            time.sleep(0.05)
        children = Path(f"/proc/{program.pid}/task/{program.pid}/children")
        (simulator,) = [int(child) for child in children.read_text().split()]
        program.terminate()
        assert program.wait() == TERMINATED
    with pytest.raises(ProcessLookupError):
        os.kill(simulator, 0)


CHATTY = """module chatty (input clk, rst_n, v, qr, input [15:0] d, output r, qv, output [7:0] q);
  assign {r, qv, q} = {2'b11, d[7:0]};
endmodule
"""


def test_an_output_right_after_a_reset_is_reported_as_any_difference(seed: int, tmp_path: Path) -> None:
    (tmp_path / "chatty.sv").write_text(CHATTY)
    table = {**ROUNDER, "sources": ["chatty.sv"], "top": "chatty", "reset": {"port": "rst_n"}}
    del table["parameters"], table["latency"]
    table["ports"] = {"value_i": "d", "value_o": "q"}
    table["ports"] |= {"s_axis_tvalid": "v", "s_axis_tready": "r", "m_axis_tvalid": "qv", "m_axis_tready": "qr"}
    result = verify_foreign(written(tmp_path, table), 2500, seed)
    assert result.failure.startswith("requantizer chatty: an output right after the reset\n")


def test_an_included_file_is_part_of_what_a_build_depends_on(seed: int, tmp_path: Path) -> None:
    shutil.copytree(EXAMPLES, tmp_path, dirs_exist_ok=True)
    (tmp_path / "rounder.sv").write_text((tmp_path / "rounder.sv").read_text().replace("guard & sticky", "`UP"))
    source = tmp_path / "rounder.sv"
    source.write_text('`include "up.svh"\n' + source.read_text())
    for text, passes in (("guard & sticky", True), ("guard", False)):
        (tmp_path / "up.svh").write_text(f"`define UP {text}\n")
        foreign = ForeignModule.load(tmp_path / "rounder.toml")
        assert foreign.included == (tmp_path / "up.svh",)
        assert verify_foreign(tmp_path / "rounder.toml", 2500, seed).passed is passes
