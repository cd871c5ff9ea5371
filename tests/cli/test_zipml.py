"""ZipML on the command line: options reach the run, studies load, wrong ones are refused in one line."""

import json

import numpy as np
import pytest

import bittrue as bt
from reports.study import Study

SHORT = ("--data", "diabetes", "--epochs", 2, "--epoch-length", 40, "--json", "run.json")


@pytest.mark.parametrize(
    ("arguments", "own"),
    [
        (("zipml4", "--algorithm", "zipml", "--sampling", "naive", "--sample-bits", 3, "--levels", "optimal"),
         {"delta": 1.0, "sampling": "naive", "sample_bits": 3, "levels": "optimal"}),
        (("zipml4", "--algorithm", "halp_zipml", "--sample-bits", 2), {"mu": 0.25, "sample_bits": 2}),
        (("--algorithm", "zipml_float", "--model-bits", 8, "--gradient-bits", 6, "--averaged"),
         {"model_bits": 8, "gradient_bits": 6, "averaged": True}),
        (("--algorithm", "zipml_float", "--sampling", "polynomial", "--degree", 3, "--radius", 2.5),
         {"sampling": "polynomial", "degree": 3, "radius": 2.5}),
    ],
)  # fmt: skip
def test_options_reach_the_run(program, tmp_path, arguments, own):
    assert program("train", *arguments, *SHORT).code == 0
    run = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    assert {name: run["parameters"][name] for name in own} == own
    path = bt.TrainingDatapath.preset("zipml4") if arguments[0] == "zipml4" else None
    problem, settings = bt.load("diabetes")
    trace = bt.train(problem, run["algorithm"], path, step=settings.step, epoch_length=40, epochs=2, **own)
    assert run["w"] == trace.w.tolist()


def test_a_run_tells_how_many_rows_it_fetched(program):
    outcome = program("train", "--algorithm", "zipml_float", "--sampling", "refetch", "--sample-bits", 2,
                      "--loss", "hinge", "--data", "breast_cancer", "--epochs", 2, "--epoch-length", 40)  # fmt: skip
    assert outcome.code == 0
    assert "100 % of the last epoch's rows refetched" in " ".join(outcome.out.split())


def test_a_wrong_option_ends_in_one_line(program):
    outcome = program("train", "zipml4", "--algorithm", "zipml", "--sampling", "symmetric", *SHORT)
    assert outcome.code == 2
    assert "sampling: got symmetric; allowed: double, naive" in outcome.err
    outcome = program("train", "--sample-bits", 3, *SHORT)
    assert outcome.code == 2
    assert "sample_bits: got 3; allowed: none, since halp has no such parameter" in outcome.err


@pytest.mark.parametrize(
    ("name", "algorithms", "key", "kinds"),
    [
        ("zipml-linear", {"zipml", "halp_zipml", "zipml_float"}, "sampling", {"double", "naive", "symmetric", "full"}),
        ("zipml-levels", {"zipml", "zipml_float"}, "levels", {"uniform", "optimal"}),
        ("zipml-nonlinear", {"zipml_float"}, "sampling", {"double", "nearest", "polynomial", "full"}),
    ],
)
def test_the_shipped_studies_name_what_they_compare(name, algorithms, key, kinds):
    study = Study.load(name)
    assert {point.algorithm for point in study.points} == algorithms
    default = {"sampling": "double", "levels": "uniform"}[key]
    assert {str(point.parameters.get(key, default)) for point in study.points} == kinds
    assert len({run.key for run in study.runs}) == 3 * len(study.points)


RUNS = {
    "float": ("--algorithm", "zipml_float", "--sample-bits", 3),
    "float optimal": ("--algorithm", "zipml_float", "--levels", "optimal", "--sample-bits", 8),
    "engine": ("zipml4", "--algorithm", "zipml", "--delta", 0.01),
    "engine optimal": ("zipml4", "--algorithm", "zipml", "--delta", 0.01, "--levels", "optimal", "--sample-bits", 4),
    "halp": ("zipml4", "--algorithm", "halp_zipml", "--mu", 1.0),
}


@pytest.fixture
def on_rows(program, tmp_path):
    """Train on rows of a CSV file: `on_rows(features, *arguments)`; the targets are sums of the features."""

    def run(features, *arguments):
        rows = np.column_stack([features, np.sum(features, axis=1)])
        (tmp_path / "rows.csv").write_text("\n".join(",".join(map(str, row)) for row in rows), encoding="utf-8")
        return program("train", *arguments, "--data", tmp_path / "rows.csv", "--loss", "least_squares", "--step", 0.02,
                       "--epochs", 3, "--epoch-length", 60, "--json", "run.json")  # fmt: skip

    return run


@pytest.mark.parametrize("kind", RUNS)
@pytest.mark.parametrize("case", ["zero column", "constant column", "fewer values than levels"])
def test_odd_columns_train(on_rows, tmp_path, kind, case):
    values = np.random.default_rng(0)
    odd = {"zero column": np.zeros(40), "constant column": np.full(40, 0.5),
           "fewer values than levels": values.integers(0, 2, 40)}[case]  # fmt: skip
    outcome = on_rows(np.column_stack([values.uniform(-1, 1, 40), odd]), *RUNS[kind])
    assert (outcome.code, outcome.err) == (0, "")
    run = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    assert np.isfinite(run["w"]).all()
    assert run["epochs"][-1]["loss"] < run["epochs"][0]["loss"]
    if case == "zero column" and kind != "halp":
        assert run["w"][1] == 0.0  # nothing pulls at it


@pytest.mark.parametrize("kind", RUNS)
@pytest.mark.parametrize(
    ("features", "message"),
    [
        (np.zeros((5, 2)), "rows: got only constant columns over 5 training row(s); allowed: at least one column that"),
        ([[1.0, 2.0]], "rows: got only constant columns over 1 training row(s); allowed: at least one column that"),
        (np.zeros((5, 0)), "rows.csv: got 1 cell in the first line; allowed: at least 2 cells a line"),
    ],
    ids=["zeros", "a single row", "no column"],
)
def test_rows_from_which_nothing_can_be_learned_are_refused_in_one_line(on_rows, kind, features, message):
    outcome = on_rows(features, *RUNS[kind])
    assert outcome.code == 2
    assert outcome.err.startswith("error: ")
    assert message in outcome.err
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize("bits", [0, 9, -1])
@pytest.mark.parametrize("kind", ["float", "engine"])
def test_bits_outside_1_to_8_are_refused_in_one_line(on_rows, kind, bits):
    arguments = [*RUNS[kind], "--sample-bits", bits]
    outcome = on_rows(np.random.default_rng(0).uniform(-1, 1, (20, 2)), *arguments)
    assert (outcome.code, outcome.err) == (2, f"error: sample_bits: got {bits}; allowed: a whole number from 1 to 8\n")
