"""The command `bittrue vectors`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reports.verify_command import SeedOption

MOST_VECTORS = 10**6


def vectors(
    unit: Annotated[str, typer.Option("--unit", help="A unit of the RTL.")],
    datapath: Annotated[
        str | None, typer.Argument(metavar="DATAPATH.toml", help="Sets the parameters: a TOML file or a preset.")
    ] = None,
    configuration: Annotated[
        str | None, typer.Option(metavar="NAME", help="In place of a datapath: one of the unit's own list.")
    ] = None,
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
    from reports.verify import requests
    from sim.errors import InputError, whole_number

    whole_number("vectors", count, 1, MOST_VECTORS)
    if datapath is None and configuration is None:
        raise InputError("datapath: got nothing; allowed: a TOML file or a preset, or --configuration NAME")
    path = None if datapath is None else command_line.datapath_of(datapath)
    (request,) = requests([unit], path, configuration=configuration, seed=seed)
    (chosen,) = request.configurations
    path = chosen.datapath.replace(name=chosen.name)

    from rtl_models.vectors import vectors as make

    found = make(unit, chosen, count, request.seed)
    files = write_vectors(folder, found, path, request.seed)
    out = command_line.out
    sizes = ", ".join(f"{len(table.rows):,} {table.name}" for table in found.tables)
    out.print(f"{unit} of {path.name}, seed {request.seed}: {sizes}", highlight=False, markup=False, soft_wrap=True)
    for file in files:
        out.print(str(file), highlight=False, markup=False, soft_wrap=True)
