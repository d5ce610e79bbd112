"""What a tagged copy of a file is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

Edit = Callable[[Iterable[bytes]], Iterator[bytes]]
"""Changes the bytes of the old file on their way, piece by piece, but not their number."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A file to write: new bytes, byte ranges [start, end) of the old file, new bytes."""

    head: bytes
    body: tuple[tuple[int, int], ...]
    tail: bytes = b""
    edit: Edit | None = None
