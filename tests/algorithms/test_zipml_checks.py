"""The checks of a datapath with ZipML hold for sound datapaths and samples, and tell biased ones."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from algorithms.checks import check_algorithm
from algorithms.zipml import checks, sampling
from sim.datapath import TrainingDatapath
from sim.errors import InputError
from sim.modes import Rounding

ZIPML4 = TrainingDatapath.preset("zipml4")
NAMES = ["zipml.samples", "zipml.saturation", "zipml.step"]


def failed(path: TrainingDatapath) -> list[str]:
    results = check_algorithm(path, "zipml")
    assert [check.name for check in results] == NAMES
    assert all(check.found and check.required and check.coverage for check in results)
    return [check.name for check in results if not check.passed]


SOUND = [
    {"data.width": 2}, {"data.width": 3}, {"data.width": 8}, {"lanes": 1}, {"product.cut": 1},
    {"coefficient.rounding": Rounding.STOCHASTIC}, {"model.random_bits": 8, "biased_ok": True},
]  # fmt: skip


@pytest.mark.parametrize("changes", [{}, *SOUND], ids=str)
def test_sound_datapaths_pass(changes: dict[str, Any]) -> None:
    assert not failed(ZIPML4.with_fields(changes))


@pytest.mark.parametrize("name", ["halp8", "zipml4"])
def test_presets_of_8_bits_at_most_pass(name: str) -> None:
    assert not failed(TrainingDatapath.preset(name))


@pytest.mark.parametrize("width", [2, 3, 4])
def test_one_sample_for_both_uses_is_told(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    """Naive sampling is off by the variance times the model, which is more than all other roundings may add."""

    def naive(chances: Any, words: Any) -> Iterator[tuple[float, Any, Any]]:
        yield from zip(chances.tolist(), words, words, strict=True)

    monkeypatch.setattr(checks, "_pairs", naive)
    assert failed(ZIPML4.with_fields({"data.width": width})) == ["zipml.step"]


def test_samples_rounded_to_nearest_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "rounds_up", lambda fractions, words, bits: np.broadcast_to(fractions >= 0.5,
                                                                                              words.shape))  # fmt: skip
    assert failed(ZIPML4) == ["zipml.samples"]


def test_an_accumulator_that_overflows_is_told() -> None:
    assert failed(ZIPML4.with_fields({"accumulator.width": 9})) == ["zipml.saturation", "zipml.step"]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"data.width": 9}, "data.width: got 9; allowed: 2 to 8 bits a sample with zipml"),
        ({"exponents.maximum": 2}, "exponents.maximum: got 2; allowed: 0 with zipml"),
    ],
)
def test_datapaths_that_zipml_does_not_run_on_are_refused(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match=f"^{text}"):
        check_algorithm(ZIPML4.with_fields(changes), "zipml")
