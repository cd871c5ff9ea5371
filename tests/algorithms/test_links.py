"""Tables, registers and records of the links against exact slopes in decimals; coefficients against the real ones."""

import math
from decimal import Decimal, getcontext
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from algorithms.curves import LOGISTIC, QUADRATIC, SMOOTHED_HINGE, Curve
from algorithms.halp import halp
from algorithms.links import AbsoluteLink, CentredLink, index_register
from algorithms.low_precision import lp_sgd, lp_svrg
from algorithms.points import Parameters
from algorithms.problems import LeastSquares, Logistic, Problem, SmoothedHinge
from sim.datapath import Coefficient, Links, TrainingDatapath
from sim.engine import EpochJob, run
from sim.errors import InputError

getcontext().prec = 40
CURVES = [LOGISTIC, SMOOTHED_HINGE]
PATH = TrainingDatapath.preset("halp12")
ALMOST_HALF = 0.5 + 1e-6
"""Half a last bit, and what float64 adds to it in a word of at most 24 bits."""
STEEPEST_CURVATURE = 1 / (6 * math.sqrt(3))
"""The largest |Φ'''| of the logistic curve."""


def response(curve: Curve, t: Fraction) -> Fraction:
    """Φ' to 40 digits; exact but for the logistic curve."""
    if curve is QUADRATIC:
        return t
    if curve is SMOOTHED_HINGE:
        return min(max(t - 1, Fraction(-1)), Fraction(0))
    return Fraction(1 / (1 + (-Decimal(t.numerator) / Decimal(t.denominator)).exp()))


def curvature(curve: Curve, t: Fraction) -> Fraction:
    """Φ'', at a kink from the right."""
    if curve is SMOOTHED_HINGE:
        return Fraction(0 <= t < 1)
    return response(curve, t) * (1 - response(curve, t))


def points(bits: int) -> list[Fraction]:
    """−8 to 8 in 2^bits steps, the last left out."""
    return [Fraction(16 * k, 2**bits) - 8 for k in range(2**bits)]


def link_path(**widths: int) -> TrainingDatapath:
    return PATH.replace(link=Links(**widths))


@settings(max_examples=25)
@given(
    curve=st.sampled_from(CURVES),
    grid_bits=st.integers(1, 5),
    index_bits=st.integers(2, 6),
    slope_bits=st.sampled_from([2, 8, 12, 24]),
    step=st.floats(1e-4, 0.5),
    data_scale=st.floats(1e-3, 0.05),
)
def test_every_slope_of_the_table_is_the_exact_secant_within_half_a_last_bit(
    curve: Curve, grid_bits: int, index_bits: int, slope_bits: int, step: float, data_scale: float
) -> None:
    """R·2^−S = α·δ_x²·2^(sh+sp)·(Φ'(φ + Δ) − Φ'(φ))/Δ, and Φ''(φ) where Δ = 0."""
    path = link_path(grid_bits=grid_bits, index_bits=index_bits, slope_bits=slope_bits)
    factor = step * data_scale**2 * 2.0**18  # sh = 10, sp = 8
    assume(curve.curvature * factor < 2**slope_bits - 1)
    link = CentredLink(curve, path, step, data_scale)
    multiplier, shift = link.register
    factor *= 2.0**shift
    assert abs(multiplier - curve.curvature * factor) <= ALMOST_HALF
    assert 2 ** (slope_bits - 1) <= multiplier < 2**slope_bits
    table = link.table
    assert table.shape == (2**grid_bits, 2**index_bits)
    for q, margin in enumerate(points(grid_bits)):
        for u, change in enumerate(points(index_bits)):
            if change:
                slope = (response(curve, margin + change) - response(curve, margin)) / change
            else:
                slope = curvature(curve, margin)
            assert abs(int(table[q, u]) - float(slope) * factor) <= ALMOST_HALF
            assert 0 <= table[q, u] < 2**slope_bits


