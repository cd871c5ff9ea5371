"""What one step of the engine does on average over its random words, exactly: every word of a lane's field is met.

A step is run at one stream position after another until each lane has met each of its 2^r fields; z after the step is a
function of the field alone, so its mean over the fields is an exact fraction, and no statistics enter.
"""

import dataclasses
from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from sim.datapath import Accumulation, Coefficient, Data, Exponents, Increment, Link, Model, Product, TrainingDatapath
from sim.engine import EpochJob, Registers, StageTrace, run
from sim.formats import QFormat
from sim.modes import Rounding
from sim.rows import RawRows
from tests.definitions import DETERMINISTIC, cut_off, fitted
from tests.engine.strategies import datapaths, jobs

Means = list[Fraction]


def met_words(job: EpochJob) -> list[dict[int, int]]:
    """For every column, z after the first step by random field: all 2^r fields, each with one outcome."""
    count = 1 << job.datapath.model.random_bits
    outcomes: list[dict[int, int]] = [{} for _ in range(job.columns)]
    position = 0
    while min(map(len, outcomes)) < count:
        result = run(dataclasses.replace(job, first_step=position), "reference", trace=range(1))
        assert result.counts["model"] == result.counts["increment"] == 0
        for met, word, z in zip(outcomes, result.trace.random[0].tolist(), result.z.tolist(), strict=True):
            assert met.setdefault(word, z) == z
        position += 1
    return outcomes


def mean_step(job: EpochJob) -> tuple[Means, StageTrace]:
    """The exact mean of z after the first step, and the stages of one such step."""
    means = [Fraction(sum(met.values()), len(met)) for met in met_words(job)]
    return means, run(job, "reference", trace=range(1)).trace


