"""The watch hub: one reader of the history for all watchers of this process.

A Subscription collects the changes that its watcher asked for until it takes them. A
watcher that takes too long loses them (never the others theirs) and is told so.
Knows no gRPC.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from math import inf
from typing import Self

from musicgen.errors import StoreUnavailable
from musicgen.rpc import log
from services.jobs import metrics
from services.jobs.records import Change
from services.jobs.store import JobStore, age

WAITING_LIMIT = 5_000
"""Changes that may wait for one slow watcher before they are dropped."""

EVERYBODY, UNFILTERED = "everybody", "unfiltered"

READ_WAIT_S = 1.0
RETRY_S = 0.2


class Subscription:
    """What one watcher has not taken yet."""

    __slots__ = (
        "_ahead", "_alarm", "_doors", "_due_s", "_loop", "_progress", "_quiet_until_s", "_waiter",
        "_waiting", "failure", "overflowed", "start",
    )  # fmt: skip

    def __init__(
        self,
        start: str,
        ahead: bool = False,
        *,
        progress: bool = True,
        doors: tuple[tuple[Rooms, str], ...] = (),
    ) -> None:
        """`doors` are where it goes in while it lasts. Without `progress` changes of that are
        left out."""
        self.start = start
        """The position after which changes arrive here."""
        self.overflowed = False
        self.failure: StoreUnavailable | None = None
        self._ahead = ahead
        self._doors = doors
        self._progress = progress
        self._loop = asyncio.get_running_loop()
        self._waiting: list[Change] = []
        self._due_s = inf  # when what waits is to be taken
        self._quiet_until_s = 0.0
        self._waiter: asyncio.Future[None] | None = None
        self._alarm: asyncio.TimerHandle | None = None

    def offer(self, change: Change) -> None:
        """Add a change; drops all of them once there are too many."""
        if self._ahead:
            if age(change.position) <= age(self.start):
                return
            self._ahead = False
        if change.progress is None:
            due_s = 0.0
        elif self._progress:
            due_s = self._quiet_until_s
        else:
            return
        if len(self._waiting) >= WAITING_LIMIT:
            self.overflowed = True
            self._waiting = []
        elif not self.overflowed:
            self._waiting.append(change)
        if due_s < self._due_s:
            self._due_s = due_s
            if due_s <= self._loop.time():
                self.wake()
            else:
                self._wake_at(due_s)

    @property
    def empty(self) -> bool:
        """Whether nothing waits, due or not."""
        return not self._waiting

    def keep_quiet(self, until_s: float) -> None:
        """Let progress that comes from now on wait until this time of the loop; changes of
        state are due at once, and take along what waits."""
        self._quiet_until_s = until_s

    def fail(self, error: StoreUnavailable) -> None:
        """End the subscription: the history can't be read now."""
        self.failure = error
        self.wake()

    def wake(self) -> None:
        """Let `take` return now."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def __enter__(self) -> Self:
        for rooms, name in self._doors:
            rooms[name].add(self)
        return self

    def __exit__(self, *_: object) -> None:
        for rooms, name in self._doors:
            rooms[name].discard(self)
            if not rooms[name]:
                del rooms[name]
        if self._alarm is not None:
            self._alarm.cancel()

    async def take(self, timeout_s: float) -> list[Change]:
        """Return what is due, or what comes within `timeout_s`; may be nothing, also earlier.

        Raises StoreUnavailable when the history can't be read.
        """
        now_s = self._loop.time()
        if self._due_s > now_s and timeout_s > 0 and self.failure is None:
            self._waiter = self._loop.create_future()
            self._wake_at(min(now_s + timeout_s, self._due_s))
            try:
                await self._waiter
            finally:
                self._waiter = None
            now_s = self._loop.time()
        if self.failure is not None:
            raise self.failure
        if self._due_s > now_s:
            return []
        taken, self._waiting, self._due_s = self._waiting, [], inf
        return taken

    def _wake_at(self, at_s: float) -> None:
        """Wake at this time of the loop, or before. An alarm that comes too early does no
        harm, so that of a watcher who is busy is left as it is: it costs nothing then."""
        if self._alarm is not None:
            if self._alarm.when() <= at_s:
                return
            self._alarm.cancel()
        self._alarm = self._loop.call_at(at_s, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        self.wake()


Rooms = defaultdict[str, set[Subscription]]
"""Who is told, by the name of what they asked for."""


class WatchHub:
    """Reads the history once and hands each change to those who watch its job."""

    def __init__(self, store: JobStore, draining: asyncio.Event | None = None) -> None:
        """When `draining` is set every watcher is woken, to end."""
        self._store = store
        self._draining = draining or asyncio.Event()
        self._position = ""
        self._of_any: Rooms = defaultdict(set)
        self._of_job: Rooms = defaultdict(set)
        self._of_batch: Rooms = defaultdict(set)

    @property
    def position(self) -> str:
        """The position up to which changes were handed out; "" while the store is away."""
        return self._position

    @property
    def draining(self) -> bool:
        """Whether watches are to end."""
        return self._draining.is_set()

    def subscribe(
        self,
        job_ids: Sequence[str] = (),
        batch_ids: Sequence[str] = (),
        *,
        after: str = "",
        progress: bool = True,
    ) -> Subscription:
        """Collect the changes of these jobs and of the jobs of these batches (of all if none
        is named), and of the queues, from now on, or from `after` on if that is newer: another
        process may have read further than this one. Without `progress` that is left out.
        Ends with the block of a `with`.

        Raises StoreUnavailable while the history can't be read.
        """
        if not self._position:
            raise StoreUnavailable("The job store does not answer.", retry_after_s=1.0)
        ahead = bool(after) and age(after) > age(self._position)
        doors = (
            (self._of_any, EVERYBODY),
            *((self._of_job, id) for id in job_ids),
            *((self._of_batch, id) for id in batch_ids),
        )
        if len(doors) == 1:
            doors = (*doors, (self._of_any, UNFILTERED))
        start = after if ahead else self._position
        return Subscription(start, ahead, progress=progress, doors=doors)

    async def run(self) -> None:
        """Read until cancelled. While the store is away every watcher is turned out."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._wake_to_end())
            tasks.create_task(self._read())

    async def _read(self) -> None:
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

    async def _wake_to_end(self) -> None:
        await self._draining.wait()
        for subscription in self._of_any.get(EVERYBODY, ()):
            subscription.wake()

    def _hand_out(self, change: Change) -> None:
        self._position = change.position
        metrics.WATCH_LAG.observe(max(0.0, time.time() - change.at_ms / 1000))
        if change.queue is not None:
            for subscription in self._of_any.get(EVERYBODY, ()):
                subscription.offer(change)
            return
        for subscription in self._of_any.get(UNFILTERED, ()):
            subscription.offer(change)
        of_job = self._of_job.get(change.job_id, ())
        for subscription in of_job:
            subscription.offer(change)
        if change.batch:
            for subscription in self._of_batch.get(change.batch, ()):
                if subscription not in of_job:
                    subscription.offer(change)

    def _turn_out(self, error: StoreUnavailable) -> None:
        self._position = ""
        for subscription in self._of_any.get(EVERYBODY, ()):
            subscription.fail(error)
