"""Gives a foreign module the ports that a bench plays: SystemVerilog that is generated, around the module itself.

A block with values in and results out gets a stream on either side. Of a module of fixed latency the wrapper itself
carries along which cycles held a value; a module with valid ports says so. A generator keeps its ports.

An asynchronous reset is tested as one: the module's clock stands still while the reset is active.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rtl_models.elaborate import Port, Unit, instance
from rtl_models.foreign import STREAM_PORTS, Binding, ForeignModule
from rtl_models.foreign_blocks import DotProductBlock, GeneratorBlock, MacBlock, RequantizerBlock
from sim.errors import InputError

WRAPPER = "bittrue_foreign"
"""Name of the module around the foreign one."""
ABSENT = "_"
"""Stands for bits that the module does not have."""


@dataclass(frozen=True, slots=True)
class Wrapper:
    """A module with the ports of a bench, around a foreign one.

    Attributes:
        unit: its ports.
        text: SystemVerilog.
        masks: for each output of our unit, the bits that the foreign module has.
    """

    unit: Unit
    text: str
    masks: dict[str, int]


def wrap(foreign: ForeignModule, unit: Unit) -> Wrapper:
    """Return the wrapper of a module.

    Args:
        foreign: the module and its binding.
        unit: our unit of the same block, whose ports it takes the place of.

    Raises:
        InputError: for a port that the module does not have, of another direction or width, or without a value.
    """
    return _Writer(foreign, unit).wrapper()


class _Writer:
    def __init__(self, foreign: ForeignModule, unit: Unit) -> None:
        self.binding, self.module, self.ours = foreign.binding, foreign.module, unit
        self.theirs = {port.name: port for port in foreign.module.ports}
        self.connected: dict[str, str] = {}
        self.declared: list[str] = []
        self.assigned: list[str] = []
        self.masks: dict[str, int] = {}

    def wrapper(self) -> Wrapper:
        binding = self.binding
        is_generator = isinstance(binding.block, GeneratorBlock)
        named = [port for port in self.ours.ports if port.name in binding.ports]
        for port in named:
            self._connect(port)
        for name in STREAM_PORTS:
            if name in binding.ports and not any(port.name == name for port in named):
                self._connect(Port(name, name in ("s_axis_tvalid", "m_axis_tready"), 1))
        for port in self.ours.ports:
            if not port.is_input and port.name not in STREAM_PORTS:
                self.masks.setdefault(port.name, 0)
        self._connect_clock()
        self._tie()
        ports = list(self._generator() if is_generator else self._stream())
        header = [f"  {'input ' if p.is_input else 'output'} logic [{p.width - 1}:0] {p.name}" for p in ports]
        body = [f"  {line}" for line in (*self.declared, *self.assigned)]
        nets = [(name, self.connected.get(name, "")) for name in self.theirs]
        inner = instance(self.module.name, self.module.parameters, "u_module", nets)
        text = "\n".join([f"module {WRAPPER} (", ",\n".join(header), ");", *body, inner, "endmodule", ""])
        return Wrapper(Unit(WRAPPER, {}, {}, tuple(ports)), text, self.masks)

    def _theirs(self, field: str, name: str, is_input: bool) -> Port:
        """Return a port of the module, which is then in use."""
        allowed = [port.name for port in self.module.ports if port.is_input is is_input]
        if name not in allowed:
            kind = "inputs" if is_input else "outputs"
            raise InputError(f"{field}: got {name!r}; allowed: {kind} of {self.module.name}: {', '.join(allowed)}")
        if name in self.connected:
            raise InputError(f"{field}: got {name!r}, which is in use twice; allowed: a port of its own")
        return self.theirs[name]

    def _connect(self, port: Port) -> None:
        """Connect one of our ports with one or several of theirs, the highest bits first."""
        text = self.binding.ports[port.name].strip()
        names = [name.strip() for name in text.strip("{}").split(",")]
        field = f"ports.{port.name}"
        found = [None if name == ABSENT else self._theirs(field, name, port.is_input) for name in names]
        width = sum(one.width for one in found if one)
        missing = port.width - width
        gaps = found.count(None)
        if gaps > 1 or (missing < 1 if gaps else missing):
            raise InputError(f"{field}: got {width} bits ({text}); allowed: {port.width} bits by the block's formats")
        net, high, mask = f"n_{port.name}", port.width, 0
        self.declared.append(f"logic [{port.width - 1}:0] {net};")
        for one in found:
            size = one.width if one else missing
            part = f"{net}[{high - 1}:{high - size}]"
            high -= size
            if one:
                self.connected[one.name] = part
                mask |= ((1 << size) - 1) << high
            elif not port.is_input:
                self.assigned.append(f"assign {part} = {size}'d0;")
        if not port.is_input and port.name not in STREAM_PORTS:
            self.masks[port.name] = mask

    def _connect_clock(self) -> None:
        """Connect clock and reset."""
        binding = self.binding
        for field, name in (("clock", binding.clock), ("reset.port", binding.reset.port)):
            if name and self._theirs(field, name, True).width != 1:
                raise InputError(f"{field}: got {name!r} of {self.theirs[name].width} bits; allowed: 1 bit")
        if binding.clock:
            stands = binding.reset.port and binding.reset.kind == "asynchronous"
            self.connected[binding.clock] = "clk_i | ~rst_ni" if stands else "clk_i"
        if binding.reset.port:
            self.connected[binding.reset.port] = "~rst_ni" if binding.reset.active == "high" else "rst_ni"

    def _tie(self) -> None:
        """Give every other input its value."""
        for name, value in self.binding.ties.items():
            width = self._theirs(f"ties.{name}", name, True).width
            if not 0 <= value < 1 << width:
                raise InputError(f"ties.{name}: got {value}; allowed: 0 to {(1 << width) - 1} ({width} bits)")
            self.connected[name] = f"{width}'d{value}"
        for port in self.module.ports:
            if port.is_input and port.name not in self.connected:
                raise InputError(
                    f"ports: got nothing for the input {port.name} of {self.module.name}; "
                    "allowed: its place under [ports], or a value under [ties]"
                )

    def _generator(self) -> tuple[Port, ...]:
        """Return our unit's own ports, connected as they are."""
        for port in self.ours.ports:
            if port.name in self.binding.ports:
                ends = (f"n_{port.name}", port.name) if port.is_input else (port.name, f"n_{port.name}")
                self.assigned.append(f"assign {ends[0]} = {ends[1]};")
        return self.ours.ports

    def _stream(self) -> list[Port]:
        """Return the ports of a stream on either side; connect the block's ports and the valid signals to them."""
        binding, mapped = self.binding, self.binding.ports
        is_gated = not ("s_axis_tvalid" in mapped or "enable_i" in mapped)
        ports = [Port("clk_i", True, 1), Port("rst_ni", True, 1)]
        for port in self.ours.ports:
            side = "s_axis_" if port.is_input else "m_axis_"
            if port.name in ("clk_i", "rst_ni", *STREAM_PORTS) or _freezes(binding, port.name):
                continue
            outer = port.name if port.name.startswith(side) else side + port.name
            ports.append(Port(outer, port.is_input, port.width))
            if port.name not in mapped:
                self.assigned += [] if port.is_input else [f"assign {outer} = {port.width}'d0;"]
            elif not port.is_input:
                self.assigned.append(f"assign {outer} = n_{port.name};")
            else:
                # What a module takes in every cycle must change nothing in a cycle without a value; clear and enable
                # mean something by themselves.
                is_control = isinstance(binding.block, MacBlock) and port.name in ("clear_i", "enable_i")
                gate = (
                    f" & {{{port.width}{{s_axis_tvalid}}}}"
                    if is_gated or (is_control and not binding.is_stream)
                    else ""
                )
                self.assigned.append(f"assign n_{port.name} = {outer}{gate};")
        self._valid()
        return [*ports, *(Port(name, name in ("s_axis_tvalid", "m_axis_tready"), 1) for name in STREAM_PORTS)]

    def _valid(self) -> None:
        """Connect the valid and ready signals, or make them for a module of fixed latency."""
        mapped, latency, lines = self.binding.ports, self.binding.latency, self.assigned
        if "s_axis_tvalid" in mapped:
            lines.append("assign n_s_axis_tvalid = s_axis_tvalid;")
        if self.binding.is_stream:
            lines.append(f"assign s_axis_tready = {'n_s_axis_tready' if 's_axis_tready' in mapped else '1'};")
            lines.append("assign m_axis_tvalid = n_m_axis_tvalid;")
            lines += ["assign n_m_axis_tready = m_axis_tready;"] if "m_axis_tready" in mapped else []
            return
        result = "s_axis_tvalid" + (" & s_axis_tlast" if isinstance(self.binding.block, DotProductBlock) else "")
        if not latency:
            lines += ["assign s_axis_tready = 1'b1;", f"assign m_axis_tvalid = {result};"]
            return
        self.declared += [f"logic [{latency}:0] valid;", "logic enable;"]
        is_frozen = "enable_i" in mapped and _freezes(self.binding, "enable_i")
        lines.append(f"assign enable = {f'~valid[{latency}] | m_axis_tready' if is_frozen else '1'};")
        lines += ["assign n_enable_i = enable;"] if is_frozen else []
        lines += [
            "assign s_axis_tready = enable;",
            f"assign m_axis_tvalid = valid[{latency}];",
            f"assign valid[0] = {result};",
            "always_ff @(posedge clk_i or negedge rst_ni) begin",
            f"  if (!rst_ni) valid[{latency}:1] <= {latency}'d0;",
            f"  else if (enable) valid[{latency}:1] <= valid[{latency - 1}:0];",
            "end",
        ]


