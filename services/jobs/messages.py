"""Cuts long answers so that each message stays well below the limit of one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

MESSAGE_BYTES = 1 << 20

T = TypeVar("T")


def in_messages(items: Iterable[T], size: Callable[[T], int], count: int) -> Iterator[list[T]]:
    """Yield the items in lists of up to `count` and MESSAGE_BYTES, of at least one each."""
    part: list[T] = []
    total = 0
    for item in items:
        if part and (len(part) == count or total + size(item) > MESSAGE_BYTES):
            yield part
            part, total = [], 0
        part.append(item)
        total += size(item)
    if part:
        yield part
