"""SGD and SVRG in float64 and float32 equal naive loops on numpy's own scalars, bit for bit, step for step."""

import math
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numba
import numpy as np
import pytest

from algorithms.multiclass import OneVsRest, Softmax
from algorithms.points import Draws
from algorithms.problems import LeastSquares, LeastSquaresSvm, Logistic, SmoothedHinge
from algorithms.training import train
from sim.datapath import TrainingDatapath
from sim.errors import InputError
from tests.algorithms.plain import HOST, ROWS, words_of

KINDS = [LeastSquares, LeastSquaresSvm, Logistic, SmoothedHinge, Softmax]
PRECISIONS = [("", np.float64), ("32", np.float32)]
STEP, SAMPLES, COLUMNS = 0.07, 14, 5


@numba.njit
def exp(t: Any) -> Any:
    """The machine's exponential in the precision of its argument, which numpy's own need not agree with."""
    return math.exp(t)


def problem_of(kind: Any, seed: int = 0, ridge: float = 0.03) -> Any:
    rng = np.random.default_rng(seed)
    features = 2.0 * rng.normal(size=(SAMPLES, COLUMNS))
    if kind is Softmax:
        return Softmax(features, np.arange(SAMPLES) % 3, ridge)
    return kind(features, rng.integers(0, 2, SAMPLES).astype(float), ridge)


def response(problem: Any, t: Any) -> Any:
    """Φ'(t), in the type of t."""
    one, zero = type(t)(1), type(t)(0)
    if isinstance(problem, Logistic):
        e = type(t)(exp(-abs(t)))
        return one / (one + e) if t >= 0 else e / (one + e)
    return min(max(t - one, -one), zero) if isinstance(problem, SmoothedHinge) else t


def product(x: Any, w: Any) -> Any:
    total = x.dtype.type(0)
    for a, b in zip(x, w, strict=True):
        total = total + a * b
    return total


def softmax(x: Any, w: Any) -> list[Any]:
    """Shares of the classes of one sample."""
    scores = [product(x, row) for row in w]
    powers = [x.dtype.type(exp(score - max(scores))) for score in scores]
    total = x.dtype.type(0)
    for power in powers:
        total = total + power
    return [power / total for power in powers]


def direction(algorithm: str, problem: Any, x: Any, i: int, w: Any, centre: Any) -> list[Any]:
    """The factors of the row in a step: one, or one for each class."""
    dtype = x.dtype.type
    if isinstance(problem, Softmax):
        if algorithm == "svrg":
            return [now - then for now, then in zip(softmax(x, w), softmax(x, centre), strict=True)]
        return [share - dtype(k == problem.labels[i]) for k, share in enumerate(softmax(x, w))]
    if algorithm == "sgd":
        return [response(problem, product(x, w[0])) - dtype(problem.responses[i])]
    change = product(x, w[0] - centre[0])
    if isinstance(problem, LeastSquares):
        return [change]
    margin = dtype(problem.margins(centre[0].astype(np.float64))[i])
    return [response(problem, margin + change) - response(problem, margin)]


def naive(algorithm: str, problem: Any, dtype: Any, epochs: list[list[int]], step: float = STEP) -> list[Any]:
    """The models after every step of every epoch, the start first; shape (K, d), K = 1 of a single margin."""
    rows, single = problem.rows if hasattr(problem, "rows") else problem.features, not isinstance(problem, Softmax)
    w = np.zeros((1 if single else problem.classes, COLUMNS), dtype)
    step, ridge, models = dtype(step), dtype(problem.ridge), [w]
    for indices in epochs:
        centre, wide = w, w.astype(np.float64)
        full = np.atleast_2d(problem.gradient(wide[0] if single else wide)).astype(dtype)
        for i in indices:
            x = rows[i].astype(dtype)
            factors, moved = direction(algorithm, problem, x, i, w, centre), w.copy()
            for k, factor in enumerate(factors):
                for j in range(COLUMNS):
                    if algorithm == "svrg":
                        v = factor * x[j] + ridge * (w[k, j] - centre[k, j]) + full[k, j]
                    else:
                        v = factor * x[j] + ridge * w[k, j]
                    moved[k, j] = w[k, j] - step * v
            w = moved
            assert w.dtype == dtype
            models.append(w)
    return models


