"""What goes into one inner loop of the engine, and what comes out: plain arrays that can be saved."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.configuration import from_table
from sim.conformance import ARITHMETIC_VERSION
from sim.datapath import Link, TrainingDatapath
from sim.errors import InputError, integer_array, whole_number
from sim.packed_rows import PackedRows, rows_from
from sim.profile import NODES, NodeProfile, Profile
from sim.quantize import INTERMEDIATE_BITS, mode_of
from sim.random_bits import LARGEST_SEED
from sim.ranges import Interval, analyse
from sim.rows import RawRows, Rows

STAGES = {"t": "accumulator", "u": "index", "c": "coefficient", "a": "increment", "z": "model"}
"""The stage that a node's overflows are counted under; p is a wire, and the host saturates h."""
COUNTED = tuple(STAGES.values())
"""The stages that can overflow, in the order of the datapath."""
OBSERVED = tuple(node for node in NODES if node != "h")
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


RECORDS = {
    Link.AFFINE: ("offsets",),
    Link.CENTRED_TABLE: ("offsets", "grid", "table"),
    Link.ABSOLUTE_TABLE: ("offsets", "targets", "table"),
}
"""The words that a link takes besides the dot product: those of each sample, and its table."""

Words = NDArray[np.int64]


def _unset() -> Words:
    return np.zeros(0, np.int64)


