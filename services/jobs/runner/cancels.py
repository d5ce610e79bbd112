"""Hears of cancels as they happen: a tail of the history while jobs run here."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable

from musicgen.errors import StoreUnavailable
from services.jobs.records import JobRecord, State
from services.jobs.store import JobStore

READ_WAIT_S = 1.0
RETRY_S = 0.2


class Cancels:
    """Sets an event for each running job that somebody cancels."""

    def __init__(self, store: JobStore) -> None:
        self._store = store
        # By event: for a moment two slots may hold the same job, one of them lost it.
        self._jobs: dict[asyncio.Event, str] = {}
        self._busy = asyncio.Event()

    @contextlib.asynccontextmanager
    async def watch(self, job_id: str) -> AsyncIterator[asyncio.Event]:
        """Give an event that is set once `job_id` is cancelled, or has been already."""
        event = asyncio.Event()
        self._jobs[event] = job_id
        self._busy.set()
        try:
            # It may have been cancelled since it was claimed, where the reading is already.
            with contextlib.suppress(StoreUnavailable):
                self._heed(await self._store.get_many([job_id]))
            yield event
        finally:
            del self._jobs[event]
            if not self._jobs:
                self._busy.clear()

    async def run(self) -> None:
        """Read until cancelled; an idle runner reads nothing."""
        while True:
            await self._busy.wait()
            try:
                position = await self._store.tail()
                # What was cancelled while nothing was read.
                self._heed(await self._store.get_many(list(self._jobs.values())))
                while self._jobs:
                    changes = await self._store.next_changes(position, READ_WAIT_S)
                    self._heed(change.record for change in changes if change.record)
                    position = changes[-1].position if changes else position
            except StoreUnavailable:
                await asyncio.sleep(RETRY_S)

    def _heed(self, records: Iterable[JobRecord]) -> None:
        cancelled = {record.id for record in records if record.state is State.CANCELLING}
        for event, job_id in self._jobs.items():
            if job_id in cancelled:
                event.set()
