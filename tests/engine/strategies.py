"""Hypothesis strategies: any datapath of the training engine, and any inner loop on it.

Widths are drawn around those at which the next stage begins to overflow, so that every stage overflows in some examples
and in no stage does it always. Arrays come from one drawn seed, a part of their values from the ends of the range.
"""

from typing import Any

import numpy as np
from hypothesis import note
from hypothesis import strategies as st
from numpy.typing import NDArray

from sim.datapath import (
    Accumulation,
    Coefficient,
    Data,
    Exponents,
    Generator,
    Increment,
    Link,
    Links,
    Model,
    Product,
    RandomGenerator,
    TrainingDatapath,
)
from sim.engine import EpochJob, Registers
from sim.modes import Overflow, Rounding
from sim.random_bits import LANE_BITS
from sim.ranges import Interval
from sim.rows import RawRows

OVERFLOWS = st.sampled_from([Overflow.WRAP, Overflow.SAT, Overflow.SAT_SYM])
DETERMINISTIC = [rounding for rounding in Rounding if not rounding.is_stochastic]
LARGEST_SHIFT = 62
FIRST_STEPS = st.one_of(st.just(0), st.integers(1, 100), st.integers(0, (1 << 48) - 100))
SEEDS = st.integers(0, (1 << 62) - 1)


def near(value: int, low: int, high: int, below: int = 4, above: int = 4) -> st.SearchStrategy[int]:
    """Whole numbers around a value, within a range."""
    return st.integers(min(max(value - below, low), high), max(min(value + above, high), low))


@st.composite
def generators(draw: st.DrawFn) -> RandomGenerator:
    """Xorshift, or shift registers with the tabulated taps or with any that include the width."""
    if draw(st.booleans()):
        return RandomGenerator()
    width = draw(st.sampled_from([32, 33, 40, 61, 64]))
    taps = draw(st.one_of(st.just(()), st.sets(st.integers(1, width - 1), min_size=1, max_size=3).map(tuple)))
    leap = draw(st.sampled_from([1, 5, 32, 64]))
    return RandomGenerator(kind=Generator.LFSR, width=width, taps=(width, *taps) if taps else (), leap=leap)


@st.composite
def datapaths(draw: st.DrawFn, roundings: list[Rounding] | None = None) -> TrainingDatapath:
    """Datapaths with every mode in every stage that may have it, `roundings` (all by default) for the model.

    No intermediate of a row of up to 64 columns needs more than 62 bits with any link.
    """
    data, model = draw(st.integers(2, 16)), draw(st.integers(2, 24))
    coefficient, increment = draw(st.integers(2, 24)), draw(st.integers(2, 32))
    fraction = draw(st.integers(0, increment - 1))
    exponent = draw(st.integers(0, min(6, increment - 1 - fraction)))
    rounding = draw(st.sampled_from(roundings or [*Rounding, *[Rounding.STOCHASTIC] * 10]))
    random_bits = draw(st.sampled_from(LANE_BITS)) if rounding.is_stochastic else 0
    biased = rounding is Rounding.STOCHASTIC and random_bits < fraction + exponent
    return TrainingDatapath(
        lanes=draw(st.sampled_from([1, 2, 4, 8, 16, 32])),
        data=Data(width=data),
        model=Model(
            width=model,
            rounding=rounding,
            overflow=draw(OVERFLOWS),
            random_bits=random_bits,
            centered=draw(st.booleans()),
        ),
        coefficient=Coefficient(width=coefficient, rounding=draw(st.sampled_from(Rounding)), overflow=draw(OVERFLOWS)),
        accumulator=Accumulation(width=draw(near(data + model + exponent, 2, 45, below=6)), overflow=draw(OVERFLOWS)),
        product=Product(
            cut=draw(near(coefficient + data - increment, 0, 48)), rounding=draw(st.sampled_from(DETERMINISTIC))
        ),
        increment=Increment(width=increment, fraction=fraction, overflow=draw(OVERFLOWS)),
        exponents=Exponents(maximum=exponent),
        link=Links(
            multiplier_bits=draw(st.integers(2, 16)),
            slope_bits=draw(st.integers(2, 16)),
            table_bits=draw(st.integers(2, 16)),
            index_bits=draw(st.integers(2, 5)),
            grid_bits=draw(st.integers(0, 3)),
        ),
        generator=draw(generators()),
        biased_ok=biased or draw(st.booleans()),
    )


