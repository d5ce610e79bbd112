"""What workers say: that they live, what they take, how far they are, what they made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from services.jobs.records import Claim, Hold
from services.jobs.store.connection import PREFIX, WAIT_LIMIT_S, Connection, guarded

ENGINES_KEPT_MS = 24 * 3600 * 1000
"""How long the engines of a worker that is away are remembered: their jobs may wait."""
MAX_PREVIEWS_BYTES = 32 * 1024
"""Previews that a job keeps at the most: every change of it is told with all of them, and
the 64 that an engine may send take about 10 KB."""


class Claims(Connection):
    """Only the claim with the newest fence of a job may say anything about it."""

    @guarded
    async def claim(self, owner: str, queues: Sequence[str], lease_s: float) -> Claim | None:
        """Take the job of these queues that starts first, if one can."""
        taken = await self._run("claim", owner, int(lease_s * 1000), *queues)
        if not taken:
            return None
        id, fence, attempt, spec, checkpoint, trace = taken
        return Claim(id.decode(), int(fence), int(attempt), spec, checkpoint, trace.decode())

    @guarded
    async def waiting(self, queues: Sequence[str]) -> bool:
        """Return whether one of these queues has a job that could start."""
        pipe = self._redis.pipeline(transaction=False)
        for queue in queues:
            pipe.zcard(f"{PREFIX}q:{queue}")
        return any(await pipe.execute())

    @guarded
    async def wait_for_work(self, queues: Sequence[str], timeout_s: float) -> None:
        """Return when one of these queues ("outbox" is one too) may have got a job, or after
        `timeout_s`."""
        keys = [f"{PREFIX}wake:{queue}" for queue in queues]
        await self._redis.blpop(keys, min(timeout_s, WAIT_LIMIT_S))

    @guarded
    async def beat(self, claim: Claim, lease_s: float, progress: bytes = b"") -> Hold:
        """Keep a claim alive, and tell how far it has come."""
        verdict = await self._run("beat", claim.job_id, claim.fence, int(lease_s * 1000), progress)
        return Hold(verdict.decode())

    @guarded
    async def add_preview(self, claim: Claim, offset: int, preview: bytes) -> Hold:
        """Append a preview to the `offset` bytes of those before it, and tell of it.

        Once only, however often it is asked for; not at all if one before it is missing,
        or beyond MAX_PREVIEWS_BYTES.
        """
        verdict = await self._run(
            "preview", claim.job_id, claim.fence, offset, preview, MAX_PREVIEWS_BYTES
        )
        return Hold(verdict.decode())

    @guarded
    async def keep_checkpoint(self, claim: Claim, checkpoint: bytes) -> Hold:
        """Keep what another attempt can go on from, instead of what was kept before."""
        verdict = await self._run("checkpoint", claim.job_id, claim.fence, checkpoint)
        return Hold(verdict.decode())

    @guarded
    async def commit(self, claim: Claim, outcome: bytes) -> Hold:
        """Freeze what was made. Only one claim of a job ever gets OK, however often it asks."""
        return Hold((await self._run("commit", claim.job_id, claim.fence, outcome)).decode())

    @guarded
    async def fail(self, claim: Claim, error: bytes, *, retryable: bool, delay_s: float) -> Hold:
        """End an attempt that made nothing; the job is tried again if it may be."""
        verdict = await self._run(
            "fail", claim.job_id, claim.fence, error, int(retryable), int(delay_s * 1000)
        )
        return Hold(verdict.decode())

    @guarded
    async def give_back(self, claim: Claim) -> None:
        """Give a claim back because its worker is going away; the attempt doesn't count."""
        await self._run("yield", claim.job_id, claim.fence)

    @guarded
    async def release(self, owner: str, error: bytes) -> int:
        """Free every claim of a dead worker at once. Returns how many there were."""
        return int(await self._run("release", owner, error))

    @guarded
    async def announce(self, owner: str, engines: Mapping[str, bytes] | None, ttl_s: float) -> None:
        """Say that a worker lives, and which engines (name → manifest) it can run; None if
        it can't tell now: then those it named before."""
        pairs = [part for pair in (engines or {}).items() for part in pair]
        known = int(engines is not None)
        await self._run("announce", owner, int(ttl_s * 1000), ENGINES_KEPT_MS, known, *pairs)

    @guarded
    async def engines(self) -> dict[str, bytes]:
        """Return the manifest of every engine that a worker can run, be it away now."""
        pipe = self._redis.pipeline(transaction=False)
        for owner in await self._redis.zrange(f"{PREFIX}workers", 0, -1):
            pipe.hgetall(f"{PREFIX}engines:{owner.decode()}")
        return {
            name.decode(): manifest
            for found in await pipe.execute()
            for name, manifest in found.items()
        }

    @guarded
    async def workers(self) -> list[str]:
        """Return the names of the workers that live."""
        return [owner.decode() for owner in await self._run("workers")]
