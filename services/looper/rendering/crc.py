"""FLAC's checksums of many short strings at once, and moved along without reading again.

CRC-16 is linear: that of two strings joined is that of the first, times x to the bits of
the second, plus that of the second. All of it modulo the polynomial, in bits.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

U8 = npt.NDArray[np.uint8]
U16 = npt.NDArray[np.uint16]
Ints = npt.NDArray[np.int64]

_POLYNOMIAL_8 = 0x07
_POLYNOMIAL_16 = 0x8005


def _table(polynomial: int, bits: int) -> list[int]:
    """What a byte in the highest place becomes after eight steps."""
    table = []
    for byte in range(256):
        crc = byte << (bits - 8)
        for _ in range(8):
            crc = (crc << 1) ^ (polynomial if crc >> (bits - 1) & 1 else 0)
            crc &= (1 << bits) - 1
        table.append(crc)
    return table


_TABLE_8 = np.array(_table(_POLYNOMIAL_8, 8), np.uint8)
_TABLE_16 = np.array(_table(_POLYNOMIAL_16, 16), np.uint16)


def crc8(rows: U8, lengths: Ints) -> U8:
    """Return the CRC-8 of the first `lengths` bytes of each row, shape [rows]."""
    crc = np.zeros(len(rows), np.uint8)
    for column in range(int(lengths.max(initial=0))):
        crc = np.where(column < lengths, _TABLE_8[crc ^ rows[:, column]], crc)
    return crc


def crc16(rows: U8, lengths: Ints) -> U16:
    """Return the CRC-16 of the first `lengths` bytes of each row, shape [rows]."""
    crc = np.zeros(len(rows), np.uint16)
    for column in range(int(lengths.max(initial=0))):
        following = (crc << 8) ^ _TABLE_16[(crc >> 8) ^ rows[:, column]]
        crc = np.where(column < lengths, following, crc)
    return crc


def shifts_16(byte_counts: Ints) -> U16:
    """Return what each bit of a CRC-16 becomes when so many bytes follow: shape [counts, 16],
    the lowest bit first."""
    # x^0 to x^15, times x^8 as often as there are bytes, by squaring.
    shifts = np.tile(np.uint16(1) << np.arange(16, dtype=np.uint16), (len(byte_counts), 1))
    # The map of one byte, applied to each power of x; then of two, of four ...
    step = np.array([_after_byte(1 << bit) for bit in range(16)], np.uint16)
    for bit in range(int(byte_counts.max(initial=0)).bit_length()):
        rows = (byte_counts >> bit & 1).astype(bool)
        shifts[rows] = _mapped(step, shifts[rows])
        step = _mapped(step, step)
    return shifts


def shifted_16(shifts: U16, crc: U16) -> U16:
    """Return each CRC-16 as it is after the bytes that its row of `shifts` stands for."""
    bits = crc[:, None] >> np.arange(16, dtype=np.uint16) & 1
    return _sums(shifts * bits)


def _after_byte(crc: int) -> int:
    return (crc << 8 & 0xFFFF) ^ int(_TABLE_16[crc >> 8])


def _mapped(columns: U16, values: U16) -> U16:
    """Apply a linear map, given by what each bit becomes, to values of any shape."""
    bits = values[..., None] >> np.arange(16, dtype=np.uint16) & 1
    return _sums(columns * bits)


def _sums(terms: U16) -> U16:
    """Add up the last axis as polynomials are added."""
    return np.asarray(np.bitwise_xor.reduce(terms, axis=-1), np.uint16)
