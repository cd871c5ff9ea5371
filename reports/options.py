"""Arguments and options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sim.datapath import preset_names

DatapathArgument = Annotated[
    str | None,
    typer.Argument(metavar="DATAPATH.toml", help=f"A TOML file, or a shipped datapath: {', '.join(preset_names())}."),
]
JsonOption = Annotated[Path | None, typer.Option("--json", help="Write everything as JSON to this file.")]
ColumnsOption = Annotated[int, typer.Option(help="Values in a row, d.")]
LinkOption = Annotated[str, typer.Option(help="affine, centred_table or absolute_table.")]
