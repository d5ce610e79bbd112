"""Batches in the store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from musicgen.api.jobs.v1 import (
    job_pb2,
)
from musicgen.errors import (
    BatchNotFound,
    QueueFull,
    RequestIdReused,
)
from services.jobs.records import Priority, State
from services.jobs.store import JobStore, NewJob
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


async def line(store: JobStore, *queues: str) -> str:
    """Claim everything that can start; return the ids in the order in which they came."""
    taken = ""
    while claim := await store.claim("w", queues or ["q"], 30):
        taken += claim.job_id
    return taken


def new(id: str, queue: str = "q", priority: Priority = NORMAL) -> NewJob:
    """Return a job of a batch."""
    return NewJob(id, queue, b"", priority)


async def test_a_batch_is_accepted_whole_or_not_at_all(store: JobStore) -> None:
    """A batch that one queue has no room for makes no job; a repeated request makes no second."""
    made = await store.create_batch(
        [new("a"), new("b"), new("c", "r")], id="x", max_attempts=3, queue_limit=2,
        request_id="id", digest="d",
    )  # fmt: skip
    assert (made.size, made.counts) == (3, {State.QUEUED: 3})
    again = await store.create_batch(
        [new("d")], id="y", max_attempts=3, queue_limit=2, request_id="id", digest="d"
    )
    assert again.id == "x"
    with pytest.raises(RequestIdReused):
        await store.create_batch(
            [new("d")], id="y", max_attempts=3, queue_limit=2, request_id="id", digest="e"
        )
    with pytest.raises(RequestIdReused):
        await store.create(
            id="d", queue="q", spec=b"", max_attempts=3, queue_limit=9, request_id="id", digest="e"
        )
    with pytest.raises(QueueFull):
        await store.create_batch([new("d", "r"), new("e")], id="z", max_attempts=3, queue_limit=2)
    assert await store.batch_job_ids("x") == ["a", "b", "c"]
    assert len(await store.page()) == 3
    assert await line(store, "q", "r") == "abc"


async def test_a_batch_counts_its_jobs_through_their_lives(store: JobStore) -> None:
    """The counts are right after each change, and the batch ends with the last of its jobs."""
    await store.create_batch([new(each) for each in "abcd"], id="x", max_attempts=1, queue_limit=9)
    first, second = [await store.claim("w", ["q"], 30) for _ in range(2)]
    assert first
    assert second
    await store.commit(first, b"made")
    await store.publish("a", result=b"r")
    await store.fail(second, b"e", retryable=True, delay_s=0)
    assert (await store.batch("x")).counts == {
        State.QUEUED: 2, State.SUCCEEDED: 1, State.FAILED: 1,
    }  # fmt: skip
    third = await store.claim("w", ["q"], 30)
    assert third
    cancelled = await store.cancel_batch("x")
    assert cancelled.counts[State.CANCELLING] == cancelled.counts[State.CANCELLED] == 1
    assert not cancelled.ended_ms
    await store.fail(third, b"", retryable=False, delay_s=0)
    ended = await store.cancel_batch("x")
    assert ended.counts == {State.SUCCEEDED: 1, State.FAILED: 1, State.CANCELLED: 2}
    assert ended.ended_ms
    await store.delete("a")
    assert (await store.batch("x")).counts == ended.counts
    await asyncio.sleep(0.01)
    await store.trim(DAY_S, 0.001)
    with pytest.raises(BatchNotFound):
        await store.batch("x")
    assert await store.batch_page() == []


async def test_changes_name_their_batch(store: JobStore) -> None:
    """Every kind of change says to which batch its job belongs."""
    await store.create_batch([new("a")], id="x", max_attempts=1, queue_limit=9)
    claim = await store.claim("w", ["q"], 30)
    assert claim
    await store.beat(claim, 30, b"p")
    await store.fail(claim, b"", retryable=False, delay_s=0)
    await store.delete("a")
    assert [change.batch for change in await store.changes("0-0")] == ["x"] * 5
