"""How a program and its AAC process talk: a kind, a length, and as many bytes."""

from __future__ import annotations

import struct
from typing import BinaryIO

HEADER, DATA, END, SEEK, READ, ERROR = b"H", b"D", b"E", b"S", b"R", b"X"

_HEAD = struct.Struct("<cI")


def send(pipe: BinaryIO, kind: bytes, content: bytes = b"") -> None:
    """Write a message. Raises BrokenPipeError if nobody is there."""
    pipe.write(_HEAD.pack(kind, len(content)))
    pipe.write(content)
    pipe.flush()


def receive(pipe: BinaryIO) -> tuple[bytes, bytes] | None:
    """Read a message; None if the other side has ended, be it in the middle of one."""
    head = pipe.read(_HEAD.size)
    if len(head) < _HEAD.size:
        return None
    kind, length = _HEAD.unpack(head)
    content = pipe.read(length)
    return (kind, content) if len(content) == length else None
