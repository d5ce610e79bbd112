"""Puts right what time makes wrong: expired leases, delays that are over, old records."""

from __future__ import annotations

import asyncio

from musicgen.errors import StoreUnavailable
from musicgen.rpc import log
from services.jobs.store import JobStore

INTERVAL_S = 1.0


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
        """Reconcile every INTERVAL_S until cancelled."""
        while True:
            try:
                touched = await self._store.reconcile(
                    self._lost_worker, self._history_s, self._records_s
                )
                if touched:
                    log.get().info("reconciled", jobs=touched)
            except StoreUnavailable as error:
                log.get().warning("not reconciled", why=error.message)
            await asyncio.sleep(INTERVAL_S)
