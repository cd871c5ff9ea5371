"""`bittrue verify --engine`: points of studies on model and circuit; table, marks, and what a difference leaves."""

import json
import math
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import bittrue as bt
from reports.engine_failure import place_text
from reports.engine_report import command_of
from reports.engine_verification import EngineCheck
from reports.shipped import study_text
from reports.waveforms import cycles
from rtl_models.elaborate import RTL
from sim.engine import EpochJob, run
from sim.engine.first_difference import first_difference
from tests.unit.test_docs import ROOT

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
    points = ("HALP 8/8/8 lanes 16", "LP-SVRG 8 lanes 16")
    chosen = [word for point in points for word in ("--point", point)]
    done = program("verify", *studies, *chosen, "--epochs", "1", "--json", "engine.json")
    assert done.code == 0, done.err
    assert "4 of 4 points equal" in done.out
    checks = json.loads((tmp_path / "engine.json").read_text())
    assert [(check["point"], check["loops"]) for check in checks] == [(point, 1) for point in points] * 2


@cosim
def test_a_first_difference_keeps_its_job_its_waves_and_their_picture(program, tmp_path):
    """Of a circuit with the wrong row in the dot product: equal in step 0, where the model is 0."""
    shutil.copytree(RTL, tmp_path / "rtl")
    patch = ROOT / "tests" / "cosim" / "engine_bugs" / "second_row_used_for_the_dot.patch"
    subprocess.run(["git", "apply", "-p1", str(patch)], cwd=tmp_path / "rtl", check=True)
    point = ("--engine", "engine-diabetes", "--point", "ZipML 4 lanes 16", "--epochs", "1")
    done = program("verify", *point, "--rtl", "rtl", "--out", "kept", "--json", "engine.json")
    assert done.code == 1
    assert "0 of 1 points equal" in done.out
    [check] = json.loads((tmp_path / "engine.json").read_text())
    sides = r"(-?\d+) \(0b[01]{32}, (-?\d+)\)"
    told = rf"\n  (dot, accumulator: step 1, beat 0): got {sides}, expected {sides}\n"
    place, got, got_real, expected, expected_real = re.search(told, check["failure"]).groups()
    assert (got, expected) == (got_real, expected_real)
    assert f"\nZipML 4 lanes 16: {check['failure']}\n" in done.out
    assert "\n  seed 0, from step 0 of the run on: 884 steps of 10 columns\n" in check["failure"]
    assert "\n  parameters Lanes 16, DataWidth 4, ModelWidth 8, ModelRounding STOCHASTIC, " in check["failure"]
    [folder] = (tmp_path / "kept").iterdir()
    paragraph = (ROOT / "docs/circuit.md").read_text(encoding="utf-8").partition("A folder of the run")[2]
    listed = re.findall(r"\(`(\w+\.\w+)`", paragraph.partition("\n\n")[0])
    assert sorted(file.name for file in folder.iterdir()) == sorted(listed)
    kept = folder.relative_to(tmp_path)
    assert check["failure"].endswith(
        f"\n  job     {kept}/job.npz\n  waves   {kept}/dump.vcd\n  picture {kept}/difference.svg\n"
        f"  again   bittrue verify --engine {kept}/job.npz --rtl rtl"
    )
    job = EpochJob.load(folder / "job.npz")
    assert run(job, trace=range(1, 2)).trace.accumulator[0, 0] == int(expected)
    texts = [element.text for element in ElementTree.parse(folder / "difference.svg").iter() if element.text]
    assert place in texts
    assert {got, expected} <= set(texts)
    last = cycles(folder / "dump.vcd", "u_monitor.clk_i", ["u_monitor.accumulator_i"], math.inf, None)
    assert int(got) % (1 << 32) in {cycle["u_monitor.accumulator_i"] for cycle in last}

    again = program(*shlex.split(check["rerun"])[1:], "--json", "again.json")
    [replayed] = json.loads((tmp_path / "again.json").read_text())
    parts = [text.partition("\n  job ")[0] for text in (check["failure"], replayed["failure"])]
    assert (again.code, parts[1], replayed["rerun"]) == (1, parts[0], check["rerun"])
    assert sorted(file.name for file in (tmp_path / "verify" / "job").iterdir()) == ["difference.svg", "dump.vcd"]
    sound = program("verify", "--engine", kept / "job.npz")
    assert (sound.code, sound.err) == (0, "")
    assert "1 of 1 points equal in every word, count and cycle, 13,260 cycles" in sound.out


