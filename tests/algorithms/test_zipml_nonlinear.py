"""The polynomial estimator and the hinge with refetching: means and certificates over every rounding outcome."""

import itertools
from typing import Any

import numpy as np
import pytest

from algorithms.curves import HINGE, LOGISTIC, SMOOTHED_HINGE
from algorithms.points import Parameters, SampleLevels
from algorithms.problems import Hinge, Logistic, Problem, SmoothedHinge
from algorithms.training import train
from algorithms.zipml.floating import FloatSamples
from algorithms.zipml.nonlinear import chebyshev, polynomial_estimate, refetch_bound
from algorithms.zipml.sampling import Sampler
from sim.datapath import TrainingDatapath
from sim.errors import InputError
from sim.random_bits import Role, Xorshift32, generator_seed, row_indices

logistic_slope = LOGISTIC.response

MEASURED = [
    (2, 3, 4.2e-3, 1.1), (2, 5, 3.5e-4, 1.2), (2, 7, 3.0e-5, 1.2), (4, 5, 8.4e-3, 2.8), (4, 7, 2.0e-3, 4.1),
    (4, 15, 6.2e-6, 16), (8, 7, 3.0e-2, 17), (8, 15, 1.4e-3, 856),
]  # fmt: skip


def tumours(kind: type[Problem], ridge: float = 0.0) -> Problem:
    values = np.random.default_rng(3)
    rows = values.normal(size=(300, 6))
    return kind(rows, (rows @ values.normal(size=6) + 0.5 * values.normal(size=300) > 0) * 1.0, ridge)


def run(sampling: str, kind: type[Problem], **own: Any) -> object:
    return train(tumours(kind), "zipml_float", step=0.1, epoch_length=1, epochs=1, sampling=sampling, **own)


def outcomes(sampler: Sampler) -> list[tuple[float, np.ndarray]]:
    low, high = sampler.values(sampler.below)[0], sampler.values(sampler.below + 1)[0]
    phi = sampler.fractions[0]
    return [
        (float(np.prod([f if u else 1 - f for u, f in zip(ups, phi, strict=True)])), np.where(ups, high, low))
        for ups in itertools.product((0, 1), repeat=len(low))
    ]


@pytest.mark.parametrize(("radius", "degree", "error", "weight"), MEASURED)
def test_errors_and_weights_of_the_polynomials(radius: int, degree: int, error: float, weight: float) -> None:
    fit = chebyshev(logistic_slope, degree, radius)
    assert fit.error == pytest.approx(error, rel=0.02)
    assert fit.weight == pytest.approx(weight, rel=0.05)
    assert fit.degree == degree
    nodes = radius * np.cos(np.pi * (np.arange(degree + 1) + 0.5) / (degree + 1))
    assert fit(nodes) == pytest.approx(logistic_slope(nodes), abs=1e-9)


@pytest.mark.parametrize("target", [0.0, 1.0])
@pytest.mark.parametrize("degree", [0, 1, 2])
def test_the_mean_of_the_estimate_is_the_polynomial_over_every_outcome(target: float, degree: int) -> None:
    a, x = np.array([0.3, -1.0]), np.array([1.2, 0.7])
    fit = chebyshev(logistic_slope, degree, 2.0)
    single = outcomes(Sampler.uniform(a[None], 2))
    mean = np.zeros(2)
    for drawn in itertools.product(single, repeat=degree + 1):
        chance = np.prod([p for p, _ in drawn])
        mean += chance * polynomial_estimate(fit, np.stack([row for _, row in drawn]), x, target)
    margin = float(a @ x)
    assert mean == pytest.approx((fit(margin) - target) * a, abs=1e-12)
    bias = np.linalg.norm(mean - (logistic_slope(margin) - target) * a)
    assert bias <= fit.error * np.linalg.norm(a) + 1e-12


@pytest.mark.parametrize("bits", [2, 3, 4, 6])
@pytest.mark.parametrize("seed", range(20))
def test_without_a_refetch_the_side_is_right_for_every_outcome(bits: int, seed: int) -> None:
    values = np.random.default_rng(seed)
    a, x = values.normal(size=6), values.normal(size=6)
    sampler = Sampler.uniform(np.stack([a, 1.5 * np.abs(a)]), bits, scaling="column")
    assert (sampler.widths() == sampler.step[0]).all()
    bound = refetch_bound(x, sampler.step[0])
    for curve in (HINGE, SMOOTHED_HINGE):
        for _, row in outcomes(sampler):
            assert abs(row @ x - a @ x) <= bound + 1e-12
            for sign in (-1.0, 1.0):  # labels are in the signs of the rows
                low, high = curve.response(sign * (row @ x) + np.array([-bound, bound]))
                if low == high:
                    assert low == curve.response(sign * (a @ x))


