"""Packed rows: entries of e bits spread to a lane of 8 or 16 bits each, a word at a time, and back; level tables.

Rows of bytes come as words that overlap, one from each byte on, so that a group of entries is read at once wherever it
starts. What would be read past a row's end is taken from its last word.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sim.kernels import kernel

_ONE = np.uint64(1)
_BYTE = np.uint64(8)
_HALF = np.uint64(16)
_FULL = np.uint64(32)


@kernel
def _masks(width: Any) -> Any:
    """Return masks of one field of `width` bits in each 16 bits, of two in each 32 bits, of four in the lower half."""
    w = np.uint64(width)
    one = (_ONE << w) - _ONE
    two = (_ONE << (w + w)) - _ONE
    four = (_ONE << (w + w + w + w)) - _ONE
    return one * np.uint64(0x0001000100010001), two * np.uint64(0x0000000100000001), four


@kernel
def unpack_bytes(packed: Any, width: Any, out: Any) -> None:
    """Spread rows of fields of `width` bits, 1 to 8, to bytes; `out` has eight of them in a word, shape (N, words)."""
    w = np.uint64(width)
    one, two, four = _masks(width)
    by4, by2, by1 = _FULL - w * np.uint64(4), _HALF - w * np.uint64(2), _BYTE - w
    one_up, two_up, four_up = one << _BYTE, two << _HALF, four << _FULL
    last = packed.shape[1] - 1
    for i in range(packed.shape[0]):
        row, result = packed[i], out[i]
        for g in range(result.shape[0]):
            at = min(g * width, last)
            x = row[at] >> (_BYTE * np.uint64(g * width - at))
            x = (x & four) | ((x << by4) & four_up)
            x = (x & two) | ((x << by2) & two_up)
            result[g] = (x & one) | ((x << by1) & one_up)


@kernel
def pack_bytes(fields: Any, width: Any, out: Any) -> None:
    """Pack fields of `width` bits, 1 to 8, from bytes, eight in a word, into rows: `unpack_bytes` reversed."""
    w = np.uint64(width)
    one, two, four = _masks(width)
    by4, by2, by1 = _FULL - w * np.uint64(4), _HALF - w * np.uint64(2), _BYTE - w
    one_up, two_up, four_up = one << w, two << (w + w), four << (w + w + w + w)
    last = out.shape[1] - 1
    for i in range(fields.shape[0]):
        row, result = fields[i], out[i]
        for g in range(row.shape[0]):
            x = row[g]
            x = (x & one) | ((x >> by1) & one_up)
            x = (x & two) | ((x >> by2) & two_up)
            x = (x & four) | ((x >> by4) & four_up)
            if g * width <= last:
                result[g * width] = x  # the next word goes over its zeros
            else:
                result[last] |= x << (_BYTE * np.uint64(g * width - last))


@kernel
def unpack_halves(packed: Any, width: Any, out: Any) -> None:
    """Spread rows of fields of `width` bits, 9 to 16, to 16 bits each; `out` has four of them in a word."""
    w = np.uint64(width)
    two = (_ONE << (w + w)) - _ONE
    one = ((_ONE << w) - _ONE) * np.uint64(0x0000000100000001)
    by2, by1 = _FULL - w * np.uint64(2), _HALF - w
    one_up, two_up = one << _HALF, two << _FULL
    last = packed.shape[1] - 1
    for i in range(packed.shape[0]):
        row, result = packed[i], out[i]
        for g in range(result.shape[0]):
            at = min(g * width >> 1, last)
            x = row[at] >> np.uint64(4 * g * width - 8 * at)  # four fields, of 15 bits at most, end within the word
            x = (x & two) | ((x << by2) & two_up)
            result[g] = (x & one) | ((x << by1) & one_up)


@kernel
def pack_halves(fields: Any, width: Any, out: Any) -> None:
    """Pack fields of `width` bits, 9 to 15, from 16 bits, four in a word, into rows: `unpack_halves` reversed."""
    w = np.uint64(width)
    two = (_ONE << (w + w)) - _ONE
    one = ((_ONE << w) - _ONE) * np.uint64(0x0000000100000001)
    by2, by1 = _FULL - w * np.uint64(2), _HALF - w
    one_up, two_up = one << w, two << (w + w)
    last = out.shape[1] - 1
    for i in range(fields.shape[0]):
        row, result, held = fields[i], out[i], np.uint64(0)
        for g in range(row.shape[0]):
            x = row[g]
            x = (x & one) | ((x >> by1) & one_up)
            x = (x & two) | ((x >> by2) & two_up)
            at = g * width >> 1
            x = (x << np.uint64(4 * g * width - 8 * at)) | held
            if at <= last:
                result[at] = x
            else:
                result[last] |= x << (_BYTE * np.uint64(at - last))
            # A group may end in the middle of a byte: the next one starts with it.
            held = (x >> (_BYTE * np.uint64(((g + 1) * width >> 1) - at))) if (g + 1) * width % 2 else np.uint64(0)


@kernel
def samples_of(entries: Any, shift: Any, width: Any, signed: Any, place: Any, out: Any) -> None:
    """Take one sample of each entry: the field of `width` bits from `shift` on, plus the bit at `place` if that is ≥ 0.

    Entries lie in lanes of 8 bits, or of 16 where words of `out` are 32 bits; samples are bytes.
    """
    narrowed = out.itemsize == 4
    ones = np.uint64(0x0001000100010001 if narrowed else 0x0101010101010101)
    high = ones << (_HALF - _ONE if narrowed else _BYTE - _ONE)
    low = ((_ONE << np.uint64(width)) - _ONE) * ones
    sign = (((_ONE << np.uint64(width)) >> _ONE) * ones & ~high) if signed else np.uint64(0)
    up_ones = ones if place >= 0 else np.uint64(0)
    first, up_place = np.uint64(shift), np.uint64(max(place, 0))
    for i in range(entries.shape[0]):
        row, result = entries[i], out[i]
        for g in range(row.shape[0]):
            x = row[g]
            base = ((x >> first) & low) ^ sign
            if sign:
                base = ((base | high) - sign) ^ high  # sign extension lane by lane: no borrow leaves a lane
            up = (x >> up_place) & up_ones
            x = ((base & ~high) + up) ^ (base & high)
            if narrowed:
                x &= np.uint64(0x00FF00FF00FF00FF)
                x = (x | (x >> _BYTE)) & np.uint64(0x0000FFFF0000FFFF)
                x |= x >> _HALF
            result[g] = x


@kernel
def shared_entries(samples: Any, base_bits: Any, highest: Any, room: Any, out: Any) -> Any:
    """Fill entries from samples, shape (k, N, d); return how many rows have samples that share no base.

    `room`, shape (4, d), has the integers that all is done in: the narrower, the more at a time.
    """
    bad: Any = 0
    mask = np.int64((1 << base_bits) - 1)
    base, entry, wrong, held = room[0], room[1], room[2], room[3]
    columns = base.shape[0]
    for i in range(out.shape[0]):
        base[:] = highest
        wrong[:] = 0
        for k in range(samples.shape[0]):
            sample = samples[k, i]
            for j in range(columns):
                held[j] = sample[j]
            for j in range(columns):
                base[j] = min(base[j], held[j])
        for j in range(columns):
            entry[j] = base[j] & mask
        for k in range(samples.shape[0]):
            sample, place = samples[k, i], np.int64(base_bits + k)
            for j in range(columns):
                held[j] = sample[j]
            for j in range(columns):
                held[j] -= base[j]
                wrong[j] |= held[j]
                entry[j] |= held[j] << place
        outside: Any = 0
        for j in range(columns):
            outside |= wrong[j]
            out[i, j] = entry[j]
        bad += np.int64(outside & ~np.int64(1) != 0)
    return bad


@kernel
def independent_entries(samples: Any, bits: Any, out: Any) -> None:
    """Fill entries from samples, shape (k, N, d): one after the other, `bits` each."""
    mask = np.int64((1 << bits) - 1)
    for i in range(out.shape[0]):
        entry = out[i]
        for k in range(samples.shape[0]):
            sample, place = samples[k, i], np.int64(k * bits)
            kept = np.int64(-1 if k else 0)
            for j in range(entry.shape[0]):
                entry[j] = (entry[j] & kept) | ((np.int64(sample[j]) & mask) << place)


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
