"""What goes into one inner loop of the engine, and what comes out: plain arrays that can be saved."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim.configuration import from_table
from sim.conformance import ARITHMETIC_VERSION
from sim.datapath import Link, TrainingDatapath
from sim.errors import InputError, integer_array, whole_number
from sim.quantize import INTERMEDIATE_BITS, mode_of
from sim.random_bits import LARGEST_SEED
from sim.ranges import Interval, analyse
from sim.rows import RawRows

COUNTED = ("accumulator", "index", "coefficient", "increment", "model")
"""The stages that can overflow, in the order of the datapath."""
OBSERVED = ("t", "u", "c", "p", "a", "z")
"""The nodes whose extremes an epoch reports."""


@dataclass(frozen=True, slots=True)
class Registers:
    """The link's scale registers.

    Args:
        multiplier: m of the affine link, K of the absolute table; 0 where slopes carry the factor.
        shift: S, the bits cut from the link product.
        index_multiplier: M of the table links.
        index_shift: S1 of the table links.
    """

    multiplier: int = 0
    shift: int = 0
    index_multiplier: int = 0
    index_shift: int = 0


@dataclass(frozen=True, eq=False)
class EpochJob:
    """Everything one inner loop needs, as plain arrays.

    Args:
        datapath: widths, modes, lanes, random sources.
        link: the unit between dot product and coefficient.
        rows: the samples, N rows of d data words.
        indices: the row of each step, shape (T,).
        z: model or offset words at the start, shape (d,).
        h: full gradient times the step size, in increments' last bits, shape (d,).
        registers: the link's scale registers.
        table: slopes R, shape (2^grid_bits, 2^index_bits), or values, shape (2^index_bits,); None for the affine link.
        exponents: block exponents, one a beat, shape (B,); None for zeros.
        offsets: β of each sample, shape (N,); None for zeros.
        grid: q of each sample (centred table), shape (N,); None for zeros.
        targets: G of each sample (absolute table), shape (N,); None for zeros.
        seed: the run's seed.
        first_step: steps the run made before this loop (epoch·T): the position of its random streams.

    Raises:
        InputError: naming the first field that does not fit the datapath.

    Example:
        >>> job = EpochJob(TrainingDatapath.preset("halp8"), Link.AFFINE, RawRows(np.eye(3, dtype=np.int8)),
        ...                indices=[0, 1], z=[0, 0, 0], h=[64, -64, 0], registers=Registers(1 << 15, 15))
        >>> job.columns, job.beats, job.steps
        (3, 1, 2)
    """

    datapath: TrainingDatapath
    link: Link
    rows: RawRows
    indices: ArrayLike
    z: ArrayLike
    h: ArrayLike
    registers: Registers
    table: ArrayLike | None = None
    exponents: ArrayLike | None = None
    offsets: ArrayLike | None = None
    grid: ArrayLike | None = None
    targets: ArrayLike | None = None
    seed: int = 0
    first_step: int = 0

    def __post_init__(self) -> None:
        path, links, (count, columns) = self.datapath, self.datapath.link, self.rows.shape
        object.__setattr__(self, "link", mode_of(Link, "link", self.link))
        analyse(path, columns, self.link).require_representable()
        for name, array in zip(("rows.dot", "rows.update"), (self.rows.dot, self.rows.update), strict=True):
            if array is not None:
                _inside(name, array, Interval.of_width(path.data.width))
        whole_number("seed", self.seed, 0, LARGEST_SEED)
        whole_number("first_step", self.first_step, 0, 1 << 48)
        table_signed = self.link is Link.ABSOLUTE_TABLE
        table_bits = links.table_bits if table_signed else links.slope_bits
        entries = (1 << links.index_bits,) if table_signed else (1 << links.grid_bits, 1 << links.index_bits)
        if (self.table is None) != (self.link is Link.AFFINE):
            allowed = "None" if self.link is Link.AFFINE else f"an array of shape {entries}"
            raise InputError(f"table: got {type(self.table).__name__}; allowed: {allowed} with link {self.link}")
        unsigned = Interval(0, (1 << links.grid_bits) - 1)
        arrays = {
            "indices": (None, Interval(0, count - 1)),
            "z": ((columns,), Interval.of_width(path.model.width, True, path.model.overflow)),
            "h": ((columns,), Interval.of_width(path.increment.width)),
            "exponents": ((self.beats,), Interval(0, path.exponents.maximum)),
            "offsets": ((count,), Interval.of_width(path.accumulator.width)),
            "grid": ((count,), unsigned),
            "targets": ((count,), Interval.of_width(links.table_bits)),
            "table": (entries, Interval.of_width(table_bits, table_signed)),
        }
        used = {
            Link.AFFINE: {"offsets"},
            Link.CENTRED_TABLE: {"offsets", "grid", "table"},
            Link.ABSOLUTE_TABLE: {"offsets", "targets", "table"},
        }[self.link]
        for name, (shape, allowed_values) in arrays.items():
            given = getattr(self, name)
            if given is None or name == "indices" and np.size(given) == 0:
                empty = (0,) if name == "indices" else shape
                object.__setattr__(self, name, np.zeros(empty or (1,), np.int64))
                continue
            if name in ("grid", "targets") and name not in used:
                raise InputError(f"{name}: got an array; allowed: None with link {self.link}")
            array = integer_array(name, given, len(shape) if shape else 1)
            if shape is not None and array.shape != shape:
                raise InputError(f"{name}: got shape {array.shape}; allowed: {shape}")
            _inside(name, array, allowed_values)
            object.__setattr__(self, name, array)
        for name, bits in (("multiplier", links.multiplier_bits), ("index_multiplier", links.multiplier_bits)):
            whole_number(f"registers.{name}", getattr(self.registers, name), 0, (1 << bits) - 1)
        for name in ("shift", "index_shift"):
            whole_number(f"registers.{name}", getattr(self.registers, name), 0, INTERMEDIATE_BITS)

    @property
    def columns(self) -> int:
        """Values in a row, d."""
        return self.rows.shape[1]

    @property
    def beats(self) -> int:
        """Beats a row, B = ceil(d / lanes)."""
        return -(-self.columns // self.datapath.lanes)

    @property
    def steps(self) -> int:
        """Steps of the loop, T."""
        return len(np.asarray(self.indices))

    def save(self, path: str | Path) -> None:
        """Write the job to an npz file that `load` reads back."""
        arrays = {name: getattr(self, name) for name in _ARRAYS if getattr(self, name) is not None}
        rows = {f"rows_{name}": a for name, a in (("dot", self.rows.dot), ("update", self.rows.update)) if a is not None}
        registers = np.array([getattr(self.registers, name) for name in Registers.__slots__])
        with Path(path).open("wb") as file:
            np.savez_compressed(
                file,
                arithmetic_version=np.array(ARITHMETIC_VERSION),
                datapath=np.array(self.datapath.to_toml()),
                link=np.array(str(self.link)),
                registers=registers,
                seed=np.array(self.seed),
                first_step=np.array(self.first_step),
                **arrays,
                **rows,
            )

    @classmethod
    def load(cls, path: str | Path) -> EpochJob:
        """Return a saved job.

        Raises:
            InputError: for a missing or broken file, or one of another arithmetic version.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                data = {name: file[name] for name in file.files}
            version = int(data["arithmetic_version"])
            if version != ARITHMETIC_VERSION:
                raise InputError(f"{path}: got arithmetic version {version}; allowed: {ARITHMETIC_VERSION}")
            return cls(
                datapath=from_table(TrainingDatapath, tomllib.loads(str(data["datapath"])), str(path)),
                link=Link(str(data["link"])),
                rows=RawRows(data["rows_dot"], data.get("rows_update")),
                registers=Registers(*(int(n) for n in data["registers"])),
                seed=int(data["seed"]),
                first_step=int(data["first_step"]),
                **{name: _used(data, name) for name in _ARRAYS},
            )
        except InputError:
            raise
        except Exception as error:  # a torn zip file raises many types
            raise InputError(f"{path}: got {type(error).__name__} ({error}); allowed: a saved EpochJob") from None


