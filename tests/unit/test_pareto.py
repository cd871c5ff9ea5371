"""What is made of records: the front by its definition, the tuned choice, states, and what is no number."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

import bittrue as bt
from algorithms.training import link_of
from reports.exploration import draw_curves, exploration_table, headline, summary
from reports.explore_command import circuit_line
from reports.explorer import REFUSED, solved
from reports.files import write_json
from reports.pareto import STATES, Outcome, front, outcomes, paired_difference
from reports.sample_figures import draw_convergence, draw_samples, sample_bits, stored_bits
from reports.store import opened
from reports.study import OBJECTIVES, Study
from reports.tradeoffs import draw_tradeoffs

TABLE = {
    "name": "small",
    "loss": "logistic",
    "seeds": [0, 1, 2],
    "objectives": ["gradient_norm", "gates"],
    "data": {"source": "breast_cancer", "held_out": "fold"},
    "common": {"step": 0.01, "epoch_length": 10, "epochs": 2},
    "series": [
        {"name": "HALP", "algorithm": "halp", "datapath": "halp12", "vary": {"model.width": [6, 8]},
         "tune": {"mu": [0.25, 1.0, 4.0]}},
        {"name": "SVRG", "algorithm": "svrg"},
        {"name": "SVRG32", "algorithm": "svrg32"},
    ],
}  # fmt: skip


def study_of(**changes):
    return Study.parse(tomli_w.dumps(TABLE | changes), "s.toml")


STUDY = study_of()


def epoch(norm=1.0, loss=1.0, accuracy=0.5, cycles=10, bytes_moved=100, steps=10):
    return {"gradient_norm": norm, "loss": loss, "accuracy": accuracy, "cycles": cycles, "bytes_moved": bytes_moved,
            "steps": steps}  # fmt: skip


def record(run, *epochs, state="running"):
    return {"key": run.key, "state": state, "epochs": list(epochs), "shape": [455, 30], "one_vs_rest": 0,
            "problem": run.problem, "seed": run.seed, "reason": "no"}  # fmt: skip


def runs_of(point, study=STUDY):
    return [run for run in study.runs if run.point is point]


def outcome_of(records, point=STUDY.points[0], minima=None):
    return Outcome(point, records, [0.0] * len(records) if minima is None else minima)


def store_of(records, study=STUDY, minima=None, repeated=None):
    keys = {solved(run).key for run in study.runs}
    lines = [{"key": key, "minimum": 0.0} for key in keys] if minima is None else minima
    return SimpleNamespace(by_key={r["key"]: r for r in records}, minima=SimpleNamespace(entries=lines),
                           repeated=lambda _: repeated or {})  # fmt: skip


# The front


class Candidate(SimpleNamespace):
    """A point that is nothing but its state and objectives."""

    def value(self, objective):
        return self.values[objective]


numbers = st.one_of(st.integers(0, 4).map(float), st.sampled_from([math.nan, math.inf, -math.inf]))


@st.composite
def candidates(draw):
    names = OBJECTIVES[: draw(st.integers(1, 3))]
    values = st.fixed_dictionaries(dict.fromkeys(names, numbers))
    return names, draw(st.lists(st.builds(Candidate, state=st.sampled_from(STATES), values=values), max_size=9))


@given(candidates())
def test_the_front_is_what_no_other_point_beats(case):
    """By definition: q beats p if it is nowhere worse and somewhere better. Only points with numbers take part."""
    names, points = case
    taking_part = [
        p for p in points if p.state not in ("diverged", REFUSED) and all(abs(v) < math.inf for v in p.values.values())
    ]

    def beats(q, p):
        nowhere_worse = all(q.values[n] <= p.values[n] for n in names)
        return nowhere_worse and any(q.values[n] < p.values[n] for n in names)

    expected = [p for p in taking_part if not any(beats(q, p) for q in taking_part)]
    found = front(points, names)
    assert [id(p) for p in found] == [id(p) for p in expected]
    assert bool(found) == bool(taking_part)


def test_equal_points_are_all_on_the_front():
    points = [Candidate(state="running", values={"gates": 1.0}) for _ in range(3)]
    assert front(points, ["gates"]) == points


def test_a_point_that_diverged_beats_none():
    cheap = Candidate(state="diverged", values={"suboptimality": 0.0, "gates": 1.0})
    good = Candidate(state="running", values={"suboptimality": 0.5, "gates": 2.0})
    assert front([cheap, good], ["suboptimality", "gates"]) == [good]


# States


@given(st.lists(st.sampled_from(STATES), min_size=1, max_size=7))
def test_the_state_is_that_of_most_runs_and_of_equals_the_worst(states):
    found = outcome_of([{"state": state} for state in states]).state
    most = max(states.count(state) for state in STATES)
    assert found == [state for state in STATES if states.count(state) == most][-1]


def test_states_are_ordered_from_good_to_bad():
    assert STATES == ("converged", "running", "saturating", "biased", "frozen", "diverged", "refused")
    assert set(STATES) == {*map(str, bt.State), "refused"}


# Numbers


def test_finals_and_medians():
    norms = [[9.0, 3.0], [9.0, 1.0], [9.0, 8.0]]
    records = [record(run, *map(epoch, row)) for run, row in zip(runs_of(STUDY.points[0]), norms, strict=True)]
    outcome = outcome_of(records)
    assert outcome.finals("gradient_norm") == [3.0, 1.0, 8.0]
    assert outcome.value("gradient_norm") == 3.0
    np.testing.assert_array_equal(outcome.curves("gradient_norm"), norms)
    assert outcome.value("model_bits") == 6.0
    assert outcome.value("error") == 0.5
    assert outcome.value("cycles") == 20.0
    cost = bt.estimate(STUDY.points[0].datapath, 30, link_of("halp", STUDY.head.loss))
    assert outcome.value("gates") == cost.total_gates
    assert outcome.value("bits_moved") == 8 * 200 + cost.local_bits * 20


def test_suboptimality_is_relative_to_the_start_and_each_problem():
    runs = runs_of(STUDY.points[0])
    losses = (9, 2), (5, 1.5), (3, 2)
    records = [record(run, *(epoch(loss=loss) for loss in both)) for run, both in zip(runs, losses, strict=True)]
    outcome = outcome_of(records, minima=[1.0, 1.0, 1.0])
    np.testing.assert_allclose(outcome.curves("suboptimality"), [[1, 1 / 8], [1, 1 / 8], [1, 1 / 2]])
    assert outcome.value("suboptimality") == 1 / 8


@pytest.mark.parametrize("start", [1.0, 0.5])
def test_a_run_that_starts_at_the_minimum_has_no_suboptimality(start):
    """And no division by 0 (a warning would be an error here)."""
    run = runs_of(STUDY.points[0])[0]
    outcome = outcome_of([record(run, epoch(loss=start), epoch(loss=start))], minima=[1.0])
    assert np.isnan(outcome.curves("suboptimality")).all()


def test_a_run_that_diverged_past_all_numbers_counts_as_infinite():
    runs = runs_of(STUDY.points[0])
    good, bad = epoch(norm=0.25, loss=0.5), epoch(norm=None, loss=None, accuracy=None)
    two = [record(runs[0], epoch(), good), record(runs[1], epoch(), bad), record(runs[2], epoch(), good)]
    assert outcome_of(two).finals("gradient_norm") == [0.25, math.inf, 0.25]
    assert outcome_of(two).value("gradient_norm") == 0.25
    most = [record(run, epoch(), bad, state="diverged") for run in runs[:2]] + two[2:]
    assert outcome_of(most).value("gradient_norm") == outcome_of(most).value("suboptimality") == math.inf
    assert np.isnan(outcome_of(most).curves("loss")[0]).tolist() == [False, True]


def test_a_run_that_ended_early_has_its_own_end():
    """Converged to a gradient of 0 in its first epoch, beside one that took two."""
    runs = runs_of(STUDY.points[0])
    outcome = outcome_of([record(runs[0], epoch(5.0), epoch(0.0)), record(runs[1], *map(epoch, (5.0, 2.0, 1.0)))])
    assert outcome.finals("gradient_norm") == [0.0, 1.0]
    np.testing.assert_array_equal(outcome.curves("gradient_norm"), [[5.0, 0.0, np.nan], [5.0, 2.0, 1.0]])


def test_refused_runs_have_no_numbers_and_cost_their_gates_only():
    runs = runs_of(STUDY.points[0])
    outcome = outcome_of([record(run, state=REFUSED) for run in runs])
    assert outcome.state == REFUSED
    assert outcome.finals("gradient_norm") == [math.inf] * 3
    for objective in ("error", "cycles", "bits_moved"):
        assert math.isnan(outcome.value(objective)), objective
    assert outcome.value("gates") > 0
    assert front([outcome], ["gates"]) == []
    some = outcome_of([record(runs[0], state=REFUSED), *(record(run, epoch(), epoch(0.5)) for run in runs[1:])])
    assert (some.state, some.value("gradient_norm"), some.value("cycles")) == ("running", 0.5, 20.0)


def test_a_float_point_has_no_gates_nor_widths_but_moves_bits_of_its_words():
    double, single = STUDY.points[-2:]
    for point, bits in ((double, 64), (single, 32)):
        outcome = outcome_of([record(run, epoch(), epoch()) for run in runs_of(point)], point)
        assert outcome.cost is None
        assert all(math.isnan(outcome.value(name)) for name in ("gates", "model_bits", "cycles"))
        assert outcome.value("bits_moved") == 8 * 200 + 20 * 30 * 4 * bits


def test_zipml_in_floating_point_moves_rows_model_and_gradient_of_as_many_bits_as_it_says():
    """Each with its norms: one of the model, one for every 128 values of the gradient."""
    rounded = {"sample_bits": 8, "model_bits": 6, "gradient_bits": 4}
    series = [{"name": "full", "algorithm": "zipml_float", "set": {"sampling": "full"}},
              {"name": "rounded", "algorithm": "zipml_float", "set": rounded}]  # fmt: skip
    study = study_of(series=series)
    full, few = study.points
    for point, columns, bits in ((full, 30, 2 * 30 * 64), (few, 30, 30 * 10 + 2 * 64),
                                 (full, 300, 2 * 300 * 64), (few, 300, 300 * 10 + 4 * 64)):  # fmt: skip
        records = [record(run, epoch(), epoch()) | {"shape": [455, columns]} for run in runs_of(point, study)]
        assert outcome_of(records, point).value("bits_moved") == 8 * 200 + 20 * bits


# The choice of tuned values


def tuned_records(ends):
    """A record of every run; `ends` has the final norms of a point's runs by width and mu."""
    for run in STUDY.runs:
        key = run.point.varied.get("model.width"), run.point.tuned.get("mu")
        yield record(run, epoch(9.0), epoch(ends.get(key, (1.0,) * 3)[run.seed]))


