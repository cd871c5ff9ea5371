"""A study's text becomes its points and runs; whatever contradicts itself is refused in one line when it is read."""

import copy
import itertools
import json
from dataclasses import replace

import pytest
import tomli_w

import bittrue as bt
from algorithms.data import load_problem
from algorithms.training import train
from reports.explorer import record_of
from reports.series import steps_of
from reports.shipped import study_names
from reports.study import Study

SMALL = {
    "name": "small",
    "seeds": [0, 1],
    "data": {"source": "diabetes"},
    "common": {"step": 0.01, "epoch_length": "N", "epochs": 2},
    "series": [
        {"name": "HALP", "algorithm": "halp", "datapath": "halp12", "vary": {"model.width": [6, 8]},
         "tune": {"mu": [0.25, 1.0]}},
        {"algorithm": "svrg"},
    ],
}  # fmt: skip
HALP, SVRG = 0, 1
MISSING = object()


def changed(*path, to):
    """The small study with another value at a path."""
    table = copy.deepcopy(SMALL)
    inner = table
    for part in path[:-1]:
        inner = inner[part] if isinstance(inner, list) else inner.setdefault(part, {})
    if to is MISSING:
        del inner[path[-1]]
    else:
        inner[path[-1]] = to
    return table


def parsed(table, source="s.toml"):
    return Study.parse(table if isinstance(table, str) else tomli_w.dumps(table), source)


def series(**fields):
    return changed("series", to=[{"algorithm": "halp", "datapath": "halp12", "set": {"mu": 1.0}} | fields])


def keys(table):
    return [run.key for run in parsed(table).runs]


