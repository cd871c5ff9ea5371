"""The command `bittrue vectors`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reports.verify_command import SeedOption

MOST_VECTORS = 10**6


def vectors(
    datapath: Annotated[
        str | None, typer.Argument(metavar="DATAPATH.toml", help="Sets the parameters: a TOML file or a preset.")
    ] = None,
    unit: Annotated[str | None, typer.Option("--unit", help="A unit of the RTL.")] = None,
    configuration: Annotated[
        str | None, typer.Option(metavar="NAME", help="In place of a datapath: one of the unit's own list.")
    ] = None,
    dut: Annotated[
        Path | None,
        typer.Option("--dut", metavar="FILE.toml", help="In place of both: a module of your own, as verify binds it."),
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
    from reports.verify import foreign_request, requests
    from sim.errors import InputError, whole_number

    whole_number("vectors", count, 1, MOST_VECTORS)
    if [datapath, configuration, dut].count(None) != 2 or (unit is None) == (dut is None):
        raise InputError(
            "vectors: got no one source; allowed: DATAPATH or --configuration, with --unit; or --dut alone"
        )
    if dut is not None:
        request = foreign_request(dut, seed=seed)
    else:
        given = None if datapath is None else command_line.datapath_of(datapath)
        (request,) = requests([unit] if unit else (), given, configuration=configuration, seed=seed)
    (chosen,) = request.configurations
    path = chosen.datapath.replace(name=chosen.name)

    from reports.vectors import write_vectors
    from rtl_models.foreign import ForeignModule
    from rtl_models.vectors import foreign_vectors
    from rtl_models.vectors import vectors as make

    if dut is not None:
        found = foreign_vectors(ForeignModule.load(dut), count, request.seed)
    else:
        found = make(request.unit, chosen, count, request.seed)
    files = write_vectors(folder, found, path, request.seed)
    out = command_line.out
    sizes = ", ".join(f"{len(table.rows):,} {table.name}" for table in found.tables)
    out.print(
        f"{request.unit} of {path.name}, seed {request.seed}: {sizes}", highlight=False, markup=False, soft_wrap=True
    )
    for file in files:
        out.print(str(file), highlight=False, markup=False, soft_wrap=True)
