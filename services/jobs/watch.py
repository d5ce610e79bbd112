"""One watch: a snapshot or a replay, then changes as they come, as frames."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from dataclasses import dataclass

from musicgen.api.jobs.v1 import job_event_pb2, job_pb2, job_service_pb2
from musicgen.errors import InvalidField, WatchCursorCompacted
from services.jobs.batches import batches
from services.jobs.coalesce import Coalescer
from services.jobs.convert import change_to_proto, job_to_proto
from services.jobs.hub import Subscription, WatchHub
from services.jobs.records import Change, JobRecord
from services.jobs.store import PAGE, JobStore, age, all_records, is_position

JITTER = 0.2
"""Watches end up to this share sooner or later, so that not all return at once."""

EVENTS_PER_FRAME = 200

Frame = job_service_pb2.WatchJobsResponse


@dataclass(frozen=True, slots=True)
class WatchLimits:
    """When a watch ends and when it gives a sign of life."""

    watch_s: float
    bookmark_s: float


class Watch:
    """The frames of one watcher."""

    def __init__(
        self,
        store: JobStore,
        hub: WatchHub,
        limits: WatchLimits,
        draining: asyncio.Event,
        *,
        job_ids: Sequence[str],
        interval_s: float,
    ) -> None:
        self._store = store
        self._hub = hub
        self._limits = limits
        self._draining = draining
        self._job_ids = list(dict.fromkeys(job_ids))
        self._coalescer = Coalescer(interval_s)

    async def frames(self, cursor: str) -> AsyncGenerator[Frame, None]:
        """Yield frames until the watch has lasted long enough or the server drains.

        Raises WatchCursorCompacted for a cursor that can't be resumed from, and
        StoreUnavailable when the history can't be read.
        """
        epoch = await self._store.epoch()
        after = await self._resume_from(cursor, epoch) if cursor else ""
        while True:
            with self._hub.subscribe(self._job_ids, after) as subscription:
                if after:
                    async for frame in self._replay(after, subscription.start, epoch):
                        yield frame
                else:
                    async for frame in self._snapshot(subscription.start, epoch):
                        yield frame
                async for frame in self._live(subscription, epoch):
                    yield frame
            if not subscription.overflowed:
                return
            yield Frame(reset=job_event_pb2.WatchReset())
            after = ""

    async def _resume_from(self, cursor: str, epoch: str) -> str:
        name, _, position = cursor.partition(".")
        if not is_position(position):
            raise InvalidField(
                "cursor is not one that a watch has sent.", fields={"cursor": "not a cursor"}
            )
        if name != epoch:
            raise WatchCursorCompacted("The cursor belongs to another store.")
        await self._store.check_position(position)
        return position

    async def _snapshot(self, position: str, epoch: str) -> AsyncGenerator[Frame, None]:
        # Records may be newer than `position`; their events then come once more, and a
        # watcher drops them by rev.
        if self._job_ids:
            for page in _pages(await self._store.get_many(self._job_ids)):
                yield page
        else:
            async for records in all_records(self._store):
                for page in _pages(records):
                    yield page
        last = _snapshot_page([], complete=True)
        last.cursor = f"{epoch}.{position}"
        yield last

    async def _replay(self, after: str, upto: str, epoch: str) -> AsyncGenerator[Frame, None]:
        wanted = set(self._job_ids)
        while changes := await self._store.changes(after, upto):
            after = changes[-1].position
            chosen = [change for change in changes if not wanted or change.job_id in wanted]
            for events in _events(chosen):
                yield _frame(events, events[-1][0], epoch)
        yield Frame(cursor=f"{epoch}.{upto}", bookmark=job_event_pb2.Bookmark())

    async def _live(self, subscription: Subscription, epoch: str) -> AsyncGenerator[Frame, None]:
        jitter = 1 + JITTER * (2 * random.random() - 1)  # noqa: S311 - spreads load, guards nothing
        end_s = time.monotonic() + self._limits.watch_s * jitter
        quiet_since_s = time.monotonic()
        while not self._draining.is_set():
            now_s = time.monotonic()
            quiet_left_s = max(0.0, quiet_since_s + self._limits.bookmark_s - now_s)
            # Draining is noticed within a second.
            wait_s = min(quiet_left_s, self._coalescer.wait_s(now_s, quiet_left_s), 1.0)
            changes = await subscription.take(wait_s)
            if subscription.overflowed:
                return
            now_s = time.monotonic()
            changes = self._coalescer.pass_on(changes, now_s)
            for events in _events(changes):
                yield _frame(events, self._coalescer.cursor(events[-1][0]), epoch)
                quiet_since_s = now_s
            if now_s - quiet_since_s >= self._limits.bookmark_s:
                position = max(subscription.start, self._hub.position, key=age)
                position = self._coalescer.cursor(position)
                yield Frame(cursor=f"{epoch}.{position}", bookmark=job_event_pb2.Bookmark())
                quiet_since_s = now_s
            if now_s >= end_s:
                return


def _snapshot_page(jobs: list[job_pb2.Job], complete: bool = False) -> Frame:
    return Frame(snapshot=job_event_pb2.JobsSnapshot(jobs=jobs, complete=complete))


def _pages(records: Iterable[JobRecord]) -> Iterator[Frame]:
    for jobs in batches(map(job_to_proto, records), job_pb2.Job.ByteSize, PAGE):
        yield _snapshot_page(jobs)


def _events(changes: Iterable[Change]) -> Iterator[list[tuple[str, job_event_pb2.JobEvent]]]:
    events = ((change.position, change_to_proto(change)) for change in changes)
    return batches(events, lambda event: event[1].ByteSize(), EVENTS_PER_FRAME)


def _frame(
    events: Iterable[tuple[str, job_event_pb2.JobEvent]], position: str, epoch: str
) -> Frame:
    return Frame(
        cursor=f"{epoch}.{position}",
        events=job_event_pb2.JobEvents(events=[event for _, event in events]),
    )