TEXT = tomli_w.dumps(SMALL)
NO_LENGTHS = "N2", "-1N", "2.5N", "", "9" * 5000 + "N"
REFUSED = {
    "broken TOML": ("name = ", "s.toml: got broken TOML ("),
    "brackets 5000 deep": (f"name = {'[' * 5000}", "s.toml: got broken TOML ("),
    "a table twice": (TEXT + "\n[data]\nsource = 'digits'", "s.toml: got broken TOML ("),
    "nothing": ("", "s.toml: name: got ''; allowed: letters, digits, "),
    "unknown key": (changed("sede", to=[1]), "s.toml: sede: got an unknown field; allowed: name, about, loss, "),
    "a datapath": ("lanes = 4\ndata = {width = 8}", "s.toml: lanes: got an unknown field; allowed: name, "),
    "no name": (changed("name", to=MISSING), "s.toml: name: got ''; allowed: letters"),
    "name with a slash": (changed("name", to="a/b"), "s.toml: name: got 'a/b'; allowed: letters, digits, "),
    "name of a parent": (changed("name", to=".."), "s.toml: name: got '..'; allowed: "),
    "name as a number": (changed("name", to=3), "s.toml: name: got 3; allowed: text"),
    "unknown loss": (changed("loss", to="l1"), "s.toml: loss: got 'l1'; allowed: least_squares, logistic, "),
    "negative ridge": (changed("ridge", to=-1.0), "s.toml: ridge: got -1.0; allowed: a finite number of at least 0"),
    "ridge of nan": (changed("ridge", to=float("nan")), "s.toml: ridge: got nan; allowed: a finite number of at"),
    "ridge of inf": (changed("ridge", to=float("inf")), "s.toml: ridge: got inf; allowed: a finite number of at"),
    "no seed": (changed("seeds", to=[]), "s.toml: seeds: got []; allowed: different numbers from 0 to 2^62"),
    "a seed twice": (changed("seeds", to=[1, 1]), "s.toml: seeds: got [1, 1]; allowed: different numbers"),
    "a negative seed": (changed("seeds", to=[-1]), "s.toml: seeds: got [-1]; allowed: different numbers from 0"),
    "a seed past 62 bits": (changed("seeds", to=[1 << 62]), f"s.toml: seeds: got [{1 << 62}]; allowed: different"),
    "a seed as text": (changed("seeds", to=["1"]), "s.toml: seeds: got ['1']; allowed: whole numbers"),
    "a seed as a boolean": (changed("seeds", to=[True]), "s.toml: seeds: got [True]; allowed: whole numbers"),
    "seeds as a number": (changed("seeds", to=3), "s.toml: seeds: got 3; allowed: whole numbers"),
    "no objective": (changed("objectives", to=[]), "s.toml: objectives: got []; allowed: some of gradient_norm, "),
    "unknown objective": (changed("objectives", to=["area"]), "s.toml: objectives: got ['area']; allowed: some of "),
    "objective as a number": (changed("objectives", to=[1]), "s.toml: objectives: got [1]; allowed: a list of texts"),
    "error without classes": (changed("objectives", to=["error"]), "s.toml: objectives: got error; allowed: others"),
    "unknown baseline": (changed("baseline", to="SGD"), "s.toml: baseline: got 'SGD'; allowed: HALP, svrg"),
    "negative budget": (changed("budget_minutes", to=-1), "s.toml: budget_minutes: got -1; allowed: a finite number"),
    "endless budget": (changed("budget_minutes", to=float("inf")), "s.toml: budget_minutes: got inf; allowed: "),
    "budget of nan": (changed("budget_minutes", to=float("nan")), "s.toml: budget_minutes: got nan; allowed: "),
    "follow as a number": (changed("follow", to=1), "s.toml: follow: got 1; allowed: true, false"),
    "no data": (changed("data", to=MISSING), "s.toml: data: got {}; allowed: a table with at least source"),
    "data as text": (changed("data", to="digits"), "s.toml: data: got 'digits'; allowed: a table with at least source"),
    "no source": (changed("data", to={"center": True}), "s.toml: data: got {'center': True}; allowed: a table with"),
    "unknown data key": (changed("data", "centre", to=True), "s.toml: data: centre: got an unknown field; allowed: "),
    "unknown scaling": (changed("data", "scale", to="max"), "s.toml: data: scale: got 'max'; allowed: none, largest, "),
    "fold past the folds": (changed("data", to={"source": "digits", "held_out": "fold", "fold": 5}),
                            "s.toml: data: fold: got 5; allowed: 0 to 4"),
    "fold without folds": (changed("data", "fold", to=1), "s.toml: data: folds: got folds 5, fold 1, "),
    "splits without folds": (changed("splits", to=3), "s.toml: splits: got 3; allowed: 0 unless data.held_out = "),
    "negative splits": (changed("splits", to=-1), "s.toml: splits: got -1; allowed: a whole number from 0 to 1000"),
    "splits and a fold": (changed("data", to={"source": "digits", "held_out": "fold", "fold": 2}) | {"splits": 2},
                          "s.toml: splits: got 2 with fold 2, split_seed 0; allowed: splits"),
    "splits and a split": (
        changed("data", to={"source": "digits", "held_out": "fold", "split_seed": 7}) | {"splits": 2},
        "s.toml: splits: got 2 with fold 0, split_seed 7; allowed: splits"),
    "no series": (changed("series", to=MISSING), "s.toml: series: got none; allowed: at least one [[series]] table"),
    "empty series": (changed("series", to=[]), "s.toml: series: got none; allowed: at least one [[series]] table"),
    "series as a table": (changed("series", to={"algorithm": "svrg"}), "s.toml: series: got {'algorithm': 'svrg'}; "),
    "series of a number": (changed("series", to=[1]), "s.toml: series 1: got 1; allowed: a table"),
    "unknown series key": (changed("series", SVRG, "varry", to={}), "s.toml: series 2: varry: got an unknown field; "),
    "no algorithm": (changed("series", SVRG, to={"name": "x"}), "s.toml: series 2: algorithm: got ''; allowed: halp, "),
    "unknown algorithm": (changed("series", SVRG, "algorithm", to="adam"),
                          "s.toml: series 2: algorithm: got 'adam'; allowed: halp, lp_svrg, "),
    "algorithm as a list": (changed("series", SVRG, "algorithm", to=["svrg"]),
                            "s.toml: series 2: algorithm: got ['svrg']; allowed: text"),
    "series name as a number": (changed("series", SVRG, "name", to=3), "s.toml: series 2: name: got 3; allowed: text"),
    "a series name twice": (changed("series", SVRG, "name", to="HALP"),
                            "s.toml: series 2: name: got 'HALP' once more; allowed: a name of its own"),
    "no datapath": (changed("series", HALP, "datapath", to=MISSING), "s.toml: series 1: datapath: got None; allowed: "),
    "unknown datapath": (changed("series", HALP, "datapath", to="halp9"),
                         "s.toml: series 1: datapath: got 'halp9'; allowed: a TOML file, a table, or one of halp12, "),
    "missing datapath": (changed("series", HALP, "datapath", to="no.toml"), "no.toml: got No such file or directory; "),
    "datapath of a float algorithm": (changed("series", SVRG, "datapath", to="halp8"),
                                      "s.toml: series 2: datapath: got 'halp8'; allowed: none with a float algorithm"),
    "bad field of a datapath": (changed("series", HALP, "datapath", to={"lanes": 3}),
                                "s.toml: series 1: datapath: lanes: got 3; allowed: 1, 2, 4, "),
    "set as a list": (changed("series", HALP, "set", to=[1]), "s.toml: series 1: set: got [1]; allowed: a table"),
    "common as a number": (changed("common", to=1), "s.toml: common: got 1; allowed: a table"),
    "common that no series has": (changed("common", "delta", to=1.0),
                                  "s.toml: common: delta: got 1.0; allowed: what some series has, and none has this"),
    "common misspelt, floats only": (changed("series", to=[{"algorithm": "svrg"}]) | {"common": {"steps": 1}},
                                     "s.toml: series 1: step: got none; allowed: a positive number, or gamma"),
    "axis of a number": (changed("series", HALP, "vary", "model.width", to=8),
                         "s.toml: series 1: vary: model.width: got 8; allowed: a list of at least one value"),
    "empty axis": (changed("series", HALP, "tune", "mu", to=[]),
                   "s.toml: series 1: tune: mu: got []; allowed: a list of at least one value"),
    "a value twice": (changed("series", HALP, "tune", "mu", to=[1.0, 1.0]),
                      "s.toml: series 1: tune: mu: got [1.0, 1.0]; allowed: different values"),
    "vary and tune": (changed("series", HALP, "vary", "mu", to=[1.0]),
                      "s.toml: series 1: mu: got it under vary and tune; allowed: one of them"),
    "set and vary": (changed("series", HALP, "set", to={"model.width": 8}),
                     "s.toml: series 1: model.width: got it under set and vary; allowed: one of them"),
    "set and tune": (changed("series", HALP, "set", to={"mu": 1.0}),
                     "s.toml: series 1: mu: got it under set and tune; allowed: one of them"),
    "an axis in two spellings": (
        changed("series", HALP, "vary", to={"model.width": [8], "model": {"width": [6]}}),
        "s.toml: series 1: vary: model.width: got [8] and [6]; allowed: one of them"),
    "mu of a float algorithm": (changed("series", SVRG, "set", to={"mu": 1.0}),
                                "s.toml: series 2: mu: got 1.0; allowed: none with algorithm svrg"),
    "delta of HALP": (changed("series", HALP, "vary", "delta", to=[1.0]),
                      "s.toml: series 1: delta: got [1.0]; allowed: none with algorithm halp"),
    "width of a float algorithm": (changed("series", SVRG, "vary", to={"model.width": [8]}),
                                   "s.toml: series 2: model.width: got [8]; allowed: none with algorithm svrg"),
    "unknown field": (series(vary={"model.breadth": [8]}),
                      "s.toml: series 1 at model.breadth = 8: model.breadth: got an unknown field; allowed: width, "),
    "unknown section": (series(vary={"modex.width": [8]}),
                        "s.toml: series 1 at modex.width = 8: modex.width: got an unknown field; allowed: name, "),
    "unknown axis": (series(vary={"eta": [8]}),
                    "s.toml: series 1 at eta = 8: eta: got an unknown field; allowed: name, lanes, "),
    "width out of range": (series(vary={"model.width": [8, 99]}),
                           "s.toml: series 1 at model.width = 99: model.width: got 99; allowed: a whole number from "),
    "width as text": (series(vary={"model.width": ["8"]}), "s.toml: series 1 at model.width = '8': model.width: got "),
    "too few random bits": (series(vary={"model.random_bits": [16, 4]}),
                            "s.toml: series 1 at model.random_bits = 4: model.random_bits: got 4; allowed: at least "),
    "values that do not fit together": (
        series(vary={"increment.fraction": [10, 15], "exponents.maximum": [0, 3]}),
        "s.toml: series 1 at increment.fraction = 15, exponents.maximum = 3: increment.fraction: got 15 "),
    "bad field in common": (changed("common", "lanes", to=3), "s.toml: series 1 at model.width = 6, mu = 0.25: lanes"),
    "no step": (changed("common", "step", to=MISSING), "step: got none; allowed: a positive number, or gamma"),
    "no epoch length": (changed("common", "epoch_length", to=MISSING), "epoch_length: got none; allowed: a whole num"),
    "no epochs": (changed("common", "epochs", to=MISSING), "epochs: got none; allowed: a whole number"),
    "a date on an axis": (TEXT.replace("mu = [", "mu = [1979-05-27,"), "mu = datetime.date(1979, 5, 27): mu: got "),
    "mu as a boolean": (series(set={"mu": True}), "s.toml: series 1: mu: got True; allowed: a positive finite number"),
    "mu of 0": (series(set={"mu": 0}), "s.toml: series 1: mu: got 0; allowed: a positive finite number"),
    "mu of nan": (series(set={"mu": float("nan")}), "s.toml: series 1: mu: got nan; allowed: a positive finite"),
    "unknown option": (series(set={"option": "III"}), "s.toml: series 1: option: got 'III'; allowed: I, II"),
    "power of two as text": (series(set={"power_of_two": "yes"}), "power_of_two: got 'yes'; allowed: True or False"),
    "gamma with step and length": (changed("common", "gamma", to=0.5),
                                   "gamma: got 0.5; allowed: none where step and epoch_length are given"),
    **{f"step of {step}": (changed("common", "step", to=step), f"step: got {step!r}; allowed: a positive finite number")
       for step in (0, -1.0, float("inf"), float("nan"), "fast", True, [1])},
    **{f"length of {str(length)[:20]}": (
        changed("common", "epoch_length", to=length), f"epoch_length: got {shown!r}; allowed: a whole number from 1 ")
       for length, shown in ((0, 0), (-1, -1), (1.5, 1.5), (True, True), ([1], [1]), (1 << 27, 1 << 27), ("0N", 0),
                             ("999999999N", 999999999), *((text, text) for text in NO_LENGTHS))},
    **{f"{epochs} epochs": (changed("common", "epochs", to=epochs), f"epochs: got {epochs!r}; allowed: a whole number")
       for epochs in (-1, 1.5, "10", True, 1 << 21)},
    **{f"gamma of {gamma}": (changed("common", to={"gamma": gamma, "epochs": 1}),
                             f"gamma: got {gamma!r}; allowed: a number between 0 and 1")
       for gamma in (0, 1, -0.5, float("nan"), float("inf"), "0.5", True)},
    "runs twice": (
        changed("series", to=[{"algorithm": "svrg"}, {"name": "again", "algorithm": "svrg", "set": {"step": 0.01}}]),
        "s.toml: series: got 'again' and 'svrg', which are the same run; allowed: different points"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_study_that_contradicts_itself_is_refused_in_one_line(case):
    table, message = REFUSED[case]
    with pytest.raises(bt.InputError) as error:
        parsed(table)
    text = str(error.value)
    assert message in text
    assert text.count("\n") == 0
    assert "; allowed: " in text
    assert text.startswith(("s.toml: ", "no.toml: "))


def test_the_errors_of_a_file_name_the_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b"name = '\xff'")
    for source, message in {
        "halp": "study: got 'halp'; allowed: a TOML file, or one of digits, ",
        "no.toml": "no.toml: got No such file or directory; allowed: a readable TOML file",
        "latin.toml": "latin.toml: got broken TOML (",
    }.items():
        with pytest.raises(bt.InputError) as error:
            Study.load(source)
        assert str(error.value).startswith(message)


@pytest.mark.parametrize("name", study_names())
def test_every_shipped_study_is_one_under_its_name(name):
    assert {study.head.name for study in Study.load_all(name)} == {name}


SEVERAL = {key: value for key, value in SMALL.items() if key != "data"} | {
    "baseline": "svrg",
    "series": [SMALL["series"][0], {"name": "svrg", "algorithm": "svrg"}],
    "problem": [
        {"about": "one", "data": {"source": "diabetes"}, "common": {"step": 0.02}},
        {"about": "other", "seeds": [5], "loss": "logistic", "only": ["svrg"], "data": {"source": "breast_cancer"}},
    ],
}  # fmt: skip


def problems(**changes):
    """The second problem with other fields."""
    return {"problem": [SEVERAL["problem"][0], SEVERAL["problem"][1] | changes]}


@pytest.mark.parametrize("name", [name for name in study_names() if name.startswith("engine-")])
def test_what_the_circuit_repeats_are_trainings_that_train(name):
    """Words that saturate all the time are equal whatever the circuit does with them."""
    for run in Study.load(name).runs:
        record = record_of(run)
        first, *_, last = (epoch["gradient_norm"] for epoch in record["epochs"])
        assert (record["state"] in ("running", "saturating", "converged"), last < first / 3) == (True, True), run.point


def test_a_study_of_several_problems_is_one_for_each_of_them():
    one, other = Study.parse_all(tomli_w.dumps(SEVERAL), "s.toml")
    assert (one.head.about, other.head.about) == ("one", "other")
    assert [(run.data.source, run.loss, run.seed) for run in other.runs] == [("breast_cancer", "logistic", 5)]
    assert {point.parameters["step"] for point in one.points} == {0.02}  # a problem's own goes before that of all
    assert [point.parameters["step"] for point in other.points] == [0.01]
    assert len(one.points) == 5
    assert one.head.seeds == (0, 1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"problem": []}, "s.toml: problem: got []; allowed: tables [[problem]]"),
        ({"problem": 3}, "s.toml: problem: got 3; allowed: tables [[problem]]"),
        (problems(about="one"), "s.toml: problem: got about ['one', 'one']; allowed: for each one a name of its own"),
        (problems(name="x"), "s.toml: problem 2: name: got one of its own; allowed: one for all problems"),
        (problems(only=["none"]), "s.toml: problem 2: only: got ['none']; allowed: some of ['HALP', 'svrg']"),
        (problems(only=[]), "s.toml: problem 2: only: got []; allowed: some of"),
        (problems(only=["HALP"]), "s.toml: problem 2: baseline: got 'svrg'; allowed: HALP"),
        (problems(ridge=-1), "s.toml: problem 2: ridge: got -1; allowed: "),
        (problems(data={}), "s.toml: problem 2: data: got {}; allowed: a table with at least source"),
        (problems(common=3), "s.toml: problem 2: common: got 3; allowed: a table"),
        ({"series": 3}, "s.toml: problem 2: only: got ['svrg']; allowed: some of []"),
        ({"baseline": ""}, "s.toml: baseline: got none; allowed: a series"),
        ({"within": -0.1}, "s.toml: problem 1: within: got -0.1; allowed: "),
        ({"problem": 2 * [SEVERAL["problem"][0]]}, "s.toml: problem: got about ['one', 'one']"),
        ({"problem": [SEVERAL["problem"][0], SEVERAL["problem"][0] | {"about": "two"}]}, "which are the same run"),
    ],
)
def test_several_problems_that_contradict_each_other_are_refused_in_one_line(changes, message):
    with pytest.raises(bt.InputError) as error:
        Study.parse_all(tomli_w.dumps(SEVERAL | changes), "s.toml")
    text = str(error.value)
    assert message in text
    assert text.count("\n") == 0
    assert "; allowed: " in text