def chosen(ends, minima=None):
    found = outcomes(STUDY, store_of(tuned_records(ends), minima=minima))
    return [(outcome.point.series, outcome.point.varied, outcome.point.tuned) for outcome in found]


def test_of_tuned_values_the_smallest_median_of_the_first_objective_counts():
    ends = {
        (6, 0.25): (5.0, 5.0, 0.1), (6, 1.0): (3.0, 3.0, 9.0), (6, 4.0): (4.0, 1.0, 9.0),
        (8, 0.25): (2.0, 2.0, 2.0), (8, 1.0): (2.0, 2.0, 2.0), (8, 4.0): (None, None, 1.0),
    }  # fmt: skip
    assert chosen(ends) == [
        ("HALP", {"model.width": 6}, {"mu": 1.0}),
        ("HALP", {"model.width": 8}, {"mu": 0.25}),  # the first of equals; what diverged is the last choice
        ("SVRG", {}, {}),
        ("SVRG32", {}, {}),
    ]


def test_where_all_tuned_values_diverged_the_first_stays():
    ends = {(6, mu): (None,) * 3 for mu in (0.25, 1.0, 4.0)}
    assert chosen(ends)[0] == ("HALP", {"model.width": 6}, {"mu": 0.25})


def test_the_first_objective_is_the_one_that_chooses():
    study = study_of(objectives=["error", "gradient_norm"])
    accuracy = {0.25: 0.7, 1.0: 0.9, 4.0: 0.8, None: 0.5}
    by_mu = ((run, run.point.tuned.get("mu")) for run in study.runs)
    records = [record(run, epoch(), epoch(norm=mu or 1.0, accuracy=accuracy[mu])) for run, mu in by_mu]
    found = outcomes(study, store_of(records, study))
    assert [outcome.point.tuned for outcome in found] == [{"mu": 1.0}, {"mu": 1.0}, {}, {}]


