"""Profiles: what the nodes of an inner loop held, counted by both backends alike and as the definition says."""

import dataclasses
import json
from bisect import bisect_right

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim import engine
from sim.datapath import Link, TrainingDatapath
from sim.engine import EpochJob, EpochResult, register_backend, run
from sim.errors import InputError
from sim.profile import NODES, NodeProfile, Profile
from tests.engine import definition
from tests.engine.helpers import BACKENDS, HALP, refusal, same, small_job
from tests.engine.strategies import jobs

POWERS = [1 << k for k in range(64)]
WORDS = st.one_of(st.integers(-20, 20), st.integers(-(1 << 62), 1 << 62))


def counted(values: list[int]) -> tuple[int, int, int, dict[tuple[bool, int], int]]:
    """Smallest, largest, number of zeros, and counts by sign and the number of powers of two up to the magnitude."""
    bins: dict[tuple[bool, int], int] = {}
    for value in values:
        if value:
            key = value < 0, bisect_right(POWERS, abs(value))
            bins[key] = bins.get(key, 0) + 1
    return min(values, default=0), max(values, default=0), values.count(0), bins


def content(node: NodeProfile) -> tuple[int, int, int, dict[tuple[bool, int], int]]:
    """The same of a profile."""
    sides = ((True, node.negative), (False, node.positive))
    bins = {(side, k): count for side, counts in sides for k, count in enumerate(counts, 1) if count}
    return node.low, node.high, node.zeros, bins


def held(job: EpochJob) -> dict[str, list[int]]:
    """What the nodes hold by the definition of the engine."""
    steps = list(definition.steps(job))
    return {
        "t": [total for step in steps for total in step.accumulator],
        "u": [] if job.link is Link.AFFINE else [step.index for step in steps],
        "c": [step.coefficient for step in steps],
        "p": [value for step in steps for value in step.product],
        "a": [value for step in steps for value in step.increment],
        "z": [value for step in steps for value in step.model],
        "h": job.h.tolist(),
    }


@pytest.mark.parametrize("link", Link)
def test_kernel_and_reference_make_the_same_profile_and_asking_changes_nothing(link: Link) -> None:
    @settings(max_examples=150)
    @given(jobs(link))
    def holds(job: EpochJob) -> None:
        kernel, reference = (run(job, backend, profile=True) for backend in BACKENDS)
        assert kernel.profile == reference.profile
        plain = run(job)
        assert plain.profile is None
        assert same(plain, kernel)
        assert same(plain, reference)

    holds()


@settings(max_examples=150)
@given(jobs(), st.integers(0, 20))
def test_a_profile_counts_every_value_of_every_node(job: EpochJob, first_step: int) -> None:
    job = dataclasses.replace(job, first_step=first_step)  # a position that can be reached word by word
    profile = run(job, profile=True).profile
    for node, values in held(job).items():
        assert content(profile[node]) == counted(values), node
        assert profile[node].count == len(values)
    overflows = [step.overflows for step in definition.steps(job)]
    assert profile.offsets == (min(0, *job.offsets.tolist()), max(0, *job.offsets.tolist()))
    stages = {"t": "accumulator", "u": "index", "c": "coefficient", "a": "increment", "z": "model"}
    for node in NODES:
        expected = sum(step[stages[node]] for step in overflows) if node in stages else 0
        assert profile[node].overflows == expected, node


@settings(max_examples=100)
@given(jobs(), st.data())
def test_a_profile_and_a_trace_can_be_had_together(job: EpochJob, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, job.steps - 1))
    steps = range(first, data.draw(st.integers(first + 1, job.steps)))
    for backend in BACKENDS:
        both = run(job, backend, trace=steps, profile=True)
        assert both.profile == run(job, backend, profile=True).profile
        np.testing.assert_array_equal(both.trace.accumulator, run(job, backend, trace=steps).trace.accumulator)


