"""Plain Verilog of a design, made by yosys, for simulators that know little SystemVerilog.

Icarus 11 reads neither parameters of an enum type nor checks at elaboration. Registers and their resets survive.
Run as a program in a process of its own: yosys ends the process when it refuses something.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from rtl_models.build import BuildError, Design, cached, first_messages

FLOW = "hierarchy -check -top {top}; proc; opt_clean; write_verilog -noattr {output}"


def verilog(design: Design) -> Path:
    """Return a file with the design in Verilog, from the cache if it was made before.

    Raises:
        BuildError: if yosys refuses the sources.
    """

    def make(folder: Path) -> None:
        sources = [str(source) for source in design.write(folder / "sources")]
        command = [sys.executable, "-m", "rtl_models.netlist", design.top, str(folder / "netlist.v"), *sources]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode or not (folder / "netlist.v").exists():
            raise BuildError(f"yosys refuses {design.top}\n{first_messages(done.stdout + done.stderr)}")

    return cached(f"{design.top}-netlist", [*design.parts(), FLOW.encode()], make) / "netlist.v"


def main(top: str, output: str, *sources: str) -> None:
    """Write the netlist of a top module."""
    from pyosys import libyosys

    design = libyosys.Design()
    libyosys.run_pass(f"read_slang --threads 1 --top {top} {' '.join(sources)}", design)
    for step in FLOW.format(top=top, output=output).split("; "):
        libyosys.run_pass(step, design)


if __name__ == "__main__":
    main(*sys.argv[1:])
