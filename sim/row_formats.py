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

    count, columns = values.shape[1:]
    data = np.zeros((count, fmt.row_bytes(columns)), np.uint8)
    size, fields = (fmt.stored_bits, columns) if fmt.is_shared else (fmt.bits, columns * fmt.samples)
    entries = np.zeros((count, -(-fields // 8) * 8), np.uint8 if size <= 8 else np.int64)
    if fmt.is_shared:
        if kernels.shared_entries(np.ascontiguousarray(values), fmt.base_bits, fmt.high - 1, entries[:, :columns]):
            raise InputError("samples: got some that are not neighbours; allowed: samples at a base level or the next")
    else:
        for k in range(fmt.samples):
            entries[:, k : fields : fmt.samples] = values[k].astype(np.uint8) & np.uint8((1 << fmt.bits) - 1)
    if size == 8:
        data[:, :fields] = entries[:, :fields]
    elif size < 8:
        kernels.pack_fields(entries.view(np.uint64), size, data)
    else:
        kernels.pack_wide(entries[:, :fields], size, data)
    return data


def unpacked(data: NDArray[np.uint8], fmt: RowFormat, columns: int, which: tuple[int, ...]) -> list[Words]:
    """Return some samples of all values, 8 bits each: equal to `unpack_row`, at speed.

    Args:
        data: packed rows, shape (N, row_bytes).
        fmt: how they are packed.
        columns: values in a row, d.
        which: the samples to return, each of shape (N, d).
    """
    from sim.kernels import rows as kernels

    kind = np.dtype(np.int8 if fmt.signed else np.uint8)
    if not fmt.is_shared:
        every = data[:, : columns * fmt.samples]
        if fmt.bits < 8:
            fields = np.empty((len(data), -(-columns * fmt.samples // 8)), np.uint64)
            kernels.unpack_fields(data, fmt.bits, fields)
            every = fields.view(np.uint8)[:, : columns * fmt.samples]
        sign = np.uint8(1 << (fmt.bits - 1) if fmt.signed and fmt.bits < 8 else 0)
        return [((every[:, k :: fmt.samples] ^ sign) - sign).view(kind) for k in which]
    if fmt.stored_bits <= 8:
        if fmt.stored_bits == 8 and data.shape[1] % 8 == 0:
            words = np.ascontiguousarray(data).view(np.uint64)[:, : -(-columns // 8)]
        else:
            words = np.empty((len(data), -(-columns // 8)), np.uint64)
            kernels.unpack_fields(data, fmt.stored_bits, words)
        samples = [np.empty(words.shape, np.uint64) for _ in which]
        for k, sample in zip(which, samples, strict=True):
            kernels.shared_samples(words, fmt.base_bits, fmt.signed, k, sample)
        return [sample.view(kind)[:, :columns] for sample in samples]
    wide = np.empty((len(data), columns), np.int64)
    kernels.unpack_wide(data, fmt.stored_bits, wide)
    sign_bit = 1 << fmt.base_bits >> 1 if fmt.signed else 0
    base = ((wide & ((1 << fmt.base_bits) - 1)) ^ sign_bit) - sign_bit
    return [(base + (wide >> (fmt.base_bits + k) & 1)).astype(kind) for k in which]
