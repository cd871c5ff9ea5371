"""ZipML's algorithms: step for step against the estimators, where they end, and the rows that the engine reads."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from algorithms.curves import Floats
from algorithms.data import load
from algorithms.multiclass import OneVsRest
from algorithms.points import Parameters, SampleLevels, Sampling
from algorithms.problems import LeastSquares, LeastSquaresSvm, Logistic, Problem, SmoothedHinge
from algorithms.samples import DataSpec, load_samples
from algorithms.training import least_loss, train
from algorithms.zipml import estimators
from algorithms.zipml.floating import FloatSamples
from algorithms.zipml.sampling import HostWords, Sampler, quantized_vector
from sim.datapath import TrainingDatapath
from sim.engine import EpochJob, EpochResult
from sim.errors import InputError
from sim.packed_rows import PackedRows
from sim.random_bits import RandomWords, Role, Xorshift32, generator_seed, row_indices
from sim.row_formats import RowFormat

PATH = TrainingDatapath.preset("zipml4").with_fields({"model.width": 12, "product.cut": 1})
RUN: dict[str, Any] = {"step": 0.02, "epoch_length": 30, "epochs": 3, "seed": 5}


def least_squares(samples: int = 500, columns: int = 8) -> LeastSquares:
    values = np.random.default_rng(0)
    rows = values.uniform(-1, 1, (samples, columns))
    return LeastSquares(rows, rows @ values.normal(size=columns) + 0.1 * values.normal(size=samples))


def of_classes(kind: type[Problem], ridge: float = 0.01) -> Problem:
    values = np.random.default_rng(1)
    rows = values.normal(size=(80, 6))
    return kind(rows, (rows @ values.normal(size=6) + values.normal(size=80) > 0).astype(float), ridge)


@pytest.mark.parametrize("sampling", ["double", "naive", "symmetric", "full", "nearest"])
@pytest.mark.parametrize(("model_bits", "gradient_bits"), [(None, None), (4, None), (None, 4), (3, 5)])
@pytest.mark.parametrize("levels", SampleLevels)
def test_float_runs_equal_the_estimators_step_for_step(
    sampling: str, model_bits: int | None, gradient_bits: int | None, levels: SampleLevels
) -> None:
    if sampling == Sampling.FULL and levels is SampleLevels.OPTIMAL:
        return
    check_against_the_estimators(least_squares(20, 5), sampling, model_bits, gradient_bits, levels)


def test_gradients_of_many_columns_have_a_norm_for_every_128_of_them() -> None:
    check_against_the_estimators(least_squares(20, 300), "double", 6, 4, SampleLevels.UNIFORM)


def check_against_the_estimators(
    problem: LeastSquares, sampling: str, model_bits: int | None, gradient_bits: int | None, levels: SampleLevels
) -> None:
    bits = None if sampling == Sampling.FULL else 3
    own: dict[str, Any] = {"sampling": sampling, "sample_bits": bits, "levels": levels}
    trace = train(problem, "zipml_float", **RUN, **own, model_bits=model_bits, gradient_bits=gradient_bits)
    samples = FloatSamples(problem, Parameters(**RUN, **own))
    rows = Xorshift32(generator_seed(5, Role.ROWS, 0))
    sources = {2: HostWords(5, 2), 3: HostWords(5, 3)}

    def rounded(values: Floats, bits: int | None, number: int, bucket: int = 0) -> Floats:
        if bits is None:
            return values
        words = RandomWords(sources[number].take(len(values))[0], 32)
        return quantized_vector(values, 2 ** (bits - 1) - 1, words, bucket=bucket)

    w = np.zeros(problem.shape[1])
    for _ in range(RUN["epochs"]):
        held = samples.draw()
        updates, dots = held[-1], held[0]
        assert len(held) == 1 + (sampling in ("double", "symmetric"))
        for i in row_indices(rows, 20, RUN["epoch_length"]).tolist():
            near, target = rounded(w, model_bits, 2), float(problem.targets[i])
            match sampling:
                case Sampling.NAIVE:
                    g = estimators.naive(updates[i], near, target)
                case Sampling.SYMMETRIC:
                    g = estimators.symmetric(updates[i], dots[i], near, target)
                case _:
                    g = estimators.double(updates[i], dots[i], near, target)
            w = w - RUN["step"] * rounded(g, gradient_bits, 3, 128)
    assert trace.w == pytest.approx(w, rel=1e-9, abs=1e-12)


def test_naive_sgd_ends_where_the_formula_says_and_double_sampling_ten_times_closer_to_the_solution() -> None:
    problem = least_squares()
    solution = problem.solution()
    variances = Sampler.uniform(problem.features, 2, scaling="column").variances()
    wrong = estimators.naive_solution(problem.features, problem.targets, variances)
    off = float(np.linalg.norm(wrong - solution))
    ends = {
        sampling: train(
            problem, "zipml_float", step=0.003, epoch_length=1000, epochs=400, sampling=sampling, sample_bits=2,
            averaged=True,
        ).w
        for sampling in ("naive", "double", "symmetric")
    }  # fmt: skip
    assert np.linalg.norm(ends["naive"] - wrong) <= 0.02 * off
    for sampling in ("double", "symmetric"):
        assert 10 * np.linalg.norm(ends[sampling] - solution) <= np.linalg.norm(ends["naive"] - solution)


def test_end_to_end_at_eight_bits_reaches_the_loss_of_full_precision() -> None:
    problem = least_squares()
    run: dict[str, Any] = {"step": 0.02, "epoch_length": 1000, "epochs": 30, "averaged": True}
    full = train(problem, "zipml_float", sampling="full", **run)
    low = train(problem, "zipml_float", sample_bits=8, model_bits=8, gradient_bits=8, **run)
    six = train(problem, "zipml_float", sample_bits=6, **run)
    assert low.losses[-1] <= 1.01 * full.losses[-1]
    assert six.losses[-1] <= 1.01 * full.losses[-1]


class Kept:
    """The loops of a run on the engine, and their results."""

    def __init__(self) -> None:
        self.jobs: list[EpochJob] = []
        self.models: list[Floats] = []

    def add(self, job: EpochJob, result: EpochResult) -> None:
        self.jobs.append(job)
        self.models.append(result.z.astype(float))


@pytest.mark.parametrize("algorithm", ["zipml", "halp_zipml"])
@pytest.mark.parametrize("sampling", ["double", "naive"])
@pytest.mark.parametrize(("levels", "bits"), [("uniform", None), ("uniform", 2), ("optimal", 3)])
def test_the_engine_reads_fresh_samples_of_every_row_each_epoch(
    algorithm: str, sampling: str, levels: str, bits: int | None
) -> None:
    problem, kept = least_squares(40, 5), Kept()
    own: dict[str, Any] = {"delta": 0.01} if algorithm == "zipml" else {"mu": 0.3}
    own |= {"sampling": sampling, "levels": levels, "sample_bits": bits}
    path = PATH.with_fields({"data.width": 8}) if levels == "optimal" else PATH
    trace = train(problem, algorithm, path, **RUN, **own, on_result=kept.add)
    largest = np.abs(problem.features).max()
    high = 127 if levels == "optimal" else 4 if bits is None else 1
    for job in kept.jobs:
        rows = job.rows
        assert isinstance(rows, PackedRows)
        assert (rows.fmt.bits, rows.fmt.samples) == (bits or 4, 2 if sampling == "double" else 1)
        dot, update = (words * largest / high for words in rows.arrays(path.data_format))
        assert (sampling == "naive") == bool((dot == update).all())
        for words in (dot, update):
            if levels == "uniform":
                assert (np.abs(words - problem.features) < largest / high).all()
            assert np.abs(words).max() <= largest * (1 + 1e-12)
    data = [job.rows.data.tobytes() for job in kept.jobs if isinstance(job.rows, PackedRows)]
    assert len(set(data)) == 3
    again = train(problem, algorithm, path, **RUN, **own, backend="reference")
    assert again.model_digest == trace.model_digest
    assert trace.losses[0] == problem.loss(np.zeros(5))
    stored = kept.jobs[0].rows
    assert isinstance(stored, PackedRows)
    outer = problem.features.nbytes if algorithm == "halp_zipml" else 0
    assert trace.epochs[0].bytes_moved == 30 * stored.data.shape[1] + outer


def test_samples_on_the_engine_are_unbiased_for_the_real_rows() -> None:
    """Mean of 400 draws within 6 standard errors of each value: a false alarm in 4e-7 of runs."""
    problem = least_squares(20, 5)
    sampler, words = Sampler.uniform(problem.features, 3), HostWords(0, 1)
    mean = np.mean([sampler.values(sampler.draw(words).dot) for _ in range(400)], axis=0)
    assert (np.abs(mean - problem.features) <= 6 * np.sqrt(sampler.variances() / 400) + 1e-12).all()


def test_on_the_engine_too_naive_sampling_ends_elsewhere() -> None:
    """Means over the later epochs' ends; the model's own rounding, δ = 0.002, is unbiased."""
    problem = least_squares()
    solution = problem.solution()
    variances = Sampler.uniform(problem.features, 2).variances()
    wrong = estimators.naive_solution(problem.features, problem.targets, variances)
    ends = {}
    for sampling in ("naive", "double"):
        kept = Kept()
        run: dict[str, Any] = {"step": 0.004, "epoch_length": 500, "epochs": 400, "delta": 0.002, "sample_bits": 2}
        trace = train(problem, "zipml", PATH, sampling=sampling, on_result=kept.add, **run)
        ends[sampling] = 0.002 * np.mean(kept.models[100:], axis=0)
        assert sum(record.counts["coefficient"] for record in trace.epochs[:-1]) == 0
    off = np.linalg.norm(wrong - solution)
    assert np.linalg.norm(ends["naive"] - wrong) <= 0.05 * off
    assert 10 * np.linalg.norm(ends["double"] - solution) <= np.linalg.norm(ends["naive"] - solution)


@pytest.mark.parametrize("sampling", ["double", "naive"])
def test_centring_removes_the_bias_of_quantized_rows(sampling: str) -> None:
    """HALP on rows of 3 bits goes on to the solution of the real rows, even with one rounding for both uses."""
    problem = least_squares()
    path = TrainingDatapath.preset("zipml4").with_fields({"data.width": 3})
    run: dict[str, Any] = {"step": 0.02, "epoch_length": 1000, "epochs": 15, "mu": 0.2, "sampling": sampling}
    trace = train(problem, "halp_zipml", path, **run)
    assert trace.gradient_norms[-1] <= 1e-5 * trace.gradient_norms[0]
    assert np.linalg.norm(trace.w - problem.solution()) <= 1e-4


@pytest.mark.parametrize("kind", [LeastSquaresSvm, Logistic, SmoothedHinge])
def test_other_losses_train_on_the_real_rows_problem(kind: type[Problem]) -> None:
    problem = of_classes(kind)
    path = PATH.with_fields({"data.width": 6, "link.index_bits": 8})
    start, least = problem.loss(np.zeros(6)), problem.least_loss()
    for algorithm, own in (("zipml", {"delta": 0.002}), ("halp_zipml", {"mu": 0.1}), ("zipml_float", {})):
        used = None if algorithm == "zipml_float" else path
        run: dict[str, Any] = {"step": 0.01, "epoch_length": 400, "epochs": 12, "minimum": True, **own}
        trace = train(problem, algorithm, used, **run)
        assert trace.minimum == least == least_loss(problem, algorithm, used)
        assert trace.losses[-1] - least <= 0.1 * (start - least), algorithm


@pytest.mark.parametrize(
    ("algorithm", "path", "own", "text"),
    [
        (
            "zipml",
            PATH,
            {"delta": 1.0, "sampling": "symmetric"},
            "sampling: got symmetric; allowed: double, naive with",
        ),
        (
            "zipml",
            PATH,
            {"delta": 1.0, "sampling": "twice"},
            "sampling: got 'twice'; allowed: double, naive, symmetric",
        ),
        (
            "zipml",
            PATH,
            {"delta": 1.0, "sample_bits": 5},
            "sample_bits: got 5; allowed: 2 to 4 bits a sample with zipml",
        ),
        ("zipml", PATH, {"delta": 1.0, "sample_bits": 9}, "sample_bits: got 9; allowed: a whole number from 1 to 8"),
        ("zipml", PATH, {}, "delta: got none"),
        ("zipml", None, {"delta": 1.0}, "datapath: got None; allowed: a TrainingDatapath, since zipml"),
        ("zipml", TrainingDatapath.preset("halp16"), {"delta": 1.0}, "data.width: got 16; allowed: 2 to 8 bits"),
        ("zipml", PATH, {"delta": 1.0, "model_bits": 4}, "model_bits: got 4; allowed: none, since zipml has no such"),
        ("zipml_float", PATH, {}, "datapath: got 'zipml4'; allowed: none, since zipml_float"),
        ("zipml_float", None, {"sample_bits": 1}, "sample_bits: got 1; allowed: 2 to 8 with uniform levels"),
        (
            "zipml_float",
            None,
            {"sampling": "full", "sample_bits": 4},
            "sample_bits: got 4; allowed: none with sampling",
        ),
        ("zipml_float", None, {"model_bits": 1}, "model_bits: got 1; allowed: a whole number from 2 to 16"),
        ("zipml_float", None, {"averaged": 1}, "averaged: got 1; allowed: True or False"),
        ("zipml_float", None, {"levels": "best"}, "levels: got 'best'; allowed: uniform, optimal"),
        ("svrg", None, {"sample_bits": 4}, "sample_bits: got 4; allowed: none, since svrg has no such parameter"),
    ],
)
def test_bad_input_is_refused_in_one_line(algorithm: str, path: Any, own: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError) as caught:
        train(least_squares(20, 5), algorithm, path, **RUN, **own)
    assert str(caught.value).startswith(text)


def test_zeros_a_single_row_and_more_classes() -> None:
    with pytest.raises(InputError, match="features: got only zeros"):
        train(LeastSquares(np.zeros((3, 2)), np.ones(3)), "zipml", PATH, delta=1.0, **RUN)
    single = train(LeastSquares([[1.0, 0.0, -2.0]], [3.0]), "zipml", PATH, delta=0.01, **RUN)
    assert single.losses[-1] < single.losses[0]
    problem, settings = load("digits")
    trace = train(problem, "zipml_float", step=settings.step, epoch_length=1797, epochs=2)
    assert trace.epochs[-1].accuracy is not None
    assert trace.epochs[-1].accuracy > 0.8


RESIDENT = """
import sys
from pathlib import Path
from sim.packed_rows import PackedRows