def cuts(job: EpochJob) -> list[int]:
    """Bits cut from the increment of each column, sh + e_b."""
    path = job.datapath
    return [path.increment.fraction + int(job.exponents[j // path.lanes]) for j in range(job.columns)]


@st.composite
def unsaturated_jobs(draw: st.DrawFn, random_bits: int, narrow: bool) -> EpochJob:
    """One step without overflow of increments or model words, with fewer random bits than are cut or with enough."""
    cut = draw(st.integers(random_bits + 1, random_bits + 6) if narrow else st.integers(0, random_bits))
    exponent = draw(st.integers(0, cut))
    path = TrainingDatapath(
        lanes=draw(st.sampled_from([1, 2, 4])),
        data=Data(width=5),
        model=Model(width=20, random_bits=random_bits, centered=draw(st.booleans())),
        coefficient=Coefficient(width=8),
        accumulator=Accumulation(width=40),
        product=Product(cut=draw(st.integers(0, 3))),
        increment=Increment(width=16, fraction=cut - exponent),
        exponents=Exponents(maximum=exponent),
        biased_ok=True,
    )
    columns = draw(st.integers(1, 5))
    values = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    return EpochJob(
        path,
        Link.AFFINE,
        RawRows(values.integers(-15, 16, (1, columns)), values.integers(-15, 16, (1, columns))),
        [0],
        values.integers(-1000, 1001, columns),
        values.integers(-8000, 8001, columns),
        Registers(int(values.integers(1, 1 << 16)), 27),
        exponents=values.integers(0, exponent, -(-columns // path.lanes), endpoint=True),
        seed=draw(st.integers(0, 1000)),
    )


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_with_as_many_random_bits_as_are_cut_the_mean_step_is_the_increment_itself(bits: int) -> None:
    """E[z'] = z + a·2^−(sh + e), with no error at all."""

    @settings(max_examples=25)
    @given(unsaturated_jobs(bits, narrow=False))
    def holds(job: EpochJob) -> None:
        means, trace = mean_step(job)
        for mean, z, a, cut in zip(means, job.z.tolist(), trace.increment[0].tolist(), cuts(job), strict=True):
            assert mean == z + Fraction(a, 2**cut)

    holds()


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_with_fewer_random_bits_the_mean_is_off_by_less_than_their_last_bit(bits: int) -> None:
    """Uncentred the error is in (−2^−r, 0], centred within 2^−(r + 1), both of z's last bit."""

    @settings(max_examples=25)
    @given(unsaturated_jobs(bits, narrow=True))
    def holds(job: EpochJob) -> None:
        means, trace = mean_step(job)
        for mean, z, a, cut in zip(means, job.z.tolist(), trace.increment[0].tolist(), cuts(job), strict=True):
            error = mean - z - Fraction(a, 2**cut)
            if bits >= cut:
                assert error == 0
            elif job.datapath.model.centered:
                assert abs(error) <= Fraction(1, 2 ** (bits + 1))
            else:
                assert -Fraction(1, 2**bits) < error <= 0

    holds()


@dataclasses.dataclass(frozen=True)
class LeastSquaresStep:
    """A real SVRG step z − α((x·z)x + g̃) on quantized x and z, and the loop that makes it."""

    job: EpochJob
    data_scale: Fraction
    model_scale: Fraction
    step: Fraction
    gradient: list[Fraction]

    @property
    def increment_scale(self) -> Fraction:
        """δ_g = δ_z·2^−sh."""
        return self.model_scale / 2**self.job.datapath.increment.fraction

    def ideal(self) -> list[Fraction]:
        x = [value * self.data_scale for value in self.job.rows.dot[0].tolist()]
        z = [value * self.model_scale for value in self.job.z.tolist()]
        inner = sum(a * b for a, b in zip(x, z, strict=True))
        return [z_j - self.step * (inner * x_j + g_j) for z_j, x_j, g_j in zip(z, x, self.gradient, strict=True)]


@st.composite
def least_squares_steps(draw: st.DrawFn, whole_coefficient: bool) -> LeastSquaresStep:
    """Steps whose α is such that the link's register holds its factor exactly: m·2^−S = α·δ_x²·2^(sh + sp)."""
    values = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    fraction, cut = draw(st.integers(0, 4)), draw(st.integers(0, 4))
    path = TrainingDatapath(
        lanes=draw(st.sampled_from([1, 2, 4])),
        model=Model(width=32, random_bits=4),
        coefficient=Coefficient(width=24),
        accumulator=Accumulation(width=32),
        product=Product(cut=cut),
        increment=Increment(width=32, fraction=fraction),
    )
    columns = draw(st.integers(1, 5))
    data_scale, model_scale = Fraction(1, draw(st.integers(1, 300))), Fraction(1, draw(st.integers(1, 300)))
    shift = 0 if whole_coefficient else draw(st.integers(1, 12))
    multiplier = draw(st.integers(1, 4 if whole_coefficient else 1 << min(shift + 2, 16)))
    step = Fraction(multiplier, 2**shift) / (data_scale**2 * 2 ** (fraction + cut))
    increment_scale = model_scale / 2**fraction
    gradient = [Fraction(n, 97) * increment_scale / step for n in values.integers(-50_000, 50_000, columns).tolist()]
    job = EpochJob(
        path,
        Link.AFFINE,
        RawRows(values.integers(-127, 128, (1, columns))),
        [0],
        values.integers(-60, 61, columns),
        [round(step * g / increment_scale) for g in gradient],
        Registers(multiplier, shift),
    )
    return LeastSquaresStep(job, data_scale, model_scale, step, gradient)


@settings(max_examples=40)
@given(least_squares_steps(whole_coefficient=True))
def test_the_mean_step_is_the_ideal_one_within_one_last_bit_of_an_increment(case: LeastSquaresStep) -> None:
    """|E[z'] − ideal| ≤ δ_g: half of it the rounding of h, half of it that of the product; the rest is exact."""
    means, _ = mean_step(case.job)
    for mean, ideal in zip(means, case.ideal(), strict=True):
        assert abs(mean * case.model_scale - ideal) <= case.increment_scale


@settings(max_examples=40)
@given(least_squares_steps(whole_coefficient=False))
def test_rounding_the_coefficient_adds_half_its_last_bit_times_the_row(case: LeastSquaresStep) -> None:
    """|E[z'] − ideal| ≤ δ_g·(½ of h + ½ of the product, if cut + ½·|x_j|·2^−sp of the coefficient)."""
    means, _ = mean_step(case.job)
    cut = case.job.datapath.product.cut
    for mean, ideal, x in zip(means, case.ideal(), case.job.rows.dot[0].tolist(), strict=True):
        halves = 1 + (cut > 0) + Fraction(abs(x), 2**cut)
        assert abs(mean * case.model_scale - ideal) <= case.increment_scale * halves / 2


def model_level_steps(rounding: Rounding) -> st.SearchStrategy[EpochJob]:
    """Loops of one block whose products are exact, as in the published HALP."""

    def published(path: TrainingDatapath) -> TrainingDatapath:
        fraction = min(path.increment.fraction, path.model.random_bits or 47)
        increment = replace(path.increment, fraction=fraction)
        return replace(path, increment=increment, exponents=Exponents(), product=Product(cut=0))

    return jobs(paths=datapaths([rounding]).map(published))


@settings(max_examples=200)
@given(model_level_steps(Rounding.STOCHASTIC))
def test_the_step_is_the_published_model_level_formula_bit_for_bit(job: EpochJob) -> None:
    """Where a fits: δ_z·z' = Q(δ_z·z − δ_g·(c·x + h)), Q(v) = δ_z·clip(floor(v/δ_z + U)), U = word/2^r."""
    path = job.datapath
    trace = run(job, trace=range(job.steps)).trace
    before = [job.z.tolist(), *trace.model.tolist()[:-1]]
    model_scale = Fraction(1, 77)
    increment_scale = model_scale / 2**path.increment.fraction
    for step, row in enumerate(job.indices.tolist()):
        c, update = trace.coefficient.tolist()[step], job.rows.decode(row)[1].tolist()
        for j in range(job.columns):
            if trace.increment[step, j] != -trace.product[step, j] - job.h[j]:
                continue
            v = model_scale * before[step][j] - increment_scale * (c * update[j] + int(job.h[j]))
            word = Fraction(int(trace.random[step, j]), 2**path.model.random_bits)
            quantized = fitted(floor(v / model_scale + word), path.model.width, True, path.model.overflow)
            assert trace.model[step, j] == quantized


ALONE_AS_TOGETHER = {Rounding.TO_NEG, Rounding.TO_POS, Rounding.TIES_POS, Rounding.TIES_NEG}


@pytest.mark.parametrize("rounding", sorted(ALONE_AS_TOGETHER))
def test_rounding_the_increment_alone_equals_rounding_the_published_sum(rounding: Rounding) -> None:
    """That is, z + round(a >> sh) = round(((z << sh) + a) >> sh)."""

    @settings(max_examples=50)
    @given(model_level_steps(rounding))
    def holds(job: EpochJob) -> None:
        sh, model = job.datapath.increment.fraction, job.datapath.model
        trace = run(job, trace=range(job.steps)).trace
        before = np.vstack([job.z, trace.model[:-1]])
        for z, a, after in zip(before.flat, trace.increment.flat, trace.model.flat, strict=True):
            rounded = cut_off((int(z) << sh) + int(a), sh, rounding)
            assert after == fitted(rounded, model.width, True, model.overflow)

    holds()


def test_no_other_mode_without_random_bits_rounds_the_increment_as_it_rounds_the_sum() -> None:
    sh, small = 2, range(-8, 9)
    agreeing = {
        rounding
        for rounding in DETERMINISTIC
        if all(cut_off((z << sh) + a, sh, rounding) == z + cut_off(a, sh, rounding) for z in small for a in small)
    }
    assert agreeing == ALONE_AS_TOGETHER


@pytest.mark.parametrize(("name", "fraction"), [("halp8", 6), ("halp16", 14)])
def test_the_published_formats_leave_two_guard_bits(name: str, fraction: int) -> None:
    """With sh = b_x + b_c − b_z − 2, z << sh stands in an increment's b_x + b_c bits with two to spare."""
    path = TrainingDatapath.preset(name)
    product_bits = path.data.width + path.coefficient.width
    assert path.increment.fraction == fraction == product_bits - path.model.width - 2
    assert path.increment.width == product_bits
    assert path.model_format.low << fraction == QFormat(product_bits - 2, 0).low
