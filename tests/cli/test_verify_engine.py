"""`bittrue verify --engine`: points of studies on model and circuit; table, marks, and what a difference leaves."""

import json

import pytest

from reports.shipped import study_text

cosim = pytest.mark.cosim


@cosim
def test_points_of_a_study_are_played_on_the_circuit(program, tmp_path):
    point = ("--engine", "engine-diabetes", "--point", "HALP 8/8/8 lanes 16", "--epochs", "1")
    done = program("verify", *point, "--json", "engine.json", "--records", "kept")
    assert done.code == 0, done.err
    assert "1 of 1 points equal in every word, count and cycle, 13,260 cycles" in done.out
    [check] = json.loads((tmp_path / "engine.json").read_text())
    assert (check["co_simulated"], check["loops"], check["words"], check["cycles"]) == (True, 1, 10, 13_260)
    marks = tmp_path / "kept" / "cosimulated.jsonl"
    assert [json.loads(line) for line in marks.read_text().splitlines()] == [check]

    again = program("verify", *point, "--records", "kept", "--markdown", "engine.md")
    assert again.code == 0, again.err
    assert [json.loads(line) for line in marks.read_text().splitlines()] == [check]
    page = (tmp_path / "engine.md").read_text()
    command = "bittrue verify --engine engine-diabetes --point 'HALP 8/8/8 lanes 16' --epochs 1"
    assert f"Written by `{command}`: 1 of 1 points equal in every word, count and cycle, 13,260 cycles." in page
    assert page.endswith("\n| diabetes | HALP 8/8/8 lanes 16 | 1 | 1 | 10 | 13,260 | equal |\n")


@cosim
def test_several_studies_are_one_comparison(program, tmp_path):
    write_study(tmp_path / "other.toml")
    studies = ("--engine", "engine-diabetes", "--engine", "other.toml")
    done = program("verify", *studies, "--point", "HALP 8/8/8 lanes 16", "--epochs", "1", "--json", "engine.json")
    assert done.code == 0, done.err
    assert "2 of 2 points equal" in done.out
    assert [check["loops"] for check in json.loads((tmp_path / "engine.json").read_text())] == [1, 1]


def write_study(path):
    """Write a study with the first series of engine-diabetes, under another name."""
    path.write_text(study_text("engine-diabetes").replace('name = "engine-diabetes"', 'name = "other"'))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--engine", "engine-diabetes", "--point", "HALP"), "point: got 'HALP'; allowed: HALP 8/8/8 lanes 4, "),
        (("--engine", "engine-diabetes", "--seed", "9"), "seed: got 9; allowed: 0, "),
        (("--engine", "engine-diabetes", "--epochs", "0"), "epochs: got 0; allowed: "),
        (("--engine", "engine-diabetes", "--unit", "mac"), "engine: got it with options of units; allowed: --point"),
        (("--engine", "engine-diabetes", "-n", "5"), "engine: got it with options of units; allowed: --point"),
        (("--engine", "no-such-study"), "study"),
        (
            ("--engine", "engine-diabetes", "--engine", "engine-digits", "--records", "kept"),
            "records: got kept with 2 studies; allowed: with one",
        ),
        (("--markdown", "t.md"), "markdown: got t.md; allowed: with --engine only"),
        (("--point", "HALP 8/8/8"), "point: got HALP 8/8/8; allowed: with --engine only"),
        (("--epochs", "2"), "epochs: got 2; allowed: with --engine only"),
    ],
)
def test_a_wrong_point_is_one_line(program, arguments, message):
    done = program("verify", *arguments)
    assert done.code == 2
    assert message in done.err
