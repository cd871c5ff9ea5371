"""`bittrue explore`: a study becomes records, a table and pictures, and goes on where it was stopped."""

import json
import re
import struct
import subprocess
import sys
import tomllib
from itertools import pairwise

import numpy as np
import pytest
import tomli_w
from matplotlib.image import imread

import bittrue as bt
from algorithms.data import load_problem
from reports import command_line, explorer
from reports.command_line import PLAIN_WIDTH
from reports.shipped import study_names
from reports.store import opened
from reports.study import Study

SMALL = {
    "name": "small",
    "about": "three widths of HALP, and float64",
    "seeds": [0, 1],
    "data": {"source": "diabetes"},
    "common": {"step": 0.01, "epoch_length": 100, "epochs": 3},
    "series": [
        {"name": "HALP", "algorithm": "halp", "datapath": "halp12", "vary": {"model.width": [4, 6, 8]},
         "tune": {"mu": [0.25, 1.0]}},
        {"name": "SVRG float64", "algorithm": "svrg"},
    ],
}  # fmt: skip
RUNS = 2 * (3 * 2 + 1)
RECORD = {"key": "kept", "problem": {}, "seed": 0, "shape": [1, 1], "one_vs_rest": 0, "state": "refused", "epochs": []}


def write(folder, **changes):
    (folder / "small.toml").write_text(tomli_w.dumps(SMALL | changes), encoding="utf-8")
    return "small.toml"


def records_of(folder):
    return [json.loads(line) for line in (folder / "records.jsonl").read_text(encoding="utf-8").splitlines()]