def test_where_one_study_is_wanted_several_problems_are_refused():
    with pytest.raises(bt.InputError, match=r"^s.toml: problem: got 2 tables; allowed: one \[data\] here"):
        Study.parse(tomli_w.dumps(SEVERAL), "s.toml")


def test_points_are_the_grid_of_varied_and_tuned_values():
    points = parsed(SMALL).points
    assert [(p.series, p.algorithm, p.varied, p.tuned) for p in points] == [
        *(("HALP", "halp", {"model.width": width}, {"mu": mu}) for width in (6, 8) for mu in (0.25, 1.0)),
        ("svrg", "svrg", {}, {}),
    ]
    assert [p.label for p in points] == ["HALP model 6, mu 0.25", "HALP model 6, mu 1", "HALP model 8, mu 0.25",
                                         "HALP model 8, mu 1", "svrg"]  # fmt: skip
    assert [p.datapath and p.datapath.model.width for p in points] == [6, 6, 8, 8, None]
    common = SMALL["common"]
    assert [p.parameters for p in points] == [*(common | {"mu": mu} for mu in (0.25, 1.0) * 2), common]


def test_tuned_values_compete_within_their_series_and_varied_values():
    points = parsed(changed("series", HALP, "vary", "lanes", to=[8, 16])).points
    groups = {}
    for point in points:
        groups.setdefault(point.group, []).append(point)
    assert len(groups) == 2 * 2 + 1
    for group in groups.values():
        assert len({json.dumps(point.varied) for point in group}) == len({point.series for point in group}) == 1
    assert sorted(len(group) for group in groups.values()) == [1, 2, 2, 2, 2]


