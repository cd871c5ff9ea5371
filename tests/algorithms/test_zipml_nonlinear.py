"""The polynomial estimator and the hinge with refetching: means and certificates over every rounding outcome."""

import itertools

import numpy as np
import pytest

from algorithms.points import Parameters
from algorithms.problems import Logistic
from algorithms.training import train
from algorithms.zipml.nonlinear import (
    chebyshev,
    hinge_sgd,
    logistic_slope,
    nearest_rows,
    polynomial_estimate,
    polynomial_sgd,
    refetch_bound,
)
from algorithms.zipml.sampling import HostWords, Sampler
from sim.errors import InputError
from sim.random_bits import Role, Xorshift32, generator_seed, row_indices

MEASURED = [
    (2, 3, 4.2e-3, 1.1), (2, 5, 3.5e-4, 1.2), (2, 7, 3.0e-5, 1.2), (4, 5, 8.4e-3, 2.8), (4, 7, 2.0e-3, 4.1),
    (4, 15, 6.2e-6, 16), (8, 7, 3.0e-2, 17), (8, 15, 1.4e-3, 856),
]  # fmt: skip


def tumours() -> tuple[np.ndarray, np.ndarray]:
    values = np.random.default_rng(3)
    rows = values.normal(size=(300, 6))
    return rows, np.where(rows @ values.normal(size=6) + 0.5 * values.normal(size=300) > 0, 1.0, -1.0)


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


@pytest.mark.parametrize("label", [-1.0, 1.0])
@pytest.mark.parametrize("degree", [0, 1, 2])
def test_the_mean_of_the_estimate_is_the_polynomial_over_every_outcome(label: float, degree: int) -> None:
    a, x = np.array([0.3, -1.0]), np.array([1.2, 0.7])
    fit = chebyshev(logistic_slope, degree, 2.0)
    single = outcomes(Sampler.uniform(a[None], 2))
    mean = np.zeros(2)
    for drawn in itertools.product(single, repeat=degree + 1):
        chance = np.prod([p for p, _ in drawn])
        mean += chance * polynomial_estimate(fit, np.stack([row for _, row in drawn]), x, label)
    margin = label * float(a @ x)
    assert mean == pytest.approx(label * fit(margin) * a, abs=1e-12)
    bias = np.linalg.norm(mean - label * logistic_slope(margin) * a)
    assert bias <= fit.error * np.linalg.norm(a) + 1e-12


@pytest.mark.parametrize("bits", [2, 3, 4, 6])
@pytest.mark.parametrize("seed", range(20))
def test_without_a_refetch_the_side_is_right_for_every_outcome(bits: int, seed: int) -> None:
    values = np.random.default_rng(seed)
    a, x = values.normal(size=6), values.normal(size=6)
    sampler = Sampler.uniform(np.stack([a, 1.5 * np.abs(a)]), bits, scaling="column")
    bound = refetch_bound(x, sampler.step[0])
    for label in (-1.0, 1.0):
        for _, row in outcomes(sampler):
            short = 1 - label * row @ x
            assert abs(row @ x - a @ x) <= bound + 1e-12
            if abs(short) > bound:
                assert np.sign(short) == np.sign(1 - label * a @ x)


