"""One watch: a snapshot or a replay, then changes as they come, as frames."""

from __future__ import annotations

import random
import time
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from dataclasses import dataclass

from google.protobuf import field_mask_pb2

from musicgen.api.jobs.v1 import job_event_pb2, job_pb2, job_service_pb2
from musicgen.errors import InvalidField, WatchCursorCompacted
from services.jobs import metrics
from services.jobs.coalesce import Coalescer
from services.jobs.convert import change_to_proto, job_to_proto, queue_change_to_proto
from services.jobs.hub import Subscription, WatchHub
from services.jobs.masks import ReadMask
from services.jobs.messages import in_messages
from services.jobs.records import Change, JobRecord
from services.jobs.store import PAGE, JobStore, age, all_records, is_position

JITTER = 0.2
"""Watches end up to this share sooner or later, so that not all return at once."""
PACE_S = 0.1
"""Watchers that want less than everything get no more than a frame in this time, or in their
interval if that is less, unless a state changes."""
EVENTS_PER_FRAME = 200
ALWAYS = ("job_id", "rev", "state")
"""What a mask never leaves out."""
EVERYTHING = ReadMask(field_mask_pb2.FieldMask())

Frame = job_service_pb2.WatchJobsResponse


@dataclass(frozen=True, slots=True)
class WatchLimits:
    """When a watch ends and when it gives a sign of life."""

    watch_s: float
    bookmark_s: float


class Told:
    """A change as messages that are shared by all who are told of it: not to be altered."""

    __slots__ = ("_alone", "_epoch", "change", "event", "queue", "size_bytes")

    def __init__(self, change: Change) -> None:
        self.change = change
        self.event = change_to_proto(change) if change.queue is None else None
        self.queue = queue_change_to_proto(change.queue) if change.queue is not None else None
        message = self.event or self.queue
        self.size_bytes = message.ByteSize() if message is not None else 0
        self._epoch = ""
        self._alone: Frame | None = None

    def alone(self, epoch: str) -> Frame:
        """Return a frame with nothing but this change."""
        if self._alone is None or self._epoch != epoch:
            self._epoch, self._alone = epoch, _frame([self], self.change.position, epoch)
        return self._alone


class Telling:
    """Makes the messages of each change once for all watchers of a process."""

    KEPT = 512
    """Changes; those who are slower make their own."""

    def __init__(self) -> None:
        self._kept: dict[str, Told] = {}

    def of(self, change: Change) -> Told:
        """Return a change's messages."""
        kept = self._kept.get(change.position)
        # At the same position of another store there is another change.
        if kept is None or kept.change is not change:
            if len(self._kept) >= self.KEPT:
                del self._kept[next(iter(self._kept))]
            kept = self._kept[change.position] = Told(change)
        return kept