@settings(max_examples=100)
@given(worth=st.floats(1e-12, 1e3), bits=st.integers(2, 12), multiplier_bits=st.integers(2, 24))
def test_the_index_register_counts_points_of_the_table_within_half_its_last_bit(
    worth: float, bits: int, multiplier_bits: int
) -> None:
    factor = Fraction(worth) * 2**bits / 16
    assume(factor <= 2**multiplier_bits - 1)
    multiplier, shift = index_register(link_path(index_bits=bits, multiplier_bits=multiplier_bits), worth)
    assert abs(multiplier - factor * 2**shift) <= Fraction(1, 2)
    assert 2 ** (multiplier_bits - 1) <= multiplier < 2**multiplier_bits or shift in (0, 62)


def test_the_index_register_is_0_from_where_no_dot_product_reaches_half_an_index() -> None:
    """The largest sum of a dot product and an offset is 2^61: with a factor of 2^−62 it is half an index."""
    spacing = 1.0
    assert index_register(PATH, spacing * 2.0**-62) == (1, 62)
    assert index_register(PATH, np.nextafter(spacing * 2.0**-62, 0.0)) == (0, 0)
    assert index_register(PATH, 5e-324) == (0, 0)
    tiny = CentredLink(LOGISTIC, PATH, 0.1, 0.01).record(1e-300, np.zeros(1))["registers"]
    assert (tiny.index_multiplier, tiny.index_shift) == (0, 0)
    assert tiny.shift == CentredLink(LOGISTIC, PATH, 0.1, 0.01).register[1]


@given(
    margins=st.lists(st.floats(-40, 40), min_size=1, max_size=20),
    bits=st.integers(0, 12),
    scale=st.sampled_from([1e-9, 1e-3, 1.0]),
)
def test_every_margin_has_the_nearest_row_of_the_grid(margins: list[float], bits: int, scale: float) -> None:
    path = link_path(grid_bits=bits)
    rows = CentredLink(LOGISTIC, path, 0.1, 0.01).record(scale, np.array(margins))["grid"]
    axis = points(bits) if bits else [Fraction(0)]
    for margin, row in zip(margins, rows.tolist(), strict=True):
        distance = abs(Fraction(margin) - axis[row])
        assert distance == min(abs(Fraction(margin) - point) for point in axis)


def test_a_table_of_one_row_has_the_slopes_at_a_margin_of_0() -> None:
    link = CentredLink(LOGISTIC, link_path(grid_bits=0), 0.1, 0.01)
    full = CentredLink(LOGISTIC, link_path(grid_bits=4), 0.1, 0.01)
    assert link.table.tolist() == [full.table[8].tolist()]


@settings(max_examples=25)
@given(
    curve=st.sampled_from(CURVES),
    index_bits=st.integers(2, 8),
    table_bits=st.sampled_from([2, 8, 16, 24]),
    step=st.floats(1e-4, 0.5),
    data_scale=st.floats(1e-3, 0.05),
    scale=st.floats(1e-3, 0.1),
)
def test_the_absolute_table_has_responses_its_targets_labels_and_its_register_the_step(
    curve: Curve, index_bits: int, table_bits: int, step: float, data_scale: float, scale: float
) -> None:
    """In units of 2^−(table_bits − 2), so that 1 fits; K·2^−S of such a unit is α·δ_x·2^(sh+sp)/δ_z."""
    path, labels = link_path(index_bits=index_bits, table_bits=table_bits), np.array([0.0, 1.0, 1.0])
    unit = 2 ** (table_bits - 2)
    factor = step * data_scale * 2.0**18 / scale / unit
    assume(factor < 2**16 - 1)
    record = AbsoluteLink(curve, path, step, data_scale, scale, labels).record
    for u, margin in enumerate(points(index_bits)):
        assert abs(int(record["table"][u]) - float(response(curve, margin)) * unit) <= ALMOST_HALF
    assert record["targets"].tolist() == [0, unit, unit]
    registers = record["registers"]
    assert abs(registers.multiplier - factor * 2.0**registers.shift) <= ALMOST_HALF
    assert 2**15 <= registers.multiplier < 2**16
    index = (registers.index_multiplier, registers.index_shift)
    assert index == index_register(path, data_scale * scale)
    assert set(record) == {"link", "registers", "table", "targets"}