def test_runs_equal_plain_loops() -> None:
    rows, labels = tumours()
    parameters = Parameters(0.05, 40, 3, 9)
    fit = chebyshev(logistic_slope, 3, 4.0)
    plain = {"polynomial": np.zeros(6), "hinge": np.zeros(6)}
    for kind in plain:
        sampler = Sampler.uniform(rows, 3, scaling="column", samples=4 if kind == "polynomial" else 2)
        words, draws = HostWords(9, 1), Xorshift32(generator_seed(9, Role.ROWS, 0))
        w, means, fetched = np.zeros(6), [], []
        for _ in range(3):
            packed = sampler.draw(words)
            held = [sampler.values(packed.samples(k)) for k in range(sampler.fmt.samples)]
            iterates, count = [], 0
            for i in row_indices(draws, 300, 40).tolist():
                b = labels[i]
                if kind == "polynomial":
                    g = polynomial_estimate(fit, np.stack([s[i] for s in held]), w, b)
                else:
                    short, row = 1 - b * held[0][i] @ w, held[1][i]
                    if abs(short) <= refetch_bound(w, sampler.step[0]):
                        count, short, row = count + 1, 1 - b * rows[i] @ w, rows[i]
                    g = -b * row * (short > 0)
                w = w - 0.05 * (g + 0.01 * w)
                iterates.append(w)
            means.append(np.mean(iterates, axis=0))
            fetched.append(count / 40)
        if kind == "polynomial":
            outcome = polynomial_sgd(rows, labels, fit, 3, parameters, 0.01)
        else:
            outcome = hinge_sgd(rows, labels, 3, parameters, 0.01)
            assert outcome.fetched == tuple(fetched)
        assert outcome.w == pytest.approx(np.mean(means[1:], axis=0), rel=1e-9, abs=1e-12)


def test_the_polynomial_reaches_the_loss_of_logistic_regression_and_so_does_plain_rounding() -> None:
    """The paper's negative result: at 8 bits rows rounded once to the nearest level do as well."""
    rows, labels = tumours()
    problem = Logistic(rows, (labels > 0) * 1.0, 0.05)
    least, start = problem.minimum, problem.loss(np.zeros(6))
    parameters = Parameters(0.01, 1200, 30, 0)
    outcome = polynomial_sgd(rows, labels, chebyshev(logistic_slope, 7, 6.0), 4, parameters, 0.05)
    assert problem.loss(outcome.w) - least <= 0.01 * (start - least)
    rival = Logistic(nearest_rows(rows, 8), problem.targets, 0.05)
    plain = train(rival, "zipml_float", sampling="full", averaged=True, step=0.01, epoch_length=1200, epochs=30)
    assert problem.loss(plain.w) - least <= 0.01 * (start - least)


def test_refetches_fall_with_the_bits_and_the_hinge_is_learned() -> None:
    rows, labels = tumours()
    parameters = Parameters(0.01, 1200, 12, 0)
    shares, losses = [], []
    for bits in (2, 4, 6, 8):
        outcome = hinge_sgd(rows, labels, bits, parameters, 0.01)
        shares.append(outcome.fetched[-1])
        short = np.maximum(1 - labels * (rows @ outcome.w), 0)
        losses.append(short.mean() + 0.005 * outcome.w @ outcome.w)
    assert shares == sorted(shares, reverse=True)
    assert shares[0] == 1.0  # at 2 bits an interval is as wide as the column: nothing is ever certain
    assert shares[-1] < 0.5 * shares[-2]
    assert max(losses) < 1.03 * min(losses)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: chebyshev(logistic_slope, 16, 2.0), "degree: got 16; allowed: a whole number from 0 to 15"),
        (lambda: chebyshev(logistic_slope, 3, 0.0), "radius: got 0.0"),
        (lambda: hinge_sgd([[1.0]], [2.0], 4, Parameters(0.1, 1, 1, 0)), "labels: got shape"),
        (lambda: hinge_sgd([[1.0], [2.0]], [1.0], 4, Parameters(0.1, 1, 1, 0)), "labels: got shape"),
        (lambda: hinge_sgd([[1.0]], [1.0], 1, Parameters(0.1, 1, 1, 0)), "RowFormat.bits: got 1; allowed: 2 to 8"),
        (lambda: hinge_sgd([[1.0]], [1.0], 4, Parameters(0.1, 0, 1, 0)), "epochs: got no step"),
    ],
)
def test_bad_input_is_refused_in_one_line(make, text: str) -> None:
    with pytest.raises(InputError, match=text):
        make()