def test_a_series_says_otherwise_than_common():
    common = {"step": 0.5, "epoch_length": "N", "epochs": 1, "mu": 7.0, "lanes": 4, "delta": 3.0}
    parts = [
        {"name": "a", "algorithm": "halp", "datapath": "halp12"},
        {"name": "b", "algorithm": "halp", "datapath": "halp12", "set": {"mu": 2.0, "lanes": 8}},
        {"name": "c", "algorithm": "halp", "datapath": "halp12", "tune": {"mu": [3.0]}, "vary": {"step": [0.25]}},
        {"name": "d", "algorithm": "lp_sgd", "datapath": "halp12"},
        {"name": "e", "algorithm": "svrg"},
    ]
    a, b, c, d, e = parsed(SMALL | {"common": common, "series": parts}).points
    assert [p.parameters.get("mu") for p in (a, b, c, d, e)] == [7.0, 2.0, 3.0, None, None]
    assert [p.parameters.get("delta") for p in (a, b, c, d, e)] == [None, None, None, 3.0, None]
    assert [p.parameters["step"] for p in (a, b, c, d, e)] == [0.5, 0.5, 0.25, 0.5, 0.5]
    assert [p.datapath.lanes for p in (a, b, c, d)] == [4, 8, 4, 4]


def test_nested_tables_are_dotted_keys():
    dotted = changed("series", HALP, "vary", to={"model.width": [6, 8]})
    nested = changed("series", HALP, "vary", to={"model": {"width": [6, 8]}})
    assert keys(dotted) == keys(nested)


