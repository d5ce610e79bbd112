"""Reads a TensorFlow checkpoint (a "tensor bundle") without TensorFlow.

The index is a table of sorted keys as LevelDB writes it: blocks of entries that share key
prefixes, an index block, and a footer of 48 bytes. Each value is a BundleEntryProto: where the
tensor lies in the data file, its type and its shape. Sources: tensorflow's
core/protobuf/tensor_bundle.proto and LevelDB's doc/table_format.md.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Tensors = dict[str, npt.NDArray[np.float32]]

_FOOTER = 48
_FLOAT = 1  # DT_FLOAT


def read_checkpoint(index: bytes, data: bytes) -> Tensors:
    """Return every float32 tensor by its name. Raises ValueError for what can't be read."""
    tensors: Tensors = {}
    place = len(index) - _FOOTER
    for _ in range(2):  # the metaindex' handle
        _, place = _varint(index, place)
    for _, handle in _entries(index, *_handle(index, place)):
        for name, value in _entries(index, *_handle(handle, 0)):
            if name:  # the empty one is the header
                tensor = _tensor(value, data)
                if tensor is not None:
                    tensors[name.decode()] = tensor
    return tensors


def _handle(data: bytes, place: int) -> tuple[int, int]:
    offset, place = _varint(data, place)
    size, _ = _varint(data, place)
    return offset, size


def _entries(table: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield a block's keys and values."""
    if table[offset + size]:
        raise ValueError("the checkpoint's index is compressed")
    block = table[offset : offset + size]
    (restarts,) = struct.unpack("<I", block[-4:])
    place, end, key = 0, size - 4 - 4 * restarts, b""
    while place < end:
        shared, place = _varint(block, place)
        own, place = _varint(block, place)
        length, place = _varint(block, place)
        key = key[:shared] + block[place : place + own]
        place += own
        yield key, block[place : place + length]
        place += length


def _tensor(entry: bytes, data: bytes) -> npt.NDArray[np.float32] | None:
    """Cut a tensor out of the data: None for one of another type."""
    fields = {1: 0, 4: 0, 5: 0}  # type, offset, size
    shape: list[int] = []
    for number, value in _fields(entry):
        if number == 2 and isinstance(value, bytes):  # TensorShapeProto
            sizes = [dict(_fields(dim)) for _, dim in _fields(value) if isinstance(dim, bytes)]
            shape = [size if isinstance(size := dim.get(1, 0), int) else 0 for dim in sizes]
        elif isinstance(value, int):
            fields[number] = value
    if fields[1] != _FLOAT:
        return None
    part = data[fields[4] : fields[4] + fields[5]]
    return np.frombuffer(part, "<f4").reshape(shape)


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield the fields of a protobuf message: numbers of varints, else bytes."""
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        if tag & 7 == 0:
            number, place = _varint(message, place)
            yield tag >> 3, number
            continue
        size = {1: 8, 5: 4}.get(tag & 7)
        if size is None:
            size, place = _varint(message, place)
        yield tag >> 3, message[place : place + size]
        place += size


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7