@given(targets=st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=9), scale=st.sampled_from([0.01, 0.3, 1.0]))
def test_the_offsets_of_least_squares_are_the_targets_in_units_of_the_dot_product(
    targets: list[float], scale: float
) -> None:
    record = AbsoluteLink(QUADRATIC, PATH, 0.01, 0.02, scale, np.array(targets)).record
    for target, offset in zip(targets, record["offsets"].tolist(), strict=True):
        assert abs(-offset - target / (0.02 * scale)) <= ALMOST_HALF
    registers = record["registers"]
    assert abs(registers.multiplier - 0.01 * 0.02**2 * 2.0**18 * 2.0**registers.shift) <= ALMOST_HALF
    assert (registers.index_multiplier, registers.index_shift) == (0, 0)


def test_targets_past_the_accumulator_are_refused() -> None:
    end = 2.0**31 - 1
    largest = AbsoluteLink(QUADRATIC, PATH, 0.1, 1.0, 1.0, np.array([1.0 - end])).record["offsets"]
    assert largest.tolist() == [end - 1]
    with pytest.raises(InputError, match=r"delta: got 1.0; allowed: .* targets fit the accumulator's 32 bits"):
        _ = AbsoluteLink(QUADRATIC, PATH, 0.1, 1.0, 1.0, np.array([end])).record


# --- the engine's coefficient against the real one -----------------------------------------------------------------

WIDE = PATH.replace(coefficient=Coefficient(width=32), link=Links(index_bits=6, grid_bits=6))
SOLVERS: dict[str, Any] = {"halp": halp, "lp_svrg": lp_svrg, "lp_sgd": lp_sgd}


def samples(kind: type[Problem], seed: int) -> Any:
    rng = np.random.default_rng(seed)
    return kind(2.0 * rng.normal(size=(15, 20)), rng.integers(0, 2, 15).astype(float), 0.01)


def loops(algorithm: str, problem: Problem, path: TrainingDatapath) -> tuple[list[tuple[Any, Any]], float]:
    """Three epochs' points with the traces of their loops, and δ_x."""
    own: Any = {"mu": 0.3} if algorithm == "halp" else {"delta": 0.004}
    points, reached = SOLVERS[algorithm](problem, path, Parameters(0.05, 60, 3, 5, **own)), []
    point = next(points)
    for _ in range(3):
        result = run(point.job, trace=range(60))
        assert not result.counts["coefficient"]
        assert not result.counts["accumulator"]
        reached.append((point, result.trace))
        point = points.send(result)
    return reached, problem.quantized(path.data_format).scale


def visited(job: EpochJob, trace: Any) -> NDArray[np.int64]:
    """The model words before every step."""
    return np.vstack([job.z, trace.model[:-1]])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("algorithm", ["halp", "lp_svrg"])