def test_follow_takes_increment_product_and_accumulator_along():
    base = bt.TrainingDatapath.preset("halp12")
    for width in (4, 8, 12, 16):
        table = series(vary={"model.width": [width]}, set={"mu": 1.0, "biased_ok": True})
        (following,), (alone,) = (parsed(table | {"follow": follow}).points for follow in (True, False))
        assert following.datapath == base.with_model_width(width).with_fields({"biased_ok": True})
        assert alone.datapath == base.with_fields({"model.width": width, "biased_ok": True})
    assert parsed(table).points[0].datapath == following.datapath  # the default
    assert following.datapath != alone.datapath


def test_a_field_that_is_set_does_not_follow():
    (point,) = parsed(series(vary={"model.width": [8]}, set={"mu": 1.0, "accumulator.width": 40})).points
    assert point.datapath.accumulator.width == 40


@pytest.mark.parametrize(("length", "steps"), [("N", 442), ("1N", 442), ("2N", 884), ("10N", 4420), (7, 7)])
def test_an_epoch_length_in_samples(length, steps):
    assert steps_of(length, 442) == steps


def test_a_datapath_file_and_a_data_file_are_those_beside_the_study(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "deep").mkdir()
    path = bt.TrainingDatapath.preset("halp8")
    (tmp_path / "deep" / "mine.toml").write_text(path.to_toml(), encoding="utf-8")
    (tmp_path / "deep" / "d.csv").write_text("a,b\n1,2\n3,4\n", encoding="utf-8")
    table = series(datapath="mine.toml") | {"data": {"source": "d.csv", "target": "b"}}
    (tmp_path / "deep" / "s.toml").write_text(tomli_w.dumps(table), encoding="utf-8")
    study = Study.load("deep/s.toml")
    assert study.points[0].datapath == path
    assert load_problem(study.data, study.head.loss, 0.0).shape == (2, 1)