def words(rng: np.random.Generator, allowed: Interval, shape: int | tuple[int, ...]) -> NDArray[np.int64]:
    """Integers of a range: anywhere in it or only in its middle, and a part of them at its boundaries."""
    low, high = allowed.low, allowed.high
    boundary = [value for value in (low, low + 1, -1, 0, 1, high - 1, high) if low <= value <= high]
    middle = rng.choice([1, 8, 64])
    anywhere = rng.integers(low, high, shape, endpoint=True) // middle
    inside = np.clip(anywhere, low, high)
    return np.where(rng.random(shape) < rng.choice([0.0, 0.2, 1.0]), rng.choice(boundary, shape), inside)


@st.composite
def jobs(
    draw: st.DrawFn,
    link: Link | None = None,
    paths: st.SearchStrategy[TrainingDatapath] | None = None,
    steps: st.SearchStrategy[int] | None = None,
) -> EpochJob:
    """Inner loops of up to 64 columns: rows, a start and records of any values, scales around those of the widths."""
    path = draw(datapaths() if paths is None else paths)
    kind = draw(st.sampled_from(Link)) if link is None else link
    columns, samples = draw(st.integers(1, min(64, 3 * path.lanes + 1))), draw(st.integers(1, 4))
    count = draw(st.integers(1, 5) if steps is None else steps)
    widest = path.accumulator.width + path.link.multiplier_bits
    absolute = kind is Link.ABSOLUTE_TABLE
    product = path.link.table_bits + path.link.multiplier_bits if absolute else widest
    shift = draw(near(product - path.coefficient.width, 0, LARGEST_SHIFT, below=8))
    index_shift = draw(near(widest - path.link.index_bits, 0, LARGEST_SHIFT, below=8))
    rng = np.random.default_rng(draw(st.integers(0, (1 << 32) - 1)))

    def signed(width: int, shape: int | tuple[int, ...], overflow: Overflow = Overflow.SAT) -> NDArray[np.int64]:
        return words(rng, Interval.of_width(width, True, overflow), shape)

    def unsigned(bits: int, shape: int | tuple[int, ...]) -> NDArray[np.int64]:
        return words(rng, Interval.of_width(bits, False), shape)

    records: dict[str, Any] = {}
    if kind is Link.CENTRED_TABLE:
        shape = (1 << path.link.grid_bits, 1 << path.link.index_bits)
        records = {
            "table": unsigned(path.link.slope_bits, shape),
            "grid": unsigned(path.link.grid_bits, samples) if path.link.grid_bits else None,
        }
    if kind is Link.ABSOLUTE_TABLE:
        records = {
            "table": signed(path.link.table_bits, 1 << path.link.index_bits),
            "targets": signed(path.link.table_bits, samples),
        }
    shape = (samples, columns)
    job = EpochJob(
        path,
        kind,
        RawRows(signed(path.data.width, shape), signed(path.data.width, shape) if draw(st.booleans()) else None),
        rng.integers(0, samples, count),
        signed(path.model.width, columns, path.model.overflow),
        signed(path.increment.width, columns),
        Registers(
            int(unsigned(path.link.multiplier_bits, ())),
            shift,
            int(unsigned(path.link.multiplier_bits, ())),
            index_shift,
        ),
        exponents=rng.integers(0, path.exponents.maximum, -(-columns // path.lanes), endpoint=True),
        offsets=signed(path.accumulator.width, samples) if draw(st.booleans()) else None,
        seed=draw(SEEDS),
        first_step=draw(FIRST_STEPS),
        **records,
    )
    note("\n".join(f"{name} = {value}" for name, value in vars(job).items()))
    return job
