"""Puts right what time makes wrong: expired leases, delays that are over, old records."""

from __future__ import annotations

import asyncio

from musicgen.errors import StoreUnavailable
from musicgen.rpc import log
from services.jobs.store import JobStore

INTERVAL_S = 1.0
TRIM_INTERVAL_S = 30.0


class Reconciler:
    """One of these runs in every jobs process; any number may run at once."""

    def __init__(
        self, store: JobStore, *, lost_worker: bytes, history_s: float, records_s: float
    ) -> None:
        """`lost_worker` is the error of an attempt whose lease ran out."""
        self._store = store
        self._lost_worker = lost_worker
        self._history_s = history_s
        self._records_s = records_s

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._reconcile())
            tasks.create_task(self._trim())

    async def _reconcile(self) -> None:
        """Look when the next lease or delay ends, and every INTERVAL_S: there may be new ones."""
        looked_ms = 0
        while True:
            wait_s = INTERVAL_S
            try:
                touched, due_s, looked_ms = await self._store.reconcile(
                    self._lost_worker, looked_ms
                )
                if touched:
                    log.get().info("reconciled", jobs=touched)
                if due_s is not None:
                    wait_s = min(wait_s, due_s)
            except StoreUnavailable as error:
                log.get().warning("not reconciled", why=error.message)
            await asyncio.sleep(wait_s)

    async def _trim(self) -> None:
        while True:
            removed = 0
            try:
                if removed := await self._store.trim(self._history_s, self._records_s):
                    log.get().info("trimmed", jobs=removed)
            except StoreUnavailable as error:
                log.get().warning("not trimmed", why=error.message)
            await asyncio.sleep(0 if removed else TRIM_INTERVAL_S)  # there may be more
