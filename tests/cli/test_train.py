"""`bittrue train`: from a TOML file through the engine to table, JSON and picture."""

import json
import struct

import numpy as np
import pytest
from matplotlib.image import imread

import bittrue as bt
from algorithms.data import load_problem, prepare
from algorithms.samples import DataSpec
from algorithms.training import ALGORITHMS
from reports.files import write_json

SHORT = ("--data", "diabetes", "--epochs", 3, "--epoch-length", 40)
NARROW = """
accumulator = {width = 10}
coefficient = {width = 6}
increment = {width = 12, fraction = 10}
"""
MINE = """
name = "mine"
lanes = 4
data = { width = 6 }
model = { width = 10, random_bits = 16 }
"""


def refuse(constant):
    raise AssertionError(f"{constant} is no JSON")


def read_json(path):
    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)


def rows_of(table):
    """The cells of the lines that begin with an epoch's number."""
    return [line.split() for line in table.splitlines() if line.split()[:1] and line.split()[0].isdigit()]


def test_toml_becomes_table_json_and_picture(program, tmp_path):
    (tmp_path / "mine.toml").write_text(MINE, encoding="utf-8")
    outcome = program("train", "mine.toml", *SHORT, "--json", "run.json", "--figure", "run.png")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith("halp on diabetes (442, 10), datapath mine\n")
    assert outcome.out.endswith("trace: run.json\nfigure: run.png\n")

    run = read_json(tmp_path / "run.json")
    assert (run["algorithm"], run["data"], run["arithmetic_version"]) == ("halp", "diabetes", bt.ARITHMETIC_VERSION)
    assert run["datapath"]["name"] == "mine"
    assert (run["datapath"]["data"]["width"], run["datapath"]["model"]["width"], run["datapath"]["lanes"]) == (6, 10, 4)
    assert [record["epoch"] for record in run["epochs"]] == [0, 1, 2, 3]
    assert len(run["w"]) == 10

    picture = (tmp_path / "run.png").read_bytes()
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", picture[16:24]) == (2 * 825, 630)  # two axes of 5.5 by 4.2 inches at 150 dots
    assert imread(tmp_path / "run.png").std() > 0.05  # something is drawn on it


@pytest.mark.parametrize("name", bt.preset_names())
def test_every_preset_trains_by_its_name(program, tmp_path, name):
    outcome = program("train", name, "--data", "diabetes", "--epochs", 1, "--epoch-length", 20, "--json", "run.json")
    assert outcome.code == 0
    assert f"datapath {name}\n" in outcome.out
    assert read_json(tmp_path / "run.json")["datapath"]["name"] == name


@pytest.mark.parametrize("data", ["reference", "digits"])
@pytest.mark.parametrize("algorithm", bt.algorithm_names())
def test_the_program_is_the_library_at_the_settings_of_the_data_set(program, tmp_path, algorithm, data):
    outcome = program("train", "--algorithm", algorithm, "--data", data, "--epochs", 2, "--json", "run.json")
    assert (outcome.code, outcome.err) == (0, "")
    problem, settings = bt.load(data)
    on_engine = ALGORITHMS[algorithm].on_engine
    own = {name: getattr(settings, name) for name in ("mu", "delta") if name in ALGORITHMS[algorithm].own}
    path = bt.TrainingDatapath.preset("halp8") if on_engine else None
    trace = bt.train(problem, algorithm, path, step=settings.step, epoch_length=settings.epoch_length, epochs=2, **own)
    assert read_json(tmp_path / "run.json") == json.loads(json.dumps(trace.to_dict()))
    assert ("one-vs-rest" in outcome.out) == (data == "digits")


@pytest.mark.parametrize(("data", "state"), [("reference", "converged"), ("diabetes", "converged")])
@pytest.mark.parametrize("algorithm", ["halp", "svrg"])
def test_at_its_settings_a_regression_converges(program, algorithm, data, state):
    outcome = program("train", "--algorithm", algorithm, "--data", data)
    assert (outcome.code, f"\n{state}: gradient norm " in outcome.out) == (0, True)


def test_options_reach_the_run(program, tmp_path):
    values = {"step": 0.005, "epoch_length": 30, "epochs": 2, "mu": 0.7, "seed": 11, "backend": "reference"}
    options = [part for name, value in values.items() for part in (f"--{name.replace('_', '-')}", value)]
    assert program("train", "--data", "diabetes", *options, "--json", "run.json").code == 0
    own = {"option": "I", "power_of_two": False}
    assert read_json(tmp_path / "run.json")["parameters"] == {**values, **own}


def test_a_file_and_options_of_data_reach_the_run(program, tmp_path):
    rows = np.random.default_rng(0).normal(2.0, 3.0, size=(30, 4)).round(3)
    labels = np.where(rows[:, 0] > 2.0, "yes", "no")
    table = [("a", "b", "c", "d", "kind"), *((*row, label) for row, label in zip(rows, labels, strict=True))]
    (tmp_path / "d.csv").write_text("\n".join(",".join(map(str, row)) for row in table), encoding="utf-8")
    outcome = program(
        "train", "--data", "d.csv", "--target", "kind", "--loss", "logistic", "--ridge", 0.25, "--center",
        "--scale", "unit_variance", "--bias", "--held-out", "fold", "--step", 0.01, "--epoch-length", 20,
        "--epochs", 2, "--mu", 1, "--json", "run.json",
    )  # fmt: skip
    assert (outcome.code, outcome.err) == (0, "")
    assert "(24, 5)" in outcome.out.splitlines()[0]  # four of five folds, and the column of ones
    spec = DataSpec(
        source="d.csv", target="kind", center=True, scale="unit_variance", bias=True, held_out="fold"
    )  # fmt: skip
    problem = load_problem(spec, "logistic", 0.25)
    path = bt.TrainingDatapath.preset("halp8")
    trace = bt.train(problem, "halp", path, step=0.01, epoch_length=20, epochs=2, mu=1.0)
    assert read_json(tmp_path / "run.json") == json.loads(json.dumps(trace.to_dict()))
    assert trace.accuracy is not None


