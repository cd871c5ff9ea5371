"""The datapath of the training engine: the one description of every width, mode, lane and random source."""

from __future__ import annotations

from enum import StrEnum
from importlib import resources
from pathlib import Path
from typing import Annotated

from sim.accumulate import Accumulator
from sim.configuration import Section, field, from_toml, to_toml
from sim.errors import InputError
from sim.formats import QFormat
from sim.modes import Overflow, Rounding
from sim.quantize import Requantizer
from sim.random_bits import LANE_BITS, WORD_BITS, Lfsr, LinearGenerator, Role, Xorshift32, generator_seed

_CIRCUIT_OVERFLOWS = [Overflow.SAT, Overflow.SAT_SYM, Overflow.WRAP]
_DETERMINISTIC = [mode for mode in Rounding if not mode.is_stochastic]
_OVERFLOW = {"allowed": _CIRCUIT_OVERFLOWS}


class Generator(StrEnum):
    """Kinds of random generators."""

    XORSHIFT32 = "xorshift32"
    LFSR = "lfsr"


class Link(StrEnum):
    """How the dot product becomes the coefficient of the update."""

    AFFINE = "affine"
    """c = round((v·m) >> S): least squares."""
    CENTRED_TABLE = "centred_table"
    """c = round((v·R[q, u]) >> S): any smooth generalised linear model under centring; R are secant slopes."""
    ABSOLUTE_TABLE = "absolute_table"
    """c = round((K·(table[u] − G)) >> S): plain SGD on logistic or hinge losses."""


class Data(Section, frozen=True):
    """The quantized samples x."""

    width: Annotated[int, field("bits of a data word", 2, 24, rtl="DataWidth")] = 8


class Model(Section, frozen=True):
    """The model, or in HALP the offset, z: the only words that are rounded at every step."""

    width: Annotated[int, field("bits of a model word z", 2, 32, rtl="ModelWidth")] = 8
    rounding: Annotated[Rounding, field("rounding of an increment to z's last bit", rtl="ModelRounding")] = (
        Rounding.STOCHASTIC
    )
    overflow: Annotated[Overflow, field("overflow of z", **_OVERFLOW, rtl="ModelOverflow")] = Overflow.SAT
    random_bits: Annotated[
        int, field("random bits a lane, 0 for deterministic rounding", allowed=[0, *LANE_BITS], rtl="RandomBits")
    ] = 16
    centered: Annotated[
        bool, field("add half a step of the random word where it is shorter than the cut", rtl="Centered")
    ] = True


class Coefficient(Section, frozen=True):
    """The scalar c that multiplies a row in the update."""

    width: Annotated[int, field("bits of the coefficient c", 2, 32, rtl="CoefficientWidth")] = 16
    rounding: Annotated[Rounding, field("rounding of c (stochastic: 32 bits of a generator of its own)",
                                        rtl="CoefficientRounding")] = Rounding.TIES_EVEN  # fmt: skip
    overflow: Annotated[Overflow, field("overflow of c", **_OVERFLOW, rtl="CoefficientOverflow")] = Overflow.SAT


class Accumulation(Section, frozen=True):
    """The dot product's accumulator t."""

    width: Annotated[int, field("bits of the accumulator", 2, 61, rtl="AccumulatorWidth")] = 32
    overflow: Annotated[Overflow, field("overflow of the accumulator, at every beat", **_OVERFLOW,
                                        rtl="AccumulatorOverflow")] = Overflow.SAT  # fmt: skip


class Product(Section, frozen=True):
    """The update's product p = c·x."""

    cut: Annotated[int, field("bits cut from a product, sp", 0, 48, rtl="ProductCut")] = 8
    rounding: Annotated[Rounding, field("rounding of that cut", allowed=_DETERMINISTIC, rtl="ProductRounding")] = (
        Rounding.TIES_POS
    )


class Increment(Section, frozen=True):
    """The increment a = −p − h, in units of 2^−fraction of z's last bit."""

    width: Annotated[int, field("bits of an increment, b_u", 2, 48, rtl="IncrementWidth")] = 16
    fraction: Annotated[int, field("bits of an increment below z's last bit, sh", 0, 47, rtl="IncrementFraction")] = 10
    overflow: Annotated[Overflow, field("overflow of an increment", **_OVERFLOW, rtl="IncrementOverflow")] = (
        Overflow.SAT
    )


