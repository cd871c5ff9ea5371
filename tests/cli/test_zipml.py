"""ZipML on the command line: options reach the run, studies load, wrong ones are refused in one line."""

import json

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