@pytest.mark.parametrize("backend", BACKENDS)
@settings(max_examples=50)
@given(job=jobs(steps=st.integers(2, 6)), data=st.data())
def test_profiles_of_two_parts_merge_to_that_of_the_whole(job: EpochJob, data: st.DataObject, backend: str) -> None:
    cut = data.draw(st.integers(1, job.steps - 1))
    head = run(dataclasses.replace(job, indices=job.indices[:cut]), backend, profile=True)
    rest = dataclasses.replace(job, indices=job.indices[cut:], z=head.z, first_step=job.first_step + cut)
    merged = head.profile.merged(run(rest, backend, profile=True).profile)
    whole = run(job, backend, profile=True).profile
    assert (merged.loops, merged.steps) == (2, job.steps)
    for node in NODES[:-1]:
        assert merged[node] == whole[node]
    assert merged["h"] == whole["h"].merged(whole["h"])  # h is observed once a loop


@pytest.mark.parametrize("backend", BACKENDS)
def test_without_a_step_only_h_is_observed(backend: str) -> None:
    profile = run(small_job(indices=[]), backend, profile=True).profile
    assert {node: profile[node].count for node in NODES} == {**dict.fromkeys(NODES, 0), "h": 3}
    assert profile["z"] == NodeProfile()
    assert profile["h"] == NodeProfile.of([64, -64, 0])


@given(st.lists(WORDS), st.lists(WORDS))
def test_a_node_counts_by_the_powers_of_two_and_merges_as_its_values_do(one: list[int], other: list[int]) -> None:
    assert content(NodeProfile.of(one)) == counted(one)
    assert NodeProfile.of(one).merged(NodeProfile.of(other)) == NodeProfile.of(one + other)
    assert sum(count for _, _, count in NodeProfile.of(one).bins()) == len(one)


@pytest.mark.parametrize("width", range(1, 63))
def test_bits_are_those_of_the_narrowest_signed_format(width: int) -> None:
    low, high = -(1 << (width - 1)), (1 << (width - 1)) - 1
    assert NodeProfile.of([low]).bits == NodeProfile.of([low, high]).bits == NodeProfile.of([high, low // 2]).bits
    assert NodeProfile.of([low]).bits == width
    assert NodeProfile.of([high + 1]).bits == NodeProfile.of([low - 1]).bits == width + 1


@given(jobs())
def test_a_saved_profile_reads_back(tmp_path_factory: pytest.TempPathFactory, job: EpochJob) -> None:
    profile = run(job, profile=True).profile
    path = tmp_path_factory.mktemp("profile") / "run.json"
    profile.save(path)
    assert Profile.load(path) == profile


def saved(tmp_path, **changes):
    """A saved profile, some of whose entries are replaced; ... takes one out."""
    path = tmp_path / "run.json"
    run(small_job(), profile=True).profile.save(path)
    table = json.loads(path.read_text(encoding="utf-8"))
    for name, value in changes.items():
        *sections, last = name.split("__")
        inner = table
        for section in sections:
            inner = inner[section]
        if value is ...:
            del inner[last]
        else:
            inner[last] = value
    path.write_text(json.dumps(table), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "something else"},
        {"kind": ...},
        {"version": 2},
        {"version": None},
        {"arithmetic_version": 99},
        {"datapath": ...},
        {"datapath__model__width": 99},
        {"datapath__model__breadth": 8},
        {"link": "table"},
        {"columns": 0},
        {"columns": "3"},
        {"steps": -1},
        {"loops": 1.5},
        {"nodes__u": ...},
        {"nodes__q": {"low": 0, "high": 0, "zeros": 0, "negative": [], "positive": [], "overflows": 0}},
        {"nodes__c__zeros": -1},
        {"nodes__c__zeros": 1.5},
        {"nodes__c__low": -1000},
        {"nodes__c__high": 1000},
        {"nodes__c__high": None},
        {"nodes__c__overflows": 4},
        {"nodes__c__positive": [0, 0, 0]},
        {"nodes__z__negative": []},
        {"offsets": [1, 0]},
        {"offsets": [1]},
        {"extra": 1},
    ],
    ids=str,
)
def test_a_file_that_contradicts_itself_is_refused_in_one_line(tmp_path, changes) -> None:
    path = saved(tmp_path)
    Profile.load(path)
    path = saved(tmp_path, **changes)
    assert refusal(lambda: Profile.load(path)).startswith(f"{path}: got ")


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b"\xff\xfe", bytes(range(256)), b'{"kind": "bittrue profile"', b"[" * 100000]
)
def test_a_file_that_is_no_profile_is_refused_in_one_line(tmp_path, content) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(content)
    assert refusal(lambda: Profile.load(path)).startswith(f"{path}: got ")
    assert "No such file" in refusal(lambda: Profile.load(tmp_path / "missing.json"))
    assert "Is a directory" in refusal(lambda: Profile.load(tmp_path))


