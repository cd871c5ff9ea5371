"""How samples of few bits are packed into rows, and how they are read back: by definition, and at speed."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from sim import configuration
from sim.configuration import Section
from sim.errors import InputError

Words = NDArray[np.integer]
LARGEST_ENTRY = 32
"""Most bits that all samples of a value may take together."""
BLOCK = 1 << 18
"""Values packed or unpacked at a time, so that their entries stay in the cache."""


class Base(StrEnum):
    """How the samples of a value are stored."""

    INDEPENDENT = "independent"
    """Each sample whole."""
    SHARED = "shared"
    """The lower of two neighbouring levels once, and one bit a sample: up or not."""


class RowFormat(Section, frozen=True):
    """How the samples of a row are packed: column j takes the bits from j·`stored_bits` on, the lowest bit first.

    A shared entry has the base in its low `bits` − 1 bits (two's complement if signed), then a bit a sample; an
    independent one has the samples one after the other. A row is padded with zeros to whole beats and bytes.

    Example:
        >>> double = RowFormat(bits=3, samples=2, base="shared")
        >>> double.bits, double.stored_bits, (double.low, double.high)
        (3, 4, (0, 4))
    """

    bits: Annotated[int, configuration.field("bits read for one sample of a value", 1, 8, rtl="SampleBits")]
    samples: Annotated[int, configuration.field("samples of a value, k", 1, 16, rtl="Samples")] = 2
    base: Annotated[Base, configuration.field("how the samples of a value are stored", rtl="SampleBase")] = Base.SHARED
    signed: Annotated[bool, configuration.field("whether samples may be negative", rtl="SampleSigned")] = False
    lanes: Annotated[int, configuration.field("columns a beat", allowed=[1 << k for k in range(9)], rtl="Lanes")] = 16

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.signed and self.bits < 2:
            raise InputError(f"RowFormat.bits: got {self.bits}; allowed: 2 to 8 where samples are signed")
        if self.stored_bits > LARGEST_ENTRY:
            raise InputError(
                f"RowFormat.samples: got {self.samples}, {self.stored_bits} bits a value; "
                f"allowed: at most {LARGEST_ENTRY} bits a value"
            )

    @property
    def is_shared(self) -> bool:
        """Whether the samples share a base."""
        return self.base is Base.SHARED

    @property
    def base_bits(self) -> int:
        """Bits of the base; 0 where samples are independent."""
        return self.bits - 1 if self.is_shared else 0

    @property
    def stored_bits(self) -> int:
        """Bits stored for all samples of a value: what memory holds, where `bits` is what one sample reads."""
        return self.base_bits + self.samples if self.is_shared else self.bits * self.samples

    @property
    def low(self) -> int:
        """Smallest sample."""
        width = self.base_bits if self.is_shared else self.bits
        return -(1 << width >> 1) if self.signed else 0

    @property
    def high(self) -> int:
        """Largest sample."""
        return self.low + self.levels - 1

    @property
    def levels(self) -> int:
        """Number of different samples: one more than bases, or all codes."""
        return (1 << self.base_bits) + 1 if self.is_shared else 1 << self.bits

    def beats(self, columns: int) -> int:
        """Return the beats of a row."""
        return -(-columns // self.lanes)

    def row_bytes(self, columns: int) -> int:
        """Return the bytes of a packed row.

        Example:
            >>> RowFormat(bits=3).row_bytes(784)
            392
        """
        return -(-self.beats(columns) * self.lanes * self.stored_bits // 8)


def unpack_row(data: bytes, fmt: RowFormat, columns: int) -> list[list[int]]:
    """Return the samples of a packed row, one list of `columns` integers for each: the definition of the format.

    Args:
        data: the row.
        fmt: how it is packed.
        columns: values in a row.

    Example:
        >>> unpack_row(bytes([0b0101_1010]), RowFormat(bits=3, lanes=1), 2)
        [[2, 2], [3, 1]]
    """
    word, size, base_bits = int.from_bytes(data, "little"), fmt.stored_bits, fmt.base_bits
    entries = [word >> (column * size) & ((1 << size) - 1) for column in range(columns)]
    if not fmt.is_shared:
        return [
            [_extended(entry >> k * fmt.bits, fmt.bits, fmt.signed) for entry in entries] for k in range(fmt.samples)
        ]
    bases = [_extended(entry, base_bits, fmt.signed) for entry in entries]
    return [
        [base + (entry >> (base_bits + k) & 1) for base, entry in zip(bases, entries, strict=True)]
        for k in range(fmt.samples)
    ]


def _extended(entry: int, bits: int, signed: bool) -> int:
    """Return the low bits of an entry, as two's complement if signed."""
    code = entry & ((1 << bits) - 1)
    return code - (1 << bits) if signed and bits and code >> (bits - 1) else code


def packed(values: Words, fmt: RowFormat) -> NDArray[np.uint8]:
    """Return packed rows of samples within the format's range, shape (N, row_bytes).

    Args:
        values: samples, shape (k, N, d).
        fmt: how to pack them.

    Raises:
        InputError: for samples that share no base.
    """
    from sim.kernels import rows as kernels

    values = np.ascontiguousarray(values)
    count, columns = values.shape[1:]
    size, kind, lanes = fmt.stored_bits, *_lane(fmt.stored_bits)
    data = np.zeros((count, max(fmt.row_bytes(columns), 8)), np.uint8)
    block = max(1, BLOCK // columns)
    entries = np.zeros((block, -(-columns // lanes) * lanes), kind)
    room = np.empty((4, columns), np.int16 if size < 16 else np.int32)
    for start in range(0, count, block):
        part, out = values[:, start : start + block], data[start : start + block]
        held = entries[: len(out)]
        inside = held[:, :columns]
        if not fmt.is_shared:
            kernels.independent_entries(part, fmt.bits, inside)
        elif kernels.shared_entries(part, fmt.base_bits, fmt.high - 1, room, inside):
            raise InputError("samples: got some that are not neighbours; allowed: samples at a base level or the next")
        if size in (8, 16):
            out[:, : columns * size // 8] = inside.view(np.uint8)
        elif size < 16:
            (kernels.pack_bytes if size < 8 else kernels.pack_halves)(held.view(np.uint64), size, _words(out))
        else:
            kernels.pack_wide(inside, size, out)
    return np.ascontiguousarray(data[:, : fmt.row_bytes(columns)])


def unpacked(data: NDArray[np.uint8], fmt: RowFormat, columns: int, which: tuple[int, ...]) -> list[Words]:
    """Return some samples of all values, 8 bits each: equal to `unpack_row`, at speed.

    Args:
        data: packed rows, shape (N, row_bytes).
        fmt: how they are packed.
        columns: values in a row, d.
        which: the samples to return, each of shape (N, d).
    """
    from sim.kernels import rows as kernels

    size, kind = fmt.stored_bits, np.dtype(np.int8 if fmt.signed else np.uint8)
    width = fmt.base_bits if fmt.is_shared else fmt.bits
    places = [(0, fmt.base_bits + k) if fmt.is_shared else (k * fmt.bits, -1) for k in which]
    if size > 16:
        fields = np.empty((len(data), columns), np.int64)
        kernels.unpack_wide(data, size, fields)
        sign = 1 << width >> 1 if fmt.signed else 0
        bases = [((fields >> shift & ((1 << width) - 1)) ^ sign) - sign for shift, _ in places]
        return [
            (base + (fields >> place & 1 if place >= 0 else 0)).astype(kind)
            for base, (_, place) in zip(bases, places, strict=True)
        ]
    lanes = _lane(size)[1]
    wide, block = -(-columns // lanes), max(1, BLOCK // columns)
    samples = [np.empty((len(data), wide), np.uint64 if lanes == 8 else np.uint32) for _ in which]
    for start in range(0, len(data), block):
        part = np.ascontiguousarray(data[start : start + block])
        if size in (8, 16) and part.shape[1] % 8 == 0:
            entries = part.view(np.uint64)[:, :wide]
        else:
            entries = np.empty((len(part), wide), np.uint64)
            (kernels.unpack_bytes if size <= 8 else kernels.unpack_halves)(_words(part), size, entries)
        for (shift, place), sample in zip(places, samples, strict=True):
            kernels.samples_of(entries, shift, width, fmt.signed, place, sample[start : start + block])
    return [sample.view(kind)[:, :columns] for sample in samples]


def _words(data: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return the word of eight bytes from each byte of each row on, as a view of rows of at least eight bytes."""
    if data.shape[1] < 8:
        data = np.pad(data, ((0, 0), (0, 8 - data.shape[1])))
    rows = np.ascontiguousarray(data)
    return np.ndarray((len(rows), rows.shape[1] - 7), np.uint64, rows, strides=(rows.shape[1], 1))


def _lane(size: int) -> tuple[type[np.unsignedinteger | np.int64], int]:
    """Return the dtype in which an entry of so many bits is unpacked, and how many of them a word of 64 bits holds."""
    return (np.uint8, 8) if size <= 8 else (np.uint16, 4) if size <= 16 else (np.int64, 1)