# Runs and their keys


def test_all_points_of_a_seed_draw_the_same_rows():
    """Hence differences between widths and algorithms are paired."""
    parts = [
        {
            "name": "HALP",
            "algorithm": "halp",
            "datapath": "halp12",
            "vary": {"model.width": [6, 8]},
            "set": {"mu": 1.0},
        },
        {"name": "other", "algorithm": "halp", "datapath": "halp8_blocks", "set": {"mu": 2.0}},
        {"name": "LP-SVRG", "algorithm": "lp_svrg", "datapath": "halp12", "set": {"delta": 1.0}},
        {"name": "LP-SGD", "algorithm": "lp_sgd", "datapath": "halp12", "set": {"delta": 1.0}},
    ]
    study = parsed(SMALL | {"series": parts})
    drawn = {}
    for run in study.runs:
        problem, rows = load_problem(run.data, run.loss, run.ridge), []
        parameters = run.point.parameters | {"epoch_length": 60}
        train(problem, run.point.algorithm, run.point.datapath, seed=run.seed, **parameters,
              on_result=lambda job, _, rows=rows: rows.append(tuple(job.indices)))  # fmt: skip
        drawn.setdefault(run.seed, set()).add(tuple(rows))
    assert {seed: len(rows) for seed, rows in drawn.items()} == {0: 1, 1: 1}
    assert drawn[0] != drawn[1]
    first, second = next(iter(drawn[0]))
    assert first != second