def contents(folder):
    """What is in a folder, byte for byte, but for pictures and the lock."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".png" and path.name != ".lock")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def assert_drawn(path, width, height):
    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", path.read_bytes()[16:24]) == (width, height)
    picture = imread(path)[..., :3]
    assert picture.std() > 0.05
    assert len(np.unique((255 * picture).astype(int) @ [1 << 16, 1 << 8, 1])) > 50  # more than black frames


def assert_refused(outcome, message):
    assert (outcome.code, outcome.out) == (2, "")
    assert re.fullmatch(r"error: .+\n", outcome.err), outcome.err  # one line
    assert message in outcome.err


@pytest.fixture(scope="module")
def explored(process, tmp_path_factory):
    """The whole program, once, in processes."""
    folder = tmp_path_factory.mktemp("explored")
    return folder, process(folder, "explore", write(folder), "--all", "--json", "points.json")


@pytest.fixture
def explore(program, tmp_path):
    """Run a study in this process: `explore(*arguments, **changes of the study)`."""

    def run(*arguments, **changes):
        return program("explore", write(tmp_path, **changes), "--jobs", 1, *arguments)

    return run


# What comes out


def test_a_study_becomes_records_a_table_and_pictures(explored):
    folder, outcome = explored
    assert (outcome.code, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert lines[0] == "small: diabetes (442 × 10), least squares, 2 runs a point"
    assert lines[1] == "every point"
    assert lines[-3:] == [
        "points: points.json",
        "records: explore/small/records.jsonl",
        "figures: explore/small/curves.png, explore/small/tradeoffs.png",
    ]
    assert max(map(len, lines)) <= PLAIN_WIDTH
    assert not {"\x1b", "…"} & set(outcome.out)
    kept = folder / "explore" / "small"
    assert (kept / "study.toml").read_text(encoding="utf-8") == (folder / "small.toml").read_text(encoding="utf-8")
    assert_drawn(kept / "curves.png", 2 * 960, 720)  # axes of 6.4 by 4.8 inches at 150 dots
    assert_drawn(kept / "tradeoffs.png", 3 * 780, 720)


def test_every_point_has_a_line_of_medians_over_its_runs(explored):
    folder, outcome = explored
    study = Study.load(str(folder / "small.toml"))
    finals = {}
    for record in records_of(folder / "explore" / "small"):
        label = record["series"], json.dumps(record["varied"]), json.dumps(record["tuned"])
        finals.setdefault(label, []).append(record["epochs"][-1]["gradient_norm"])
    assert len(finals) == len(study.points) == 7
    assert all(len(ends) == 2 for ends in finals.values())
    shown = [line.split() for line in outcome.out.splitlines() if line.startswith("HALP ")]
    assert [row[:3] for row in shown] == [["HALP", "model", f"{width},"] for width in (4, 6, 8)]
    for row, width in zip(shown, (4, 6, 8), strict=True):
        ends = {mu: finals["HALP", json.dumps({"model.width": width}), json.dumps({"mu": mu})] for mu in (0.25, 1.0)}
        mu = min(ends, key=lambda mu: sum(ends[mu]))
        assert row[3:5] == ["mu", f"{mu:g}"]  # the better of the tuned values
        assert row[5:8] == [f"{value:.3g}" for value in (sum(ends[mu]) / 2, min(ends[mu]), max(ends[mu]))]
        point = next(p for p in study.points if p.varied == {"model.width": width})
        assert row[-2] == f"{bt.estimate(point.datapath, 10).total_gates:,}"
        assert row[-1] in set(bt.State)


def test_gates_are_called_an_estimate(explored):
    assert "unit gates: estimate, uncalibrated" in explored[1].out


def test_a_record_has_all_that_identifies_its_run_and_makes_it_again(explored):
    folder, _ = explored
    study, records = Study.load(str(folder / "small.toml")), records_of(folder / "explore" / "small")
    assert sorted(record["key"] for record in records) == sorted(run.key for run in study.runs)
    for record in records[::4]:
        problem = load_problem(study.data, record["problem"]["loss"], record["problem"]["ridge"])
        path = None
        if record["datapath"] is not None:
            (folder / "path.toml").write_text(tomli_w.dumps(record["datapath"]), encoding="utf-8")
            path = bt.TrainingDatapath.from_toml(folder / "path.toml")
        trace = bt.train(problem, record["algorithm"], path, seed=record["seed"], **record["parameters"])
        assert trace.model_digest == record["model"]
        assert record["arithmetic_version"] == bt.ARITHMETIC_VERSION
        assert [epoch["gradient_norm"] for epoch in record["epochs"]] == trace.gradient_norms


def test_json_has_every_point_with_state_front_and_numbers(explored):
    folder, _ = explored
    points = json.loads((folder / "points.json").read_text(encoding="utf-8"), parse_constant=lambda name: 1 / 0)
    assert points["study"] == "small"
    assert points["objectives"] == ["gradient_norm", "gates"]
    assert [point["series"] for point in points["points"]] == ["HALP"] * 3 + ["SVRG float64"]
    on_front = [point for point in points["points"] if point["on_front"]]
    assert on_front
    for better, worse in pairwise(sorted(on_front, key=lambda point: point["gradient_norm"])):
        assert better["gates"] > worse["gates"]
    assert points["points"][-1]["gates"] is None
    keys = {record["key"] for record in records_of(folder / "explore" / "small")}
    for point in points["points"]:
        assert len(point["runs"]) == 2
        assert set(point["runs"]) <= keys


def test_without_all_the_front_and_the_float_baselines_are_shown(explored, program, monkeypatch):
    folder, everything = explored
    monkeypatch.chdir(folder)
    monkeypatch.setattr(command_line.out, "width", PLAIN_WIDTH)
    outcome = program("explore", "small.toml")
    points = json.loads((folder / "points.json").read_text(encoding="utf-8"))["points"]
    shown = [line for line in outcome.out.splitlines() if line.startswith(("HALP", "SVRG"))]
    assert len(shown) == sum(point["on_front"] or point["gates"] is None for point in points)
    assert outcome.out.splitlines()[1] == "Pareto front of gradient norm, gates, and float baselines"
    assert set(shown) <= set(everything.out.splitlines())


@pytest.mark.parametrize("width", [60, 80, 100])
def test_a_narrow_terminal_shows_fewer_columns_and_whole_numbers(explored, program, monkeypatch, width):
    folder, everything = explored
    monkeypatch.chdir(folder)
    monkeypatch.setattr(command_line.out, "width", width)
    outcome = program("explore", "small.toml", "--all")
    assert "…" not in outcome.out
    rows = {line.split()[2]: line for line in outcome.out.splitlines() if line.startswith("HALP")}
    whole = {line.split()[2]: line for line in everything.out.splitlines() if line.startswith("HALP")}
    for name, line in rows.items():
        assert len(line) <= width
        assert set(line.split()) <= set(whole[name].split())  # nothing is cut
        assert line.split()[-2:] == whole[name].split()[-2:]
    caption = " ".join(outcome.out.split())
    assert ("no room for: " in caption) == (width < 90)


def test_toml_prints_the_study_and_runs_nothing(program, tmp_path):
    for name in study_names():
        outcome = program("explore", name, "--toml")
        assert (outcome.code, outcome.err) == (0, "")
        assert tomllib.loads(outcome.out)["name"] == name
    assert list(tmp_path.iterdir()) == []


def test_the_number_of_processes_does_not_change_a_record(explored, explore, tmp_path):
    folder, _ = explored
    assert explore("--out", "x").code == 0
    one, two = (
        sorted(records_of(place), key=lambda r: r["key"]) for place in (tmp_path / "x", folder / "explore/small")
    )
    for record in (*one, *two):
        record["problem"].pop("data")
    assert one == two


# Going on


@pytest.fixture
def counted(monkeypatch):
    """The runs that are made."""
    made, record_of = [], explorer.record_of
    monkeypatch.setattr(explorer, "record_of", lambda run: made.append(run.key) or record_of(run))
    return made


def test_the_same_command_makes_no_run_again(explore, tmp_path, counted):
    first = explore()
    assert len(counted) == len(set(counted)) == RUNS
    before = contents(tmp_path)
    pictures = [tmp_path / "explore/small" / name for name in ("curves.png", "tradeoffs.png")]
    for path in pictures:
        path.unlink()
    second = explore()
    assert len(counted) == RUNS
    assert contents(tmp_path) == before
    assert second.out == first.out
    for path in pictures:
        assert_drawn(path, *struct.unpack(">II", path.read_bytes()[16:24]))


def test_figures_are_drawn_from_the_records_alone(program, tmp_path, counted):
    """Without the data: the file is gone."""
    rows = np.random.default_rng(0).normal(size=(20, 4))
    np.savetxt(tmp_path / "d.csv", rows, delimiter=",")
    study = write(tmp_path, data={"source": "d.csv"})
    first = program("explore", study, "--jobs", 1)
    assert (first.code, len(counted)) == (0, RUNS)
    (tmp_path / "d.csv").unlink()
    load_problem.cache_clear()
    (tmp_path / "explore/small/curves.png").unlink()
    second = program("explore", study, "--jobs", 1)
    assert (second.out, len(counted)) == (first.out, RUNS)
    assert_drawn(tmp_path / "explore/small/curves.png", 1920, 720)
    more = write(tmp_path, data={"source": "d.csv"}, seeds=[0, 1, 2])
    before = contents(tmp_path / "explore/small")
    assert_refused(program("explore", more, "--jobs", 1), "source: got 'd.csv', which is not there; allowed: ")
    assert contents(tmp_path / "explore/small")["records.jsonl"] == before["records.jsonl"]


def test_a_study_that_grew_makes_the_new_runs_only(explore, tmp_path, counted):
    explore()
    before = (tmp_path / "explore/small/records.jsonl").read_bytes()
    counted.clear()
    assert explore(seeds=[0, 1, 2]).code == 0
    assert len(counted) == RUNS // 2
    assert (tmp_path / "explore/small/records.jsonl").read_bytes().startswith(before)


def test_a_torn_last_line_is_told_and_its_run_made_again(explore, tmp_path, counted):
    first = explore()
    path = tmp_path / "explore/small/records.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[:-40])
    counted.clear()
    outcome = explore()
    assert outcome.err == "the last line of the records was torn and is cut off: its run is made again\n"
    assert outcome.out == first.out
    assert counted == [json.loads(whole.splitlines()[-1])["key"]]
    assert path.read_bytes() == whole


def test_a_budget_ends_a_study_that_can_go_on(explore, tmp_path, counted, monkeypatch):
    """A clock that ticks once a look; no run starts after the budget's end."""
    ticks = iter(range(10**6))
    monkeypatch.setattr(explorer.time, "monotonic", lambda: float(next(ticks)))
    outcome = explore("--budget", 8 / 60)
    left = RUNS - len(counted)
    assert 0 < left < RUNS
    assert outcome.code == 0
    assert outcome.out.endswith(f"\n{left} runs are left: the same command goes on with them\n")
    none = explore("--out", "none", "--budget", 1e-9)
    assert (none.code, none.out) == (0, "no run is done: give it more time and call it again\n")
    whole = explore("--budget", 0, budget_minutes=1e-9)  # no limit, whatever the study says
    assert len(counted) == RUNS
    assert "left" not in whole.out