class Watch:
    """The frames of one watcher."""

    # There may be a thousand.
    __slots__ = (
        "_batch_ids", "_coalescer", "_end_s", "_hub", "_job_ids", "_limits", "_mask", "_pace_s",
        "_progress", "_quiet_since_s", "_store", "_telling",
    )  # fmt: skip

    def __init__(
        self,
        store: JobStore,
        hub: WatchHub,
        limits: WatchLimits,
        telling: Telling,
        *,
        job_ids: Sequence[str] = (),
        batch_ids: Sequence[str] = (),
        interval_s: float = 0.0,
        read_mask: field_mask_pb2.FieldMask | None = None,
    ) -> None:
        """Raises InvalidField for a mask that names what a job has not."""
        self._store = store
        self._hub = hub
        self._limits = limits
        self._telling = telling
        self._job_ids = tuple(dict.fromkeys(job_ids))
        self._batch_ids = tuple(dict.fromkeys(batch_ids))
        self._coalescer = Coalescer(interval_s) if interval_s > 0 else None
        self._pace_s = min(interval_s, PACE_S)
        paths = read_mask.paths if read_mask is not None else ()
        self._mask = ReadMask(read_mask, ALWAYS) if read_mask is not None and paths else EVERYTHING
        self._progress = not paths or any(path.split(".")[0] == "progress" for path in paths)
        jitter = 1 + JITTER * (2 * random.random() - 1)  # noqa: S311 - spreads load, guards nothing
        self._quiet_since_s = time.monotonic()
        self._end_s = self._quiet_since_s + limits.watch_s * jitter

    async def frames(self, cursor: str) -> AsyncGenerator[Frame, None]:
        """Yield frames until the watch has lasted long enough or the server drains.

        Raises WatchCursorCompacted for a cursor that can't be resumed from, and
        StoreUnavailable when the history can't be read.
        """
        epoch = await self._store.epoch()
        after = await self._resume_from(cursor, epoch) if cursor else ""
        metrics.WATCHERS.inc()
        try:
            while True:
                with self._hub.subscribe(
                    self._job_ids, self._batch_ids, after=after, progress=self._progress
                ) as subscription:
                    if after:
                        missed = self._replay(after, subscription.start, epoch)
                    else:
                        missed = self._snapshot(subscription.start, epoch)
                    async for frame in missed:
                        metrics.WATCH_FRAMES.inc()
                        yield frame
                    self._quiet_since_s = time.monotonic()
                    while (frames := await self._next(subscription, epoch)) is not None:
                        metrics.WATCH_FRAMES.inc(len(frames))
                        for frame in frames:
                            yield frame
                if not subscription.overflowed:
                    return
                metrics.WATCH_RESETS.inc()
                yield Frame(reset=job_event_pb2.WatchReset())
                after = ""
                if self._coalescer is not None:
                    self._coalescer.clear()
        finally:
            metrics.WATCHERS.dec()

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
        # watcher drops them by rev. Of the queues' changes the last one counts, too.
        paused = await self._store.paused_queues()
        if self._job_ids or self._batch_ids:
            wanted = list(await self._wanted())
            for start in range(0, len(wanted), PAGE):
                for page in self._pages(await self._store.get_many(wanted[start : start + PAGE])):
                    yield page
        else:
            async for records in all_records(self._store):
                for page in self._pages(records):
                    yield page
        last = job_event_pb2.JobsSnapshot(complete=True, paused_queues=paused)
        yield Frame(cursor=f"{epoch}.{position}", snapshot=last)

    async def _wanted(self) -> dict[str, None]:
        wanted = dict.fromkeys(self._job_ids)
        for batch_id in self._batch_ids:
            wanted |= dict.fromkeys(await self._store.batch_job_ids(batch_id))
        return wanted

    def _pages(self, records: Iterable[JobRecord]) -> Iterator[Frame]:
        messages = (self._mask.apply(job_to_proto(record)) for record in records)
        for jobs in in_messages(messages, job_pb2.Job.ByteSize, PAGE):
            yield Frame(snapshot=job_event_pb2.JobsSnapshot(jobs=jobs))

    async def _replay(self, after: str, upto: str, epoch: str) -> AsyncGenerator[Frame, None]:
        while changes := await self._store.changes(after, upto):
            after = changes[-1].position
            for frame in self._event_frames(list(filter(self._is_wanted, changes)), epoch):
                yield frame
        yield _bookmark(upto, epoch)

    def _is_wanted(self, change: Change) -> bool:
        if change.queue is not None:
            return True
        if change.progress is not None and not self._progress:
            return False
        return (
            not (self._job_ids or self._batch_ids)
            or change.job_id in self._job_ids
            or change.batch in self._batch_ids
        )

    async def _next(self, subscription: Subscription, epoch: str) -> Sequence[Frame] | None:
        """Wait for what comes next; None when the watch is over or has to start over."""
        now_s = time.monotonic()
        while not self._hub.draining and now_s < self._end_s:
            bookmark_left_s = self._quiet_since_s + self._limits.bookmark_s - now_s
            wait_s = min(bookmark_left_s, self._end_s - now_s)
            if self._coalescer is not None:
                wait_s = self._held_s(self._coalescer, now_s, wait_s)
            if not subscription.empty:  # it is due within the pace; no bookmark before
                wait_s = max(wait_s, self._pace_s)
            changes: Sequence[Change] = await subscription.take(wait_s)
            if subscription.overflowed:
                return None
            now_s = time.monotonic()
            if self._coalescer is not None:
                passed = self._coalescer.pass_on(changes, now_s)
                if changes or passed:
                    subscription.keep_quiet(now_s + self._pace_s)
                changes = passed
            frames = self._event_frames(changes, epoch)
            if not frames and subscription.empty:
                if now_s - self._quiet_since_s < self._limits.bookmark_s:
                    continue
                position = max(subscription.start, self._hub.position, key=age)
                frames = [_bookmark(self._cursor(position), epoch)]
            if frames:
                self._quiet_since_s = now_s
                return frames
        return None

    def _held_s(self, coalescer: Coalescer, now_s: float, limit_s: float) -> float:
        """Return how long until progress that was held back may go in a frame, or `limit_s`."""
        paced_s = self._quiet_since_s + self._pace_s - now_s
        return min(limit_s, max(coalescer.wait_s(now_s, limit_s), paced_s))

    def _cursor(self, position: str) -> str:
        return position if self._coalescer is None else self._coalescer.cursor(position)

    def _event_frames(self, changes: Sequence[Change], epoch: str) -> list[Frame]:
        """Return frames with these changes; more than one if they are many or large."""
        if len(changes) == 1 and self._coalescer is None and self._mask.everything:
            return [self._telling.of(changes[0]).alone(epoch)]
        told = map(self._telling.of, changes)
        return [
            _frame(part, self._cursor(part[-1].change.position), epoch, self._mask)
            for part in in_messages(told, _size_bytes, EVENTS_PER_FRAME)
        ]


def _size_bytes(told: Told) -> int:
    return told.size_bytes


def _frame(told: Sequence[Told], position: str, epoch: str, mask: ReadMask | None = None) -> Frame:
    events = [one.event for one in told if one.event is not None]
    if mask is not None and not mask.everything:
        events = [_masked(event, mask) for event in events]
    queues = [one.queue for one in told if one.queue is not None]
    return Frame(
        cursor=f"{epoch}.{position}",
        events=job_event_pb2.JobEvents(events=events, queues=queues),
    )


def _masked(event: job_event_pb2.JobEvent, mask: ReadMask) -> job_event_pb2.JobEvent:
    masked = job_event_pb2.JobEvent(job_id=event.job_id, rev=event.rev, time=event.time)
    if event.HasField("changed"):
        masked.changed.CopyFrom(mask.apply(event.changed))
    elif event.HasField("progressed"):
        job = mask.apply(job_pb2.Job(progress=event.progressed))
        masked.progressed.CopyFrom(job.progress)
    else:
        masked.deleted.SetInParent()
    return masked


def _bookmark(position: str, epoch: str) -> Frame:
    return Frame(cursor=f"{epoch}.{position}", bookmark=job_event_pb2.Bookmark())
