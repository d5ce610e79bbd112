"""Cuts long answers so that each message stays well below the limit of a message."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

BATCH_BYTES = 1 << 20

T = TypeVar("T")


def batches(items: Iterable[T], size: Callable[[T], int], count: int) -> Iterator[list[T]]:
    """Yield the items in lists of up to `count` and BATCH_BYTES, of at least one each."""
    batch: list[T] = []
    total = 0
    for item in items:
        if batch and (len(batch) == count or total + size(item) > BATCH_BYTES):
            yield batch
            batch, total = [], 0
        batch.append(item)
        total += size(item)
    if batch:
        yield batch