def test_a_budget_of_the_study_counts_where_none_is_given(explore):
    assert explore(budget_minutes=1e-9).out == "no run is done: give it more time and call it again\n"


# Refused runs


def test_a_run_that_a_register_cannot_hold_is_recorded_as_refused_and_shown(explore, tmp_path):
    """The others go on; the reason is in the record and under the table."""
    series = [
        {"name": "HALP", "algorithm": "halp", "datapath": "halp8", "set": {"mu": 1.0}, "vary": {"step": [0.01, 1e6]}}
    ]
    outcome = explore("--all", series=series, common={"epoch_length": 20, "epochs": 1})
    assert (outcome.code, outcome.err) == (0, "")
    records = records_of(tmp_path / "explore/small")
    refused = [record for record in records if record["state"] == "refused"]
    assert [record["varied"]["step"] for record in records] == [0.01, 1e6] * 2
    assert [record["varied"]["step"] for record in refused] == [1e6] * 2
    for record in refused:
        assert record["reason"].startswith("step·(data scale)²·2^(sh + sp): got ")
        assert (record["epochs"], record["model"]) == ([], "")
    assert [line.split()[-1] for line in outcome.out.splitlines() if line.startswith("HALP  ")] == [
        "running",
        "refused",
    ]
    assert f"\nHALP step 1e+06: 2 of 2 runs refused: {refused[0]['reason']}\n" in outcome.out
    before = contents(tmp_path)
    assert explore("--all", series=series, common={"epoch_length": 20, "epochs": 1}).out == outcome.out
    assert contents(tmp_path) == before


