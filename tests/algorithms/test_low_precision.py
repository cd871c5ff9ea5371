"""LP-SVRG, LP-SGD and HALP with a table equal a plain program written from the formulas, bit for bit over epochs."""

import math
from itertools import islice, pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from algorithms.engine_host import EngineHost
from algorithms.halp import halp
from algorithms.low_precision import lp_sgd, lp_svrg
from algorithms.points import Option, Parameters, Point
from algorithms.problems import LeastSquares, LeastSquaresSvm, Logistic, Problem, SmoothedHinge
from algorithms.trace import State
from algorithms.training import train
from sim.datapath import Accumulation, Coefficient, Data, Increment, Links, Model, Product, TrainingDatapath
from sim.engine import run
from sim.errors import InputError
from tests.algorithms.plain import HOST, Loss, plain_run, words_of

KINDS: dict[str, type[Problem]] = {
    "least-squares": LeastSquares,
    "least-squares SVM": LeastSquaresSvm,
    "logistic": Logistic,
    "hinge": SmoothedHinge,
}
SOLVERS: dict[str, Any] = {"halp": halp, "lp_svrg": lp_svrg, "lp_sgd": lp_sgd}
PATHS = {name: TrainingDatapath.preset(name) for name in ("lp_svrg8", "lp_sgd8", "halp12")}
BLOCKS = TrainingDatapath.preset("halp8_blocks")
COMMON: dict[str, Any] = {"step": 0.05, "epoch_length": 25, "seed": 3}


def problem_of(loss: str, seed: int = 0, samples: int = 20, columns: int = 19, ridge: float = 0.02) -> Problem:
    rng = np.random.default_rng(seed)
    return KINDS[loss](rng.normal(size=(samples, columns)), rng.integers(0, 2, samples).astype(float), ridge)


def own(algorithm: str, size: float = 1.0) -> dict[str, Any]:
    return {"mu": 0.4 / size} if algorithm == "halp" else {"delta": 0.01 * size}


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize("loss", KINDS)
@pytest.mark.parametrize("algorithm", SOLVERS)
def test_the_models_of_every_epoch_are_those_of_the_plain_program(algorithm: str, loss: str, name: str) -> None:
    problem, path, given_settings = problem_of(loss), PATHS[name], {**COMMON, **own(algorithm)}
    expected = plain_run(algorithm, Loss(loss), problem, path, 3, **given_settings)
    assert expected[0] != expected[2]
    for epochs, model in enumerate(expected, 1):
        assert train(problem, algorithm, path, epochs=epochs, **given_settings).w.tolist() == model
    on_reference = train(problem, algorithm, path, epochs=3, backend="reference", **given_settings)
    assert on_reference.w.tolist() == expected[2]


@settings(max_examples=60)
@example("halp", "least-squares SVM", 2717, 1, 1, 2, 1, 0.2, 0.2)  # starts without a gradient
@example("lp_sgd", "least-squares SVM", 2717, 1, 1, 2, 1, 0.2, 0.2)
@given(
    algorithm=st.sampled_from(list(SOLVERS)),
    loss=st.sampled_from(list(KINDS)),
    seed=st.integers(0, 1 << 40),
    columns=st.integers(1, 34),
    lanes=st.sampled_from([1, 8, 32]),
    index_bits=st.sampled_from([2, 4, 9]),
    grid_bits=st.sampled_from([1, 4, 6]),
    step=st.sampled_from([0.2, 0.03, 1e-3]),
    size=st.sampled_from([0.2, 1.0, 8.0]),
)
def test_so_are_they_on_any_problem(
    algorithm: str, loss: str, seed: int, columns: int, lanes: int, index_bits: int, grid_bits: int, step: float,
    size: float,
) -> None:  # fmt: skip
    """Among them margins past the tables, and coefficients, increments and models that saturate."""
    link = Links(index_bits=index_bits, grid_bits=grid_bits, slope_bits=16, multiplier_bits=20)
    path = PATHS["lp_sgd8"].replace(lanes=lanes, link=link)
    problem = problem_of(loss, seed, 9, columns, 0.1)
    given_settings = {"step": step, "epoch_length": 12, "seed": seed, **own(algorithm, size)}
    expected = plain_run(algorithm, Loss(loss), problem, path, 2, **given_settings)[-1]
    assert train(problem, algorithm, path, epochs=2, **given_settings).w.tolist() == expected


@pytest.mark.parametrize("loss", ["logistic", "hinge"])
@pytest.mark.parametrize("power_of_two", [False, True])
def test_so_are_those_of_halp_with_block_exponents(loss: str, power_of_two: bool) -> None:
    problem, given_settings = problem_of(loss, columns=40), {**COMMON, "mu": 0.6, "power_of_two": power_of_two}
    for epochs, model in enumerate(plain_run("halp", Loss(loss), problem, BLOCKS, 3, **given_settings), 1):
        assert train(problem, "halp", BLOCKS, epochs=epochs, **given_settings).w.tolist() == model


