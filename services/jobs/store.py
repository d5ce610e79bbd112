"""The job store: all truth about jobs, in a Redis-protocol server. Knows no gRPC.

Every change is one Lua script (see lua/_lib.lua for the keys), so it happens wholly or
not at all. Whatever the server answers when it can't serve becomes StoreUnavailable.
"""

from __future__ import annotations

import asyncio
import functools
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import redis.asyncio
import redis.exceptions

from musicgen.errors import (
    JobAlreadyTerminal,
    JobNotFound,
    JobNotTerminal,
    QueueFull,
    RequestIdReused,
    StoreUnavailable,
    WatchCursorCompacted,
)
from musicgen.rpc import log
from services.jobs.records import Change, Claim, Hold, JobRecord, State

PREFIX = "{musicgen}:"
REQUEST_TTL_MS = 24 * 3600 * 1000
ENGINES_KEPT_MS = 24 * 3600 * 1000
"""How long the engines of a worker that is away are remembered: their jobs may wait."""
PAGE = 200
HISTORY_MOST = 200_000
"""Changes that are kept at the most (about 60 MB), however young they are."""
MAX_PREVIEWS_BYTES = 32 * 1024
"""Previews that a job keeps at the most: every change of it is told with all of them, and
the 64 that an engine may send take about 10 KB."""
CONNECTIONS = 100
ANSWER_TIMEOUT_S = 5.0
"""A server that is silent for so long is away, and the connection to it dead."""
WAIT_LIMIT_S = 2.0
"""No wait for work or for changes takes longer, whatever is asked for."""
_SCRIPTS = Path(__file__).parent / "lua"
_LIBRARY = (_SCRIPTS / "_lib.lua").read_text()

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def _guarded(
    method: Callable[Arguments, Coroutine[Any, Any, Result]],
) -> Callable[Arguments, Coroutine[Any, Any, Result]]:
    @functools.wraps(method)
    async def call(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                return await method(*args, **kwargs)
        except TimeoutError as error:
            raise StoreUnavailable(
                "The job store does not answer in time.", retry_after_s=1.0
            ) from error
        except (redis.exceptions.RedisError, OSError) as error:
            # What redis-py says names sockets and hosts: for the log, not for clients.
            log.get().warning("store unavailable", why=str(error))
            raise StoreUnavailable(
                "The job store does not answer or takes no writes.", retry_after_s=1.0
            ) from error

    return call


class JobStore:
    """The jobs of one studio."""

    def __init__(self, client: redis.asyncio.Redis) -> None:
        self._redis: Any = client  # redis-py's types mix sync and async answers
        self._scripts = {
            path.stem: client.register_script(_LIBRARY + path.read_text())
            for path in _SCRIPTS.glob("[!_]*.lua")
        }

    @classmethod
    def connect(cls, url: str) -> JobStore:
        """Use the server at `url` ("redis://host:port" or "unix:///path.sock")."""
        # Callers beyond the pool's size wait for a connection; they are not refused. No
        # socket_timeout: redis-py enforces it with wait_for, which may lose a cancellation.
        pool = redis.asyncio.BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS,
            timeout=None,
            socket_timeout=None,
        )
        return cls(redis.asyncio.Redis.from_pool(pool))

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    async def _run(self, script: str, *args: str | bytes | float) -> Any:
        return await self._scripts[script](keys=[PREFIX], args=args)

    # ---- clients ------------------------------------------------------------------

    @_guarded
    async def create(
        self,
        *,
        id: str,
        queue: str,
        spec: bytes,
        max_attempts: int,
        queue_limit: int,
        request_id: str = "",
        digest: str = "",
        retry_of: str = "",
    ) -> JobRecord:
        """Accept a job, or find the one that `request_id` already made.

        Raises RequestIdReused if that one had another `digest`, QueueFull at the limit.
        """
        verdict, made = await self._run(
            "create", id, queue, spec, max_attempts, request_id, digest, REQUEST_TTL_MS,
            queue_limit, retry_of,
        )  # fmt: skip
        if verdict == b"REQUEST_ID_REUSED":
            raise _reused(request_id)
        if verdict == b"QUEUE_FULL":
            raise QueueFull(
                f"{queue_limit} jobs are waiting already.",
                metadata={"queue": queue, "limit": str(queue_limit)},
                retry_after_s=10.0,
            )
        return await self.get(made.decode())

    @_guarded
    async def accepted(self, request_id: str, digest: str) -> JobRecord | None:
        """Return the job that `request_id` made, if it made one.

        Raises RequestIdReused if that one had another `digest`.
        """
        known = await self._redis.hmget(f"{PREFIX}req:{request_id}", "digest", "job")
        for record in await self._records([known[1].decode()] if known[1] else []):
            if known[0].decode() != digest:
                raise _reused(request_id)
            return record
        return None

    @_guarded
    async def get(self, id: str) -> JobRecord:
        """Return one job. Raises JobNotFound."""
        for record in await self._records([id]):
            return record
        raise JobNotFound(f"There is no job {id}.", metadata={"job_id": id})

    async def _records(self, ids: Sequence[str]) -> list[JobRecord]:
        pipe = self._redis.pipeline(transaction=False)
        for id in ids:
            pipe.hgetall(f"{PREFIX}job:{id}")
        found = zip(ids, await pipe.execute(), strict=True)
        return [JobRecord.parse(id, fields) for id, fields in found if fields]

    @_guarded
    async def get_many(self, ids: Sequence[str]) -> list[JobRecord]:
        """Return those of the jobs that there are."""
        return await self._records(ids)

    @_guarded
    async def page(self, before_seq: int | None = None, limit: int = PAGE) -> list[JobRecord]:
        """Return up to `limit` jobs, newest first, older than `before_seq`."""
        top = "+inf" if before_seq is None else f"({before_seq}"
        ids = await self._redis.zrevrangebyscore(f"{PREFIX}idx", top, "-inf", 0, limit)
        return await self._records([id.decode() for id in ids])

    @_guarded
    async def cancel(self, id: str) -> JobRecord:
        """Ask for a job to stop. Raises JobNotFound, JobAlreadyTerminal."""
        verdict = await self._run("cancel", id)
        record = await self.get(id)
        if verdict == b"TERMINAL":
            raise JobAlreadyTerminal(
                f"Job {id} has ended already ({record.state.value}).",
                metadata={"state": record.state.value},
            )
        return record

    @_guarded
    async def delete(self, id: str) -> None:
        """Delete an ended job's record. Raises JobNotFound, JobNotTerminal."""
        verdict = await self._run("delete", id)
        if verdict == b"NOT_FOUND":
            raise JobNotFound(f"There is no job {id}.", metadata={"job_id": id})
        if verdict == b"NOT_TERMINAL":
            record = await self.get(id)
            raise JobNotTerminal(
                f"Job {id} has not ended yet ({record.state.value}).",
                metadata={"state": record.state.value},
            )

    # ---- workers ------------------------------------------------------------------

    @_guarded
    async def claim(self, owner: str, queues: Sequence[str], lease_s: float) -> Claim | None:
        """Take the oldest job of these queues, if there is one."""
        taken = await self._run("claim", owner, int(lease_s * 1000), *queues)
        if not taken:
            return None
        id, fence, attempt, spec = taken
        return Claim(id.decode(), int(fence), int(attempt), spec)

    @_guarded
    async def wait_for_work(self, queues: Sequence[str], timeout_s: float) -> None:
        """Return when one of these queues ("outbox" is one too) may have got a job, or after
        `timeout_s`."""
        keys = [f"{PREFIX}wake:{queue}" for queue in queues]
        await self._redis.blpop(keys, min(timeout_s, WAIT_LIMIT_S))

    @_guarded
    async def beat(self, claim: Claim, lease_s: float, progress: bytes = b"") -> Hold:
        """Keep a claim alive, and tell how far it has come."""
        verdict = await self._run("beat", claim.job_id, claim.fence, int(lease_s * 1000), progress)
        return Hold(verdict.decode())

    @_guarded
    async def add_preview(self, claim: Claim, offset: int, preview: bytes) -> Hold:
        """Append a preview to the `offset` bytes of those before it, and tell of it.

        Once only, however often it is asked for; not at all if one before it is missing,
        or beyond MAX_PREVIEWS_BYTES.
        """
        verdict = await self._run(
            "preview", claim.job_id, claim.fence, offset, preview, MAX_PREVIEWS_BYTES
        )
        return Hold(verdict.decode())

    @_guarded
    async def commit(self, claim: Claim, outcome: bytes) -> Hold:
        """Freeze what was made. Only one claim of a job ever gets OK, however often it asks."""
        return Hold((await self._run("commit", claim.job_id, claim.fence, outcome)).decode())

    @_guarded
    async def fail(self, claim: Claim, error: bytes, *, retryable: bool, delay_s: float) -> Hold:
        """End an attempt that made nothing; the job is tried again if it may be."""
        verdict = await self._run(
            "fail", claim.job_id, claim.fence, error, int(retryable), int(delay_s * 1000)
        )
        return Hold(verdict.decode())

    @_guarded
    async def give_back(self, claim: Claim) -> None:
        """Give a claim back because its worker is going away; the attempt doesn't count."""
        await self._run("yield", claim.job_id, claim.fence)

    @_guarded
    async def release(self, owner: str, error: bytes) -> int:
        """Free every claim of a dead worker at once. Returns how many there were."""
        return int(await self._run("release", owner, error))

    @_guarded
    async def announce(self, owner: str, engines: Mapping[str, bytes] | None, ttl_s: float) -> None:
        """Say that a worker lives, and which engines (name → manifest) it can run; None if
        it can't tell now: then those it named before."""
        pairs = [part for pair in (engines or {}).items() for part in pair]
        known = int(engines is not None)
        await self._run("announce", owner, int(ttl_s * 1000), ENGINES_KEPT_MS, known, *pairs)

    # ---- keeping house ------------------------------------------------------------

    @_guarded
    async def reconcile(self, error: bytes, history_s: float, records_s: float) -> int:
        """Put right what time made wrong; returns how many jobs were touched."""
        return int(
            await self._run(
                "reconcile", error, int(history_s * 1000), int(records_s * 1000), HISTORY_MOST
            )
        )

    @_guarded
    async def outbox(self) -> list[JobRecord]:
        """Return jobs whose outcome waits to be published, the oldest first."""
        ids = await self._redis.zrange(f"{PREFIX}outbox", 0, PAGE)
        return await self._records([id.decode() for id in ids])

    @_guarded
    async def publish(self, id: str, *, result: bytes = b"", error: bytes = b"") -> None:
        """End a job of the outbox: with `result`, or with `error` if that is given."""
        await self._run("publish", id, result, error)

    @_guarded
    async def ping(self) -> None:
        """Raise StoreUnavailable unless the server takes writes."""
        await self._redis.set(f"{PREFIX}ping", "1", px=60_000)

    @_guarded
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

    @_guarded
    async def workers(self) -> list[str]:
        """Return the names of the workers that live."""
        return [owner.decode() for owner in await self._run("workers")]

    # ---- history ------------------------------------------------------------------

    @_guarded
    async def epoch(self) -> str:
        """Return what this store's history is called; another store has another name."""
        key = f"{PREFIX}epoch"
        await self._redis.set(key, secrets.token_hex(4), nx=True)
        return str((await self._redis.get(key)).decode())

    @_guarded
    async def tail(self) -> str:
        """Return the position of the newest change, "0-0" if there is none."""
        newest = await self._redis.xrevrange(f"{PREFIX}ev", count=1)
        return str(newest[0][0].decode()) if newest else "0-0"

    @_guarded
    async def check_position(self, position: str) -> None:
        """Raise WatchCursorCompacted if changes after `position` are not all kept, or if
        the position lies in a future that this store has not seen."""
        floor = (await self._redis.get(f"{PREFIX}floor") or b"0-0").decode()
        if not age(floor) <= age(position) <= age(await self.tail()):
            raise WatchCursorCompacted(
                "The history no longer holds what came after this cursor.",
                metadata={"oldest_position": floor},
            )

    @_guarded
    async def changes(self, after: str, upto: str = "+", count: int = 500) -> list[Change]:
        """Return up to `count` changes after one position, up to and with another."""
        entries = await self._redis.xrange(f"{PREFIX}ev", f"({after}", upto, count)
        return [Change.parse(position, fields) for position, fields in entries]

    @_guarded
    async def next_changes(self, after: str, wait_s: float, count: int = 500) -> list[Change]:
        """As `changes`, but wait up to `wait_s` for the first."""
        wait_ms = int(min(wait_s, WAIT_LIMIT_S) * 1000)
        answer = await self._redis.xread({f"{PREFIX}ev": after}, count, wait_ms)
        entries = answer[0][1] if answer else []
        return [Change.parse(position, fields) for position, fields in entries]


def _reused(request_id: str) -> RequestIdReused:
    return RequestIdReused(f"Request id {request_id} belongs to another request.")


def age(position: str) -> tuple[int, int]:
    """Return what positions are ordered by: the smaller, the older."""
    milliseconds, _, number = position.partition("-")
    return int(milliseconds), int(number or 0)


def just_before(position: str) -> str:
    """Return a position that lies before this one and after all earlier changes."""
    milliseconds, number = age(position)
    return f"{milliseconds}-{number - 1}" if number else f"{milliseconds - 1}-{10**19 - 1}"


def is_position(text: str) -> bool:
    """Whether `text` has the form of a position."""
    parts = text.split("-")
    return len(parts) == 2 and all(part.isdecimal() and len(part) < 20 for part in parts)


async def all_records(store: JobStore) -> AsyncIterator[list[JobRecord]]:
    """Yield all jobs, newest first, in pages."""
    before: int | None = None
    while page := await store.page(before):
        yield page
        before = page[-1].seq


def filter_states(records: Iterable[JobRecord], states: set[State]) -> list[JobRecord]:
    """Return the records in one of `states`; all of them if there are none."""
    return [record for record in records if not states or record.state in states]