def trained(algorithm: str, problem: Any, epochs: list[list[int]]) -> Any:
    """The model of a run whose rows are given."""
    drawn: Iterator[list[int]] = iter(epochs)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Draws, "epoch", lambda _: np.array(next(drawn, []), np.int64))
        return train(problem, algorithm, step=STEP, epoch_length=1, epochs=len(epochs)).w


@pytest.mark.parametrize(("suffix", "dtype"), PRECISIONS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("algorithm", ["sgd", "svrg"])
def test_every_step_is_that_of_the_naive_loop(algorithm: str, kind: Any, suffix: str, dtype: Any) -> None:
    """On rows given from outside; after one epoch of every length, and in the middle of the third."""
    indices = np.random.default_rng(8).integers(0, SAMPLES, 40).tolist()
    for seed in range(2):
        problem = problem_of(kind, seed)
        models = naive(algorithm, problem, dtype, [indices])
        for count, model in enumerate(models):
            assert np.atleast_2d(trained(algorithm + suffix, problem, [indices[:count]])).tolist() == model.tolist()
        three = [indices[:17], indices[17:30], indices[30:]]
        expected = naive(algorithm, problem, dtype, three)[-1]
        assert np.atleast_2d(trained(algorithm + suffix, problem, three)).tolist() == expected.tolist()
        if algorithm == "svrg":
            assert expected.tolist() != models[-1].tolist()  # the centres tell


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("algorithm", ["sgd", "svrg"])
def test_float32_is_near_float64_and_not_it(algorithm: str, kind: Any) -> None:
    """Each of 40 contracting steps rounds some ten times, by at most 2^−24 of values of the order of one."""
    indices = [np.random.default_rng(8).integers(0, SAMPLES, 40).tolist()]
    wide, narrow = (trained(algorithm + suffix, problem_of(kind), indices) for suffix, _ in PRECISIONS)
    assert wide.astype(np.float32).tolist() != narrow.tolist()
    np.testing.assert_allclose(narrow, wide, atol=40 * 10 * 2.0**-24 * 4)


def drawn(seed: int, length: int, epochs: int, option: str = "I") -> list[list[int]]:
    """The rows of every epoch's steps, from the generators of rows and of the host."""
    rows, ends = words_of(seed, ROWS), words_of(seed, HOST)
    taken = []
    for _ in range(epochs):
        indices = [word * SAMPLES >> 32 for word in islice(rows, length)]
        taken.append(indices if option == "I" else indices[: next(ends) * length >> 32])
    return taken


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("option", ["I", "II"])
def test_svrg_goes_on_from_the_last_or_from_a_random_iterate(option: str, kind: Any) -> None:
    problem = problem_of(kind)
    for suffix, dtype in PRECISIONS:
        for epochs in range(4):
            taken = drawn(11, 13, epochs, option)
            trace = train(problem, f"svrg{suffix}", step=STEP, epoch_length=13, epochs=epochs, seed=11, option=option)
            model = naive("svrg", problem, dtype, taken)[-1]
            assert np.atleast_2d(trace.w).tolist() == model.tolist()
            assert [record.steps for record in trace.epochs] == [*map(len, taken), 0]
            wide = model.astype(np.float64)
            wide = wide if kind is Softmax else wide[0]
            assert trace.losses[-1] == problem.loss(wide)
            assert trace.gradient_norms[-1] == pytest.approx(np.linalg.norm(problem.gradient(wide)), rel=1e-14)
            assert trace.accuracy == problem.accuracy(wide)


@pytest.mark.parametrize("kind", KINDS)
def test_sgd_draws_the_rows_of_its_seed(kind: Any) -> None:
    problem = problem_of(kind)
    for suffix, dtype in PRECISIONS:
        trace = train(problem, f"sgd{suffix}", step=STEP, epoch_length=13, epochs=3, seed=11)
        assert np.atleast_2d(trace.w).tolist() == naive("sgd", problem, dtype, drawn(11, 13, 3))[-1].tolist()


@pytest.mark.parametrize(("algorithm", "rows"), [("svrg", 13 + SAMPLES), ("sgd", 13)])
@pytest.mark.parametrize("kind", [Logistic, Softmax])
def test_an_epoch_reads_a_row_a_step_and_all_rows_for_a_full_gradient(algorithm: str, rows: int, kind: Any) -> None:
    for suffix, dtype in PRECISIONS:
        given_settings: Any = {"step": STEP, "epoch_length": 13, "epochs": 2, "seed": 11}
        trace = train(problem_of(kind), algorithm + suffix, **given_settings)
        size = rows * COLUMNS * np.dtype(dtype).itemsize
        assert [record.bytes_moved for record in trace.epochs] == [size, size, 0]
        assert [record.cycles for record in trace.epochs] == [0, 0, 0]
        three = train(OneVsRest(problem_of(Logistic), np.arange(SAMPLES) % 3), algorithm + suffix, **given_settings)
        assert [record.bytes_moved for record in three.epochs] == [3 * size, 3 * size, 0]
        assert [record.steps for record in three.epochs] == [39, 39, 0]


def test_option_ii_reads_the_rows_of_the_steps_it_makes() -> None:
    given_settings: Any = {"step": STEP, "epoch_length": 13, "epochs": 3, "seed": 11, "option": "II"}
    records = train(problem_of(Logistic), "svrg", **given_settings).epochs
    sizes = [(len(taken) + SAMPLES) * COLUMNS * 8 for taken in drawn(11, 13, 3, "II")]
    assert [record.bytes_moved for record in records] == [*sizes, 0]


FOREIGN: list[tuple[str, dict[str, Any]]] = [
    (algorithm, {name: value})
    for algorithm, own in {
        "halp": ("mu", "option", "power_of_two"), "lp_svrg": ("delta", "option"), "lp_sgd": ("delta",),
        "svrg": ("option",), "svrg32": ("option",), "sgd": (), "sgd32": (),
    }.items()
    for name, value in {"mu": 0.5, "delta": 0.1, "option": "II", "power_of_two": True}.items()
    if name not in own
]  # fmt: skip


@pytest.mark.parametrize(("algorithm", "foreign"), FOREIGN)
def test_a_parameter_that_an_algorithm_does_not_have_is_refused(algorithm: str, foreign: dict[str, Any]) -> None:
    path = TrainingDatapath.preset("halp8") if "lp" in algorithm else None
    with pytest.raises(InputError, match=rf"{next(iter(foreign))}: got .*; allowed: none, since {algorithm} has no"):
        train(problem_of(Logistic), algorithm, path, step=STEP, epoch_length=1, epochs=1, **foreign)


@pytest.mark.parametrize("algorithm", ["svrg", "svrg32", "sgd", "sgd32"])
def test_float_runs_take_no_datapath_and_say_what_they_ran_with(algorithm: str) -> None:
    with pytest.raises(InputError, match="datapath: got 'halp8'; allowed: none"):
        train(problem_of(Logistic), algorithm, TrainingDatapath.preset("halp8"), step=STEP, epoch_length=1, epochs=1)
    trace = train(problem_of(Logistic), algorithm, step=STEP, epoch_length=2, epochs=1, seed=4)
    option = {"option": "I"} if "svrg" in algorithm else {}
    assert trace.parameters == {"step": STEP, "epoch_length": 2, "epochs": 1, "seed": 4, **option}
    assert trace.epochs[0].scale is None