def test_points_without_a_record_are_left_out_and_others_keep_those_they_have():
    some = [record(run, epoch(), epoch()) for run in STUDY.runs if run.seed < 2 and run.point.algorithm != "svrg"]
    found = outcomes(STUDY, store_of(some))
    assert [(outcome.point.series, len(outcome.records)) for outcome in found] == [
        ("HALP", 2),
        ("HALP", 2),
        ("SVRG32", 2),
    ]
    assert outcomes(STUDY, store_of([])) == []


def test_records_of_other_runs_in_the_same_folder_do_not_count():
    """The study was changed since; its old records stay where they are."""
    others = [record(run, epoch(), epoch()) for run in study_of(ridge=0.5).runs]
    assert outcomes(STUDY, store_of(others)) == []


def test_each_record_has_the_minimum_of_its_problem():
    """That of the float runs is another than that of 8-bit samples; unknown and infinite ones are no number."""
    float_key, engine_key = (solved(runs_of(point)[0]).key for point in (STUDY.points[-1], STUDY.points[0]))
    assert float_key != engine_key
    minima = [{"key": engine_key, "minimum": 0.5}, {"key": float_key, "minimum": None}]
    found = outcomes(STUDY, store_of(tuned_records({}), minima=minima))
    assert found[0].minima == [0.5] * 3
    assert np.isnan(found[-1].minima).all()
    assert np.isnan(outcomes(STUDY, store_of(tuned_records({}), minima=[]))[0].minima).all()


