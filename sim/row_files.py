"""Files of packed rows: a header that says what follows, and the bytes as they lie in memory.

Eight bytes of mark, the version and the length of the header (4 bytes each, little end first), the header as JSON,
zeros up to a multiple of 64 bytes, the level table (8 bytes a word), the scale (float64), the rows. The header's digest
covers everything after it and its other fields.
"""

from __future__ import annotations

import hashlib
import mmap
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from sim.errors import InputError, writable
from sim.packed_rows import PackedRows
from sim.row_formats import RowFormat

MARK = b"btrows\r\n"
"""First bytes of a file; a transfer as text would change them."""
VERSION = 2
_ALIGNED = 64


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    fmt: RowFormat
    rows: int
    columns: int
    table: tuple[int, int]
    scale: tuple[int, int]
    uses: tuple[int, int]
    digest: str = ""

    def encoded(self) -> bytes:
        return msgspec.json.encode(self)

    @property
    def table_bytes(self) -> int:
        return 8 * self.table[0] * self.table[1]

    @property
    def scale_bytes(self) -> int:
        return 8 * self.scale[0] * self.scale[1]

    @property
    def size(self) -> int:
        """Bytes after the header."""
        return self.table_bytes + self.scale_bytes + self.rows * self.fmt.row_bytes(self.columns)


def write_rows(rows: PackedRows, path: Path) -> None:
    """Write packed rows with their header.

    Raises:
        InputError: if the file cannot be written.
    """
    assert rows.uses is not None
    table, scale = np.ascontiguousarray(rows.table, "<i8"), np.ascontiguousarray(rows.scale, "<f8")
    shapes = (table.shape[0], table.shape[1]), (scale.shape[0], scale.shape[1])
    header = _Header(rows.fmt, len(rows.data), rows.columns, *shapes, rows.uses)
    data = np.ascontiguousarray(rows.data)
    header = msgspec.structs.replace(header, digest=_digest(header, table, scale, data))
    text = header.encoded()
    start = MARK + VERSION.to_bytes(4, "little") + len(text).to_bytes(4, "little") + text
    part = path.parent / f"{path.name}.part"  # the rows may be a map of the file that is there
    with writable(path):
        try:
            with part.open("wb") as file:
                file.write(start + bytes(-len(start) % _ALIGNED))
                file.write(table.tobytes() + scale.tobytes())
                file.write(data.data)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


def read_rows(path: Path) -> PackedRows:
    """Return the packed rows of a file, mapped into memory, their digest checked.

    Raises:
        InputError: for a file that is missing, truncated, changed, or written by another version.
    """
    try:
        with path.open("rb") as file:
            head = file.read(16)
            length = int.from_bytes(head[12:16], "little")
            if head[:8] != MARK:
                raise InputError(f"{path}: got another kind of file; allowed: packed rows")
            version = int.from_bytes(head[8:12], "little")
            if version != VERSION:
                raise InputError(f"{path}: got packed rows of version {version}; allowed: {VERSION}")
            text = file.read(length)
            start = 16 + length + -(16 + length) % _ALIGNED
            header = _header(path, text, length)
            if any(file.read(start - 16 - length)):
                raise InputError(f"{path}: got other bytes than zeros behind its header; allowed: zeros")
            size, expected = path.stat().st_size, start + header.size
            if size != expected:
                raise InputError(f"{path}: got {size} bytes; allowed: {expected}, as its header says")
            mapped = np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), np.uint8)
    except OSError as error:
        raise InputError(f"{path}: got {error.strerror or error}; allowed: a file of packed rows") from None
    table = mapped[start : start + header.table_bytes].view("<i8").reshape(header.table)
    start += header.table_bytes
    scale = mapped[start : start + header.scale_bytes].view("<f8").reshape(header.scale)
    data = mapped[start + header.scale_bytes :].reshape(header.rows, -1)
    digest = _digest(msgspec.structs.replace(header, digest=""), table, scale, data)
    if digest != header.digest:
        raise InputError(
            f"{path}: got content of digest {digest[:16]}; allowed: {header.digest[:16]}, as its header says"
        )
    return PackedRows(header.fmt, header.columns, data, table, header.uses, scale)


def _header(path: Path, text: bytes, length: int) -> _Header:
    if len(text) < length:
        raise InputError(f"{path}: got a header of {len(text)} bytes; allowed: {length}, the file is truncated")
    try:
        header = msgspec.json.decode(text, type=_Header)
    except (msgspec.MsgspecError, UnicodeDecodeError, InputError) as error:
        raise InputError(f"{path}: got a broken header ({error}); allowed: packed rows") from None
    if min(header.rows, header.columns) < 1 or min(*header.table, *header.scale) < 0:
        raise InputError(f"{path}: got {header.rows} rows of {header.columns}; allowed: at least one of each")
    return header


def _digest(header: _Header, table: Any, scale: Any, data: Any) -> str:
    digest = hashlib.sha256(header.encoded())
    digest.update(table.tobytes() + scale.tobytes())
    digest.update(np.ascontiguousarray(data).data)
    return digest.hexdigest()