class Exponents(Section, frozen=True):
    """Block exponents: one a beat of columns, set by the host each epoch."""

    maximum: Annotated[int, field("largest block exponent; 0 removes them", 0, 16, rtl="MaxExponent")] = 0


class Links(Section, frozen=True):
    """The unit that turns the dot product into the coefficient."""

    multiplier_bits: Annotated[int, field("bits of the registers m, M and K", 2, 24, rtl="MultiplierWidth")] = 16
    slope_bits: Annotated[int, field("bits of a slope R of the centred table (unsigned)", 2, 24, rtl="SlopeWidth")] = 12
    table_bits: Annotated[int, field("bits of the absolute table's values and of G (signed)", 2, 24,
                                     rtl="TableWidth")] = 16  # fmt: skip
    index_bits: Annotated[int, field("bits of the signed table index u", 2, 12, rtl="IndexWidth")] = 4
    grid_bits: Annotated[int, field("bits of the margin index q: 2^bits rows of slopes", 0, 12, rtl="GridWidth")] = 4


class RandomGenerator(Section, frozen=True):
    """The generators of random words."""

    kind: Annotated[Generator, field("kind of generator", rtl="GeneratorKind")] = Generator.XORSHIFT32
    width: Annotated[int, field("register bits of an lfsr", 32, 64, rtl="LfsrWidth")] = 32
    taps: Annotated[tuple[int, ...], field("feedback exponents of an lfsr; empty: maximal length", rtl="LfsrTaps")] = ()
    leap: Annotated[int, field("single steps of an lfsr a word", 1, 64, rtl="LfsrLeap")] = 32

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kind is Generator.LFSR:
            outside = [tap for tap in self.taps if not 1 <= tap <= self.width]
            if outside or (self.taps and self.width not in self.taps):
                raise InputError(
                    f"generator.taps: got {list(self.taps)}; "
                    f"allowed: exponents from 1 to {self.width}, {self.width} among them, or none for maximal length"
                )
        elif (self.width, self.taps, self.leap) != (32, (), 32):
            raise InputError(
                f"generator: got width {self.width}, taps {list(self.taps)}, leap {self.leap} for xorshift32; "
                'allowed: none of them (they belong to kind = "lfsr")'
            )

    def make(self, seed: int, role: Role, index: int, position: int = 0) -> LinearGenerator:
        """Return generator `index` of a role, `position` words into its stream."""
        start = generator_seed(seed, role, index)
        if self.kind is Generator.XORSHIFT32:
            return Xorshift32(start, position)
        return Lfsr(start, self.width, self.taps or None, self.leap, position)


