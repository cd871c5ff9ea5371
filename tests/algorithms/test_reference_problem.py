"""What HALP does on the reference problem: 8 and 16 bits converge, nearest rounding freezes, 4 bits are too few.

make_regression(1000, 100, n_informative=10, noise=0, random_state=0), α = 1e-3, T = 2000, 10 epochs, from w = 0. Every
run is a function of its seed: nothing here is left to chance.
"""

from functools import cache
from statistics import median

import numpy as np
import pytest
from msgspec.structs import replace

from algorithms.data import load
from algorithms.problems import LeastSquares
from algorithms.trace import State, Trace
from algorithms.training import train
from sim.datapath import Accumulation, Coefficient, Data, Increment, Model, Product, TrainingDatapath
from sim.modes import Rounding
from sim.random_bits import Role, Xorshift32, generator_seed, row_indices

STEP, EPOCH_LENGTH, EPOCHS, SEEDS = 1e-3, 2000, 10, range(5)
HALP8, HALP16 = TrainingDatapath.preset("halp8"), TrainingDatapath.preset("halp16")
NEAREST = replace(HALP8, model=replace(HALP8.model, rounding=Rounding.TIES_EVEN, random_bits=0))


@cache
def reference() -> LeastSquares:
    return load("reference")[0]


@cache
def run(path: TrainingDatapath, mu: float, seed: int, epochs: int = EPOCHS, step: float = STEP) -> Trace:
    return train(reference(), "halp", path, step=step, epoch_length=EPOCH_LENGTH, epochs=epochs, mu=mu, seed=seed)


def final_norm(path: TrainingDatapath, mu: float) -> float:
    return median(run(path, mu, seed).gradient_norms[-1] for seed in SEEDS)


def four_bits(fraction: int) -> TrainingDatapath:
    """HALP with a 4-bit offset and all the random bits it can use."""
    model, increment = replace(HALP8.model, width=4, random_bits=16), replace(HALP8.increment, fraction=fraction)
    return replace(HALP8, model=model, increment=increment)


def test_the_presets_are_the_published_formats_on_16_lanes() -> None:
    for path, bits, random_bits in ((HALP8, 8, 8), (HALP16, 16, 16)):
        assert {path.data.width, path.coefficient.width, path.model.width} == {bits}
        assert (path.lanes, path.product.cut, path.model.random_bits) == (16, 0, random_bits)
    assert HALP8.increment.fraction == 6


@pytest.mark.parametrize("seed", SEEDS)
def test_the_gradient_norm_starts_at_168(seed: int) -> None:
    assert abs(run(HALP8, 2.0, seed).gradient_norms[0] - 168.04) < 0.1


def test_8_bits_reach_a_gradient_norm_below_5e_2() -> None:
    assert final_norm(HALP8, mu=2.0) < 0.05
    assert {run(HALP8, 2.0, seed).state for seed in SEEDS} == {State.CONVERGED}


def test_16_bits_reach_a_gradient_norm_below_5e_3() -> None:
    assert final_norm(HALP16, mu=0.5) < 5e-3
    assert {run(HALP16, 0.5, seed).state for seed in SEEDS} == {State.CONVERGED}


@pytest.mark.parametrize("rounding", [rounding for rounding in Rounding if rounding.startswith("TIES")])
def test_nearest_rounding_of_the_offset_never_moves_it(rounding: Rounding) -> None:
    path = replace(NEAREST, model=replace(NEAREST.model, rounding=rounding))
    trace = run(path, 2.0, 0)
    assert trace.state is State.FROZEN
    assert set(trace.gradient_norms) == {trace.gradient_norms[0]}
    assert not any(record.moved for record in trace.epochs[:-1])
    assert not trace.w.any()


@pytest.mark.parametrize(("share", "moves"), [(0.5, False), (0.95, False), (1.05, True)])
def test_nearest_rounding_moves_from_where_a_step_reaches_half_a_last_bit(share: float, moves: bool) -> None:
    """At z = 0 every step is α·g̃ = α·μ·m_b·g̃/‖g̃‖ last bits: below a half, with α·μ·m_b < ‖g̃‖₂/(2·‖g̃‖_∞), none moves."""
    gradient = reference().quantized(HALP8.data_format).problem.gradient(np.zeros(100))
    threshold = np.linalg.norm(gradient) / (2 * np.abs(gradient).max() * STEP * HALP8.model_format.high)
    trace = run(NEAREST, share * threshold, 0, epochs=1)
    assert trace.epochs[0].moved is moves
    assert trace.w.any() == moves


