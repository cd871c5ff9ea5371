"""One-vs-rest is K runs of two classes side by side: its trace is theirs together, its accuracy that of the argmax."""

import math
from typing import Any

import numpy as np
import pytest

from algorithms.multiclass import OneVsRest
from algorithms.problems import LeastSquaresSvm, Logistic, Problem
from algorithms.trace import EpochRecord, State, Trace
from algorithms.training import train
from sim.datapath import TrainingDatapath

BLOCKS, PATH = TrainingDatapath.preset("halp8_blocks"), TrainingDatapath.preset("lp_svrg8")
NARROW = PATH.replace(coefficient=PATH.coefficient.replace(width=5))
COMMON: dict[str, Any] = {"step": 0.1, "epoch_length": 30, "epochs": 3, "seed": 6}
RUNS: list[tuple[str, TrainingDatapath | None, dict[str, Any]]] = [
    ("halp", BLOCKS, {"mu": 0.3}),
    ("halp", NARROW, {"mu": 3.0, "option": "II"}),  # saturates
    ("lp_svrg", PATH, {"delta": 0.02}),
    ("lp_sgd", PATH, {"delta": 0.02}),
    ("svrg", None, {}),
    ("sgd32", None, {}),
]
CLASSES = 4


def samples(seed: int = 0, count: int = 40, columns: int = 21) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    labels = np.append(rng.integers(0, CLASSES, count - 1), CLASSES - 1)
    return rng.normal(size=(count, columns)) + rng.normal(size=(CLASSES, columns))[labels], labels


def problem_of(kind: Any = Logistic, *, held_out: bool = False) -> OneVsRest:
    features, labels = samples()
    base = kind(features, 1.0 * (labels == 0), 0.01, "forty")
    return OneVsRest(base, labels, samples(1, 15) if held_out else None)


def alone(problem: OneVsRest) -> list[Problem]:
    """The classes' problems, made anew."""
    first = problem.first
    held = problem.held_out
    return [
        type(first)(
            first.features, 1.0 * (problem.labels == k), first.ridge,
            held_out=None if held is None else (held[0], 1.0 * (held[1] == k)),
        )
        for k in range(CLASSES)
    ]  # fmt: skip


def argmax_accuracy(features: Any, labels: Any, w: Any) -> float:
    """By plain comparison, the first of equal margins counting."""
    right = 0
    for x, label in zip(features.tolist(), labels.tolist(), strict=True):
        margins = []
        for row in w.tolist():
            margin = 0.0
            for a, b in zip(x, row, strict=True):
                margin += a * b
            margins.append(margin)
        right += margins.index(max(margins)) == label
    return right / len(labels)


@pytest.mark.parametrize(("algorithm", "path", "own"), RUNS)
@pytest.mark.parametrize("held_out", [False, True])
def test_the_trace_is_that_of_separate_runs_put_together(
    algorithm: str, path: TrainingDatapath | None, own: dict[str, Any], held_out: bool
) -> None:
    problem = problem_of(held_out=held_out)
    trace = train(problem, algorithm, path, **COMMON, **own)
    traces = [train(part, algorithm, path, **COMMON, **own) for part in alone(problem)]
    for single, own_trace in zip(traces, trace.classes, strict=True):
        assert (single.epochs, single.w.tolist()) == (own_trace.epochs, own_trace.w.tolist())
        assert single.parameters == own_trace.parameters == trace.parameters
    assert trace.w.tolist() == [single.w.tolist() for single in traces]
    assert (trace.data, trace.algorithm, len(trace.epochs)) == ("forty", algorithm, 4)
    for epoch, record in enumerate(trace.epochs):
        parts = [single.epochs[epoch] for single in traces]
        assert record.epoch == epoch
        assert record.loss == pytest.approx(sum(part.loss for part in parts) / CLASSES, rel=1e-14)
        assert record.gradient_norm == pytest.approx(sum(part.gradient_norm for part in parts) / CLASSES, rel=1e-14)
        scales = [part.scale for part in parts if part.scale is not None]
        assert record.scale == max(scales, default=None)
        assert record.counts == {stage: sum(part.counts[stage] for part in parts) for stage in parts[0].counts}
        for name in ("steps", "updates", "cycles", "bytes_moved"):
            assert getattr(record, name) == sum(getattr(part, name) for part in parts)
        assert record.exponents == sum((part.exponents for part in parts), ())
        assert record.moved == any(part.moved for part in parts)
        shares = [
            (sum(part.counts.get(stage, 0) for part in parts) for stage in ("increment", "model")),
            (sum(part.counts.get("coefficient", 0) for part in parts),),
        ]
        whole = sum(part.updates for part in parts), sum(part.steps for part in parts)
        assert record.saturated_share == max(sum(n) / max(of, 1) for n, of in zip(shares, whole, strict=True))
    features, labels = problem.held_out or (problem.first.features, problem.labels)
    assert trace.accuracy == argmax_accuracy(features, labels, trace.w)
    assert trace.epochs[0].accuracy == np.mean(labels == 0)  # all margins are 0
    if path is NARROW:
        assert trace.epochs[0].counts["coefficient"] > 0


