"""Tells monitoring tools about queues and jobs: counts what is in the store, and what ends."""

from __future__ import annotations

import asyncio
import contextlib

from musicgen.errors import StoreUnavailable
from services.jobs import metrics
from services.jobs.hub import WatchHub
from services.jobs.queue_servicer import known_queues
from services.jobs.records import Change
from services.jobs.store import JobStore

INTERVAL_S = 5.0
RETRY_S = 1.0


class Monitor:
    """One of these runs in every jobs process. The gauges say how the store is: the same in
    each process. The counters say what this process saw since it started."""

    def __init__(self, store: JobStore, hub: WatchHub) -> None:
        self._store = store
        self._hub = hub
        self._told: set[str] = set()

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._gauge())
            tasks.create_task(self._count())

    async def _gauge(self) -> None:
        while True:
            try:
                await self.look()
                metrics.STORE_UP.set(1)
            except StoreUnavailable:
                metrics.STORE_UP.set(0)
            await asyncio.sleep(INTERVAL_S)

    async def look(self) -> None:
        """Set the gauges. Raises StoreUnavailable."""
        found = await self._store.queues(await known_queues(self._store))
        names = {queue.name for queue in found.queues}
        for gone in self._told - names:
            for gauge in (
                metrics.QUEUE_WAITING,
                metrics.QUEUE_DELAYED,
                metrics.QUEUE_RUNNING,
                metrics.QUEUE_OLDEST,
                metrics.QUEUE_PAUSED,
            ):
                with contextlib.suppress(KeyError):
                    gauge.remove(gone)
        self._told = names
        for queue in found.queues:
            metrics.QUEUE_WAITING.labels(queue.name).set(queue.waiting)
            metrics.QUEUE_DELAYED.labels(queue.name).set(queue.delayed)
            metrics.QUEUE_RUNNING.labels(queue.name).set(queue.running)
            metrics.QUEUE_OLDEST.labels(queue.name).set(queue.wait_s or 0)
            metrics.QUEUE_PAUSED.labels(queue.name).set(queue.paused or found.all_paused)
        metrics.OUTBOX_WAITING.set(await self._store.outbox_length())
        metrics.WORKERS_ALIVE.set(len(await self._store.workers()))
        metrics.HISTORY_CHANGES.set(await self._store.history_length())

    async def _count(self) -> None:
        while True:
            try:
                with self._hub.subscribe(progress=False) as subscription:
                    while not subscription.overflowed:
                        for change in await subscription.take(60.0):
                            _count_end(change)
            except StoreUnavailable:
                await asyncio.sleep(RETRY_S)


def _count_end(change: Change) -> None:
    record = change.record
    if record is None or not record.state.terminal:
        return
    queue, state = record.queue, record.state.value
    metrics.JOBS_ENDED.labels(queue, state).inc()
    metrics.JOB_ATTEMPTS.labels(queue).observe(record.attempt)
    if record.started_ms:
        metrics.JOB_WAIT.labels(queue).observe(_seconds(record.created_ms, record.started_ms))
        metrics.JOB_SECONDS.labels(queue, state).observe(
            _seconds(record.started_ms, record.ended_ms)
        )


def _seconds(start_ms: int, end_ms: int) -> float:
    return max(0, end_ms - start_ms) / 1000