@pytest.mark.parametrize("loss", KINDS)
def test_where_a_narrow_accumulator_saturates_the_offsets_of_svrg_do_too_and_are_counted(loss: str) -> None:
    path = PATHS["halp12"].replace(accumulator=Accumulation(width=12))
    given_settings = {**COMMON, "delta": 0.001}
    expected = plain_run("lp_svrg", Loss(loss), problem_of(loss), path, 3, **given_settings)[-1]
    trace = train(problem_of(loss), "lp_svrg", path, epochs=3, **given_settings)
    assert trace.w.tolist() == expected
    assert trace.epochs[0].counts["offset"] == 0
    assert trace.epochs[2].counts["offset"] > 0
    assert trace.epochs[2].counts["accumulator"] > 0


def test_the_offsets_of_svrg_are_exact_where_float64_would_round_them() -> None:
    """Sums past 2^53, of words of 24 and 32 bits."""
    path = TrainingDatapath(
        data=Data(width=24),
        model=Model(width=32),
        accumulator=Accumulation(width=58),
        coefficient=Coefficient(width=8),
        increment=Increment(width=48),
        product=Product(cut=24),
        link=Links(multiplier_bits=2),
    )
    host = EngineHost("lp_svrg", problem_of("least-squares"), path, Parameters(0.1, 1, 1, 0))
    z = np.full(19, 2**31 - 3) * np.where(host.raw[0] > 0, 1, -1)
    exact = [-sum(a * b for a, b in zip(row, z.tolist(), strict=True)) for row in host.raw.tolist()]
    words, past = host.offset_words(z)
    assert (words.tolist(), past) == (exact, 0)
    assert any(int(float(value)) != value for value in exact)


def points(algorithm: str, problem: Problem, path: TrainingDatapath, epochs: int = 4, **changes: Any) -> list[Point]:
    """The points of a run, its inner loops run on the kernel."""
    parameters = Parameters(epochs=epochs, **{**COMMON, **own(algorithm), **changes})
    generator = SOLVERS[algorithm](problem, path, parameters)
    reached = [next(generator)]
    while len(reached) < epochs:
        reached.append(generator.send(run(reached[-1].job)))
    return reached


@pytest.mark.parametrize("algorithm", ["lp_svrg", "lp_sgd"])
def test_the_model_stands_on_one_grid_and_goes_on_where_the_last_epoch_ended(algorithm: str) -> None:
    reached = points(algorithm, problem_of("logistic"), PATHS["halp12"])
    for before, point in pairwise(reached):
        assert point.job.z.tolist() == run(before.job).z.tolist()
        assert point.job.z.any()
        assert (point.w / 0.01).tolist() == pytest.approx(point.job.z.tolist(), abs=1e-9)
    assert {point.scale for point in reached} == {0.01}
    assert not reached[0].w.any()


@pytest.mark.parametrize("algorithm", SOLVERS)
@pytest.mark.parametrize("loss", KINDS)
def test_h_is_the_step_times_the_gradient_and_in_sgd_times_the_ridge_term(algorithm: str, loss: str) -> None:
    problem, path = problem_of(loss, ridge=0.5), PATHS["halp12"]
    for point in points(algorithm, problem, path):
        part = 0.5 * point.w if algorithm == "lp_sgd" else point.problem.gradient(point.w)
        assert point.gradient.tolist() == point.problem.gradient(point.w).tolist()
        exact = 0.05 * part / (point.scale * 2.0**-path.increment.fraction)
        assert np.abs(point.job.h - np.clip(exact, -(2**15), 2**15 - 1)).max() <= 0.5 + 1e-6


def test_without_a_ridge_term_sgd_has_no_h() -> None:
    assert not any(point.job.h.any() for point in points("lp_sgd", problem_of("logistic", ridge=0.0), PATHS["halp12"]))


def test_at_its_centre_every_sample_of_svrg_moves_the_model_by_h_alone() -> None:
    """β = −x·z̃ takes the dot product away, exactly: no coefficient in the first step of any epoch."""
    for loss in KINDS:
        for point in points("lp_svrg", problem_of(loss), PATHS["halp12"]):
            trace: Any = run(point.job, trace=range(1)).trace
            assert trace.coefficient.tolist() == [0]
            assert trace.increment[0].tolist() == (-point.job.h).tolist()


@pytest.mark.parametrize("algorithm", ["halp", "lp_svrg"])
def test_option_ii_makes_the_first_steps_of_option_i_as_many_as_the_host_draws(algorithm: str) -> None:
    """τ = (word·T) >> 32; rows and random words of the next epoch are those it would have had."""
    problem, path, ends = problem_of("logistic"), PATHS["halp12"], list(islice(words_of(3, HOST), 4))
    every, some = (points(algorithm, problem, path, option=option) for option in (Option.LAST, Option.RANDOM))
    assert [point.job.steps for point in every] == [25] * 4
    assert [point.job.steps for point in some] == [word * 25 >> 32 for word in ends]
    assert len({point.job.steps for point in some}) > 1
    for full, part in zip(every, some, strict=True):
        assert part.job.indices.tolist() == full.job.indices[: part.job.steps].tolist()
        assert part.job.first_step == full.job.first_step
    assert run(some[0].job).z.tolist() == run(every[0].job, trace=range(25)).trace.model[some[0].job.steps - 1].tolist()
    given_settings = {**COMMON, **own(algorithm), "option": "II"}
    expected = plain_run(algorithm, Loss("logistic"), problem, path, 4, **given_settings)[-1]
    trace = train(problem, algorithm, path, epochs=4, **given_settings)
    assert trace.w.tolist() == expected
    assert [record.steps for record in trace.epochs] == [*(point.job.steps for point in some), 0]


