"""One top that instantiates a unit once for each of several sets of parameters, so that one build serves them all.

Instance n has ports of its own, named as the unit's with the prefix `c<n>_`; its clock among them, so that a bench
moves one instance at a time.
"""

from __future__ import annotations

from collections.abc import Sequence

from rtl_models.elaborate import Unit, instance

_VISIBLE = "/* verilator public_flat_rw */"
"""What makes a port visible to a bench: with every signal visible, a build takes six times as long."""


def prefix(number: int) -> str:
    """Return what stands before the names of an instance's ports.

    Example:
        >>> prefix(3)
        'c3_'
    """
    return f"c{number}_"


def table_top(name: str, units: Sequence[Unit]) -> str:
    """Return the SystemVerilog text of the top module.

    Args:
        name: of the module.
        units: the unit under each set of parameters.
    """
    ports, instances = [], []
    for number, unit in enumerate(units):
        for port in unit.ports:
            direction = "input " if port.is_input else "output"
            ports.append(f"  {direction} logic [{port.width - 1}:0] {prefix(number)}{port.name} {_VISIBLE}")
        nets = [(port.name, prefix(number) + port.name) for port in unit.ports]
        instances.append(instance(unit.name, unit.parameters, f"u_{prefix(number)}{unit.name}", nets))
    return "\n".join([f"module {name} (", ",\n".join(ports), ");", *instances, "endmodule", ""])