@dataclass(frozen=True, eq=False)
class EpochJob:
    """Everything one inner loop needs, as plain arrays (anything that numpy turns into integers is taken).

    Args:
        datapath: widths, modes, lanes, random sources.
        link: the unit between dot product and coefficient.
        rows: the samples, N rows of d data words, raw or packed.
        indices: the row of each step, shape (T,).
        z: model or offset words at the start, shape (d,).
        h: full gradient times the step size, in increments' last bits, shape (d,).
        registers: the link's scale registers.
        table: slopes R, shape (2^grid_bits, 2^index_bits), of the centred table; values, shape (2^index_bits,), of the
            absolute one; none for the affine link.
        exponents: block exponents, one a beat, shape (B,); zeros if left out.
        offsets: β of each sample, shape (N,); zeros if left out.
        grid: q of each sample, for the centred table only, shape (N,); zeros if left out.
        targets: G of each sample, for the absolute table only, shape (N,); zeros if left out.
        seed: the run's seed.
        first_step: steps the run made before this loop (epoch·T): the position of its random streams.

    Raises:
        InputError: naming the first field that does not fit the datapath.

    Example:
        >>> job = EpochJob(
        ...     TrainingDatapath.preset("halp8"),
        ...     Link.AFFINE,
        ...     RawRows(np.eye(3, dtype=np.int8)),
        ...     indices=[0, 1],
        ...     z=[0, 0, 0],
        ...     h=[64, -64, 0],
        ...     registers=Registers(1 << 15, 15),
        ... )
        >>> job.columns, job.beats, job.steps
        (3, 1, 2)
    """

    datapath: TrainingDatapath
    link: Link
    rows: Rows
    indices: Words
    z: Words
    h: Words
    registers: Registers
    table: Words = field(default_factory=_unset)
    exponents: Words = field(default_factory=_unset)
    offsets: Words = field(default_factory=_unset)
    grid: Words = field(default_factory=_unset)
    targets: Words = field(default_factory=_unset)
    seed: int = 0
    first_step: int = 0

    def __post_init__(self) -> None:
        kinds = (("datapath", (TrainingDatapath,)), ("rows", (RawRows, PackedRows)), ("registers", (Registers,)))
        for name, allowed in kinds:
            if not isinstance(getattr(self, name), allowed):
                names = " or ".join(kind.__name__ for kind in allowed)
                raise InputError(f"{name}: got {type(getattr(self, name)).__name__}; allowed: {names}")
        path, (count, columns) = self.datapath, self.rows.shape
        object.__setattr__(self, "link", mode_of(Link, "link", self.link))
        analyse(path, columns, self.link).require_representable()
        for name, low, high in self.rows.limits():
            _within(name, low, high, Interval.of_width(path.data.width))
        if isinstance(self.rows, PackedRows) and self.rows.fmt.lanes != path.lanes:
            raise InputError(f"rows.fmt.lanes: got {self.rows.fmt.lanes}; allowed: {path.lanes}, those of the datapath")
        whole_number("seed", self.seed, 0, LARGEST_SEED)
        whole_number("first_step", self.first_step, 0, 1 << 48)
        for name, bits in (("multiplier", path.link.multiplier_bits), ("index_multiplier", path.link.multiplier_bits)):
            whole_number(f"registers.{name}", getattr(self.registers, name), 0, (1 << bits) - 1)
        for name in ("shift", "index_shift"):
            whole_number(f"registers.{name}", getattr(self.registers, name), 0, INTERMEDIATE_BITS)

        allowed_z = Interval.of_width(path.model.width, True, path.model.overflow)
        self._set("indices", None, Interval(0, count - 1))
        self._set("z", (columns,), allowed_z)
        self._set("h", (columns,), Interval.of_width(path.increment.width))
        self._set("exponents", (self.beats,), Interval(0, path.exponents.maximum), optional=True)
        self._set("offsets", (count,), Interval.of_width(path.accumulator.width), optional=True)
        grid = Interval(0, (1 << path.link.grid_bits) - 1)
        self._set("grid", (count,), grid, optional=True, used="grid" in RECORDS[self.link])
        targets = Interval.of_width(path.link.table_bits)
        self._set("targets", (count,), targets, optional=True, used="targets" in RECORDS[self.link])
        entries: tuple[int, ...] = (1 << path.link.index_bits,)
        values = Interval.of_width(path.link.table_bits)
        if self.link is Link.CENTRED_TABLE:
            entries = (1 << path.link.grid_bits, *entries)
            values = Interval.of_width(path.link.slope_bits, signed=False)
        self._set("table", entries, values, used=self.link is not Link.AFFINE)

    def _set(
        self, name: str, shape: tuple[int, ...] | None, allowed: Interval, *, optional: bool = False, used: bool = True
    ) -> None:
        """Check an array and keep it as int64; what is unset becomes zeros, or stays empty where it is not used."""
        given = getattr(self, name)
        if given is None or (hasattr(given, "__len__") and len(given) == 0):
            if used and not optional and shape is not None:
                raise InputError(f"{name}: got none; allowed: an array of shape {shape}")
            zeros = np.zeros(shape, np.int64) if optional and used and shape is not None else _unset()
            object.__setattr__(self, name, zeros)
            return
        if not used:
            raise InputError(f"{name}: got an array; allowed: none with link {self.link}")
        array = integer_array(name, given, 1 if shape is None else len(shape)).copy()
        if shape is not None and array.shape != shape:
            raise InputError(f"{name}: got shape {array.shape}; allowed: {shape}")
        _inside(name, array, allowed)
        object.__setattr__(self, name, array)

    def __repr__(self) -> str:
        """Name what tells one job from another; the arrays are long."""
        rows, columns = self.rows.shape
        steps = f"{self.steps} steps from {self.first_step}, seed {self.seed}"
        return f"EpochJob({self.datapath.name}, {self.link}, {rows} rows of {columns}, {steps})"

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
        return len(self.indices)

    def save(self, path: str | Path) -> None:
        """Write the job to an npz file that `load` reads back.

        Raises:
            OSError: if the file cannot be written.
        """
        content: dict[str, Any] = {
            "arithmetic_version": ARITHMETIC_VERSION,
            "datapath": self.datapath.to_toml(),
            "link": str(self.link),
            "registers": [getattr(self.registers, name) for name in Registers.__slots__],
            "seed": self.seed,
            "first_step": self.first_step,
            **self.rows.content(),
            **{name: getattr(self, name) for name in (*_ALWAYS, *RECORDS[self.link])},
        }
        with Path(path).open("wb") as file:
            np.savez_compressed(
                file, allow_pickle=False, **{name: np.asarray(value) for name, value in content.items()}
            )

    @classmethod
    def load(cls, path: str | Path) -> EpochJob:
        """Return a saved job.

        Raises:
            InputError: for a missing or broken file, or one of another arithmetic version.
        """
        try:
            with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as archive:
                data = {name: archive[name] for name in archive.files}
            version = int(data["arithmetic_version"])
            if version != ARITHMETIC_VERSION:
                raise InputError(f"{path}: got arithmetic version {version}; allowed: {ARITHMETIC_VERSION}")
            for name, shape in (("registers", (4,)), ("seed", ()), ("first_step", ())):
                if data[name].dtype.kind not in "iu" or data[name].shape != shape:
                    got = f"{data[name].dtype} of shape {data[name].shape}"
                    raise InputError(f"{name}: got {got}; allowed: integers of shape {shape}")
            link = Link(str(data["link"]))
            arrays: dict[str, Any] = {name: data[name] for name in (*_ALWAYS, *RECORDS[link])}
            return cls(
                datapath=from_table(TrainingDatapath, tomllib.loads(str(data["datapath"])), str(path)),
                link=link,
                rows=rows_from(data),
                registers=Registers(*data["registers"].tolist()),
                seed=int(data["seed"]),
                first_step=int(data["first_step"]),
                **arrays,
            )
        except InputError as error:
            text = str(error)
            raise InputError(text if text.startswith(f"{path}: ") else f"{path}: {text}") from None
        except OSError as error:
            raise InputError(f"{path}: got {error.strerror or error}; allowed: a saved EpochJob") from None
        except Exception as error:  # a torn or foreign zip file raises many types
            raise InputError(f"{path}: got {type(error).__name__} ({error}); allowed: a saved EpochJob") from None


_ALWAYS = ("indices", "z", "h", "exponents")


def _inside(name: str, array: NDArray[np.integer], allowed: Interval) -> None:
    _within(name, int(array.min()), int(array.max()), allowed)


def _within(name: str, low: int, high: int, allowed: Interval) -> None:
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
        extremes: smallest and largest value by node, keys as `OBSERVED` (t at the end of a row); (0, 0) without steps.
        cycles: clock cycles of the circuit when no input stalls.
        trace: the stage trace, if it was asked for.
        profile: the histograms of all nodes, if they were asked for.
    """

    z: NDArray[np.int64]
    counts: dict[str, int]
    extremes: dict[str, tuple[int, int]]
    cycles: int
    trace: StageTrace | None = field(default=None, repr=False)
    profile: Profile | None = field(default=None, repr=False)


def loop_profile(job: EpochJob, nodes: dict[str, NodeProfile]) -> Profile:
    """Return the profile of one inner loop.

    Args:
        job: the loop.
        nodes: what its nodes held, keys as `sim.profile.NODES`.
    """
    return Profile(
        datapath=job.datapath,
        link=job.link,
        columns=job.columns,
        loops=1,
        steps=job.steps,
        nodes=nodes,
        offsets=(min(0, int(job.offsets.min())), max(0, int(job.offsets.max()))),
    )
