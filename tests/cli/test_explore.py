"""`bittrue explore`: which model width reaches what gradient norm, and what it costs."""

import json
import math
import re
from itertools import pairwise

import pytest
from matplotlib.image import imread

import bittrue as bt
from algorithms.data import Settings
from reports.widths import MU_FACTORS, WIDTHS, WidthPoint, draw_widths, explore_widths, with_model_width

STATES = {str(state) for state in bt.State}


@pytest.fixture(scope="module")
def explored(process, tmp_path_factory):
    """The whole program, once: all widths on the smaller data set."""
    folder = tmp_path_factory.mktemp("explore")
    outcome = process(folder, "explore", "--data", "diabetes", "--seeds", 1, "--json", "runs.json", COLUMNS="160")
    return folder, outcome, json.loads((folder / "runs.json").read_text(encoding="utf-8"))


def rows_of(table):
    """The cells of the lines that begin with a width."""
    return [line.split() for line in table.splitlines() if re.match(r" *\d+ ", line)]


def test_every_width_has_a_line_that_says_what_its_runs_did(explored):
    _, outcome, runs = explored
    assert outcome.code == 0
    rows = rows_of(outcome.out)
    assert [int(row[0]) for row in rows] == [point["width"] for point in runs["widths"]] == list(range(4, 17))
    for row, point in zip(rows, runs["widths"], strict=True):
        norm = point["runs"][0]["epochs"][-1]["gradient_norm"]
        assert row[1:5] == [f"{point['mu']:g}", *[f"{norm:.3g}"] * 3]  # one seed: median, lowest, highest
        assert row[5:7] == [f"{point['gates']:,}", f"{point['bits']:,}"]
        assert row[7] == point["state"] == point["runs"][0]["state"]
        assert row[7] in STATES


def test_the_head_names_the_start_and_what_float64_reaches(explored):
    _, outcome, runs = explored
    head = " ".join(outcome.out.split("model bits")[0].split())
    norms = [record["gradient_norm"] for record in runs["baseline"]["epochs"]]
    assert runs["baseline"]["algorithm"] == "svrg"
    assert f"gradient norm at the start {norms[0]:.4g}, float64 SVRG at the end {norms[-1]:.3g}" in head
    assert "diabetes, 8-bit data, 16-bit coefficient, 40 epochs of 884 steps" in head


def test_gates_are_called_an_estimate(explored):
    _, outcome, _ = explored
    assert "unit gates: estimate, uncalibrated" in outcome.out


def test_the_picture_is_drawn(explored):
    folder, outcome, _ = explored
    assert outcome.out.endswith("runs: runs.json\nfigure: explore.png\n")
    assert (folder / "explore.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    picture = imread(folder / "explore.png")
    assert picture.shape == (630, 2070, 4)  # three axes of 4.6 by 4.2 inches at 150 dots
    assert picture.std() > 0.05


def test_gates_and_bits_rise_with_every_bit_of_the_model(explored):
    _, _, runs = explored
    for cost in ("gates", "bits"):
        costs = [point[cost] for point in runs["widths"]]
        assert all(narrow < wide for narrow, wide in pairwise(costs)), cost


def test_a_run_shown_can_be_made_again_from_its_record(explored):
    _, _, runs = explored
    point = runs["widths"][3]
    record = point["runs"][0]
    problem, _ = bt.load(record["data"])
    path = with_model_width(bt.TrainingDatapath.preset("halp12"), point["width"])
    again = bt.train(problem, record["algorithm"], path, **record["parameters"])
    assert json.loads(json.dumps(again.to_dict())) == record


def test_wider_models_reach_smaller_gradient_norms():
    problem, settings = bt.load("reference")
    points = explore_widths(problem, settings, bt.TrainingDatapath.preset("halp12"), widths=(4, 6, 8, 12), seeds=1)
    medians = [point.median for point in points]
    assert all(10 * wide < narrow for narrow, wide in pairwise(medians)), medians
    assert (points[0].state, points[-1].state) == ("diverged", "converged")


def test_each_width_keeps_the_mu_of_the_lowest_median_over_the_seeds():
    problem, given = bt.load("diabetes")
    settings = Settings(given.step, 100, 3, given.mu)
    base = bt.TrainingDatapath.preset("halp12")
    told = []
    points = explore_widths(problem, settings, base, widths=(6, 9), seeds=3, on_width=told.append)
    assert told == points
    for point in points:
        medians = {}
        for factor in MU_FACTORS:
            mu = given.mu * factor
            finals = sorted(
                bt.train(problem, "halp", point.datapath, step=given.step, epoch_length=100, epochs=3, mu=mu, seed=seed)
                .gradient_norms[-1]
                for seed in range(3)
            )  # fmt: skip
            medians[mu] = finals[1]
        assert point.mu == min(medians, key=medians.get)
        assert point.median == medians[point.mu]
        assert len({trace.parameters["seed"] for trace in point.traces}) == 3


@pytest.mark.parametrize("preset", bt.preset_names())
def test_increments_products_and_accumulator_keep_up_with_the_model(preset):
    """An increment spans a quarter of the model, a product loses a bit less for each bit past 8, no dot overflows."""
    base = bt.TrainingDatapath.preset(preset)
    for width in WIDTHS:
        path = with_model_width(base, width)
        assert path.product.cut == min(base.product.cut, max(base.product.cut + 8 - width, 0))
        assert path.model.width == width
        assert path.increment.width - path.increment.fraction >= width - 2
        assert not bt.analyse(path, columns=100)["t"].may_overflow


def lost(seed: int, *norms: float) -> bt.Trace:
    """A run whose gradient norm went through the given values."""
    path = with_model_width(bt.TrainingDatapath.preset("halp12"), 5)
    records = [bt.EpochRecord(epoch, loss=norm, gradient_norm=norm) for epoch, norm in enumerate(norms)]
    return bt.Trace("halp", "diabetes", {"seed": seed}, path, records)


def test_runs_that_diverged_past_all_numbers_count_as_infinite_and_can_be_drawn(tmp_path):
    """NaN never wins a minimum, nor becomes a number in the picture (a warning would be an error here)."""
    runs = (lost(0, 9.0, math.nan), lost(1, 9.0, 12.0, math.inf), lost(2, 9.0, 4.0, 2.0))
    point = WidthPoint(runs[0].datapath, 1.0, runs, gates=1, bits=1)
    assert (point.finals, point.median, point.state) == ([math.inf, math.inf, 2.0], math.inf, "diverged")
    draw_widths([point], lost(0, 9.0, 5.0, 1.0), tmp_path / "lost.png")
    assert imread(tmp_path / "lost.png").std() > 0.05


def test_the_state_of_a_width_is_that_of_most_runs_and_the_worse_of_two():
    good, bad = lost(0, 9.0, 1e-3), lost(1, 9.0, 10.0)
    for runs, state in (((good, good, bad), "converged"), ((bad, good, bad), "diverged"), ((good, bad), "diverged")):
        assert WidthPoint(good.datapath, 1.0, runs, gates=1, bits=1).state == state