def test_no_part_of_a_torn_file_passes_for_a_profile(tmp_path) -> None:
    path = saved(tmp_path)
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(InputError):
            Profile.load(path)


def test_profiles_of_other_datapaths_do_not_merge() -> None:
    profile = run(small_job(), profile=True).profile
    renamed = run(small_job(datapath=HALP.replace(name="other")), profile=True).profile
    assert profile.merged(renamed).steps == 6
    wider = run(small_job(datapath=HALP.replace(data=HALP.data.replace(width=9))), profile=True).profile
    assert refusal(lambda: profile.merged(wider)) == (
        "profile: got a profile with data.width 8 (not 9); allowed: one of this datapath"
    )
    table = run(small_job(Link.CENTRED_TABLE), profile=True).profile
    assert "link affine (not centred_table)" in refusal(lambda: profile.merged(table))


def test_the_host_adds_its_overflows_of_h() -> None:
    profile = run(small_job(), profile=True).profile
    more = profile.with_overflows("h", 2)
    assert more["h"] == msgspec.structs.replace(profile["h"], overflows=2)
    assert {**more.nodes, "h": profile["h"]} == profile.nodes


@pytest.fixture
def own_backend(monkeypatch):
    """Names of two backends that are registered for one test: one makes profiles, one does not."""
    monkeypatch.setattr(engine, "_BACKENDS", dict(engine._BACKENDS))

    def plain(job: EpochJob, traced: range | None) -> EpochResult:
        return run(job, trace=traced)

    def able(job: EpochJob, traced: range | None, *, profile: bool = False) -> EpochResult:
        return run(job, trace=traced, profile=profile)

    register_backend("plain", plain)
    register_backend("able", able, makes_profiles=True)
    return "plain", "able"


def test_a_backend_that_makes_no_profiles_says_so(own_backend) -> None:
    job = small_job()
    assert same(run(job, "plain"), run(job))
    assert run(job, "able", profile=True).profile == run(job, profile=True).profile
    assert refusal(lambda: run(job, "plain", profile=True)) == (
        "backend: got 'plain', which makes no profiles; allowed: kernel, reference, able"
    )


def test_an_epoch_of_thousands_of_steps_is_counted_whole() -> None:
    path = TrainingDatapath.preset("halp8_blocks")
    rng = np.random.default_rng(3)
    job = small_job(
        datapath=path, rows=engine.job.RawRows(rng.integers(-127, 128, (20, 37))), indices=rng.integers(0, 20, 3000),
        z=np.zeros(37, int), h=rng.integers(-500, 500, 37), exponents=[0, 2, 5],
        registers=engine.Registers(40000, 22),
    )  # fmt: skip
    kernel, reference = (run(job, backend, profile=True).profile for backend in BACKENDS)
    assert kernel == reference
    assert [kernel[node].count for node in NODES] == [9000, 0, 3000, 111000, 111000, 111000, 37]
    assert kernel["z"].overflows > 0