def test_a_study_of_refused_runs_alone_is_shown_and_drawn(explore):
    series = [{"algorithm": "halp", "datapath": "halp8", "set": {"mu": 1.0, "step": 1e6}}]
    outcome = explore(series=series, common={"epoch_length": 20, "epochs": 1})
    assert (outcome.code, outcome.err) == (0, "")
    assert "halp halp8: 2 of 2 runs refused: " in outcome.out


# Bad input


def test_a_narrow_table_wraps_names_and_cuts_no_number(process, tmp_path):
    names = {"model.random_bits": [8, 16], "model.centered": [True, False]}
    series = [{"name": "HALP of 8 bits for names", "algorithm": "halp", "datapath": "halp8", "vary": names}]
    study = write(tmp_path, series=series, seeds=[0])
    wide, narrow = (process(tmp_path, "explore", study, "--all", COLUMNS=columns).out for columns in ("200", "60"))
    shown = re.findall(r"(\S+) +([\d,]+) +(\w+)\s*$", wide, re.MULTILINE)  # the last columns are gates and state
    assert len(shown) == 4
    assert re.findall(r"([\d,]+) +(\w+)\s*$", narrow, re.MULTILINE) == [(gates, state) for _, gates, state in shown]
    assert max(map(len, narrow.split("records:")[0].splitlines())) <= 60


def test_a_study_without_a_point_on_the_front_says_so(explore):
    common = {"step": 1.0, "epoch_length": 100, "epochs": 3}
    series = [{"name": "HALP", "algorithm": "halp", "datapath": "halp12", "set": {"mu": 1.0}}]
    outcome = explore(common=common, series=series)
    assert (outcome.code, outcome.err) == (0, "")
    assert "no point is on the Pareto front: all diverged (--all shows them)\n" in outcome.out
    assert "gradient" not in outcome.out.splitlines()[1]


BAD_STUDIES = {
    "no points": (SMALL | {"series": []}, "small.toml: series: got none; allowed: at least one [[series]] table"),
    "contradictory axes": (
        SMALL | {"series": [SMALL["series"][0] | {"set": {"mu": 1.0}}]},
        "small.toml: series 1: mu: got it under set and tune; allowed: one of them"),
    "class labels under least squares": (SMALL | {"data": {"source": "cats.csv"}}, "loss: got least_squares on class "),
    "unknown key": (SMALL | {"epochs": 3}, "small.toml: epochs: got an unknown field; allowed: name, about, "),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_STUDIES)
def test_a_bad_study_ends_in_one_line(program, tmp_path, case):
    table, message = BAD_STUDIES[case]
    (tmp_path / "cats.csv").write_text("1,2,cat\n3,4,dog\n", encoding="utf-8")
    (tmp_path / "small.toml").write_text(tomli_w.dumps(table), encoding="utf-8")
    assert_refused(program("explore", "small.toml"), message)


