"""What the engine's tests share: a small loop to vary, and the line by which an input is refused."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from sim.datapath import Link, TrainingDatapath
from sim.engine import EpochJob, EpochResult, Registers
from sim.errors import InputError
from sim.rows import RawRows

HALP = TrainingDatapath.preset("halp8")
BACKENDS = ["kernel", "reference"]
TABLES = {
    Link.AFFINE: {},
    Link.CENTRED_TABLE: {"table": np.ones((16, 16), int)},
    Link.ABSOLUTE_TABLE: {"table": np.ones(16, int)},
}


def small_job(link: Link = Link.AFFINE, **fields: Any) -> EpochJob:
    """A small loop on two samples of three columns, but for some fields."""
    given: dict[str, Any] = {
        "datapath": HALP,
        "rows": RawRows(np.array([[1, 2, 3], [4, 5, 6]])),
        "indices": [0, 1, 1],
        "z": [0, 0, 0],
        "h": [64, -64, 0],
        "registers": Registers(1 << 15, 15),
    }
    return EpochJob(link=link, **{**given, **TABLES.get(link, {}), **fields})


def same(one: EpochResult, other: EpochResult) -> bool:
    return (one.z.tolist(), one.counts, one.extremes) == (other.z.tolist(), other.counts, other.extremes)


def refusal(make: Callable[[], object]) -> str:
    """The one line that says why an input cannot be used."""
    with pytest.raises(InputError) as caught:
        make()
    text = str(caught.value)
    assert "\n" not in text
    assert "; allowed: " in text
    return text
