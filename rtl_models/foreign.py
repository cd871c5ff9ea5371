"""A module of the user's own, bound by a TOML file to the block that it claims to be.

The file names the sources, the module, its clock, reset and ports, its timing, and the block with its formats and
modes. What the block computes is the reference's; nothing of it is stated here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from rtl_models.benches.bench import Configuration
from rtl_models.benches.requantizer import requantizer_parameters
from rtl_models.elaborate import Unit, literal
from rtl_models.foreign_sources import Elaboration
from sim.configuration import Section, field, from_table, read_toml
from sim.datapath import Generator, RandomGenerator, TrainingDatapath
from sim.errors import InputError
from sim.formats import QFormat
from sim.modes import Overflow, Rounding
from sim.quantize import Requantizer
from sim.random_bits import WORD_BITS

NO_LATENCY = -1
"""The latency of a module whose valid port says when a result is there."""
LARGEST_LATENCY = 64
STREAM_PORTS = ("s_axis_tvalid", "s_axis_tready", "m_axis_tvalid", "m_axis_tready")
_OVERFLOWS = [mode for mode in Overflow if mode is not Overflow.ERROR]


class Reset(Section, frozen=True):
    """The reset of a module."""

    port: Annotated[str, field("the reset port; empty for none")] = ""
    active: Annotated[str, field("its level in reset", allowed=["low", "high"])] = "low"
    kind: Annotated[str, field("asynchronous: it works while the clock stands still; synchronous: at a clock edge",
                               allowed=["asynchronous", "synchronous"])] = "asynchronous"  # fmt: skip


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


class Binding(Section, frozen=True, kw_only=True):
    """A TOML file: a module, and the block that it is compared with."""

    sources: Annotated[tuple[str, ...], field("files of the module, relative to this one; packages first")]
    top: Annotated[str, field("name of the module")]
    parameters: Annotated[dict[str, int | str], field("parameters of the module; texts are SystemVerilog")] = {}  # noqa: RUF012  # copied
    clock: Annotated[str, field("the clock port; empty for a combinational module")] = ""
    reset: Reset = Reset()
    latency: Annotated[int, field("cycles from an input to its output; -1: a valid port says when",
                                  NO_LATENCY, LARGEST_LATENCY)] = NO_LATENCY  # fmt: skip
    ties: Annotated[dict[str, int], field("values of input ports that have no other use")] = {}  # noqa: RUF012  # copied
    block: Block
    ports: Annotated[dict[str, str], field('our port = "theirs", or "{high, low}"; _ for bits that are not there')]

    @property
    def is_stream(self) -> bool:
        """Whether the module says itself when a result is there."""
        return "m_axis_tvalid" in self.ports

    @property
    def allowed_ports(self) -> list[str]:
        """The ports of the block under the module's timing."""
        block = self.block
        names = [*block.required, *block.optional]
        if self.is_stream:
            return [name for name in names if name != "enable_i"] + list(STREAM_PORTS)
        extra = ["s_axis_tvalid"] if isinstance(block, DotProductBlock) else []
        return names + extra + ([] if isinstance(block, GeneratorBlock) else ["m_axis_tvalid"])

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_ports()
        self._check_timing()

    def _check_ports(self) -> None:
        needed = [*self.block.needed_ports, *(["s_axis_tvalid"] if self.is_stream else [])]
        for name in self.ports:
            if name not in self.allowed_ports:
                raise InputError(f"ports.{name}: got an unknown port; allowed: {', '.join(self.allowed_ports)}")
        for one, other in (("load_i", "seed_i"), ("seed_i", "load_i")):
            needed += [other] if one in self.ports else []
        for name in needed:
            if name not in self.ports:
                raise InputError(f"ports.{name}: got nothing; allowed: a port of {self.top}")

    def _check_timing(self) -> None:
        latency, block = self.latency, self.block
        if latency == NO_LATENCY and not self.is_stream:
            raise InputError(f"latency: got nothing; allowed: 0 to {LARGEST_LATENCY}, since no m_axis_tvalid is named")
        if not self.clock:
            if latency or "enable_i" in self.ports or not isinstance(block, RequantizerBlock):
                got = f"a latency of {latency}" if latency else "no clock"
                raise InputError(
                    f"clock: got nothing with {got}; allowed: a port of {self.top}; without a clock a requantizer of "
                    "latency 0 that has no enable_i"
                )
            if self.reset.port:
                raise InputError(f"reset.port: got {self.reset.port!r}; allowed: none, since no clock is named")
            return
        least = 0 if isinstance(block, RequantizerBlock) and "enable_i" not in self.ports else 1
        if NO_LATENCY < latency < least:
            raise InputError(f"latency: got {latency}; allowed: {least} to {LARGEST_LATENCY} for this block")
        if not self.reset.port and (self.is_stream or not isinstance(block, RequantizerBlock)):
            raise InputError(f"reset.port: got nothing; allowed: a port of {self.top}")


class RequantizerBinding(Binding, frozen=True, kw_only=True):
    """A requantizer of the user's."""

    block: RequantizerBlock


class MacBinding(Binding, frozen=True, kw_only=True):
    """A multiply-accumulate unit of the user's."""

    block: MacBlock


class DotProductBinding(Binding, frozen=True, kw_only=True):
    """A dot product of the user's."""

    block: DotProductBlock


class GeneratorBinding(Binding, frozen=True, kw_only=True):
    """A random generator of the user's."""

    block: GeneratorBlock


BINDINGS: Mapping[str, type[Binding]] = {
    "requantizer": RequantizerBinding,
    "mac": MacBinding,
    "dot_product": DotProductBinding,
    "generator": GeneratorBinding,
}
"""The blocks that a module can be compared with."""


@dataclass(frozen=True, slots=True)
class ForeignModule:
    """A module of the user's own and what it is bound to.

    Attributes:
        file: the TOML file.
        binding: what it says.
        sources: the module's files.
        included: files that these include.
        module: its ports under the given parameters.
    """

    file: Path
    binding: Binding
    sources: tuple[Path, ...]
    included: tuple[Path, ...]
    module: Unit

    @classmethod
    def load(cls, file: str | Path) -> Self:
        """Read a TOML file, and elaborate the module that it names.

        Raises:
            InputError: for a bad field, a missing file, sources that are no SystemVerilog, an unknown module,
                parameter or port.
        """
        table = read_toml(file)
        try:
            return cls._of(Path(file), table)
        except InputError as error:
            raise InputError(f"{file}: {error}") from None

    @classmethod
    def _of(cls, file: Path, table: dict[str, Any]) -> Self:
        block = table.get("block")
        unit = block.get("unit") if isinstance(block, dict) else None
        if not isinstance(unit, str) or unit not in BINDINGS:
            raise InputError(f"block.unit: got {unit!r}; allowed: {', '.join(BINDINGS)}")
        binding = from_table(BINDINGS[unit], table)
        if not binding.sources:
            raise InputError("sources: got none; allowed: at least one file")
        sources = tuple((file.parent / name).resolve() for name in binding.sources)
        for name, source in zip(binding.sources, sources, strict=True):
            if not source.is_file():
                raise InputError(f"sources: got {name!r}, which is no file; allowed: paths relative to {file.name}")
        elaboration = Elaboration.of(sources)
        if binding.top not in elaboration.modules:
            allowed = ", ".join(elaboration.modules) or "none, since the sources have no module"
            raise InputError(f"top: got {binding.top!r}; allowed: {allowed}")
        module = elaboration.unit(binding.top, binding.parameters)
        return cls(file, binding, sources, elaboration.included, module)


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