def test_centred_coefficients_are_the_real_ones_but_for_table_and_rounding(algorithm: str, seed: int) -> None:
    """|c − c*| ≤ 1/2 + |v|·2^−S/2 + |v|·F·B·(|φ − φ_q| + |Δ − Δ_u|/2), F = α·δ_x²·2^(sh+sp), B = max |Φ'''|.

    A half for the rounding of c, half a last bit of R, and the slope ∫ Φ''(φ + s·Δ) ds moves by at most B for φ and
    B/2 for Δ. And the index is the nearest: |Δ − Δ_u| is half a spacing, and the rounding of M, within the table.
    """
    problem = samples(Logistic, seed)
    reached, data_scale = loops(algorithm, problem, WIDE)
    rows, spacing = np.asarray(reached[0][0].job.rows.dot), 0.25
    largest = 0.0
    for point, trace in reached:
        job, registers = point.job, point.job.registers
        centre = problem.quantized(WIDE.data_format).problem.features @ point.w
        start = job.z if algorithm == "lp_svrg" else np.zeros(20, np.int64)
        for i, z, u, c in zip(job.indices, visited(job, trace), trace.index, trace.coefficient, strict=True):
            v = int(rows[i].astype(int) @ (z - start))
            change = data_scale * point.scale * v
            factor = 0.05 * data_scale**2 * 2.0**18
            responses = LOGISTIC.response([centre[i] + change, centre[i]])
            exact = 0.05 * (responses[0] - responses[1]) * 2.0**18 * data_scale / point.scale
            off_row, off_index = (abs(centre[i] - (-8 + spacing * job.grid[i])), abs(change - spacing * int(u)))
            table = abs(v) * factor * STEEPEST_CURVATURE * (off_row + off_index / 2)
            assert abs(int(c) - exact) <= 0.5 + abs(v) * 2.0 ** -(registers.shift + 1) + table + 1e-6
            if -8 <= change < 8 - spacing:
                assert off_index <= spacing * (0.5 + abs(v) * 2.0 ** -(registers.index_shift + 1)) + 1e-9
            assert off_row <= spacing / 2 + 1e-9 or not -8 <= centre[i] < 8 - spacing / 2
            largest = max(largest, abs(exact))
    assert largest > 1000


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("kind", "curve"), [(Logistic, LOGISTIC), (SmoothedHinge, SMOOTHED_HINGE)])
def test_absolute_coefficients_are_the_real_ones_but_for_table_and_rounding(
    kind: type[Problem], curve: Curve, seed: int
) -> None:
    """|c − c*| ≤ 1/2 + F·(1/2 + 1/2 + unit·max Φ''·|t − t_u|) + |value|·2^−S/2, F = α·δ_x·2^(sh+sp)/(δ_z·unit)."""
    problem, unit = samples(kind, seed), 2.0**14
    reached, data_scale = loops("lp_sgd", problem, WIDE)
    rows, responses = np.asarray(reached[0][0].job.rows.dot), problem.responses
    for point, trace in reached:
        job, factor = point.job, 0.05 * data_scale * 2.0**18 / point.scale / unit
        for i, z, u, c in zip(job.indices, visited(job, trace), trace.index, trace.coefficient, strict=True):
            margin = data_scale * point.scale * int(rows[i].astype(int) @ z)
            exact = factor * unit * (float(curve.response(margin)) - responses[i])
            rounded = factor * (1.0 + unit * curve.curvature * abs(margin - 0.25 * int(u)))
            register = 2.0 * unit * 2.0 ** -(job.registers.shift + 1)
            assert abs(int(c) - exact) <= 0.5 + rounded + register + 1e-6


@pytest.mark.parametrize("algorithm", ["halp", "lp_svrg", "lp_sgd"])
def test_affine_coefficients_are_the_real_ones_but_for_rounding(algorithm: str) -> None:
    """|c − c*| ≤ 1/2 + |v|·2^−S/2 + F/2: of c, m and, in LP-SGD, the target; F = α·δ_x²·2^(sh+sp)."""
    problem = samples(LeastSquares, 1)
    reached, data_scale = loops(algorithm, problem, WIDE)
    rows, factor = np.asarray(reached[0][0].job.rows.dot), 0.05 * data_scale**2 * 2.0**18
    for point, trace in reached:
        job = point.job
        for i, z, c in zip(job.indices, visited(job, trace), trace.coefficient, strict=True):
            moved = z - job.z if algorithm == "lp_svrg" else z
            v = float(rows[i].astype(int) @ moved)
            if algorithm == "lp_sgd":
                v -= problem.targets[i] / (data_scale * point.scale)
            offset = factor / 2 if algorithm == "lp_sgd" else 0.0
            assert abs(int(c) - factor * v) <= 0.5 + abs(v) * 2.0 ** -(job.registers.shift + 1) + offset + 1e-6
