"""A study of several problems: every series' loss over the baseline's, and which reach it, from the records alone."""

import json

import pytest
import tomli_w

import bittrue as bt
from reports.claims import Claim, claims_of
from reports.store import opened
from reports.study import Study

SMALL = {
    "name": "claims",
    "seeds": [0, 1],
    "baseline": "full",
    "common": {"step": 2e-3, "epoch_length": "2N", "epochs": 4, "averaged": True},
    "problem": [
        {"about": "regression", "data": {"source": "diabetes"}},
        {"about": "too long a step", "data": {"source": "diabetes"}, "common": {"step": 0.1}, "seeds": [0]},
    ],
    "series": [
        {"name": "full", "algorithm": "zipml_float", "set": {"sampling": "full"}},
        {"name": "double", "algorithm": "zipml_float", "vary": {"sample_bits": [8]}},
        {"name": "naive", "algorithm": "zipml_float", "set": {"sampling": "naive", "sample_bits": 2}},
        {"name": "two", "algorithm": "zipml_float", "set": {"sample_bits": 2}},
    ],
}


@pytest.fixture
def explore(program, tmp_path):
    (tmp_path / "claims.toml").write_text(tomli_w.dumps(SMALL), encoding="utf-8")
    return lambda *arguments: program("explore", "claims.toml", "--jobs", 1, *arguments)


def test_each_problem_has_a_line_of_losses_over_the_baseline_and_marks_what_misses(explore, tmp_path):
    outcome = explore("--json", "claims.json")
    assert (outcome.code, outcome.err) == (0, "")
    problem, _ = bt.load("diabetes")
    run = {"step": 2e-3, "epoch_length": 884, "epochs": 4, "averaged": True}
    ratios = {"double": [], "naive": [], "two": []}
    for seed in (0, 1):
        full = bt.train(problem, "zipml_float", sampling="full", seed=seed, **run).losses[-1]
        for name, own in (("double", {"sample_bits": 8}), ("naive", {"sample_bits": 2, "sampling": "naive"}),
                          ("two", {"sample_bits": 2})):  # fmt: skip
            ratios[name].append(bt.train(problem, "zipml_float", seed=seed, **own, **run).losses[-1] / full)
    claims = json.loads((tmp_path / "claims.json").read_text(encoding="utf-8"))["claims"]
    first = {claim["series"]: claim for claim in claims if claim["problem"] == "regression"}
    assert {name: claim["ratios"] for name, claim in first.items()} == ratios
    assert {name: claim["holds"] for name, claim in first.items()} == {"double": True, "naive": False, "two": False}
    assert [(claim["bits_read"], claim["bits_stored"]) for claim in first.values()] == [(8, 9), (2, 2), (2, 3)]
    lines = outcome.out.splitlines()
    line = next(line for line in lines if line.startswith("regression")).split()
    shown = [f"{sum(own) / 2:.3f}" for own in ratios.values()]
    assert line[1:] == [shown[0], shown[1], "✗", shown[2], "✗"]
    assert next(line for line in lines if line.startswith("too long")).split()[-2:] == ["diverges", "✗"]
    assert (tmp_path / "explore/claims/claims.png").read_bytes().startswith(b"\x89PNG")


def test_it_goes_on_where_it_was_stopped(explore, tmp_path):
    assert explore("--budget", 1e-9).out == "no run is done: give it more time and call it again\n"
    whole = explore().out
    path = tmp_path / "explore/claims/records.jsonl"
    kept = path.read_bytes()
    path.write_bytes(b"".join(kept.splitlines(keepends=True)[:-1]))
    assert explore().out == whole
    assert path.read_bytes() == kept


def test_runs_are_compared_with_the_baseline_of_their_own_seed(explore, tmp_path):
    assert explore().code == 0
    studies = Study.load_all(str(tmp_path / "claims.toml"))
    with opened(tmp_path / "explore/claims", "claims", studies[0].text) as store:
        before = claims_of(studies, store)[0].ratios
        (base,) = [r for r in store.records.entries
                   if (r["series"], r["seed"], r["parameters"]["step"]) == ("full", 1, 2e-3)]  # fmt: skip
        base["epochs"][-1]["loss"] /= 2
        after = claims_of(studies, store)[0].ratios
    assert after == [before[0], 2 * before[1]]


@pytest.mark.parametrize(("ratios", "holds"), [([1.01], True), ([0.9, 1.011], False), ([float("inf")], False)])
def test_a_claim_holds_if_every_run_is_within(ratios, holds):
    assert Claim("p", None, ratios, 0.01).holds is holds
