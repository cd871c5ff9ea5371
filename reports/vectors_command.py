"""The command `bittrue vectors`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reports.verify_command import SeedOption

MOST_VECTORS = 10**6


def vectors(
    datapath: Annotated[
        str, typer.Argument(metavar="DATAPATH.toml", help="Sets the parameters: a TOML file or a preset.")
    ],
    unit: Annotated[str, typer.Option("--unit", help="A unit of the RTL.")],
    count: Annotated[int, typer.Option("-n", "--vectors", help="Expected outputs.")] = 1000,
    folder: Annotated[Path, typer.Option("--out", help="Folder for the files; made if it is not there.")] = Path(
        "vectors"
    ),
    seed: SeedOption = None,
) -> None:
    """Write stimuli and expected outputs of a unit: $readmemh files, CSV and npz, for flows without Python.

    Stimuli and reference are those of `bittrue verify`. Every file says at its head what it holds.
    """
    from reports import command_line
    from reports.vectors import write_vectors
    from reports.verify import default_seed, of_datapath, unit_name
    from rtl_models.toolchain import require_modules
    from sim.errors import whole_number

    require_modules()
    whole_number("vectors", count, 1, MOST_VECTORS)
    path = command_line.datapath_of(datapath)
    configuration = of_datapath(unit_name(unit), path)
    number = default_seed(unit) if seed is None else whole_number("seed", seed, 0, 2**32 - 1)

    from rtl_models.vectors import vectors as make

    found = make(unit, configuration, count, number)
    files = write_vectors(folder, found, path, number)
    out = command_line.out
    sizes = ", ".join(f"{len(table.rows):,} {table.name}" for table in found.tables)
    out.print(f"{unit} of {path.name}, seed {number}: {sizes}", highlight=False, markup=False, soft_wrap=True)
    for file in files:
        out.print(str(file), highlight=False, markup=False, soft_wrap=True)