@pytest.mark.parametrize(
    ("file", "before", "after", "message"),
    [
        ("dot_product.sv", "u_row", "u_rows", r"rtl: verilator refuses engine_top: %Error: .*"),
        ("update_increment.sv", "ProductWidth", "W", "update_increment: got no parameter ProductWidth; allowed: .*"),
        ("training_engine.sv", "(input  logic +)s_axis_tlast", r"\1extra_i, s_axis_tlast",
         "rtl: got training_engine with another port extra_i; allowed: ports as they were"),
        ("training_engine.sv", "module training_engine", "module engine", ".*unknown module 'training_engine'"),
    ],
)  # fmt: skip
@cosim
def test_a_copy_with_other_names_inside_is_one_line(program, tmp_path, file, before, after, message):
    shutil.copytree(RTL, tmp_path / "rtl")
    source = tmp_path / "rtl" / file
    source.write_text(re.sub(rf"\b{before}\b", after, source.read_text()))
    done = program("verify", "--engine", "engine-diabetes", "--rtl", "rtl", "--epochs", "1")
    assert (done.code, done.out) == (2, "")
    assert re.fullmatch(f"error: {message}\n", done.err)


@cosim
def test_a_circuit_that_never_ends_is_told_with_its_job(program, tmp_path):
    shutil.copytree(RTL, tmp_path / "rtl")
    source = tmp_path / "rtl" / "engine_sequencer.sv"
    source.write_text(source.read_text().replace("assign done_o = done_q;", "assign done_o = done_q & ~rst_ni;"))
    point = ("--engine", "engine-diabetes", "--point", "HALP 8/8/8 lanes 16", "--epochs", "1")
    done = program("verify", *point, "--rtl", "rtl", "--out", "kept")
    assert (done.code, done.err) == (1, "")
    told = re.search(
        r"\nHALP 8/8/8 lanes 16: training_engine: no end of the loop after \d+ cycles\n  seed 0, .*\n  parameters .*\n"
        r"  job     (\S+)\n  again   bittrue verify --engine \1 --rtl rtl\n\n",
        done.out,
    )
    assert EpochJob.load(tmp_path / told[1]).steps


def test_a_point_without_a_loop_is_not_equal(program, tmp_path):
    """Of targets that are all 0 the start is the solution: the training ends there."""
    (tmp_path / "zeros.csv").write_text("a,b,y\n1,2,0\n2,-1,0\n3,1,0\n", encoding="utf-8")
    text = study_text("engine-long").replace('name = "engine-long"', 'name = "mine"').replace("ridge = 1e-3\n", "")
    text = text.replace('"logistic"', '"least_squares"').replace('"breast_cancer"', '"zeros.csv"\ntarget = "y"')
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    done = program("verify", "--engine", "mine.toml", "--records", "kept", "--json", "engine.json")
    assert (done.code, done.err) == (1, "")
    assert "\nHALP 8/8/8: the training ended at its start; nothing was compared\n" in done.out
    assert "0 of 1 points equal in every word, count and cycle, 0 cycles" in done.out
    [check] = json.loads((tmp_path / "engine.json").read_text())
    assert (check["epochs"], check["loops"], check["co_simulated"]) == (0, 0, False)
    assert not (tmp_path / "kept" / "cosimulated.jsonl").exists()


