"""Styles as files: the numbers that stand for how music sounds, as NumPy or JSON has them.
Read without NumPy."""

from __future__ import annotations

import ast
import json
import math
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from musicgen.errors import InvalidField

STYLE_OPTION = "style"
"""The option of engines that take such numbers."""

STYLE_NUMBERS = 512

_MAGIC = b"\x93NUMPY"
_LONGEST_HEADER_BYTES = 10_000
_CODES: Mapping[str, str] = {"<f2": "e", "<f4": "f", "<f8": "d"}


def read_style(data: bytes) -> list[float]:
    """Return the numbers of a .npy file, or of a JSON array: 512 in one row. Raises
    InvalidField that says what is wrong."""
    numbers = _from_npy(data) if data.startswith(_MAGIC) else _from_json(data)
    if len(numbers) != STYLE_NUMBERS:
        raise _wrong(f"holds {len(numbers):,} numbers; a style has {STYLE_NUMBERS}")
    if not all(map(math.isfinite, numbers)):
        raise _wrong("holds what is no finite number")
    return numbers


def _from_npy(data: bytes) -> list[float]:
    header, start = _header(data)
    code, shape = _CODES.get(str(header.get("descr"))), header.get("shape")
    if code is None:
        raise _wrong(f"holds {str(header.get('descr'))[:40]!r}; {', '.join(_CODES)} can be read")
    if not isinstance(shape, tuple) or not all(type(side) is int and side >= 0 for side in shape):
        raise _wrong("does not say how many numbers it holds")
    if sum(side != 1 for side in shape) > 1:
        raise _wrong(f"holds a table of {' × '.join(map(str, shape))}; one row is a style")
    count = math.prod(shape)
    if len(data) - start != count * struct.calcsize(code):
        raise _wrong("is not as long as it says: it was cut off, or more was added to it")
    if count > STYLE_NUMBERS:
        raise _wrong(f"holds {count:,} numbers; a style has {STYLE_NUMBERS}")
    return list(struct.unpack_from(f"<{count}{code}", data, start))


def _header(data: bytes) -> tuple[Mapping[str, Any], int]:
    """Return the header, and where the numbers begin: versions 1 and 2 differ in the width of
    its length."""
    width = {1: "<H", 2: "<I"}.get(data[6] if len(data) > 6 else 0)
    if width is None:
        raise _wrong("is a .npy file of a version that can't be read; versions 1 and 2 can")
    try:
        (length,) = struct.unpack_from(width, data, 8)
        start = 8 + struct.calcsize(width) + length
        if length > _LONGEST_HEADER_BYTES or start > len(data):
            raise ValueError("its header is cut off")
        header = ast.literal_eval(data[start - length : start].decode("latin-1").strip())
    except (ValueError, SyntaxError, struct.error, RecursionError, MemoryError) as error:
        raise _wrong(f"is no valid .npy file ({type(error).__name__})") from error
    if not isinstance(header, dict):
        raise _wrong("is no valid .npy file (its header is none)")
    return header, start


def _from_json(data: bytes) -> list[float]:
    try:
        told = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _wrong(f"is neither a .npy file nor JSON ({type(error).__name__})") from error
    if isinstance(told, list) and len(told) == 1 and isinstance(told[0], list):
        told = told[0]
    if not isinstance(told, Sequence) or not all(type(one) in (int, float) for one in told):
        raise _wrong("holds JSON that is no array of numbers")
    try:
        return [float(one) for one in told]
    except OverflowError as error:
        raise _wrong("holds a number that is too great") from error


def _wrong(fault: str) -> InvalidField:
    return InvalidField(
        f"The style {fault}.",
        remedy=f"Give {STYLE_NUMBERS} numbers, as numpy.save writes them or as a JSON array.",
        fields={STYLE_OPTION: fault},
    )