def test_the_folder_of_another_study_is_refused_and_left_alone(explore, tmp_path):
    assert explore("--out", "x").code == 0
    before = contents(tmp_path / "x")
    outcome = explore("--out", "x", name="other")
    assert_refused(outcome, "out: got x, the folder of study 'small'; allowed: another folder for 'other'")
    assert contents(tmp_path / "x") == before


def test_a_folder_with_other_files_is_refused(explore, tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "thesis.tex").write_text("mine", encoding="utf-8")
    assert_refused(explore("--out", "x"), "out: got x, which holds other files; allowed: a new, empty or this study's ")
    assert sorted(path.name for path in (tmp_path / "x").iterdir() if path.name != ".lock") == ["thesis.tex"]


def test_a_record_that_somebody_broke_is_refused_and_nothing_changed(explore, tmp_path):
    explore("--out", "x")
    path = tmp_path / "x" / "records.jsonl"
    content = path.read_bytes().replace(b"}", b"", 1)
    path.write_bytes(content)
    assert_refused(explore("--out", "x"), "x/records.jsonl, line 1: got ")
    assert path.read_bytes() == content


@pytest.mark.parametrize("arguments", [("--json", "no/such/x.json"), ("--json", "folder"), ("--out", "small.toml")])
def test_an_output_that_cannot_be_written_is_refused_before_any_run(explore, tmp_path, counted, arguments):
    (tmp_path / "folder").mkdir()
    assert_refused(explore(*arguments), f"{arguments[1]}: got ")
    assert not counted
    assert not (tmp_path / "explore").exists()


@pytest.mark.parametrize("jobs", ["0", "-1", "many"])
def test_a_number_of_processes_is_at_least_one(program, tmp_path, jobs):
    outcome = program("explore", write(tmp_path), "--jobs", jobs)
    assert (outcome.code, outcome.out) == (2, "")
    allowed = "a whole number" if jobs == "many" else "at least 1"
    assert outcome.err == f"error: jobs: got '{jobs}'; allowed: {allowed}\n"


def test_a_second_process_is_refused_and_the_first_goes_on(program, process, tmp_path):
    """While the first has the folder open, as during a run."""
    study = write(tmp_path)
    with opened(tmp_path / "explore/small", "small", (tmp_path / study).read_text(encoding="utf-8")) as store:
        store.records.append({"key": "first"})
        message = "explore/small: got a folder in use by another process; allowed: one process a study"
        assert_refused(process(tmp_path, "explore", study), message)
        store.records.append({"key": "second"})
    assert [record["key"] for record in records_of(tmp_path / "explore/small")] == ["first", "second"]


def test_a_full_disk_ends_in_one_line_and_keeps_every_record_before(program, tmp_path):
    """A limit on the size of files stands in for the disk: the process gets as far as there is room, and no further."""
    study = write(tmp_path)
    assert program("explore", study, "--jobs", 1, "--out", "whole").code == 0
    whole = (tmp_path / "whole" / "records.jsonl").read_bytes().splitlines(keepends=True)
    room = len(b"".join(whole[:3])) + 100
    code = (
        f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, resource.RLIM_INFINITY));"
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); sys.argv[0] = 'bittrue'; import bittrue; bittrue.main()"
    )
    command = [sys.executable, "-c", code, "explore", study, "--jobs", "1", "--out", "x"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert re.fullmatch(r"error: x/records.jsonl: got [^;\n]+; allowed: a file that can be written\n", ended.stderr)
    assert (tmp_path / "x" / "records.jsonl").read_bytes() == b"".join(whole[:3])
    assert program("explore", study, "--jobs", 1, "--out", "x").code == 0  # there is room again
    assert records_of(tmp_path / "x") == records_of(tmp_path / "whole")


ROOT = bt.__file__.rpartition("/")[0]


def test_a_worker_that_is_ended_from_outside_is_one_error(program, tmp_path):
    """As by a system that ran out of memory; what was recorded stays, and the same command goes on."""
    study = write(tmp_path)
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); import bittrue\n"
        "import os, reports.explorer as explorer\n"
        "def gone(run):\n"
        "    os._exit(9)\n"
        "explorer.record_of = gone\n"
        "sys.argv[0] = 'bittrue'; bittrue.main()\n"
    )
    command = [sys.executable, "-c", code, "explore", study, "--jobs", "2"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "error: jobs: got a process that was ended from outside" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert program("explore", study, "--jobs", 1).code == 0
