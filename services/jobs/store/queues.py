"""The queues as people and monitors see them."""

from __future__ import annotations

from collections.abc import Iterable

from services.jobs.records import QueueRecord, Queues
from services.jobs.store.connection import PREFIX, Connection, guarded

ALL_QUEUES = "all"


class QueueControl(Connection):
    """Counts what waits, pauses and resumes."""

    @guarded
    async def queues(self, known: Iterable[str] = ()) -> Queues:
        """Return the queues that have jobs or are paused, and those of these names."""
        all_paused, *found = await self._run("queues", *known)
        queues = (
            QueueRecord(
                name.decode(),
                bool(paused),
                waiting,
                delayed,
                running,
                None if wait_ms < 0 else wait_ms / 1000,
            )
            for name, paused, waiting, delayed, running, wait_ms in found
        )
        return Queues(tuple(sorted(queues, key=lambda queue: queue.name)), bool(all_paused))

    @guarded
    async def pause(self, queue: str, *, paused: bool) -> None:
        """Let a queue's jobs wait, or start again; ALL_QUEUES is for every one."""
        await self._run("pause", queue, int(paused))

    @guarded
    async def paused_queues(self) -> list[str]:
        """Return the names of the queues that are paused, ALL_QUEUES among them if all are."""
        return sorted(name.decode() for name in await self._redis.smembers(f"{PREFIX}paused"))