def their_port(binding: Binding, name: str) -> str:
    """Return what the module itself calls a port of its wrapper; nothing for a port that it does not have.

    Of a module of fixed latency the valid signals are the wrapper's: they get words that say what they tell.
    """
    reset, ours = binding.reset, name.removeprefix("s_axis_").removeprefix("m_axis_")
    is_frozen = _freezes(binding, "enable_i")
    others = {
        "clk_i": binding.clock or name,
        "rst_ni": "~" * (reset.active == "high" and bool(reset.port)) + reset.port,
        "s_axis_tvalid": "input counts",
        "s_axis_tready": binding.ports.get("enable_i", "") if is_frozen else "",
        "m_axis_tvalid": "output counts",
    }
    return binding.ports.get(name) or binding.ports.get(ours) or others.get(name, "")


def _freezes(binding: Binding, name: str) -> bool:
    """Return whether a port stops the whole module, results that wait included."""
    return name == "enable_i" and not isinstance(binding.block, MacBlock)


def unchecked(foreign: ForeignModule, masks: Mapping[str, int], unit: Unit) -> list[str]:
    """Return in words what a module does not have, and what is therefore not compared or not exercised."""
    binding = foreign.binding
    found = [
        f"{name} is not compared" if not mask else f"bits of {name} are not compared"
        for name, mask in masks.items()
        if mask != (1 << unit.width(name)) - 1
    ]
    if not binding.is_stream and "enable_i" in binding.block.optional and "enable_i" not in binding.ports:
        found.append("without enable_i nothing pauses")
    if isinstance(binding.block, GeneratorBlock):
        found += [] if "load_i" in binding.ports else ["without load_i no seed is loaded"]
        found += [] if binding.block.zero_seed or "load_i" not in binding.ports else ["seed 0 is not loaded"]
    elif "m_axis_tready" not in binding.ports and not ("enable_i" in binding.ports and binding.latency > 0):
        found.append("results never wait")
    if not binding.reset.port:
        found.append("without a reset none is tested")
    elif isinstance(binding.block, RequantizerBlock) and not binding.is_stream:
        found.append("what its reset clears does not show")
    return found
