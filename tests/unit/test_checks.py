"""Checks of a datapath: sound ones pass, every check finds its fault, any datapath that can be made can be checked."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

import bittrue as bt
from sim import checks
from sim.checks import check_datapath, check_names
from sim.datapath import Accumulation, Coefficient, Increment, Links, Model, Product
from sim.modes import Overflow, Rounding
from tests.definitions import DETERMINISTIC, cut_off

HALP8, HALP12 = (bt.TrainingDatapath.preset(name) for name in ("halp8", "halp12"))
NEAREST = Model(rounding=Rounding.TIES_EVEN, random_bits=0)


def by_name(path, columns=100, link=bt.Link.AFFINE):
    return {check.name: check for check in check_datapath(path, columns, link)}


def failed(path, columns=100, link=bt.Link.AFFINE):
    return [check.name for check in check_datapath(path, columns, link) if not check.passed]


@pytest.mark.parametrize("preset", bt.preset_names())
def test_presets_pass_on_rows_of_a_picture(preset):
    assert failed(bt.TrainingDatapath.preset(preset), columns=784) == []


def test_names_are_those_of_the_checks_in_order():
    assert check_names() == list(by_name(HALP12))


def faulty(**sections):
    return replace(HALP8, **sections)


def rounding(mode, kind=Model, **fields):
    return kind(rounding=mode, **fields)


FAULTS = [
    (faulty(model=NEAREST), ["model.bias", "engine.step"]),
    (faulty(model=rounding(Rounding.TO_NEG, random_bits=0)), ["model.bias", "engine.step"]),
    (faulty(model=rounding(Rounding.STOCHASTIC_EQUAL)), ["model.bias", "engine.step"]),
    (faulty(coefficient=rounding(Rounding.TO_NEG, Coefficient)), ["coefficient.drift"]),
    (faulty(coefficient=rounding(Rounding.TO_AWAY, Coefficient)), ["coefficient.drift"]),
    (replace(HALP12, product=rounding(Rounding.TO_ZERO, Product)), ["product.drift", "engine.step"]),
    (faulty(product=rounding(Rounding.JAM, Product, cut=0)), ["product.drift", "engine.step"]),
    (faulty(accumulator=Accumulation(width=21)), ["ranges.accumulator"]),
]


@pytest.mark.parametrize(("path", "names"), FAULTS)
def test_a_fault_fails_the_checks_that_it_concerns_and_no_other(path, names):
    assert failed(path) == names


def test_a_table_product_past_62_bits_fails_the_range_check():
    path = faulty(accumulator=Accumulation(width=40), link=Links(slope_bits=24))
    assert failed(path, link=bt.Link.AFFINE) == []
    assert failed(path, link=bt.Link.CENTRED_TABLE) == ["ranges.representable"]


def test_an_affine_product_past_62_bits_fails_the_range_check():
    assert "ranges.representable" in failed(faulty(accumulator=Accumulation(width=50)))


@pytest.mark.parametrize("model", [NEAREST, Model(rounding=Rounding.TO_POS, random_bits=0), Model(random_bits=2)])
def test_a_bias_may_be_accepted_but_not_for_nothing(model):
    """biased_ok widens the bound to what the mode may be off; it does not switch the checks off."""
    path = replace(HALP8, model=model, biased_ok=True)
    assert failed(path) == []
    assert by_name(path)["model.bias"].required.endswith("last bits (biased_ok)")
    assert by_name(HALP8)["model.bias"].required == "0: unbiased"


@pytest.mark.parametrize(("bits", "centered"), [(1, True), (2, True), (4, True), (4, False), (2, False)])
def test_the_bias_found_is_that_of_the_definition(bits, centered):
    """The worst mean error over all words of all fractions, computed in fractions."""
    path = replace(HALP8, model=Model(random_bits=bits, centered=centered), biased_ok=True)
    cut = path.largest_cut
    errors = []
    for raw in range(-(1 << cut), 1 << cut):
        results = [cut_off(raw, cut, Rounding.STOCHASTIC, word, bits, centered) for word in range(1 << bits)]
        errors.append(Fraction(sum(results), 1 << bits) - Fraction(raw, 1 << cut))
    worst = max(errors, key=abs)
    assert by_name(path)["model.bias"].found == f"{float(worst):+.6g} last bits"


@pytest.mark.parametrize("mode", DETERMINISTIC)
def test_the_drift_found_is_that_of_the_definition(mode):
    """Over four last bits of each sign, 8 bits cut."""
    drifts = []
    for raws in (range(1024), range(-1024, 0)):
        total = sum(cut_off(raw, 8, mode) - Fraction(raw, 256) for raw in raws)
        drifts.append(total / 1024)
    check = by_name(replace(HALP8, coefficient=Coefficient(rounding=mode)))["coefficient.drift"]
    assert check.found.startswith(f"{float(max(drifts, key=abs)):+.6g} last bits")
    assert check.passed is all(abs(drift) <= Fraction(1, 512) for drift in drifts)  # ties, all one way


checks_round_all = checks._round_all


def shaken(rounding, values, cut, bits, centered):
    """A rounder with the right mean and twice the distance: every other word goes one up, the next one down."""
    good = checks_round_all(rounding, values, cut, bits, centered)
    return good + (np.where(np.arange(good.shape[1]) % 2, 1, -1) if bits else 0)


def test_a_rounding_unit_that_spreads_too_far_fails_the_variance(monkeypatch):
    monkeypatch.setattr(checks, "_round_all", shaken)
    assert failed(HALP8) == ["model.variance"]


def test_a_rounding_unit_off_by_one_word_fails_the_bias_and_the_step(monkeypatch):
    def late(rounding, values, cut, bits, centered):
        rounded = checks_round_all(rounding, values, cut, bits, centered)
        return np.concatenate([rounded[:, :1], rounded[:, :-1]], axis=1)  # the last word is never used

    monkeypatch.setattr(checks, "_round_all", late)
    assert "model.bias" in failed(HALP8)


def test_an_engine_that_moves_otherwise_than_its_requantizer_fails_the_step(monkeypatch):
    def off(*arguments, **options):
        result = run(*arguments, **options)
        result.z[0] += 1
        return result

    run = checks.run
    monkeypatch.setattr(checks, "run", off)
    check = by_name(HALP8)["engine.step"]
    assert not check.passed
    assert check.found.endswith("; engine and requantizer differ")


@pytest.mark.parametrize(("bits", "words"), [(8, "all 256 words"), (32, "all values of the top 16 of 32 random bits")])
def test_coverage_says_which_words_were_enumerated(bits, words):
    check = by_name(faulty(model=Model(random_bits=bits)))["model.bias"]
    assert check.passed
    assert check.coverage == f"all 128 fractions × {words}"


NARROWEST = {
    "coefficient of 2 bits": replace(HALP8, coefficient=Coefficient(width=2)),
    "increment of 2 bits": replace(HALP8, increment=Increment(width=2, fraction=0)),
    "product cut of 48 bits": replace(HALP8, product=Product(cut=48)),
    "model of 2 bits": replace(HALP8, model=Model(width=2)),
    "accumulator of 2 bits": replace(HALP8, accumulator=Accumulation(width=2)),
    "multiplier of 2 bits": replace(HALP8, link=Links(multiplier_bits=2)),
    "one lane": replace(HALP8, lanes=1),
    "256 lanes": replace(HALP8, lanes=256),
    "32 random bits": replace(HALP8, model=Model(random_bits=32)),
}


@pytest.mark.parametrize("name", NARROWEST)
def test_the_ends_of_every_field_can_be_checked(name):
    assert [check.name for check in check_datapath(NARROWEST[name], columns=100)] == check_names()


@settings(max_examples=25)
@given(st.data())
def test_any_datapath_of_moderate_widths_can_be_checked(data):
    """Whatever the modes: every check gives an answer."""
    modes, overflow = st.sampled_from(list(Rounding)), st.sampled_from([Overflow.WRAP, Overflow.SAT, Overflow.SAT_SYM])
    mode, width = data.draw(modes), data.draw(st.integers(4, 20))
    bits = data.draw(st.sampled_from([1, 4])) if mode.is_stochastic else 0
    path = bt.TrainingDatapath(
        lanes=data.draw(st.sampled_from([1, 4])),
        model=Model(width=data.draw(st.integers(3, 12)), rounding=mode, overflow=data.draw(overflow), random_bits=bits),
        coefficient=Coefficient(width=data.draw(st.integers(4, 16)), rounding=data.draw(modes)),
        product=Product(cut=data.draw(st.integers(0, 8)), rounding=data.draw(st.sampled_from(list(DETERMINISTIC)))),
        increment=Increment(width=width, fraction=data.draw(st.integers(0, 4)) % width, overflow=data.draw(overflow)),
        accumulator=Accumulation(width=data.draw(st.integers(4, 40)), overflow=data.draw(overflow)),
        biased_ok=True,
    )
    assert list(by_name(path, columns=data.draw(st.sampled_from([1, 100])))) == check_names()


def test_a_link_may_be_given_by_its_name_and_a_wrong_name_is_refused():
    for link in bt.Link:
        assert check_datapath(HALP8, 100, str(link)) == check_datapath(HALP8, 100, link)
    with pytest.raises(bt.InputError, match=r"^link: got 'table'; allowed: affine, "):
        check_datapath(HALP8, 100, "table")


def test_columns_that_no_row_has_are_refused():
    with pytest.raises(bt.InputError, match=r"^columns: got 0; allowed: a whole number from 1 to "):
        check_datapath(HALP8, 0)