@pytest.mark.parametrize("seed", SEEDS)
def test_4_random_bits_for_a_cut_of_6_work_only_centred(seed: int) -> None:
    stuck, centred = (
        replace(HALP8, model=replace(HALP8.model, random_bits=4, centered=centered), biased_ok=True)
        for centered in (False, True)
    )
    assert min(run(stuck, 2.0, seed).gradient_norms) > 50
    assert run(centred, 2.0, seed).gradient_norms[-1] < 5
    assert run(centred, 2.0, seed).state is State.BIASED


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("fraction", "mu"), [(10, 0.5), (10, 1.0), (10, 2.0), (10, 4.0), (6, 0.5), (6, 1.0), (6, 2.0)])
def test_a_4_bit_offset_never_gets_below_10(fraction: int, mu: float, seed: int) -> None:
    """Below the bit threshold HALP diverges, or with increments too coarse for a coefficient it freezes."""
    trace = run(four_bits(fraction), mu, seed)
    assert min(trace.gradient_norms) > 10
    assert trace.state is (State.DIVERGED if fraction == 10 else State.FROZEN)


@pytest.mark.parametrize("fraction", [6, 10])
@pytest.mark.parametrize("mu", [0.1, 0.3, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0])
def test_a_4_bit_offset_is_never_reported_converged(fraction: int, mu: float) -> None:
    assert run(four_bits(fraction), mu, 0).state is not State.CONVERGED


@pytest.mark.parametrize("mu", [1.0, 2.0, 4.0])
def test_4_bits_with_6_bits_of_increment_only_follow_the_full_gradient(mu: float) -> None:
    """There every coefficient rounds to 0, so that neither the samples nor the random bits of a seed matter.

    With μ from 3 to 6 this descent by one sign-like step an epoch gets below 10: it is not HALP's inner loop that does.
    """
    models = [run(four_bits(6), mu, seed).w.tolist() for seed in SEEDS]
    assert all(model == models[0] for model in models)


def naive_svrg(problem: LeastSquares, step: float, seed: int, epochs: int) -> list[np.ndarray]:
    """Models after every epoch of SVRG in float64, on the row indices of the seed."""
    rows = Xorshift32(generator_seed(seed, Role.ROWS, 0))
    x, y, w = problem.features, problem.targets, np.zeros(problem.shape[1])
    models = []
    for _ in range(epochs):
        snapshot, full = w, x.T @ (x @ w - y) / len(y)
        for i in row_indices(rows, len(y), EPOCH_LENGTH):
            w = w - step * (x[i] @ (w - snapshot) * x[i] + full)
        models.append(w)
    return models


@pytest.mark.parametrize("bits", [10, 14, 18, 22])
def test_with_more_bits_the_models_approach_those_of_float64_svrg(bits: int) -> None:
    """After every epoch ‖w_HALP − w_SVRG‖ < δ_z·√(T·d), twice what T·d roundings of at most δ_z/2 sum to at random.

    The step size is one that the register m·2^−S holds exactly, so that the two algorithms differ in rounding alone.
    """
    fraction, cut, epochs = 14, 0, 3
    path = TrainingDatapath(
        data=Data(width=8),
        model=Model(width=bits, random_bits=16),
        coefficient=Coefficient(width=32),
        accumulator=Accumulation(width=40),
        product=Product(cut=cut),
        increment=Increment(width=48, fraction=fraction),
    )
    quantized = reference().quantized(path.data_format)
    problem, data_scale = quantized.problem, quantized.scale
    unit = data_scale**2 * 2.0 ** (fraction + cut)
    multiplier = round(STEP * unit * 2**16)
    step = multiplier / 2**16 / unit
    expected = naive_svrg(problem, step, seed=0, epochs=epochs)
    for count, model in enumerate(expected, 1):
        trace = run(path, 0.5, 0, epochs=count, step=step)
        scale = trace.epochs[0].scale
        assert scale is not None
        assert np.linalg.norm(trace.w - model) < scale * np.sqrt(EPOCH_LENGTH * problem.shape[1])
        assert trace.epochs[0].counts["coefficient"] == trace.epochs[0].counts["model"] == 0
