"""`bittrue train --profile` and `bittrue datapath --propose`: from a run to a picture and to a datapath of its own."""

import json
import struct

import pytest
from matplotlib.image import imread

import bittrue as bt
from sim.profile import NODES, NodeProfile, Profile

SHORT = ("--data", "diabetes", "--epochs", 2, "--epoch-length", 40)
CLASSES = ("--data", "digits", "--epochs", 1, "--epoch-length", 30)


def cells(table, name):
    """The cells of the line that begins with a name, split where two blanks stand."""
    line = next(line for line in table.splitlines() if line.startswith(f"{name}  "))
    return [cell.strip() for cell in line.split("  ") if cell.strip()]


@pytest.fixture
def profiled(program, tmp_path):
    """The output of a run whose profile is in run.json."""
    outcome = program("train", "halp8", *SHORT, "--profile", "run.json", "--json", "trace.json")
    assert (outcome.code, outcome.err) == (0, "")
    return outcome.out


def test_a_run_writes_what_every_node_held(profiled, tmp_path):
    profile = Profile.load(tmp_path / "run.json")
    assert profile.datapath == bt.TrainingDatapath.preset("halp8")
    assert (profile.columns, profile.loops, profile.steps) == (10, 2, 80)
    assert [profile[node].count for node in NODES] == [80, 0, 80, 800, 800, 800, 20]
    trace = json.loads((tmp_path / "trace.json").read_text(encoding="utf-8"))
    stages = {"t": "accumulator", "c": "coefficient", "a": "increment", "z": "model", "h": "h"}
    for node, stage in stages.items():
        counted = sum(record["counts"].get(stage, 0) for record in trace["epochs"])
        assert profile[node].overflows == counted, node
    assert profiled.endswith("profile: run.json, run.png\n")
    for node in ("t", "c", "p", "h", "a", "z"):
        held = profile[node]
        line = cells(profiled, node)
        assert line[2:5] == [f"{held.count:,}", str(held.low), str(held.high)]
        assert line[6] == str(held.bits)


def test_the_host_s_saturations_of_h_are_in_the_profile(program, tmp_path):
    (tmp_path / "narrow.toml").write_text("increment = {width = 11, fraction = 10}", encoding="utf-8")
    options = (*SHORT, "--step", 0.3, "--mu", 4, "--json", "trace.json", "--profile", "run.json")
    assert program("train", "narrow.toml", *options).code == 0
    trace = json.loads((tmp_path / "trace.json").read_text(encoding="utf-8"))
    clipped = sum(record["counts"].get("h", 0) for record in trace["epochs"])
    assert Profile.load(tmp_path / "run.json")["h"].overflows == clipped > 0


def test_the_picture_has_a_histogram_for_every_node(profiled, program, tmp_path):
    picture = (tmp_path / "run.png").read_bytes()
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", picture[16:24]) == (3 * 540, 870)  # six nodes in two rows, at 150 dots an inch
    assert imread(tmp_path / "run.png").std() > 0.05
    assert program("train", "halp8_blocks", *CLASSES, "--profile", "digits.json").code == 0
    assert struct.unpack(">II", (tmp_path / "digits.png").read_bytes()[16:24]) == (4 * 540, 870)  # and u


def test_classes_and_epochs_are_added_up_and_a_profile_changes_nothing(program, tmp_path):
    plain = program("train", "halp8_blocks", *CLASSES, "--json", "plain.json")
    assert program("train", "halp8_blocks", *CLASSES, "--json", "with.json", "--profile", "run.json").code == 0
    assert plain.code == 0
    assert (tmp_path / "plain.json").read_bytes() == (tmp_path / "with.json").read_bytes()
    profile = Profile.load(tmp_path / "run.json")
    assert (profile.loops, profile.steps) == (10, 300)
    assert profile["u"].count == 300


def test_both_backends_write_the_same_profile(program, tmp_path):
    for backend in ("kernel", "reference"):
        assert program("train", *SHORT, "--backend", backend, "--profile", f"{backend}.json").code == 0
    assert (tmp_path / "kernel.json").read_bytes() == (tmp_path / "reference.json").read_bytes()


@pytest.mark.parametrize("margin", [None, 0, 3])
def test_a_proposal_shows_observed_proven_present_and_proposed_width_of_every_node(profiled, program, tmp_path, margin):
    options = () if margin is None else ("--margin", margin)
    outcome = program("datapath", "halp8", "--propose", "run.json", *options)
    assert (outcome.code, outcome.err) == (0, "")
    profile = Profile.load(tmp_path / "run.json")
    proposal = bt.propose(profile, 1 if margin is None else margin)
    for entry in proposal.nodes:
        node, held, line = entry.node, entry.held, cells(outcome.out, entry.node.name)
        assert line[2:4] == [f"{held.low} … {held.high}", str(held.bits)]
        assert line[5] == str(node.needed)
        assert line[6] == (node.field or "a wire")
        assert line[7:9] == [str(value) if value else "–" for value in (node.width, entry.proposed)]
    wider = proposal.datapath.model.width
    if wider != 8:
        assert f"model.width 8 → {wider}: with HALP, μ times {127 / (2 ** (wider - 1) - 1):.4g}" in outcome.out


