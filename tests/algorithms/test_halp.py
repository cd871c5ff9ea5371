"""HALP on least squares equals the plain program, bit for bit: models, scales, exponents, rows."""

from itertools import islice
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from algorithms.halp import halp, next_exponents
from algorithms.points import Parameters, Point
from algorithms.problems import LeastSquares
from algorithms.training import train
from sim.datapath import TrainingDatapath, preset_names
from sim.engine import run
from tests.algorithms.plain import ROWS, Loss, plain_run, words_of

HALP8 = TrainingDatapath.preset("halp8")
BLOCKS = TrainingDatapath.preset("halp8_blocks")
SETTINGS: dict[str, Any] = {"step": 0.02, "epoch_length": 30, "mu": 0.7, "seed": 3}


def problem_of(seed: int = 0, samples: int = 25, columns: int = 37, ridge: float = 0.0) -> LeastSquares:
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(samples, columns))
    return LeastSquares(features, features @ rng.normal(size=columns) + 0.1 * rng.normal(size=samples), ridge)


def plain_halp(problem: LeastSquares, path: TrainingDatapath, epochs: int, **given_settings: Any) -> list[list[float]]:
    """The model after every epoch."""
    return plain_run("halp", Loss("least-squares"), problem, path, epochs, **given_settings)


@pytest.mark.parametrize("ridge", [0.0, 0.3])
@pytest.mark.parametrize("name", ["halp8", "halp8_blocks", "halp12", "halp16"])
@pytest.mark.parametrize("backend", ["kernel", "reference"])
def test_the_models_of_every_epoch_are_those_of_the_plain_program(backend: str, name: str, ridge: float) -> None:
    problem, path = problem_of(ridge=ridge), TrainingDatapath.preset(name)
    for epochs, expected in enumerate(plain_halp(problem, path, 3, **SETTINGS), 1):
        assert train(problem, "halp", path, epochs=epochs, backend=backend, **SETTINGS).w.tolist() == expected


@settings(max_examples=25)
@given(
    seed=st.integers(0, 1 << 40),
    columns=st.integers(1, 40),
    samples=st.integers(1, 20),
    lanes=st.sampled_from([1, 4, 32]),
    step=st.sampled_from([0.5, 0.01, 1e-4]),
    mu=st.sampled_from([0.01, 0.5, 20.0]),
)
def test_so_are_they_on_any_problem(seed: int, columns: int, samples: int, lanes: int, step: float, mu: float) -> None:
    """Among them steps and μ with which coefficients, increments and offsets saturate."""
    problem, path = problem_of(seed, samples, columns), replace(BLOCKS, lanes=lanes)
    given_settings: dict[str, Any] = {"step": step, "epoch_length": 12, "mu": mu, "seed": seed}
    expected = plain_halp(problem, path, 2, **given_settings)[-1]
    assert train(problem, "halp", path, epochs=2, **given_settings).w.tolist() == expected


def points(path: TrainingDatapath, epochs: int = 4, problem: LeastSquares | None = None, **changes: Any) -> list[Point]:
    """The points of a run, its inner loops run on the kernel."""
    parameters = Parameters(epochs=epochs, **{**SETTINGS, **changes})
    generator = halp(problem_of() if problem is None else problem, path, parameters)
    reached = [next(generator)]
    while len(reached) < epochs:
        reached.append(generator.send(run(reached[-1].job)))
    return reached


@pytest.mark.parametrize("path", [HALP8, BLOCKS, TrainingDatapath.preset("halp16")], ids=lambda path: path.name)
def test_the_register_is_the_step_in_units_of_the_coefficient_within_half_its_last_bit(path: TrainingDatapath) -> None:
    """With δ_g = δ_z·2^−sh and δ_c = δ_g·2^−sp/δ_x a coefficient is α·δ_x·δ_z/δ_c = m·2^−S of the dot product."""
    data_scale = np.abs(problem_of().features).max() / path.data_format.high
    for point in points(path):
        increment_scale = point.scale * 2.0**-path.increment.fraction
        coefficient_scale = increment_scale * 2.0**-path.product.cut / data_scale
        exact = SETTINGS["step"] * data_scale * point.scale / coefficient_scale
        m, shift = point.job.registers.multiplier, point.job.registers.shift
        assert 2 ** (path.link.multiplier_bits - 1) <= m < 2**path.link.multiplier_bits
        assert abs(exact * 2.0**shift - m) <= 0.5 + 1e-9
        assert (point.job.registers.index_multiplier, point.job.registers.index_shift) == (0, 0)


def test_the_scale_follows_the_gradient_and_the_register_stays() -> None:
    """One last bit of the offset is ‖g̃‖/(μ·(2^(b_z−1) − 1)): ‖g̃‖ = 127 and 7 with μ = 1 are 1 at 8 and 4 bits."""
    reached = points(HALP8)
    for point in reached:
        assert point.scale == pytest.approx(np.linalg.norm(point.gradient) / (0.7 * 127), rel=1e-14)
    assert len({point.job.registers for point in reached}) == 1
    for bits in (8, 4):
        end = float(2 ** (bits - 1) - 1)
        path = replace(HALP8, model=replace(HALP8.model, width=bits))
        alone = points(path, epochs=1, problem=LeastSquares([[1.0]], [end]), mu=1.0)
        assert alone[0].scale == 1.0


def test_every_loop_starts_at_the_centre_and_runs_on_in_the_streams() -> None:
    for epoch, point in enumerate(points(BLOCKS)):
        assert not point.job.z.any()
        assert point.job.first_step == epoch * SETTINGS["epoch_length"]
        assert point.job.seed == SETTINGS["seed"]


def test_runs_of_one_seed_draw_the_same_rows_whatever_the_widths() -> None:
    drawn = [[point.job.indices.tolist() for point in points(TrainingDatapath.preset(name))] for name in preset_names()]
    assert all(indices == drawn[0] for indices in drawn)
    assert drawn[0] != [point.job.indices.tolist() for point in points(HALP8, seed=4)]
    flat = [index for indices in drawn[0] for index in indices]
    assert flat == [word * 25 >> 32 for word in islice(words_of(SETTINGS["seed"], ROWS), len(flat))]


def test_a_run_repeats_bit_for_bit_and_another_seed_gives_other_bits() -> None:
    one, again, other = (
        train(problem_of(), "halp", HALP8, epochs=3, **{**SETTINGS, "seed": seed}) for seed in (3, 3, 4)
    )
    assert (one.w.tolist(), one.epochs) == (again.w.tolist(), again.epochs)
    assert one.w.tolist() != other.w.tolist()


@pytest.mark.parametrize("start", range(6))
def test_an_exponent_rises_where_its_block_reaches_the_end_and_falls_where_most_is_free(start: int) -> None:
    """+1 from 127 on, −1 below 50 (of 127), within 0 and the largest exponent; for every |z|, either sign, any lane."""
    for largest in range(129):
        change = 1 if largest >= 127 else -1 if largest < 50 else 0
        for sign, lane in ((1, 0), (-1, 15), (-1, 3)):
            z = np.zeros(20, np.int64)
            z[lane], z[16:] = sign * largest, 100
            moved = next_exponents(np.array([start, 2]), z, BLOCKS)
            assert moved.tolist() == [min(max(start + change, 0), 5), 2]


def test_without_block_exponents_there_are_none() -> None:
    for point in points(HALP8):
        assert not point.job.exponents.any()


def test_block_exponents_start_at_one() -> None:
    assert [point.job.exponents.tolist() for point in points(BLOCKS, epochs=1)] == [[1, 1, 1]]
