"""What a module of the user's can claim to be: blocks with their formats and modes, and the ports that they need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

from rtl_models.benches.bench import Configuration
from rtl_models.benches.requantizer import requantizer_parameters
from rtl_models.elaborate import literal
from sim.configuration import Section, field
from sim.datapath import Generator, RandomGenerator, TrainingDatapath
from sim.errors import InputError
from sim.formats import QFormat
from sim.modes import Overflow, Rounding
from sim.quantize import Requantizer
from sim.random_bits import WORD_BITS

_OVERFLOWS = [mode for mode in Overflow if mode is not Overflow.ERROR]


class Block(Section, frozen=True):
    """What a module claims to be."""

    required: ClassVar[Sequence[str]]
    optional: ClassVar[Sequence[str]]

    @property
    def unit_name(self) -> str:
        """The unit of this project whose ports and parameters the block has."""
        raise NotImplementedError

    @property
    def needed_ports(self) -> list[str]:
        """Ports without which the module cannot be the block."""
        return list(self.required)

    def configuration(self, name: str) -> Configuration:
        """Return the configuration of the unit that this block is."""
        raise NotImplementedError


class RequantizerBlock(Block, frozen=True):
    """Rounds values of `source` to `target`."""

    unit: Annotated[str, field("the block", allowed=["requantizer"])]
    source: Annotated[str, field("format of the values, as sfix16_En8")]
    target: Annotated[str, field("format of the results, as sfix8_En4")]
    rounding: Annotated[Rounding, field("what happens to the bits cut off")] = Rounding.TIES_EVEN
    overflow: Annotated[Overflow, field("what happens past the ends", allowed=_OVERFLOWS)] = Overflow.SAT
    random_bits: Annotated[int, field("random bits a value, for the stochastic modes", 0, WORD_BITS)] = 0
    centered: Annotated[bool, field("add half a step of a random word that is shorter than the cut")] = True
    required: ClassVar = ("value_i", "value_o")
    optional: ClassVar = ("random_i", "overflow_o", "enable_i")

    def __post_init__(self) -> None:
        super().__post_init__()
        formats = [_format("source", self.source), _format("target", self.target)]
        try:
            Requantizer(formats[1], self.rounding, self.overflow, self.random_bits, self.centered)
        except InputError as error:
            raise InputError(f"block.{error}") from None

    @property
    def unit_name(self) -> str:
        """The unit of this project."""
        return "requantizer"

    @property
    def needed_ports(self) -> list[str]:
        """Value and result, and random words where the mode takes them."""
        return [*self.required, *(["random_i"] if self.random_bits else [])]

    def configuration(self, name: str) -> Configuration:
        """Return the unit's parameters."""
        block = Requantizer(QFormat.parse(self.target), self.rounding, self.overflow, self.random_bits, self.centered)
        parameters = requantizer_parameters(QFormat.parse(self.source), block)
        return Configuration(name, TrainingDatapath(), {key: literal(value) for key, value in parameters.items()})


class MacBlock(Block, frozen=True):
    """Multiplies pairs and adds the products into an accumulator."""

    unit: Annotated[str, field("the block", allowed=["mac"])]
    a: Annotated[str, field("format of operand a, 2 to 24 bits")]
    b: Annotated[str, field("format of operand b, 2 to 32 bits")]
    width: Annotated[int, field("bits of the accumulator, signed", 2, 61)]
    overflow: Annotated[Overflow, field("overflow of the accumulator, at every pair", allowed=_OVERFLOWS)] = (
        Overflow.SAT
    )
    clear_takes_pair: Annotated[bool, field("a pair that comes with clear is the first of the new sum")] = True
    required: ClassVar = ("clear_i", "a_i", "b_i", "sum_o")
    optional: ClassVar = ("enable_i", "overflow_o")

    def __post_init__(self) -> None:
        super().__post_init__()
        _operand("a", self.a, 24)
        _operand("b", self.b, 32)

    @property
    def unit_name(self) -> str:
        """The unit of this project."""
        return "mac"

    def configuration(self, name: str) -> Configuration:
        """Return the unit's parameters."""
        a, b = QFormat.parse(self.a), QFormat.parse(self.b)
        path = _datapath(a, b, self.width, self.overflow)
        return Configuration(name, path, {"ASigned": int(a.signed), "BSigned": int(b.signed)})