_ARRAYS = ("indices", "z", "h", "table", "exponents", "offsets", "grid", "targets")


def _used(data: dict[str, NDArray[Any]], name: str) -> NDArray[Any] | None:
    link = Link(str(data["link"]))
    foreign = {"grid": link is not Link.CENTRED_TABLE, "targets": link is not Link.ABSOLUTE_TABLE}
    foreign["table"] = link is Link.AFFINE
    return None if foreign.get(name) else data[name]


def _inside(name: str, array: NDArray[np.integer], allowed: Interval) -> None:
    low, high = int(array.min()), int(array.max())
    if low < allowed.low or high > allowed.high:
        raise InputError(f"{name}: got values from {low} to {high}; allowed: {allowed.low} to {allowed.high}")


@dataclass(frozen=True, eq=False)
class StageTrace:
    """What every stage held in the traced steps: S steps of B beats and d columns.

    Attributes:
        first: number of the first traced step within the loop.
        accumulator: t after every beat, shape (S, B).
        index: u, shape (S,); 0 for the affine link.
        coefficient: c, shape (S,).
        random: random field of every column, shape (S, d).
        product: p, shape (S, d).
        increment: a, shape (S, d).
        model: z after the update, shape (S, d).
    """

    first: int
    accumulator: NDArray[np.int64]
    index: NDArray[np.int64]
    coefficient: NDArray[np.int64]
    random: NDArray[np.int64]
    product: NDArray[np.int64]
    increment: NDArray[np.int64]
    model: NDArray[np.int64]

    @classmethod
    def empty(cls, job: EpochJob, steps: range) -> StageTrace:
        """Return a trace with room for the given steps."""
        count = len(steps)
        per_step = np.zeros(count, np.int64)
        wide = (count, job.columns)
        return cls(
            steps.start,
            np.zeros((count, job.beats), np.int64),
            per_step,
            per_step.copy(),
            *(np.zeros(wide, np.int64) for _ in range(4)),
        )


@dataclass(frozen=True, eq=False)
class EpochResult:
    """What one inner loop leaves behind.

    Attributes:
        z: model or offset words at the end, shape (d,).
        counts: overflows by stage, keys as `COUNTED`; accumulator counts beats, increment and model count words.
        extremes: smallest and largest value by node, keys as `OBSERVED`; (0, 0) where a loop had no step.
        cycles: clock cycles of the circuit when no input stalls.
        trace: the stage trace, if it was asked for.
    """

    z: NDArray[np.int64]
    counts: dict[str, int]
    extremes: dict[str, tuple[int, int]]
    cycles: int
    trace: StageTrace | None = field(default=None, repr=False)
