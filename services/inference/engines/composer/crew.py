"""Threads that play parts side by side. What they make doesn't depend on how many there are."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Generic, Self, TypeVar

from musicgen.errors import Cancelled

Item = TypeVar("Item")
Made = TypeVar("Made")

Alive = Callable[[], None]
"""Called between steps of long work; raises when it was cancelled."""

_MOST_HANDS = 4
_LISTEN_S = 0.03
"""How often whoever waits looks whether the work was cancelled."""


class Pending(Generic[Made]):
    """Work that was handed out."""

    def __init__(self, futures: list[Future[Made]], alive: Alive) -> None:
        self._futures = futures
        self._alive = alive

    def wait(self) -> list[Made]:
        """Return what was made, in the order of the items. Raises what the work raised."""
        while wait(self._futures, timeout=_LISTEN_S).not_done:
            self._alive()
        return [future.result() for future in self._futures]


class Crew:
    """A pool of threads that stops when its owner is cancelled."""

    def __init__(self, alive: Alive, hands: int | None = None) -> None:
        """`alive` is the owner's, called in the owner's thread only."""
        self._alive = alive
        self._over = threading.Event()
        self._pool = ThreadPoolExecutor(hands or min(_MOST_HANDS, _cores()), "composer")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Stop what still runs, and wait for it."""
        self._over.set()
        self._pool.shutdown(cancel_futures=True)

    def alive(self) -> None:
        """For the work itself. Raises Cancelled once the owner has stopped."""
        if self._over.is_set():
            raise Cancelled("The work was cancelled.")

    def start(self, work: Callable[[Item], Made], items: Iterable[Item]) -> Pending[Made]:
        """Hand out `work` for each item."""
        return Pending([self._pool.submit(work, item) for item in items], self._alive)


def _cores() -> int:
    """The processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