def resident():
    return 4096 * int(Path("/proc/self/statm").read_text().split()[1])

grown = []
for path in sys.argv[1:]:
    before = resident()
    rows = PackedRows.load(Path(path))
    int(rows.data.sum())  # every byte was read
    grown.append(resident() - before)
print(*grown)
"""
"""Tells by how many resident bytes a process grows at each store that it maps and reads; at the first, code as well."""


@pytest.mark.fashion
def test_fashion_mnist_in_four_bits_an_entry_takes_an_eighth_of_float32_and_is_mapped(tmp_path: Path) -> None:
    features = load_samples(DataSpec(source="fashion-mnist")).features
    sampler = Sampler.uniform(features, 3, signed=False)
    assert (sampler.fmt.stored_bits, sampler.fmt.high) == (4, 4)
    rows = sampler.draw(HostWords(0, 1))
    assert 7 * rows.nbytes <= 60_000 * 784 * 4
    rows.save(tmp_path / "rows.bin")
    mapped = PackedRows.load(tmp_path / "rows.bin")
    assert not mapped.data.flags.owndata
    assert (mapped.data == rows.data).all()
    PackedRows.pack([[[0]], [[1]]], RowFormat(bits=3)).save(tmp_path / "one.bin")
    command = [sys.executable, "-c", RESIDENT, tmp_path / "one.bin", tmp_path / "rows.bin"]
    code, grown = map(int, subprocess.run(command, check=True, capture_output=True).stdout.split())
    assert 0.99 * rows.nbytes <= grown <= 60_000 * 784 * 4 / 7, (code, grown)
    assert np.abs(mapped.values(0)[:100] - features[:100]).max() <= 1 / 4  # pixels of 0 to 1, four intervals


def test_classes_share_their_samples_and_each_trains_as_if_alone() -> None:
    problem, settings = load("digits")
    assert isinstance(problem, OneVsRest)
    run: dict[str, Any] = {"step": settings.step, "epoch_length": 50, "epochs": 3, "sample_bits": 3}
    together = train(problem, "zipml_float", **run)
    for k in (0, 9):
        assert train(problem.binaries[k], "zipml_float", **run).w.tolist() == together.w[k].tolist()


@pytest.mark.parametrize(("algorithm", "own"), [("zipml", {"delta": 0.01}), ("halp_zipml", {"mu": 0.3})])
@pytest.mark.parametrize("levels", SampleLevels)
def test_classes_on_the_engine_share_their_samples_and_each_trains_as_if_alone(
    algorithm: str, own: dict[str, Any], levels: SampleLevels, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem, settings = load("digits")
    assert isinstance(problem, OneVsRest)
    drawn, draw = [], Sampler.draw

    def counted(sampler: Sampler, random: HostWords) -> PackedRows:
        drawn.append(sampler)
        return draw(sampler, random)

    monkeypatch.setattr(Sampler, "draw", counted)
    run: dict[str, Any] = {"step": settings.step, "epoch_length": 20, "epochs": 3, "levels": levels, **own}
    path = TrainingDatapath.preset("zipml4").with_fields({"data.width": 8}).with_fields({"link.index_bits": 8})
    together = train(problem, algorithm, path, sample_bits=3, **run)
    assert len(drawn) == 4  # once an epoch for all ten classes, and for the loop that the end would ask for
    for k in (0, 9):
        assert train(problem.binaries[k], algorithm, path, sample_bits=3, **run).w.tolist() == together.w[k].tolist()


def test_runs_side_by_side_draw_the_same_samples_in_any_order() -> None:
    problem, parameters = least_squares(20, 5), Parameters(**RUN, sample_bits=3)
    first, second = FloatSamples(problem, parameters), FloatSamples(problem, parameters)
    ahead = [first.draw() for _ in range(3)]
    assert first.sampler is second.sampler
    assert [(second.draw() == samples).all() for samples in ahead] == [True] * 3
    assert (first.draw() == second.draw()).all()
    assert (ahead[0] != ahead[1]).any()
    other = FloatSamples(problem, Parameters(**RUN | {"seed": 6}, sample_bits=3))
    assert other.sampler is not first.sampler
    assert (other.draw() != ahead[0]).any()
