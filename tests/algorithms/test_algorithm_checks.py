"""The checks of a datapath with an algorithm hold for sound datapaths and tell broken ones."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from algorithms.checks import check_algorithm, check_problem
from algorithms.engine_bound import model_outcomes
from sim.checks import Check
from sim.datapath import TrainingDatapath
from sim.errors import InputError
from sim.modes import Overflow, Rounding
from sim.reference import round_shift

HALP8 = TrainingDatapath.preset("halp8")


def failed(path: TrainingDatapath, algorithm: str) -> set[str]:
    return {check.name for check in check_algorithm(path, algorithm) if not check.passed}


@pytest.mark.parametrize("name", ["halp8", "halp8_blocks", "halp12", "halp16"])
def test_the_presets_of_halp_pass(name: str) -> None:
    assert not failed(TrainingDatapath.preset(name), "halp")


@pytest.mark.parametrize("name", ["halp8", "halp16"])
def test_presets_without_block_exponents_pass_with_lp_svrg(name: str) -> None:
    assert not failed(TrainingDatapath.preset(name), "lp_svrg")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"model": replace(HALP8.model, width=4, overflow=Overflow.WRAP)},
         {"halp.bits", "halp.step", "halp.contraction"}),
        ({"model": replace(HALP8.model, width=3)}, {"halp.bits"}),
        ({"coefficient": replace(HALP8.coefficient, width=2), "model": replace(HALP8.model, random_bits=16),
          "increment": replace(HALP8.increment, width=32, fraction=14)}, {"halp.saturation"}),
        ({"model": replace(HALP8.model, width=12, random_bits=16),
          "increment": replace(HALP8.increment, fraction=14)}, {"halp.saturation"}),
        ({"model": replace(HALP8.model, width=4, rounding=Rounding.TIES_EVEN, random_bits=0)},
         {"halp.bits", "halp.contraction"}),
    ],
    ids=["a wrapping offset", "too few bits", "too narrow coefficients", "too narrow increments", "a frozen offset"],
)  # fmt: skip
def test_a_broken_datapath_is_told(changes: dict[str, Any], expected: set[str]) -> None:
    assert failed(replace(HALP8, **changes), "halp") >= expected


def test_every_check_says_what_it_found_and_what_has_to_hold() -> None:
    checks = check_algorithm(HALP8, "lp_svrg")
    assert [check.name for check in checks] == [
        "lp_svrg.saturation", "lp_svrg.step", "lp_svrg.contraction", "lp_svrg.floor"
    ]  # fmt: skip
    for check in checks:
        assert isinstance(check, Check)
        assert all((check.found, check.required, check.coverage))


def test_the_problem_has_the_least_condition_number_of_two_columns() -> None:
    problem = check_problem()
    assert problem.smoothness / problem.strong_convexity == pytest.approx(2.0)
    assert problem.minimum > 0.01


@given(
    rounding=st.sampled_from(Rounding),
    a=st.integers(-500, 500),
    cut=st.integers(0, 6),
    bits=st.sampled_from([1, 2, 4, 8]),
    centered=st.booleans(),
)
def test_outcomes_of_the_model_rounding_are_those_of_all_its_words(
    rounding: Rounding, a: int, cut: int, bits: int, centered: bool
) -> None:
    stochastic = rounding.is_stochastic
    model = replace(HALP8.model, rounding=rounding, random_bits=bits if stochastic else 0, centered=centered)
    path = replace(HALP8, model=model, biased_ok=True)
    words = range(1 << bits) if stochastic else range(1)
    results = [round_shift(a, cut, rounding, word, bits, centered) for word in words]
    expected = {value: results.count(value) / len(results) for value in results}
    assert {value: share for share, value in model_outcomes(path, a, cut) if share} == expected


def test_algorithms_without_bounds_are_refused() -> None:
    with pytest.raises(InputError, match=r"^algorithm: got 'sgd'; allowed: halp, lp_svrg"):
        check_algorithm(HALP8, "sgd")
    with pytest.raises(InputError, match=r"^exponents.maximum: got 5"):
        check_algorithm(TrainingDatapath.preset("halp8_blocks"), "lp_svrg")
