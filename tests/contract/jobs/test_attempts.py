"""What is remembered of attempts, and what is let go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from musicgen.api.jobs.v1 import (
    job_pb2,
)
from musicgen.errors import (
    StoreUnavailable,
)
from services.jobs.records import Hold, Priority, State
from services.jobs.store import JobStore, housekeeping
from tests.valkey import Valkey

pytestmark = pytest.mark.contract

DAY_S = 86_400.0
LOW, NORMAL, HIGH = Priority.LOW, Priority.NORMAL, Priority.HIGH
GENERATE = job_pb2.JobSpec.FromString(b"")
GENERATE.generate.engine = "tones"
GENERATE.generate.parameters.prompt = "rain"


@pytest.fixture
async def store(valkey: Valkey) -> AsyncIterator[JobStore]:
    """A store on an empty server."""
    store = JobStore.connect(valkey.url)
    yield store
    await store.close()


async def make(store: JobStore, id: str, priority: Priority = NORMAL, queue: str = "q") -> None:
    """Accept a job called `id`."""
    await store.create(
        id=id, queue=queue, spec=b"", max_attempts=3, queue_limit=100, priority=priority
    )


async def test_attempts_are_remembered(store: JobStore) -> None:
    """A job that fails again and again ends FAILED and tells who tried, and why it failed."""
    await make(store, "a")
    ends = [b"one\x00", None, b"lost"]
    for owner, error in zip(("w 1", "w2", "w3"), ends, strict=True):
        claim = await store.claim(owner, ["q"], 0.001 if error == b"lost" else 30)
        assert claim
        if error is None:
            await store.give_back(claim)
        elif error == b"lost":
            await asyncio.sleep(0.01)
            await store.reconcile(error)
        else:
            await store.fail(claim, error, retryable=True, delay_s=0)
    last = await store.claim("w4", ["q"], 30)
    assert last
    assert last.attempt == 3
    await store.fail(last, b"end", retryable=True, delay_s=0)
    job = await store.get("a")
    assert job.state is State.FAILED
    assert [(past.attempt, past.worker, past.error) for past in job.attempts] == [
        (1, "w 1", b"one\x00"), (2, "w2", b""), (2, "w3", b"lost"), (3, "w4", b"end"),
    ]  # fmt: skip
    assert all(past.started_ms <= past.ended_ms for past in job.attempts)


async def test_only_the_last_attempts_are_kept(store: JobStore) -> None:
    """A job that is given back for ever does not grow for ever."""
    await make(store, "a")
    for _ in range(25):
        claim = await store.claim("w", ["q"], 30)
        assert claim
        await store.give_back(claim)
    kept = (await store.get("a")).attempts
    assert [past.fence for past in kept] == list(range(6, 26))


async def test_a_checkpoint_outlives_its_attempt(store: JobStore) -> None:
    """The newest checkpoint goes to the next attempt; a worker that lost the job keeps none."""
    await make(store, "a")
    first = await store.claim("w", ["q"], 30)
    assert first
    assert first.checkpoint == b""
    for data in (b"1", b"2\x00"):
        assert await store.keep_checkpoint(first, data) is Hold.OK
    await store.fail(first, b"", retryable=True, delay_s=0)
    assert await store.keep_checkpoint(first, b"late") is Hold.LOST
    second = await store.claim("w", ["q"], 30)
    assert second
    assert second.checkpoint == b"2\x00"
    await store.cancel("a")
    assert await store.keep_checkpoint(second, b"3") is Hold.CANCEL


async def test_the_history_has_a_greatest_size(
    store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Changes with long specs are trimmed by what they take, and the newest stay."""
    monkeypatch.setattr(housekeeping, "HISTORY_MOST_BYTES", 1 << 20)
    for number in range(60):
        spec = bytes([number]) * (64 << 10)
        await store.create(id=f"j{number}", queue="q", spec=spec, max_attempts=3, queue_limit=99)
    for _ in range(20):
        await store.trim(DAY_S, DAY_S)
    left = await store.changes("0-0")
    assert 1 <= len(left) <= 20
    assert left[-1].job_id == "j59"


async def test_a_full_server_can_be_emptied_and_keeps_what_runs(store: JobStore) -> None:
    """At maxmemory records can be deleted and trimmed, a watch can begin, and a claim lives."""
    for each in "abc":
        await make(store, each)
    held = await store.claim("w", ["q"], 30)
    assert held
    for each in "bc":
        await store.cancel(each)
    epoch = await store.epoch()
    await store._redis.config_set("maxmemory", 1)
    try:
        with pytest.raises(StoreUnavailable):
            await make(store, "d")
        assert await store.epoch() == epoch
        assert await store.beat(held, 30, b"half") is Hold.OK
        await store.delete("b")
        await asyncio.sleep(0.01)
        assert await store.trim(DAY_S, 0.001) == 1
    finally:
        await store._redis.config_set("maxmemory", 0)
    assert await store.commit(held, b"made") is Hold.OK
