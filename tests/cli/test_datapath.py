"""`bittrue datapath`: proven ranges, the accumulator that cannot overflow, estimated cost, TOML of every field."""

import tomllib

import pytest

import bittrue as bt

OWN = """
name = "own"
lanes = 4
biased_ok = true
[data]
width = 5
[model]
width = 12
rounding = "TIES_EVEN"
random_bits = 0
[accumulator]
width = 12
overflow = "WRAP"
[generator]
kind = "lfsr"
width = 40
taps = [40, 38, 21, 19]
"""


def cells(table, name):
    """The cells of the line that begins with a name, split where two blanks stand."""
    line = next(line for line in table.splitlines() if line.startswith(f"{name}  "))
    return [cell.strip() for cell in line.split("  ") if cell.strip()]


def short(number):
    return str(number) if abs(number) < 10**9 else f"{number:.3g}"


@pytest.mark.parametrize("link", bt.Link)
@pytest.mark.parametrize("preset", bt.preset_names())
def test_every_node_is_shown_with_its_proven_range_and_fate(program, preset, link):
    outcome = program("datapath", preset, "--link", link, "--columns", 100)
    assert (outcome.code, outcome.err) == (0, "")
    analysis = bt.analyse(bt.TrainingDatapath.preset(preset), 100, link)
    assert outcome.out.startswith(f"proven ranges: 100 columns, 16 lanes, link {link}\n")
    for node in analysis.nodes:
        has = "–" if node.width is None else str(node.width)
        fate = [] if node.width is None else [f"{node.overflow} ({node.field})" if node.may_overflow else "never"]
        ends = [short(node.exact.low), short(node.exact.high)]
        assert cells(outcome.out, node.name) == [node.name, node.meaning, *ends, str(node.needed), has, *fate]


@pytest.mark.parametrize("columns", [1, 100, 784, 1 << 24])
def test_the_sentence_names_the_narrowest_accumulator_that_cannot_overflow(program, columns):
    """With all words at −128, the sum of d products is d·2^14."""
    outcome = program("datapath", "halp8", "--columns", columns)
    safe = (columns << 14).bit_length() + 1
    assert f"\nan accumulator of {safe} bits cannot overflow (this one has 32)\n" in outcome.out


@pytest.mark.parametrize("preset", bt.preset_names())
def test_cost_is_shown_by_stage_and_called_an_estimate(program, preset):
    outcome = program("datapath", preset, "--columns", 100)
    cost = bt.estimate(bt.TrainingDatapath.preset(preset), 100)
    assert "\ncost (estimate, uncalibrated)\n" in outcome.out
    shown = {**cost.gates, "total": sum(cost.gates.values()), "row bits streamed a step": cost.row_bits,
             "local memory bits moved a step": cost.local_bits, "local memory bits held": cost.memory_bits}  # fmt: skip
    for name, value in shown.items():
        assert cells(outcome.out, name) == [name, f"{value:,}"]


@pytest.mark.parametrize("preset", bt.preset_names())
def test_toml_of_a_preset_reads_back_as_the_same_datapath(program, tmp_path, preset):
    text = program("datapath", preset, "--toml").out
    (tmp_path / "copy.toml").write_text(text, encoding="utf-8")
    assert bt.TrainingDatapath.from_toml(tmp_path / "copy.toml") == bt.TrainingDatapath.preset(preset)
    assert program("datapath", "copy.toml", "--toml").out == text


def test_toml_writes_out_every_field_that_a_file_left_to_its_default(program, tmp_path):
    (tmp_path / "own.toml").write_text(OWN, encoding="utf-8")
    shown = tomllib.loads(program("datapath", "own.toml", "--toml").out)
    given = tomllib.loads(OWN)
    for name, value in given.items():
        assert {**shown[name], **value} == shown[name] if isinstance(value, dict) else shown[name] == value
    assert set(shown) == set(bt.TrainingDatapath.__struct_fields__)
    assert shown["product"] == {"cut": 8, "rounding": "TIES_POS"}
    assert shown["generator"] == {"kind": "lfsr", "width": 40, "taps": [40, 38, 21, 19], "leap": 32}


def test_a_file_is_shown_with_its_own_widths_and_what_may_overflow(program, tmp_path):
    (tmp_path / "own.toml").write_text(OWN, encoding="utf-8")
    outcome = program("datapath", "own.toml", "--columns", 10)
    assert cells(outcome.out, "x") == ["x", "data word", "-16", "15", "5", "5", "never"]
    assert cells(outcome.out, "t")[-2:] == ["12", "WRAP (accumulator.width)"]
    assert "\nan accumulator of 20 bits cannot overflow (this one has 12)\n" in outcome.out


def test_without_a_name_it_is_halp8(program):
    assert program("datapath").out == program("datapath", "halp8").out
    assert program("datapath", "--toml").out.startswith('name = "halp8"\n')


def test_a_datapath_past_62_bits_is_shown_and_then_refused(program, tmp_path):
    """The table says which node is too wide; the run would be refused as well."""
    (tmp_path / "wide.toml").write_text("accumulator = {width = 50}", encoding="utf-8")
    outcome = program("datapath", "wide.toml")
    assert outcome.code == 2
    assert cells(outcome.out, "k")[-2] == "66"
    assert outcome.err == (
        "error: k (link product): an intermediate of 66 bits with link affine and 784 columns; "
        "allowed: at most 62 bits\n"
    )