@pytest.mark.parametrize("sampling", ["polynomial", "refetch", "nearest"])
@pytest.mark.parametrize("levels", SampleLevels)
def test_runs_equal_plain_loops(sampling: str, levels: SampleLevels) -> None:
    kind = SmoothedHinge if levels is SampleLevels.OPTIMAL else Hinge
    problem = tumours(Logistic if sampling == "polynomial" else kind, 0.01)
    own: dict[str, Any] = {"degree": 3, "radius": 4.0} if sampling == "polynomial" else {}
    own |= {"sampling": sampling, "levels": levels, "sample_bits": 3}
    run: dict[str, Any] = {"step": 0.05, "epoch_length": 40, "epochs": 3, "seed": 9}
    fit = chebyshev(problem.curve.response, 3, 4.0)
    source = FloatSamples(problem, Parameters(**run, **own))
    assert source.sampler is not None
    draws, w, means, shares = Xorshift32(generator_seed(9, Role.ROWS, 0)), np.zeros(6), [], []
    for _ in range(3):
        held, iterates, count = source.draw(), [], 0
        assert len(held) == {"polynomial": 4, "refetch": 2, "nearest": 1}[sampling]
        assert (np.abs(held - problem.rows) <= source.sampler.widths() + 1e-12).all()
        for i in row_indices(draws, 300, 40).tolist():
            row, slope = held[-1, i], float(problem.curve.response(held[0, i] @ w))
            bound = refetch_bound(w, source.sampler.widths())
            if sampling == "refetch" and len(set(problem.curve.response(held[0, i] @ w + [-bound, bound]))) > 1:
                count, row = count + 1, problem.rows[i]
                slope = float(problem.curve.response(row @ w))
            g = (slope - problem.responses[i]) * row
            if sampling == "polynomial":
                g = polynomial_estimate(fit, held[:, i], w, problem.responses[i])
            w = w - 0.05 * (g + 0.01 * w)
            iterates.append(w)
        means.append(np.mean(iterates, axis=0))
        shares.append(count / 40)
    trace = train(problem, "zipml_float", **run, **own, averaged=True)
    assert trace.w == pytest.approx(np.mean(means[1:], axis=0), rel=1e-9, abs=1e-12)
    assert [record.refetched_share for record in trace.epochs[:-1]] == (shares if sampling == "refetch" else [None] * 3)
    real, stored = 6 * 8, source.sampler.fmt.row_bytes(6)
    moved = [40 * stored + round(40 * share) * real for share in shares]
    assert [record.bytes_moved for record in trace.epochs[:-1]] == moved


def test_the_polynomial_reaches_the_loss_of_logistic_regression_and_so_does_plain_rounding() -> None:
    """The paper's negative result: at 8 bits rows rounded once to the nearest level do as well."""
    problem = tumours(Logistic, 0.05)
    least, start = problem.minimum, problem.loss(np.zeros(6))
    own: dict[str, dict[str, Any]] = {
        "polynomial": {"degree": 7, "radius": 6.0, "sample_bits": 4}, "nearest": {"sample_bits": 8},
    }  # fmt: skip
    for sampling, rest in own.items():
        trace = train(problem, "zipml_float", step=0.01, epoch_length=1200, epochs=30, averaged=True,
                      sampling=sampling, **rest)  # fmt: skip
        assert trace.losses[-1] - least <= 0.01 * (start - least)


def test_refetches_fall_with_the_bits_and_the_hinge_is_learned() -> None:
    problem = tumours(Hinge, 0.01)
    run: dict[str, Any] = {"step": 0.01, "epoch_length": 1200, "epochs": 12, "sampling": "refetch", "averaged": True}
    traces = [train(problem, "zipml_float", sample_bits=bits, **run) for bits in (2, 4, 6, 8)]
    shares = [trace.epochs[-2].refetched_share or 0.0 for trace in traces]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] == 1.0  # at 2 bits an interval is as wide as the column: nothing is ever certain
    assert shares[-1] < 0.5 * shares[-2]
    assert max(trace.losses[-1] for trace in traces) < 1.03 * problem.minimum


@pytest.mark.parametrize(("ridge", "step"), [(0.0, 1e-2), (0.01, 1e-3), (0.3, 1e-3)])
def test_the_least_hinge_loss_is_below_that_of_every_other_model(ridge: float, step: float) -> None:
    """Without a ridge term the best model is far off: at a step of 1e-3 SGD is still 3 % above it, and on its way."""
    problem = tumours(Hinge, ridge)
    trace = train(problem, "zipml_float", sampling="full", averaged=True, step=step, epoch_length=30_000, epochs=8)
    assert problem.minimum - 1e-6 <= trace.losses[-1] <= 1.01 * problem.minimum
    assert problem.loss(np.zeros(6)) == 1.0


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: chebyshev(logistic_slope, 16, 2.0), "degree: got 16; allowed: a whole number from 0 to 15"),
        (lambda: chebyshev(logistic_slope, 3, 0.0), "radius: got 0.0"),
        (
            lambda: polynomial_estimate(chebyshev(logistic_slope, 3, 2.0), np.ones((3, 2)), np.ones(2), 0.0),
            "samples: got 3 of a row; allowed: 4, the degree and one more",
        ),
        (
            lambda: run("refetch", Logistic),
            "sampling: got refetch with the loss Logistic; allowed: with a hinge or smoothed hinge",
        ),
        (lambda: run("refetch", Hinge, sample_bits=1), "sample_bits: got 1; allowed: 2 to 8 with uniform levels"),
        (lambda: run("double", Hinge, degree=3), "degree: got 3; allowed: none with sampling double"),
        (lambda: run("nearest", Hinge, radius=2.0), "radius: got 2.0; allowed: none with sampling nearest"),
        (lambda: run("polynomial", Hinge, degree=16), "degree: got 16; allowed: a whole number from 0 to 15"),
        (lambda: run("polynomial", Hinge, radius=0.0), "radius: got 0.0"),
        (lambda: train(tumours(Hinge), "sgd", gamma=0.5, epochs=1), "smoothness: got inf"),
        (
            lambda: train(
                tumours(Hinge), "halp", TrainingDatapath.preset("halp8"), step=0.1, epoch_length=1, epochs=1, mu=1.0
            ),
            "loss: got one whose slope jumps",
        ),
    ],
)
def test_bad_input_is_refused_in_one_line(make, text: str) -> None:
    with pytest.raises(InputError, match=text):
        make()