class TrainingDatapath(Section, frozen=True):
    """Every width, mode, lane count and random source of the training engine.

    Raises:
        InputError: for a field outside its range (naming its path), or fields that contradict each other.

    Example:
        >>> datapath = TrainingDatapath.preset("halp8")
        >>> datapath.model.width, datapath.increment_format
        (8, QFormat(width=16, frac=6, signed=True))
    """

    name: Annotated[str, field("free text, shown in tables")] = "custom"
    lanes: Annotated[int, field("columns a beat, P", allowed=[1 << k for k in range(9)], rtl="Lanes")] = 16
    data: Data = Data()
    model: Model = Model()
    coefficient: Coefficient = Coefficient()
    accumulator: Accumulation = Accumulation()
    product: Product = Product()
    increment: Increment = Increment()
    exponents: Exponents = Exponents()
    link: Links = Links()
    generator: RandomGenerator = RandomGenerator()
    biased_ok: Annotated[bool, field("accept a biased model rounding (too few random bits, say)")] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        model, cut, width = self.model, self.largest_cut, self.increment.width
        if cut > width - 1:
            raise InputError(
                f"increment.fraction: got {self.increment.fraction} with exponents.maximum {self.exponents.maximum}; "
                f"allowed: a sum of at most increment.width − 1 = {width - 1}, to hold one last bit of z"
            )
        if model.rounding.is_stochastic and model.random_bits == 0:
            raise InputError(
                f"model.random_bits: got 0; allowed: {', '.join(map(str, LANE_BITS))}, "
                f"since model.rounding {model.rounding} needs random bits"
            )
        if not model.rounding.is_stochastic and model.random_bits:
            raise InputError(
                f"model.random_bits: got {model.random_bits}; allowed: 0, "
                f"since model.rounding {model.rounding} uses no random bits"
            )
        if self.is_biased and not self.biased_ok:
            raise InputError(
                f"model.random_bits: got {model.random_bits}; allowed: at least increment.fraction + exponents.maximum "
                f"= {cut} with model.rounding STOCHASTIC, or biased_ok = true"
            )

    @classmethod
    def preset(cls, name: str) -> TrainingDatapath:
        """Return a shipped datapath by name; `preset_names()` lists them.

        Example:
            >>> TrainingDatapath.preset("halp8_blocks").exponents.maximum
            5
        """
        if name not in preset_names():
            raise InputError(f"preset: got {name!r}; allowed: {', '.join(preset_names())}")
        with resources.as_file(resources.files("sim") / "presets" / f"{name}.toml") as path:
            return cls.from_toml(path)

    @classmethod
    def from_toml(cls, path: str | Path) -> TrainingDatapath:
        """Return the datapath that a TOML file describes; fields left out take their defaults.

        Raises:
            InputError: for a missing file, broken TOML, unknown fields, values out of range.
        """
        return from_toml(cls, path)

    def to_toml(self) -> str:
        """Return the datapath as TOML, every field written out.

        Example:
            >>> TrainingDatapath().to_toml().splitlines()[:2]
            ['name = "custom"', 'lanes = 16']
        """
        return to_toml(self)

    def with_model_width(self, width: int) -> TrainingDatapath:
        """Return the datapath with another model width, and increments and products that keep up with it.

        In last bits of z, a wider model takes longer steps: an increment must span a quarter of the model's range, and
        the product cut shrinks by a bit for every model bit past 8, so that the coefficient's range grows likewise.

        Args:
            width: bits of a model word.

        Example:
            >>> wide = TrainingDatapath.preset("halp12").with_model_width(16)
            >>> wide.model.width, wide.increment.width, wide.product.cut
            (16, 24, 0)
        """
        increment, accumulator = self.increment, self.accumulator
        return self.replace(
            model=self.model.replace(width=width),
            increment=increment.replace(width=max(increment.width, increment.fraction + width - 2)),
            product=self.product.replace(cut=max(self.product.cut - max(width - 8, 0), 0)),
            accumulator=accumulator.replace(width=max(accumulator.width, self.data.width + width + 12)),
        )

    @property
    def largest_cut(self) -> int:
        """Bits that the model rounding cuts at the largest block exponent."""
        return self.increment.fraction + self.exponents.maximum

    @property
    def is_biased(self) -> bool:
        """Whether the model's stochastic rounding has fewer random bits than it cuts."""
        return self.model.rounding is Rounding.STOCHASTIC and self.model.random_bits < self.largest_cut

    @property
    def generators(self) -> int:
        """Number of generators that feed the lanes of the update."""
        return -(-self.lanes * self.model.random_bits // WORD_BITS)

    @property
    def data_format(self) -> QFormat:
        """Format of a data word, in units of the data scale."""
        return QFormat(self.data.width, 0)

    @property
    def model_format(self) -> QFormat:
        """Format of a model word, in units of its last bit (times 2^exponent)."""
        return QFormat(self.model.width, 0)

    @property
    def coefficient_format(self) -> QFormat:
        """Format of the coefficient, in units of its own last bit."""
        return QFormat(self.coefficient.width, 0)

    @property
    def increment_format(self) -> QFormat:
        """Format of an increment, in units of z's last bit."""
        return QFormat(self.increment.width, self.increment.fraction)

    @property
    def dot_accumulator(self) -> Accumulator:
        """The accumulator block of the dot product."""
        return Accumulator(self.accumulator.width, self.accumulator.overflow, self.lanes)

    @property
    def model_requantizer(self) -> Requantizer:
        """The requantizer block that rounds an increment (at exponent 0) to z's last bit, before z is added."""
        width = max(self.increment.width - self.increment.fraction, 1) + 1
        bits, centered = self.model.random_bits, self.model.centered
        return Requantizer(QFormat(width, 0), self.model.rounding, Overflow.SAT, bits, centered)


def preset_names() -> list[str]:
    """Return the names of the shipped datapaths.

    Example:
        >>> "halp8" in preset_names()
        True
    """
    return sorted(f.name.removesuffix(".toml") for f in (resources.files("sim") / "presets").iterdir())
