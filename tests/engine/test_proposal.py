"""Proposed widths: enough for what was observed, at most what is proven, and always a datapath that runs."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.datapath import Link, TrainingDatapath
from sim.engine import EpochJob, run
from sim.formats import width_of
from sim.profile import NODES, NodeProfile, Profile
from sim.proposal import Proposal, propose
from sim.ranges import analyse
from tests.engine.helpers import refusal, same
from tests.engine.strategies import jobs

FIELDS = {"accumulator.width": "t", "coefficient.width": "c", "increment.width": "ah", "model.width": "z"}
PATH = TrainingDatapath.preset("halp8_blocks")


def width(path: TrainingDatapath, field: str) -> int:
    section, name = field.split(".")
    return getattr(getattr(path, section), name)


def profile_of(path: TrainingDatapath = PATH, offsets: tuple[int, int] = (0, 0), **held: list[int]) -> Profile:
    """A profile in which the nodes held the given values, the others a 0."""
    nodes = {node: NodeProfile.of(held.get(node, [0])) for node in NODES}
    return Profile(datapath=path, link=Link.AFFINE, columns=100, loops=1, steps=1, nodes=nodes, offsets=offsets)


def kept(proposal: Proposal) -> dict[str, int]:
    return {field: width(proposal.datapath, field) for field in FIELDS}


@settings(max_examples=200)
@given(jobs(), st.integers(0, 16))
def test_every_width_is_that_of_the_observed_values_and_the_margin_up_to_the_proven_one(
    job: EpochJob, margin: int
) -> None:
    profile = run(job, profile=True).profile
    proposal = propose(profile, margin)
    analysis = analyse(job.datapath, job.columns, job.link)
    for field, nodes in FIELDS.items():
        wanted = max(min(profile[node].bits + margin, analysis[node].needed) for node in nodes)
        if field == "accumulator.width":
            wanted = max(wanted, width_of(*profile.offsets))
        present, proposed = width(job.datapath, field), width(proposal.datapath, field)
        if field in proposal.kept_back:  # a rule stands in between: nearer to the present width
            assert min(wanted, present) <= proposed <= max(wanted, present)
            assert proposed != wanted
        else:
            assert proposed == wanted
    changes = {field: width(proposal.datapath, field) for field in FIELDS}
    assert proposal.datapath == job.datapath.with_fields(changes)
    assert [entry.node.name for entry in proposal.nodes] == [n.name for n in analysis.nodes if n.name in NODES]


@settings(max_examples=200)
@given(jobs(), st.integers(0, 2))
def test_a_loop_that_did_not_overflow_runs_alike_on_the_proposed_datapath(job: EpochJob, margin: int) -> None:
    """SAT and WRAP registers that hold all values change none; the lowest code of SAT_SYM needs one bit more."""
    result = run(job, profile=True)
    proposal = propose(result.profile, margin)
    stages = dict(result.counts, index=0)
    symmetric = "SAT_SYM" in (job.datapath.accumulator.overflow, job.datapath.coefficient.overflow,
                              job.datapath.increment.overflow, job.datapath.model.overflow)  # fmt: skip
    if any(stages.values()) or symmetric:
        return
    start = width_of(int(job.z.min()), int(job.z.max()))
    if start > proposal.datapath.model.width:  # z is observed after the updates: a start may be wider
        return
    assert same(run(dataclasses.replace(job, datapath=proposal.datapath)), result)


@pytest.mark.parametrize("margin", [0, 1, 3])
def test_a_field_serves_all_its_nodes(margin: int) -> None:
    profile = profile_of(t=[-900, 40], c=[127], a=[-(1 << 12)], h=[1 << 13], z=[-128])
    increment = 16  # h of 15 bits asks for 15; fraction 10 and exponent 5 need one more, and 16 are proven for h
    expected = {"accumulator.width": 11 + margin, "coefficient.width": 8 + margin, "increment.width": increment,
                "model.width": min(8 + margin, 9)}  # fmt: skip
    assert kept(propose(profile, margin)) == expected


def test_the_increment_stays_wide_enough_for_one_last_bit_of_z() -> None:
    proposal = propose(profile_of(a=[3]))
    assert proposal.datapath.increment.width == PATH.increment.width == PATH.largest_cut + 1
    assert list(proposal.kept_back) == ["increment.width"]
    assert "increment.width of 4 bits: " in proposal.kept_back["increment.width"]
    plain = PATH.replace(exponents=PATH.exponents.replace(maximum=0))
    assert propose(profile_of(plain, a=[3])).datapath.increment.width == 11


def test_a_node_of_zeros_gets_the_narrowest_field() -> None:
    proposal = propose(profile_of(), 0)
    assert {field: kept(proposal)[field] for field in ("accumulator.width", "coefficient.width", "model.width")} == {
        "accumulator.width": 2, "coefficient.width": 2, "model.width": 2,
    }  # fmt: skip


def test_what_was_never_observed_keeps_its_width() -> None:
    nodes = dict.fromkeys(NODES, NodeProfile())
    profile = Profile(datapath=PATH, link=Link.AFFINE, columns=100, loops=1, steps=0, nodes=nodes)
    assert propose(profile).datapath == PATH


def test_the_accumulator_holds_the_offsets() -> None:
    assert propose(profile_of(t=[5], offsets=(-(1 << 20), 3))).datapath.accumulator.width == 21


def test_saturated_words_of_h_ask_for_more_than_their_register() -> None:
    full = profile_of(h=[(1 << 15) - 1])
    assert propose(full).datapath.increment.width == 16
    assert propose(full.with_overflows("h", 1)).datapath.increment.width == 17


def test_no_width_is_proposed_that_the_kernels_cannot_run() -> None:
    """The link product of the affine link has accumulator + 17 bits: an accumulator of 45 is the widest."""
    path = PATH.replace(data=PATH.data.replace(width=24), model=PATH.model.replace(width=24),
                        accumulator=PATH.accumulator.replace(width=44))  # fmt: skip
    proposal = propose(profile_of(path, t=[-(1 << 43)]), 8)
    assert proposal.datapath.accumulator.width == 45
    assert "at most 62 bits" in proposal.kept_back["accumulator.width"]
    analyse(proposal.datapath, 100).require_representable()


@pytest.mark.parametrize("margin", [-1, 17, 1.5, True, "1", None])
def test_a_margin_out_of_range_is_refused(margin: object) -> None:
    assert refusal(lambda: propose(profile_of(), margin)) == (
        f"margin: got {margin!r}; allowed: a whole number from 0 to 16"
    )