def test_of_all_steps_each_number_from_0_to_the_last_but_one_is_drawn() -> None:
    given_settings = {**COMMON, "mu": 0.4, "epoch_length": 4, "option": "II", "epochs": 40}
    steps = [record.steps for record in train(problem_of("logistic"), "halp", PATHS["halp12"], **given_settings).epochs]
    assert set(steps) == {0, 1, 2, 3}


def test_scales_of_a_power_of_two_are_the_nearest_in_the_logarithm() -> None:
    exact = points("halp", problem_of("logistic"), PATHS["halp12"])[0].scale or 0.0
    for size in np.geomspace(1.0, 4.0, 23):
        point = points("halp", problem_of("logistic"), PATHS["halp12"], 1, power_of_two=True, mu=0.4 * size)[0]
        mantissa, exponent = math.frexp(point.scale or 0.0)
        assert mantissa == 0.5
        assert abs(math.log2(exact / size) - (exponent - 1)) <= 0.5 + 1e-12
    moving = points("halp", problem_of("logistic"), PATHS["halp12"], power_of_two=True)
    assert len({point.scale for point in moving}) > 1
    assert len({point.job.registers.index_multiplier for point in moving}) == 1


@pytest.mark.parametrize("loss", KINDS)
def test_without_mu_halp_takes_the_strong_convexity_of_the_quantized_problem(loss: str) -> None:
    problem, path = problem_of(loss, samples=60, columns=4, ridge=0.1), PATHS["halp12"]
    mu = problem.quantized(path.data_format).problem.strong_convexity
    unset, given_mu = (train(problem, "halp", path, epochs=2, mu=value, **COMMON) for value in (None, mu))
    assert (unset.w.tolist(), unset.epochs) == (given_mu.w.tolist(), given_mu.epochs)
    assert "mu" not in unset.parameters


REFUSED: list[tuple[str, dict[str, Any], TrainingDatapath | None, str]] = [
    ("lp_svrg", {}, PATHS["halp12"], "delta: got none; allowed: a positive number"),
    ("lp_sgd", {}, PATHS["halp12"], "delta: got none; allowed: a positive number"),
    ("lp_svrg", {"delta": 0.0}, PATHS["halp12"], "delta: got 0.0"),
    ("lp_svrg", {"delta": 0.1}, BLOCKS, "exponents.maximum: got 5; allowed: 0 with lp_svrg"),
    ("lp_sgd", {"delta": 0.1}, BLOCKS, "exponents.maximum: got 5; allowed: 0 with lp_sgd"),
    ("lp_svrg", {"delta": 0.1}, None, "datapath: got None; allowed: a TrainingDatapath, since lp_svrg runs on"),
    ("lp_sgd", {"delta": 0.1}, None, "datapath: got None; allowed: a TrainingDatapath, since lp_sgd runs on"),
    ("halp", {}, PATHS["halp12"], "mu: got none, and the problem is not strongly convex"),
    ("halp", {"mu": 0.4, "option": "III"}, PATHS["halp12"], "option: got 'III'"),
    ("halp", {"mu": 0.4, "power_of_two": 1}, PATHS["halp12"], "power_of_two: got 1; allowed: True or False"),
    ("lp_sgd", {"delta": 1e-9}, PATHS["halp12"], r"step·\(data scale\)·2\^\(sh \+ sp\)/delta: got"),
]


@pytest.mark.parametrize(("algorithm", "given_settings", "path", "text"), REFUSED)
def test_what_an_algorithm_cannot_run_with_is_refused(
    algorithm: str, given_settings: dict[str, Any], path: TrainingDatapath | None, text: str
) -> None:
    with pytest.raises(InputError, match=text):
        train(problem_of("logistic", ridge=0.0), algorithm, path, epochs=1, **COMMON, **given_settings)


@pytest.mark.parametrize("algorithm", SOLVERS)
def test_a_gradient_past_float64_is_diverged_and_no_error(algorithm: str) -> None:
    problem = LeastSquares([[1e150], [1e149]], [1e200, -1e200])
    trace = train(problem, algorithm, PATHS["lp_svrg8"], epochs=2, **{**COMMON, "step": 1e-297}, **own(algorithm))
    assert trace.state is State.DIVERGED
    assert len(trace.epochs) == 1
    assert not trace.w.any()