# Paired differences


def pair(first, second, study=STUDY):
    points = study.points[0], study.points[-1]
    made = [
        outcome_of(
            [record(run, epoch(accuracy=end)) for run, end in zip(runs_of(point, study), ends, strict=True)], point
        )
        for point, ends in zip(points, (first, second), strict=True)
    ]
    return paired_difference(study, *made)


def test_differences_are_paired_by_seed():
    mean, error = pair([0.5, 0.75, 0.9], [0.25, 0.5, 0.8])
    differences = np.array([0.25, 0.25, 0.1])
    assert mean == pytest.approx(differences.mean())
    assert error == pytest.approx(differences.std(ddof=1) / math.sqrt(3))


def test_with_folds_the_overlap_of_training_parts_widens_the_error():
    """Nadeau and Bengio: (1/n + 1/(folds − 1))·s² in the place of s²/n."""
    study = study_of(data={"source": "breast_cancer", "held_out": "fold", "folds": 3}, splits=2, seeds=[0])
    first, second = [0.5, 0.75, 0.9, 0.8, 0.85, 0.7], [0.25, 0.5, 0.8, 0.8, 0.9, 0.75]
    mean, error = pair(first, second, study)
    differences = np.subtract(first, second)
    assert mean == pytest.approx(differences.mean())
    assert error == pytest.approx(math.sqrt((1 / 6 + 1 / 2) * differences.var(ddof=1)))