def test_all_classes_draw_the_same_rows_and_random_words_and_are_told_in_order() -> None:
    """Each inner loop and its result, class after class; then the epoch's record, once, before the next epoch."""
    told: list[Any] = []
    trace = train(
        problem_of(), "halp", BLOCKS, **COMMON, mu=0.3,
        on_epoch=told.append, on_result=lambda job, result: told.append((job, result)),
    )  # fmt: skip
    expected = [*[*(["loop"] * CLASSES), "epoch"] * 3, "epoch"]
    assert ["epoch" if isinstance(event, EpochRecord) else "loop" for event in told] == expected
    assert [event for event in told if isinstance(event, EpochRecord)] == trace.epochs
    for epoch in range(3):
        loops = told[epoch * (CLASSES + 1) :][:CLASSES]
        assert len({tuple(job.indices.tolist()) for job, _ in loops}) == 1
        assert {(job.seed, job.first_step) for job, _ in loops} == {(6, 30 * epoch)}
        for k, (job, result) in enumerate(loops):
            record = trace.classes[k].epochs[epoch]
            assert (record.steps, record.cycles) == (job.steps, result.cycles)
            assert {**record.counts, "h": 0} == {**result.counts, "h": 0}
            assert record.exponents == tuple(job.exponents.tolist())


def one_class_at_rest() -> OneVsRest:
    """Of the third class against the others the gradient at 0 is nothing: its row is the sum of theirs."""
    rows = np.array([[127.0, 10.0], [-27.0, 20.0], [100.0, 30.0]])
    return OneVsRest(LeastSquaresSvm(rows, [1.0, 0.0, 0.0]), np.array([0, 1, 2]))


@pytest.mark.parametrize("algorithm", ["halp", "lp_svrg", "svrg"])
def test_a_class_that_is_done_stays_and_the_others_go_on(algorithm: str) -> None:
    own: Any = {"halp": {"mu": 2000.0}, "lp_svrg": {"delta": 1e-4}, "svrg": {}}[algorithm]
    path = None if algorithm == "svrg" else PATH
    epochs: list[EpochRecord] = []
    given_settings: Any = {"step": 1e-5, "epoch_length": 8, "epochs": 3, "on_epoch": epochs.append, **own}
    trace = train(one_class_at_rest(), algorithm, path, **given_settings)
    assert [len(part.epochs) for part in trace.classes] == [4, 4, 1]
    assert trace.classes[2].state is State.CONVERGED
    assert trace.w[2].tolist() == [0.0, 0.0]
    assert trace.w[:2].all()
    assert [record.epoch for record in trace.epochs] == [0, 1, 2, 3]
    assert epochs == trace.epochs
    for epoch, record in enumerate(trace.epochs):
        norms = [*(part.gradient_norms[epoch] for part in trace.classes[:2]), 0.0]
        assert record.gradient_norm == pytest.approx(sum(norms) / 3, rel=1e-14)
        assert record.loss == pytest.approx(
            (sum(part.losses[epoch] for part in trace.classes[:2]) + trace.classes[2].losses[0]) / 3, rel=1e-14
        )
        assert record.steps == (16 if epoch < 3 else 0)


def one_class_frozen() -> OneVsRest:
    """Of the first class against the others the gradient at 0 is too small to move a model worth 0.1 a last bit."""
    rows = np.array([[1.0], [0.504], [0.504]])
    return OneVsRest(LeastSquaresSvm(rows, [1.0, 0.0, 0.0]), np.array([0, 1, 2]))


def test_a_run_whose_classes_are_all_done_ends() -> None:
    problem = OneVsRest(LeastSquaresSvm([[1.0], [1.0]], [1.0, 0.0]), np.array([0, 1]))
    trace = train(problem, "halp", PATH, **COMMON, mu=1.0)
    assert (len(trace.epochs), trace.state) == (1, State.CONVERGED)


def test_the_state_is_that_of_the_mean_gradient_and_of_all_counts() -> None:
    def state(records: list[EpochRecord]) -> State:
        return Trace("halp", "none", {}, PATH, records).state

    converged = train(problem_of(), "svrg", **{**COMMON, "epochs": 60})
    assert converged.state is State.CONVERGED
    assert converged.state is state(converged.epochs)
    saturating = train(problem_of(), "halp", NARROW, **COMMON, mu=3.0)
    assert saturating.state is State.SATURATING
    still = train(problem_of(), "lp_svrg", PATH, **{**COMMON, "step": 1e-6}, delta=0.5)
    assert still.state is State.FROZEN
    assert not still.w.any()
    one_still = train(one_class_frozen(), "lp_svrg", PATH, **COMMON, delta=0.1)
    assert [part.state is State.FROZEN for part in one_still.classes] == [True, False, False]
    assert [record.moved for record in one_still.classes[0].epochs] == [False, False, False, True]
    assert [record.moved for record in one_still.epochs] == [True] * 4
    assert one_still.state is not State.FROZEN


@pytest.mark.parametrize(("algorithm", "path", "own"), RUNS)
def test_suboptimality_is_measured_from_the_mean_of_the_classes_least_losses(
    algorithm: str, path: TrainingDatapath | None, own: dict[str, Any]
) -> None:
    problem = problem_of()
    solved = [part if path is None else part.quantized(path.data_format).problem for part in alone(problem)]
    least = math.fsum(part.minimum for part in solved) / CLASSES
    trace = train(problem, algorithm, path, **COMMON, **own, minimum=True)
    assert trace.minimum == pytest.approx(least, rel=1e-12)
    first = math.log(2) - least
    expected = [(loss - least) / first for loss in trace.losses]
    assert trace.suboptimality == pytest.approx(expected, rel=1e-9)
    assert trace.suboptimality[0] == 1.0
    assert min(trace.suboptimality) >= 0.0
    given_one = train(problem, algorithm, path, **COMMON, **own, minimum=0.125)
    assert given_one.minimum == 0.125
    without = train(problem, algorithm, path, **COMMON, **own)
    assert without.minimum is None
    assert all(math.isnan(value) for value in without.suboptimality)