class DotProductBlock(Block, frozen=True):
    """Adds the products of several lanes a beat, up to the last beat of a row."""

    unit: Annotated[str, field("the block", allowed=["dot_product"])]
    a: Annotated[str, field("format of the words in the low bits of s_axis_tdata, signed, 2 to 24 bits")]
    b: Annotated[str, field("format of the words above them, signed, 2 to 32 bits")]
    lanes: Annotated[int, field("pairs a beat, a power of two", 1, 256)]
    width: Annotated[int, field("bits of the accumulator, signed", 2, 61)]
    overflow: Annotated[Overflow, field("overflow of the accumulator, at every beat", allowed=_OVERFLOWS)] = (
        Overflow.SAT
    )
    max_exponent: Annotated[int, field("largest exponent of a beat, in the low bits of s_axis_tuser", 0, 16)] = 0
    record_width: Annotated[int, field("bits of the record that goes along in tuser", 1, 1024)] = 1
    count_width: Annotated[int, field("bits of the count of overflows in m_axis_tuser", 1, 32)] = 16
    required: ClassVar = ("s_axis_tdata", "s_axis_tlast", "m_axis_tdata")
    optional: ClassVar = ("s_axis_tuser", "m_axis_tuser")

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, text, widest in (("a", self.a, 24), ("b", self.b, 32)):
            if not _operand(name, text, widest).signed:
                raise InputError(f"block.{name}: got {text!r}; allowed: a signed format")
        if self.lanes & (self.lanes - 1):
            raise InputError(f"block.lanes: got {self.lanes}; allowed: a power of two from 1 to 256")

    @property
    def unit_name(self) -> str:
        """The unit of this project."""
        return "dot_product"

    @property
    def needed_ports(self) -> list[str]:
        """The words and the last beat, and the exponents if there are any."""
        return [*self.required, *(["s_axis_tuser"] if self.max_exponent else [])]

    def configuration(self, name: str) -> Configuration:
        """Return the unit's parameters."""
        path = _datapath(QFormat.parse(self.a), QFormat.parse(self.b), self.width, self.overflow)
        path = path.with_fields({"lanes": self.lanes, "exponents.maximum": self.max_exponent})
        return Configuration(name, path, {"RecordWidth": self.record_width, "CountWidth": self.count_width})


class GeneratorBlock(Block, frozen=True):
    """Gives a stream of random words."""

    unit: Annotated[str, field("the block", allowed=["generator"])]
    kind: Annotated[Generator, field("kind of generator")]
    width: Annotated[int, field("register bits of an lfsr", 32, 64)] = 32
    taps: Annotated[tuple[int, ...], field("exponents of an lfsr's polynomial; empty: a maximal one")] = ()
    leap: Annotated[int, field("single steps of an lfsr a word", 1, 64)] = 32
    reset_seed: Annotated[int, field("seed after a reset", 1, (1 << 62) - 1)] = 1
    zero_seed: Annotated[int, field("what a loaded seed 0 becomes; 0: seed 0 is never loaded", 0, (1 << 62) - 1)] = 0
    shows_seed: Annotated[bool, field("the first word is the seed itself, before any step")] = False
    required: ClassVar = ("word_o",)
    optional: ClassVar = ("load_i", "seed_i", "enable_i")

    def __post_init__(self) -> None:
        super().__post_init__()
        generator = self.generator
        for name in ("reset_seed", "zero_seed"):
            if getattr(self, name) >> generator.width:
                allowed = f"less than 2^{generator.width}, which the register holds"
                raise InputError(f"block.{name}: got {getattr(self, name)}; allowed: {allowed}")

    @property
    def generator(self) -> RandomGenerator:
        """The generator, as a datapath has it."""
        try:
            return RandomGenerator(kind=self.kind, width=self.width, taps=self.taps, leap=self.leap)
        except InputError as error:
            raise InputError(f"block: {error}") from None

    @property
    def unit_name(self) -> str:
        """The unit of this project."""
        return self.kind.value

    def configuration(self, name: str) -> Configuration:
        """Return the unit's parameters."""
        return Configuration(name, TrainingDatapath(generator=self.generator))


def _format(name: str, text: str) -> QFormat:
    try:
        return QFormat.parse(text)
    except InputError as error:
        raise InputError(f"block.{name}: {str(error).removeprefix('QFormat: ')}") from None


def _operand(name: str, text: str, widest: int) -> QFormat:
    fmt = _format(name, text)
    if not 2 <= fmt.width <= widest:
        raise InputError(f"block.{name}: got {text!r}; allowed: 2 to {widest} bits")
    return fmt


def _datapath(a: QFormat, b: QFormat, width: int, overflow: Overflow) -> TrainingDatapath:
    fields = {"data.width": a.width, "model.width": b.width, "accumulator.width": width}
    return TrainingDatapath().with_fields({**fields, "accumulator.overflow": overflow})