def test_step_and_length_of_theory(program, tmp_path):
    options = ("--data", "diabetes", "--ridge", 0.5, "--gamma", 0.5, "--epochs", 1, "--json", "run.json")
    assert program("train", "--algorithm", "svrg", *options).code == 0
    problem, _ = prepare("diabetes", ridge=0.5)
    trace = bt.train(problem, "svrg", gamma=0.5, epochs=1)
    assert read_json(tmp_path / "run.json")["parameters"] == trace.parameters
    assert trace.parameters["epoch_length"] > 1


def test_reference_and_kernel_give_the_same_run(program, tmp_path):
    for backend in ("reference", "kernel"):
        arguments = ("--data", "diabetes", "--epochs", 2, "--epoch-length", 60, "--backend", backend)
        assert program("train", "halp8_blocks", *arguments, "--json", f"{backend}.json").code == 0
    reference, kernel = (read_json(tmp_path / f"{backend}.json") for backend in ("reference", "kernel"))
    assert reference["parameters"].pop("backend") != kernel["parameters"].pop("backend")
    assert reference == kernel


def test_a_run_can_be_replayed_from_its_seed(program, tmp_path):
    for name, seed in (("first", 3), ("again", 3), ("other", 4)):
        assert program("train", *SHORT, "--seed", seed, "--json", f"{name}.json").code == 0
    first, again, other = ((tmp_path / f"{name}.json").read_bytes() for name in ("first", "again", "other"))
    assert first == again
    assert read_json(tmp_path / "first.json")["w"] != read_json(tmp_path / "other.json")["w"]
    assert first != other


def test_the_table_shows_every_epoch_with_its_overflows_and_the_last_line_how_it_ended(program, tmp_path):
    (tmp_path / "narrow.toml").write_text(NARROW, encoding="utf-8")
    outcome = program(
        "train", "narrow.toml", *SHORT, "--epoch-length", 100, "--step", 0.3, "--mu", 4, "--json", "run.json"
    )
    run = read_json(tmp_path / "run.json")
    rows = rows_of(outcome.out)
    assert [row[:3] for row in rows] == [
        [str(record["epoch"]), f"{record['loss']:.6g}", f"{record['gradient_norm']:.4g}"] for record in run["epochs"]
    ]
    for row, record in zip(rows[:-1], run["epochs"], strict=False):
        counts = [record["counts"][stage] for stage in ("h", "coefficient", "increment", "model", "accumulator")]
        assert len({0, *counts[1:]}) == 5  # every register of the engine overflows, each its own number of times
        assert row[3:] == [f"{record['scale']:.3g}", *map(str, counts), f"{record['cycles']:,}"]
    assert set(rows[-1][3:]) == {"–"}  # no inner loop after the last epoch
    first, last = rows[0][2], rows[-1][2]
    cycles = sum(record["cycles"] for record in run["epochs"])
    assert f"{run['state']}: gradient norm {first} → {last} in 3 epochs, {cycles:,} cycles\n" in outcome.out


def test_svrg_has_no_datapath_and_says_so(program, tmp_path):
    outcome = program("train", "--algorithm", "svrg", *SHORT, "--json", "run.json")
    assert outcome.out.startswith("svrg on diabetes (442, 10), float64\n")
    assert all(set(row[3:]) == {"–"} for row in rows_of(outcome.out))
    run = read_json(tmp_path / "run.json")
    assert run["datapath"] is None
    assert all(record["scale"] is None for record in run["epochs"])


def test_a_diverged_run_is_called_so_and_its_json_has_no_nan(program, tmp_path):
    outcome = program("train", "--algorithm", "svrg", "--data", "diabetes", "--step", 1e6, "--json", "run.json")
    assert (outcome.code, outcome.err) == (0, "")
    assert "diverged: " in outcome.out
    run = read_json(tmp_path / "run.json")
    assert run["state"] == "diverged"
    assert run["epochs"][-1]["gradient_norm"] is None  # not finite, hence not a number
    assert (tmp_path / "train.png").read_bytes().startswith(b"\x89PNG")


def test_what_is_no_number_is_never_written(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "run.json", {"loss": float("nan")})
    assert not (tmp_path / "run.json").exists()


@pytest.mark.slow
def test_only_the_first_run_after_an_install_tells_that_it_compiles(process, tmp_path):
    def train():
        arguments = ("train", "--data", "diabetes", "--epochs", 1, "--epoch-length", 1)
        return process(tmp_path, *arguments, NUMBA_CACHE_DIR=str(tmp_path / "cache"))

    first, second = train(), train()
    assert (first.code, first.err, first.compiled) == (0, "", 1)
    assert (second.code, second.err, second.compiled) == (0, "", 0)
    assert first.out == second.out