def test_replicates_are_seeds_and_with_splits_every_fold_of_each():
    assert [(data, seed) for data, seed in parsed(SMALL).replicates] == [
        (parsed(SMALL).data, 0),
        (parsed(SMALL).data, 1),
    ]
    folds = {"source": "digits", "held_out": "fold", "folds": 3}
    study = parsed(SMALL | {"data": folds, "splits": 2, "loss": "logistic"})
    found = [(data.split_seed, data.fold, seed) for data, seed in study.replicates]
    assert found == list(itertools.product(range(2), range(3), (0, 1)))
    assert {replace_fold(data) for data, _ in study.replicates} == {study.data}
    points = len(study.points)
    assert [run.point.label for run in study.runs[:points]] == [point.label for point in study.points]
    assert [(run.data.split_seed, run.data.fold, run.seed) for run in study.runs[::points]] == found  # outermost
    one = parsed(SMALL | {"data": folds | {"fold": 2}, "loss": "logistic"})
    assert [data.fold for data, _ in one.replicates] == [2, 2]


def replace_fold(data):
    return data.replace(fold=0, split_seed=0)


def test_a_run_that_only_differs_in_its_seed_has_the_same_problem():
    study = parsed(SMALL)
    first = study.runs[0]
    again = replace(first, seed=7)
    assert again.problem == first.problem
    assert again.key != first.key