def write_study(path):
    """Write a study with the first series of engine-diabetes, under another name."""
    path.write_text(study_text("engine-diabetes").replace('name = "engine-diabetes"', 'name = "other"'))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--engine", "engine-diabetes", "--point", "HALP"), "point: got 'HALP'; allowed: HALP 8/8/8 lanes 4, "),
        (("--engine", "engine-diabetes", "--seed", "9"), "seed: got 9; allowed: 0"),
        (
            ("--engine", "engine-diabetes", "--epochs", "0"),
            "epochs: got 0; allowed: 1 to 3, those of HALP 8/8/8 lanes 4",
        ),
        (
            ("--engine", "engine-diabetes", "--epochs", "4"),
            "epochs: got 4; allowed: 1 to 3, those of HALP 8/8/8 lanes 4",
        ),
        (
            ("--engine", "engine-diabetes", "--point", "HALP 8/8/8 lanes 4", "--point", "HALP 8/8/8 lanes 5"),
            "point: got 'HALP 8/8/8 lanes 5'; allowed: HALP 8/8/8 lanes 4, ",
        ),
        (
            ("--engine", "engine-digits", "--engine", "engine-diabetes", "--engine", "engine-digits"),
            "engine: got engine-digits twice; allowed: each study once",
        ),
        (("--engine", "engine-diabetes", "--json", "no/engine.json"), "no/engine.json: got No such file or directory"),
        (("--engine", "engine-diabetes", "--out", "/dev/null"), "out: got /dev/null, a file; allowed: a folder"),
        (("--engine", "engine-diabetes", "--unit", "mac"), "engine: got it with options of units; allowed: --point"),
        (("--engine", "engine-diabetes", "-n", "5"), "engine: got it with options of units; allowed: --point"),
        (("--engine", "no-such-study"), "study"),
        (("--engine", "kept.npz"), "kept.npz: got No such file or directory"),
        (
            ("--engine", "kept.npz", "--epochs", "1"),
            "engine: got the job kept.npz with studies or their options; allowed: --rtl, --out, --json",
        ),
        (("--engine", "engine-diabetes", "--rtl", "nowhere"), "rtl: got 'nowhere'; allowed: a folder of SystemVerilog"),
        (("--engine", "zipml-nonlinear"), "zipml-nonlinear: series: got none on the engine; allowed: "),
        (("--engine", "zipml-claims"), "zipml-claims: problem: got 9 tables; allowed: "),
        (
            ("--engine", "engine-diabetes", "--engine", "engine-digits", "--records", "kept"),
            "records: got kept with 2 studies; allowed: with one",
        ),
        (
            ("--engine", "engine-diabetes", "--rtl", "copy", "--records", "kept"),
            "records: got kept with rtl copy; allowed: with the package's own circuit",
        ),
        (("--markdown", "t.md"), "markdown: got t.md; allowed: with --engine only"),
        (("--point", "HALP 8/8/8"), "point: got HALP 8/8/8; allowed: with --engine only"),
        (("--epochs", "2"), "epochs: got 2; allowed: with --engine only"),
    ],
)
def test_a_wrong_point_is_one_line(program, monkeypatch, arguments, message):
    """Before anything is trained."""
    monkeypatch.setattr("reports.engine_report.verify_runs", lambda *_: pytest.fail("trained"))
    done = program("verify", *arguments)
    assert done.code == 2
    assert message in done.err


def test_a_folder_of_other_records_is_refused_before_anything_runs(program, tmp_path, monkeypatch):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "notes.txt").touch()
    monkeypatch.setattr("reports.engine_report.verify_runs", lambda *_: pytest.fail("trained"))
    done = program("verify", "--engine", "engine-diabetes", "--records", "kept")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: records: got kept, which holds other files; allowed: ")


def test_an_interrupted_verification_keeps_the_marks_that_it_has(program, tmp_path, monkeypatch):
    def interrupted(runs, epochs, folder, rtl):
        check = EngineCheck.of_run(runs[0], epochs[0], "the circuit")
        check.loops = 1
        yield check
        raise KeyboardInterrupt

    monkeypatch.setattr("reports.engine_report.verify_runs", interrupted)
    done = program("verify", "--engine", "engine-diabetes", "--records", "kept")
    assert (done.code, done.out) == (130, "")
    [mark] = [json.loads(line) for line in (tmp_path / "kept" / "cosimulated.jsonl").read_text().splitlines()]
    assert (mark["point"], mark["co_simulated"]) == ("HALP 8/8/8 lanes 4", True)


def test_the_command_of_a_table_names_the_changed_sources():
    command = command_of(["engine-long"], ["a", "b c"], None, 3, Path("my rtl"))
    assert command == "bittrue verify --engine engine-long --point a --point 'b c' --epochs 3 --rtl 'my rtl'"


def test_values_are_told_in_decimal_binary_and_as_real_numbers():
    """An increment in units of z's last bit, halp8's with 6 bits below it; all others in their own."""
    job = EpochJob(bt.TrainingDatapath.preset("halp8"), bt.Link.AFFINE, bt.RawRows(np.eye(3, dtype=np.int8)),
                   indices=[0, 1], z=[0, 0, 0], h=[64, -64, 0], registers=bt.Registers(1 << 15, 15))  # fmt: skip
    expected = run(job, trace=range(2)).trace
    assert expected.increment[0].tolist() == [-64, 64, 0]
    got = run(job, trace=range(2)).trace
    got.increment[0, 1] = -48
    assert place_text(job, first_difference(job, got, expected)) == (
        "update, increment: step 0, beat 0, lane 1: got -48 (0b1111111111010000, -0.75), "
        "expected 64 (0b0000000001000000, 1)"
    )
    got.coefficient[0] = 3
    assert place_text(job, first_difference(job, got, expected)) == (
        "link, coefficient: step 0: got 3 (0b00000011, 3), expected 0 (0b00000000, 0)"
    )
