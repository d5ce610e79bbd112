"""What keeps the store in order: time, and outcomes on their way to the library."""

from __future__ import annotations

from services.jobs.records import JobRecord
from services.jobs.store.connection import PREFIX, Connection, guarded
from services.jobs.store.jobs import PAGE

GAP_S, GRACE_S = 4.0, 4.0
"""After a silence of everybody workers get so long to say that they live: a beat comes every
3 s, and soon after a sleep."""
HISTORY_MOST = 200_000
"""Changes that are kept at the most (about 60 MB), however young they are."""
HISTORY_MOST_BYTES = 256 << 20
"""And of those no more than this takes: one change may hold lyrics and a plan."""


class Housekeeping(Connection):
    """For the background tasks of the jobs service."""

    @guarded
    async def reconcile(
        self, error: bytes, looked_ms: int | None = None
    ) -> tuple[int, float | None, int]:
        """Free jobs whose lease is over and line up those whose delay is. Returns how many, in
        how many seconds the next is due (None: none is), and the time by the server's clock.

        `looked_ms` is what was returned as that the last time, 0 the first time: workers get
        GRACE_S to beat if that is more than GAP_S ago. None: nobody gets any.
        """
        gap_ms = int(GAP_S * 1000) if looked_ms is not None else 1 << 52
        touched, wait_ms, now_ms = await self._run(
            "reconcile", error, looked_ms or 0, gap_ms, int(GRACE_S * 1000)
        )
        return int(touched), None if wait_ms < 0 else wait_ms / 1000, int(now_ms)

    @guarded
    async def trim(self, history_s: float, records_s: float) -> int:
        """Let go changes, records and batches that are older than that; returns how many jobs
        went."""
        limits = int(history_s * 1000), int(records_s * 1000), HISTORY_MOST, HISTORY_MOST_BYTES
        return int(await self._run("trim", *limits))

    @guarded
    async def outbox(self) -> list[JobRecord]:
        """Return jobs whose outcome waits to be published, the oldest first."""
        ids = await self._redis.zrange(f"{PREFIX}outbox", 0, PAGE)
        return await self._records([id.decode() for id in ids])

    @guarded
    async def outbox_length(self) -> int:
        """Return how many outcomes wait to be published."""
        return int(await self._redis.zcard(f"{PREFIX}outbox"))

    @guarded
    async def publish(self, id: str, *, result: bytes = b"", error: bytes = b"") -> None:
        """End a job of the outbox: with `result`, or with `error` if that is given."""
        await self._run("publish", id, result, error)

    @guarded
    async def ping(self) -> None:
        """Raise StoreUnavailable unless the server takes writes. Writes nothing: a script that
        says that it may is refused where it could not."""
        await self._redis.eval("#!lua\nreturn 1", 0)
