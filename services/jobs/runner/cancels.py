"""Hears of cancels as they happen: a tail of the history while jobs run here."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

from musicgen.errors import StoreUnavailable
from services.jobs.records import State
from services.jobs.store import JobStore

READ_WAIT_S = 1.0
RETRY_S = 0.2


class Cancels:
    """Sets an event for each running job that somebody cancels."""

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self._events: dict[str, asyncio.Event] = {}
        self._busy = asyncio.Event()

    @contextlib.contextmanager
    def watch(self, job_id: str) -> Iterator[asyncio.Event]:
        """Give an event that is set once `job_id` is cancelled."""
        event = self._events[job_id] = asyncio.Event()
        self._busy.set()
        try:
            yield event
        finally:
            del self._events[job_id]
            if not self._events:
                self._busy.clear()

    async def run(self) -> None:
        """Read until cancelled; an idle runner reads nothing.

        A cancel that slips by (the store was away) is told by the next beat.
        """
        while True:
            await self._busy.wait()
            try:
                position = await self._store.tail()
                while self._events:
                    for change in await self._store.next_changes(position, READ_WAIT_S):
                        position = change.position
                        event = self._events.get(change.job_id)
                        if event and change.record and change.record.state is State.CANCELLING:
                            event.set()
            except StoreUnavailable:
                await asyncio.sleep(RETRY_S)