def test_one_pair_has_no_error():
    runs = [runs_of(point)[:1] for point in (STUDY.points[0], STUDY.points[-1])]
    made = [outcome_of([record(run, epoch()) for run in of], of[0].point) for of in runs]
    assert np.isnan(paired_difference(STUDY, *made)).all()


# Shown


EXTREMES = {
    "all refused": ([], REFUSED),
    "all diverged": ([epoch(9.0), epoch(None, None, None)], "diverged"),
    "gradient 0": ([epoch(0.0, 0.0)], "converged"),
    "past floats": ([epoch(1e300, 1e300), epoch(1e308, 1e308)], "diverged"),
}


@pytest.mark.parametrize("case", EXTREMES)
def test_extremes_can_be_shown_drawn_and_written(tmp_path, case):
    """No warning (an error here), and what is no number is none in the JSON file."""
    epochs, state = EXTREMES[case]
    study = study_of(baseline="SVRG")
    found = outcomes(study, store_of([record(run, *epochs, state=state) for run in study.runs], study))
    best = front(found, study.head.objectives)
    table = exploration_table(study, found, headline(study, found), 200)
    assert table.row_count == len(found) == 4
    draw_curves(study, found, tmp_path / "curves.png")
    draw_tradeoffs(study, found, best, tmp_path / "tradeoffs.png")
    write_json(tmp_path / "points.json", summary(study, found, best))
    for name in ("curves.png", "tradeoffs.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


def test_epochs_that_the_circuit_repeated_have_a_column():
    """A run that is marked but not recorded counts nowhere; without marks there is no column."""
    records = [record(run, *[epoch()] * 4) for run in STUDY.runs]
    of_first = runs_of(outcomes(STUDY, store_of(records))[0].point)
    marks = {of_first[0].key: 2, of_first[1].key: 9, "another study's": 3}
    found = outcomes(STUDY, store_of(records, repeated=marks))
    assert [outcome.co_simulated for outcome in found] == [2 + 3, *[0] * (len(found) - 1)]
    table = exploration_table(STUDY, found, "", 200)
    [column] = [column for column in table.columns if column.header == "on\ncircuit"]
    assert [str(cell) for cell in column.cells] == [f"5/{3 * len(of_first)}", *["–"] * (len(found) - 1)]
    assert "on circuit: epochs that it repeated word for word, of those of all runs" in str(table.caption)
    [first, *_] = summary(STUDY, found, [])["points"]
    assert (first["co_simulated_epochs"], first["epochs"]) == (5, 3 * len(of_first))
    assert "circuit" not in str(exploration_table(STUDY, outcomes(STUDY, store_of(records)), "", 200).caption)


def test_a_line_says_how_much_of_all_records_the_circuit_repeated(tmp_path):
    with opened(tmp_path, "mine", "") as store:
        for key in "abcd":
            store.records.append({"key": key, "problem": {}, "seed": 0, "shape": [1, 1], "one_vs_rest": 0,
                                  "state": "running", "epochs": [] if key == "d" else [epoch()] * 4})  # fmt: skip
        for key, epochs, circuit in (("a", 1, "new"), ("b", 3, "new"), ("c", 3, "old"), ("e", 3, "old")):
            store.checked.append({"key": key, "epochs": epochs, "co_simulated": True, "circuit": circuit})
        line = "repeated on the circuit: 4 of 9 epochs, 1 of 4 runs whole"
        assert circuit_line(store, "new") == f"{line}; 1 only on another circuit, whose sources differ"
        store.checked.append({"key": "c", "epochs": 3, "co_simulated": False, "circuit": "new"})
        assert circuit_line(store, "new") == line


def test_ends_and_variances_are_drawn_where_rows_are_sampled(tmp_path):
    path = tmp_path / "samples.png"
    assert not draw_samples(STUDY, [outcome_of([])], path)
    series = [{"name": "double", "algorithm": "zipml_float", "vary": {"sample_bits": [2, 4]}},
              {"name": "full", "algorithm": "zipml_float", "set": {"sampling": "full"}}]  # fmt: skip
    study = study_of(series=series)
    records = [record(run, epoch() | {"noise": 0.5}, epoch(0.1)) for run in study.runs]
    found = outcomes(study, store_of(records, study))
    assert [sample_bits(outcome) for outcome in found] == [2, 4, None]
    assert [stored_bits(outcome) for outcome in found] == [3, 5, None]
    curves = tmp_path / "convergence.png"
    for draw, file in ((draw_samples, path), (draw_convergence, curves)):
        assert draw(study, found, file)
        assert file.read_bytes().startswith(b"\x89PNG")
    assert not draw_convergence(study, found[:1], curves)  # one number of bits: curves.png has it


@pytest.fixture
def kept(monkeypatch):
    """Figures are kept, and not written."""
    figures = []
    for module in ("reports.sample_figures", "reports.tradeoffs"):
        monkeypatch.setattr(f"{module}.save", lambda figure, path: figures.append(figure))
    return figures


def texts_of(ax):
    return [text.get_text() for text in ax.texts]


def test_a_figure_says_on_which_data_and_how_many_runs_are_lost(kept):
    """One degree diverges in all runs, one in one of three; marks bear their degree."""
    series = [{"name": "polynomial", "algorithm": "zipml_float", "set": {"sampling": "polynomial", "sample_bits": 8},
               "vary": {"degree": [3, 5, 7]}}]  # fmt: skip
    study = study_of(series=series)
    worse = {point: k for k, point in zip((3, 0, 1), study.points, strict=True)}
    records = [record(run, epoch() | {"noise": 0.5}, epoch(math.nan if k < worse[point] else 0.1),
                      state="diverged" if k < worse[point] else "running")
               for point in study.points for k, run in enumerate(runs_of(point, study))]  # fmt: skip
    found = outcomes(study, store_of(records, study))
    draw_samples(study, found, None)
    draw_tradeoffs(study, found, [], None)
    samples, tradeoffs = kept
    assert samples.get_suptitle().splitlines() == [
        "small: breast_cancer (455 × 30), logistic, 3 runs a point",
        "medians over the runs, bars from the lowest to the highest",
    ]
    for ax in samples.axes[:2]:
        assert [text for text in texts_of(ax) if "degree" in text] == [
            "degree 5", "degree 7", "degree 3: 3 of 3 diverged", "degree 7: 1 of 3 diverged"
        ]  # fmt: skip
    legend = [text.get_text() for text in tradeoffs.legends[0].get_texts()]
    assert legend[-1] == "not drawn: polynomial degree 3, diverged"


def test_trade_offs_leave_out_what_no_point_has_and_tick_a_single_number_by_itself(kept):
    halp = {"name": "HALP", "algorithm": "halp", "datapath": "halp12", "set": {"mu": 1.0, "model.width": 6}}
    svrg = {"name": "SVRG", "algorithm": "svrg"}
    for series in ([svrg], [halp, svrg]):
        study = study_of(series=series)
        found = outcomes(study, store_of([record(run, epoch(), epoch(0.1)) for run in study.runs], study))
        draw_tradeoffs(study, found, [], None)
    [alone], [bits, _, gates] = (figure.axes for figure in kept)
    assert alone.get_xlabel().startswith("bits moved")
    assert [text.get_text() for text in bits.get_xticklabels()] == ["6"]
    assert [text.get_text() for text in gates.get_xticklabels()] == [f"{found[0].cost.total_gates:,}"]
