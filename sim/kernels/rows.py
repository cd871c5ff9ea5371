"""Packed rows: eight entries at a time, spread from e bits each to a byte each and back; and level tables."""

from __future__ import annotations

from typing import Any

import numpy as np

from sim.kernels import kernel

_ONE = np.uint64(1)
_BYTE = np.uint64(8)
_ONES = np.uint64(0x0101010101010101)
_HIGH = np.uint64(0x8080808080808080)


@kernel
def _masks(width: Any) -> Any:
    """Return masks of one field of `width` bits in each 16 bits, of two in each 32 bits, of four in the lower half."""
    w = np.uint64(width)
    one = (_ONE << w) - _ONE
    two = (_ONE << (w + w)) - _ONE
    four = (_ONE << (w + w + w + w)) - _ONE
    return one * np.uint64(0x0001000100010001), two * np.uint64(0x0000000100000001), four


@kernel
def unpack_fields(packed: Any, width: Any, out: Any) -> None:
    """Spread rows of fields of `width` bits, 1 to 8, to bytes; `out` has eight of them in a word, shape (N, words)."""
    w = np.uint64(width)
    one, two, four = _masks(width)
    by4, by2, by1 = np.uint64(32) - w * np.uint64(4), np.uint64(16) - w * np.uint64(2), _BYTE - w
    one_up, two_up, four_up = one << np.uint64(8), two << np.uint64(16), four << np.uint64(32)
    for i in range(packed.shape[0]):
        row, result = packed[i], out[i]
        whole = min(row.shape[0] // width, result.shape[0])
        for g in range(result.shape[0]):
            x = np.uint64(0)
            last = width if g < whole else row.shape[0] - g * width
            for b in range(last):
                x |= np.uint64(row[g * width + b]) << (_BYTE * np.uint64(b))
            x = (x & four) | ((x << by4) & four_up)
            x = (x & two) | ((x << by2) & two_up)
            result[g] = (x & one) | ((x << by1) & one_up)


@kernel
def shared_samples(entries: Any, base_bits: Any, signed: Any, which: Any, out: Any) -> None:
    """Turn entries in bytes, eight in a word, into one sample each: the base plus the bit of that sample."""
    low = ((_ONE << np.uint64(base_bits)) - _ONE) * _ONES
    sign = ((_ONE << np.uint64(base_bits)) >> _ONE) * _ONES if signed else np.uint64(0)
    place = np.uint64(base_bits + which)
    for i in range(entries.shape[0]):
        row, result = entries[i], out[i]
        for g in range(row.shape[0]):
            x = row[g]
            base = (x & low) ^ sign
            base = ((base | _HIGH) - sign) ^ _HIGH  # sign extension byte by byte: no borrow leaves a byte
            up = (x >> place) & _ONES
            result[g] = ((base & ~_HIGH) + up) ^ (base & _HIGH)


@kernel
def pack_fields(fields: Any, width: Any, out: Any) -> None:
    """Pack fields of `width` bits, 1 to 8, from bytes, eight in a word, into rows: `unpack_fields` reversed."""
    w = np.uint64(width)
    one, two, four = _masks(width)
    by4, by2, by1 = np.uint64(32) - w * np.uint64(4), np.uint64(16) - w * np.uint64(2), _BYTE - w
    one_up, two_up, four_up = one << w, two << (w + w), four << (w + w + w + w)
    for i in range(fields.shape[0]):
        row, result = fields[i], out[i]
        whole = min(result.shape[0] // width, row.shape[0])
        for g in range(row.shape[0]):
            x = row[g]
            x = (x & one) | ((x >> by1) & one_up)
            x = (x & two) | ((x >> by2) & two_up)
            x = (x & four) | ((x >> by4) & four_up)
            last = width if g < whole else result.shape[0] - g * width
            for b in range(last):
                result[g * width + b] = np.uint8((x >> (_BYTE * np.uint64(b))) & np.uint64(255))


@kernel
def shared_entries(samples: Any, base_bits: Any, highest: Any, out: Any) -> Any:
    """Fill entries from samples, shape (k, N, d); return how many rows have samples that share no base."""
    bad: Any = 0
    mask = np.int64((1 << base_bits) - 1)
    for i in range(out.shape[0]):
        result, wrong = out[i], np.int64(0)
        first, last = samples[0, i], samples[samples.shape[0] - 1, i]
        if samples.shape[0] <= 2:
            twin = samples.shape[0] == 2
            for j in range(first.shape[0]):
                a, b = np.int64(first[j]), np.int64(last[j])
                lower = min(a, b, highest)
                one, other = a - lower, b - lower
                wrong |= one | other
                result[j] = (lower & mask) | (one << base_bits) | ((other << (base_bits + 1)) if twin else 0)
        else:
            for j in range(first.shape[0]):
                base: Any = highest
                for k in range(samples.shape[0]):
                    base = min(base, np.int64(samples[k, i, j]))
                entry: Any = base & mask
                for k in range(samples.shape[0]):
                    up: Any = np.int64(samples[k, i, j]) - base
                    wrong |= up
                    entry |= up << (base_bits + k)
                result[j] = entry
        bad += np.int64(wrong & ~np.int64(1) != 0)
    return bad


@kernel
def unpack_wide(packed: Any, width: Any, out: Any) -> None:
    """Unpack rows of fields of up to 32 bits to one word each, shape (N, d)."""
    mask = np.int64((1 << width) - 1)
    for i in range(packed.shape[0]):
        row, result = packed[i], out[i]
        held, bits, at = np.int64(0), 0, 0
        for j in range(result.shape[0]):
            while bits < width:
                held |= np.int64(row[at]) << bits
                at += 1
                bits += 8
            result[j] = held & mask
            held >>= width
            bits -= width


@kernel
def pack_wide(fields: Any, width: Any, out: Any) -> None:
    """Pack fields of up to 32 bits, shape (N, d), into rows of bytes."""
    for i in range(fields.shape[0]):
        row, result = fields[i], out[i]
        held, bits, at = np.int64(0), 0, 0
        for j in range(row.shape[0]):
            held |= np.int64(row[j]) << bits
            bits += width
            while bits >= 8:
                result[at] = np.uint8(held & 255)
                held >>= 8
                bits -= 8
                at += 1
        if bits > 0:
            result[at] = np.uint8(held & 255)


@kernel
def look_up(codes: Any, table: Any, out: Any) -> None:
    """Replace codes by words of a level table: a row a column, shape (d, levels), or one row for all."""
    for i in range(codes.shape[0]):
        row, result = codes[i], out[i]
        if table.shape[0] == 1:
            for j in range(row.shape[0]):
                result[j] = table[0, row[j]]
        else:
            for j in range(row.shape[0]):
                result[j] = table[j, row[j]]
