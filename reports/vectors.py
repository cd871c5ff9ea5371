"""Writes a unit's stimuli and expected outputs as `$readmemh` files, CSV and npz, each with what it holds."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reports.verify_report import parameters_text
from rtl_models.vectors import Column, Table, Vectors
from sim.conformance import ARITHMETIC_VERSION
from sim.datapath import TrainingDatapath
from sim.errors import writable

ARCHIVE = "vectors.npz"
WORD = 32
"""Bits of a word of the archive for columns of more than 64 bits, the lowest word first."""


def write_vectors(folder: Path, found: Vectors, datapath: TrainingDatapath, seed: int) -> list[Path]:
    """Write vectors into a folder.

    Args:
        folder: where to write; made if it is not there.
        found: the tables.
        datapath: that set the parameters.
        seed: of the stimuli.

    Returns:
        The files: one `.hex` a column, one `.csv` a table, and the archive.

    Raises:
        InputError: if a file cannot be written.
    """
    with writable(folder):
        folder.mkdir(parents=True, exist_ok=True)
    head = [
        f"bittrue vectors of {found.unit}, datapath {json.dumps(datapath.name, ensure_ascii=False)}",
        f"arithmetic {ARITHMETIC_VERSION}, seed {seed}, {', '.join(f'{len(t.rows)} {t.name}' for t in found.tables)}",
        f"parameters {parameters_text(found.parameters)}",
        f"order: {found.order}",
    ]
    files = []
    for table in found.tables:
        for number, column in enumerate(table.columns):
            file = folder / f"{column.name}.hex"
            digits = -(-column.width // 4)
            lines = [f"// {line}" for line in (*head, f"table {table.name}, {describe(column)}")]
            lines += [f"{row[number]:0{digits}x}" for row in table.rows]
            files.append(_write(file, "\n".join(lines) + "\n"))
        files.append(_write_csv(folder / f"{table.name}.csv", head, table))
    files.append(_write_archive(folder / ARCHIVE, found, datapath, seed))
    return files


def describe(column: Column) -> str:
    """Return what a column holds, in one line.

    Example:
        >>> describe(Column("a_i", "input", 8, True, "sfix8", "Operand a."))
        "a_i: input, 8 bits, two's complement, sfix8. Operand a."
    """
    kind = "two's complement" if column.signed else "unsigned"
    form = f", {column.format}" if column.format else ""
    parts = f" [{'; '.join(column.parts)}]" if column.parts else ""
    return f"{column.name}: {column.role}, {column.width} bits, {kind}{form}. {column.meaning}{parts}"


def _write(file: Path, text: str) -> Path:
    with writable(file):
        file.write_text(text, encoding="utf-8")
    return file


def _write_csv(file: Path, head: Sequence[str], table: Table) -> Path:
    """Write a table: numbers in decimal, those of more than 64 bits in hex."""
    with writable(file), file.open("w", encoding="utf-8", newline="") as stream:
        for line in (*head, *map(describe, table.columns)):
            stream.write(f"# {line}\n")
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([column.name for column in table.columns])
        for row in table.rows:
            writer.writerow([_cell(column, word) for column, word in zip(table.columns, row, strict=True)])
    return file


def _cell(column: Column, word: int) -> str:
    return f"0x{word:x}" if column.width > 64 else str(column.number(word))


def _write_archive(file: Path, found: Vectors, datapath: TrainingDatapath, seed: int) -> Path:
    """Write the columns as arrays, and what they are as JSON under the name `header`."""
    columns = [(table.name, column) for table in found.tables for column in table.columns]
    header = {
        "unit": found.unit,
        "datapath": datapath.to_toml(),
        "parameters": found.parameters,
        "seed": seed,
        "arithmetic_version": ARITHMETIC_VERSION,
        "order": found.order,
        "columns": [
            {
                "name": column.name,
                "table": table,
                "role": column.role,
                "width": column.width,
                "signed": column.signed,
                "format": column.format,
                "meaning": column.meaning,
                "parts": column.parts,
            }
            for table, column in columns
        ],
    }
    arrays: dict[str, Any] = {
        column.name: _array(column, [row[number] for row in table.rows])
        for table in found.tables
        for number, column in enumerate(table.columns)
    }
    with writable(file):
        np.savez_compressed(file, header=np.array(json.dumps(header, ensure_ascii=False)), **arrays)
    return file


def _array(column: Column, words: Sequence[int]) -> NDArray[Any]:
    """Return a column: numbers where they fit 64 bits, else 32-bit words of shape (rows, words), the lowest first."""
    if column.width <= 64:
        return np.array([column.number(word) for word in words], np.int64 if column.signed else np.uint64)
    count, mask = -(-column.width // WORD), (1 << WORD) - 1
    return np.array([[word >> WORD * n & mask for n in range(count)] for word in words], np.uint32).reshape(-1, count)
