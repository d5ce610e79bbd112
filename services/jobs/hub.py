"""The watch hub: one reader of the history for all watchers of this process.

A Subscription collects the changes that its watcher asked for until it takes them. A
watcher that takes too long loses them (never the others theirs) and is told so.
Knows no gRPC.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Iterable, Iterator

from musicgen.errors import StoreUnavailable
from musicgen.rpc import log
from services.jobs.records import Change
from services.jobs.store import JobStore, age

WAITING_LIMIT = 5_000
"""Changes that may wait for one slow watcher before they are dropped."""

READ_WAIT_S = 1.0
RETRY_S = 0.2


class Subscription:
    """What one watcher has not taken yet."""

    def __init__(self, start: str, ahead: bool = False) -> None:
        self.start = start
        """The position after which changes arrive here."""
        self._ahead = ahead
        self.overflowed = False
        self.failure: StoreUnavailable | None = None
        self._waiting: list[Change] = []
        self._ready = asyncio.Event()

    def offer(self, change: Change) -> None:
        """Add a change; drops all of them once there are too many."""
        if self._ahead and age(change.position) <= age(self.start):
            return
        self._ahead = False
        if len(self._waiting) >= WAITING_LIMIT:
            self.overflowed = True
            self._waiting.clear()
        if not self.overflowed:
            self._waiting.append(change)
        self._ready.set()

    def fail(self, error: StoreUnavailable) -> None:
        """End the subscription: the history can't be read now."""
        self.failure = error
        self._ready.set()

    async def take(self, timeout_s: float) -> list[Change]:
        """Return what waits, or what comes within `timeout_s`; may be nothing.

        Raises StoreUnavailable when the history can't be read.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._ready.wait()
        if self.failure:
            raise self.failure
        self._ready.clear()
        taken, self._waiting = self._waiting, []
        return taken


class WatchHub:
    """Reads the history once and hands each change to those who watch its job."""

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self._position = ""
        self._of_all: set[Subscription] = set()
        self._of_job: dict[str, set[Subscription]] = defaultdict(set)

    @property
    def position(self) -> str:
        """The position up to which changes were handed out; "" while the store is away."""
        return self._position

    @contextlib.contextmanager
    def subscribe(self, job_ids: Iterable[str], after: str = "") -> Iterator[Subscription]:
        """Collect the changes of these jobs (of all if none is named) from now on, or from
        `after` on if that is newer: another process may have read further than this one.

        Raises StoreUnavailable while the history can't be read.
        """
        if not self._position:
            raise StoreUnavailable("The job store does not answer.", retry_after_s=1.0)
        ahead = bool(after) and age(after) > age(self._position)
        subscription = Subscription(after if ahead else self._position, ahead)
        names = set(job_ids)
        rooms = [self._of_job[name] for name in names] if names else [self._of_all]
        for room in rooms:
            room.add(subscription)
        try:
            yield subscription
        finally:
            for room in rooms:
                room.discard(subscription)
            for name in names:
                if not self._of_job.get(name, True):
                    del self._of_job[name]

    async def run(self) -> None:
        """Read until cancelled. While the store is away every watcher is turned out."""
        while True:
            try:
                if not self._position:
                    self._position = await self._store.tail()
                for change in await self._store.next_changes(self._position, READ_WAIT_S):
                    self._hand_out(change)
            except StoreUnavailable as error:
                log.get().warning("history unreadable", why=error.message)
                self._turn_out(error)
                await asyncio.sleep(RETRY_S)

    def _hand_out(self, change: Change) -> None:
        self._position = change.position
        for subscription in self._of_all:
            subscription.offer(change)
        for subscription in self._of_job.get(change.job_id, ()):
            subscription.offer(change)

    def _turn_out(self, error: StoreUnavailable) -> None:
        self._position = ""
        for room in (self._of_all, *self._of_job.values()):
            for subscription in room:
                subscription.fail(error)
