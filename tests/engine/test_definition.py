"""The engine's reference equals the formulas of the design, stage by stage, with generators run from the first word."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.datapath import Link
from sim.engine import EpochJob, run
from tests.engine import definition
from tests.engine.definition import Step
from tests.engine.strategies import jobs

NODES = {"t": "accumulator", "u": "index", "c": "coefficient", "p": "product", "a": "increment", "z": "model"}


def counted(stage: str, step: Step) -> list[int]:
    """The values of a step that count for a stage's extremes: of the accumulator the one at the end of the row."""
    values = np.ravel(getattr(step, stage)).tolist()
    return values[-1:] if stage == "accumulator" else values


@pytest.mark.parametrize("link", Link)
def test_every_stage_of_every_step_follows_its_formula(link: Link) -> None:
    @settings(max_examples=100)
    @given(jobs(link), st.integers(0, 20))
    def holds(job: EpochJob, first_step: int) -> None:
        job = dataclasses.replace(job, first_step=first_step)  # a position that can be reached word by word
        result = run(job, "reference", trace=range(job.steps))
        expected = list(definition.steps(job))
        for stage in ("random", *NODES.values()):
            assert getattr(result.trace, stage).tolist() == [getattr(step, stage) for step in expected], stage
        assert result.z.tolist() == expected[-1].model
        assert result.counts == {stage: sum(step.overflows[stage] for step in expected) for stage in result.counts}
        for node, stage in NODES.items():
            values = [value for step in expected for value in counted(stage, step)]
            assert result.extremes[node] == (min(values), max(values)), node

    holds()