def test_toml_of_a_proposal_is_a_datapath_that_trains(profiled, program, tmp_path):
    text = program("datapath", "--propose", "run.json", "--margin", 2, "--toml").out
    (tmp_path / "fitted.toml").write_text(text, encoding="utf-8")
    proposal = bt.propose(Profile.load(tmp_path / "run.json"), 2)
    assert bt.TrainingDatapath.from_toml(tmp_path / "fitted.toml") == proposal.datapath
    assert proposal.datapath.coefficient.width < 8
    assert program("train", "fitted.toml", *SHORT).code == 0


def test_the_table_index_is_said_to_saturate_by_design(program):
    program("train", "halp8_blocks", *CLASSES, "--profile", "run.json")
    outcome = program("datapath", "--propose", "run.json", "--link", "centred_table", "--columns", 65)
    assert outcome.code == 0
    assert cells(outcome.out, "u")[6:9] == ["link.index_bits", "4", "–"]
    assert "\nu saturates by design: link.index_bits is the size of a table\n" in outcome.out


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("datapath", "halp12", "--propose", "run.json"), "run.json: got a profile with model.width 8 (not 12), "),
        (("datapath", "--propose", "run.json", "--columns", 9), "run.json: got a profile with 10 columns (not 9); "),
        (("datapath", "--propose", "run.json", "--link", "absolute_table"),
         "run.json: got a profile with link affine (not absolute_table); allowed: one of this datapath"),
        (("datapath", "--propose", "run.json", "--margin", 17), "margin: got 17; allowed: a whole number from 0 to 16"),
        (("datapath", "--propose", "run.json", "--margin", -1), "margin: got -1; allowed: a whole number from 0 to 16"),
        (("datapath", "halp8", "--margin", 1), "margin: got 1; allowed: none without --propose"),
        (("datapath", "--propose", "none.json"), "none.json: got No such file or directory; allowed: a saved profile"),
        (("datapath", "--propose", "trace.json"), "trace.json: got kind None; allowed: 'bittrue profile'"),
        (("datapath", "--propose", "run.png"), "run.png: got broken JSON"),
        (("train", *SHORT, "--profile", "run.txt"), "profile: got 'run.txt'; allowed: a file ending in .json"),
        (("train", *SHORT, "--profile", "train.json"), "profile: got 'train.json', but train.png is written as well; "),
        (("train", *SHORT, "--profile", "a.json", "--json", "a.json"), "profile: got 'a.json', but a.json is written"),
        (("train", *SHORT, "--profile", "no/run.json"), "no/run.json: got No such file or directory; allowed: a file"),
        (("train", *SHORT, "--algorithm", "svrg", "--profile", "a.json"), "profile: got 'a.json'; allowed: none, "),
    ],
    ids=str,
)  # fmt: skip
def test_bad_input_ends_in_one_line(profiled, program, tmp_path, arguments, line):
    before = sorted(tmp_path.iterdir())
    outcome = program(*arguments)
    assert outcome.code == 2
    assert outcome.err.startswith(f"error: {line}")
    assert outcome.err.count("\n") == 1
    assert outcome.out == ""
    assert sorted(tmp_path.iterdir()) == before


def test_a_profile_of_the_same_datapath_under_another_name_is_taken(profiled, program, tmp_path):
    text = bt.TrainingDatapath.preset("halp8").replace(name="mine").to_toml()
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    outcome = program("datapath", "mine.toml", "--propose", "run.json")
    assert outcome.code == 0
    assert outcome.out.startswith("widths of mine from 2 inner loops, 80 steps, 10 columns, link affine\n")
    assert program("datapath", "mine.toml", "--propose", "run.json", "--toml").out.startswith('name = "mine"\n')


def test_a_node_that_was_never_observed_is_drawn_and_shown_as_such(tmp_path):
    from reports.profile import draw_profile, profile_table

    nodes = dict.fromkeys(NODES, NodeProfile())
    path = bt.TrainingDatapath.preset("halp8")
    empty = Profile(datapath=path, link=bt.Link.CENTRED_TABLE, columns=3, loops=1, steps=0, nodes=nodes)
    draw_profile(empty, tmp_path / "empty.png")
    assert (tmp_path / "empty.png").read_bytes().startswith(b"\x89PNG")
    assert profile_table(empty).row_count == len(NODES)
