"""A module of the user's own, bound by a TOML file to the block that it claims to be.

The file names the sources, the module, its clock, reset and ports, its timing, and the block with its formats and
modes. What the block computes is the reference's; nothing of it is stated here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

from rtl_models.elaborate import Unit
from rtl_models.foreign_blocks import Block, DotProductBlock, GeneratorBlock, MacBlock, RequantizerBlock
from rtl_models.foreign_sources import Elaboration
from sim.configuration import Section, field, from_table, read_toml
from sim.errors import InputError

NO_LATENCY = -1
"""The latency of a module whose valid port says when a result is there."""
LARGEST_LATENCY = 64
STREAM_PORTS = ("s_axis_tvalid", "s_axis_tready", "m_axis_tvalid", "m_axis_tready")


class Reset(Section, frozen=True):
    """The reset of a module."""

    port: Annotated[str, field("the reset port; empty for none")] = ""
    active: Annotated[str, field("its level in reset", allowed=["low", "high"])] = "low"
    kind: Annotated[str, field("asynchronous: it works while the clock stands still; synchronous: at a clock edge",
                               allowed=["asynchronous", "synchronous"])] = "asynchronous"  # fmt: skip


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
        is_rounder, is_frozen = isinstance(block, RequantizerBlock), "enable_i" in self.ports
        least = 0 if is_rounder and not is_frozen else 1
        if latency == NO_LATENCY and not self.is_stream:
            allowed = f"{least} to {LARGEST_LATENCY}, since no m_axis_tvalid is named"
            raise InputError(f"latency: got none; allowed: {allowed}")
        if not self.clock:
            if latency or is_frozen or not is_rounder:
                found = [(latency > 0, f"a latency of {latency}"), (self.is_stream, "m_axis_tvalid")]
                found += [(is_frozen, "enable_i"), (True, f"the block {block.unit_name}")]
                raise InputError(
                    f"clock: got nothing with {next(text for is_so, text in found if is_so)}; allowed: a port of "
                    f"{self.top}; without a clock a requantizer of latency 0 that has no enable_i"
                )
            if self.reset.port:
                raise InputError(f"reset.port: got {self.reset.port!r}; allowed: none, since no clock is named")
            return
        if NO_LATENCY < latency < least:
            raise InputError(f"latency: got {latency}; allowed: {least} to {LARGEST_LATENCY} for this block")
        if not self.reset.port and (self.is_stream or not is_rounder):
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
            if b"\0" in source.read_bytes():
                raise InputError(f"sources: got {name!r}, which is binary; allowed: Verilog or SystemVerilog")
        elaboration = Elaboration.of(sources)
        if binding.top not in elaboration.modules:
            allowed = ", ".join(elaboration.modules) or "none, since the sources have no module"
            raise InputError(f"top: got {binding.top!r}; allowed: {allowed}")
        module = elaboration.unit(binding.top, binding.parameters)
        return cls(file, binding, sources, elaboration.included, module)
