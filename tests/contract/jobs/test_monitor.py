"""What monitoring tools are told of queues and jobs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from prometheus_client import REGISTRY

from services.jobs import monitor
from services.jobs.hub import WatchHub
from services.jobs.monitor import Monitor
from services.jobs.store import JobStore
from tests.valkey import Valkey

pytestmark = pytest.mark.contract

QUEUE = "generate.monitored"


@pytest.fixture
async def store(valkey: Valkey) -> AsyncIterator[JobStore]:
    """A store on an empty server."""
    store = JobStore.connect(valkey.url)
    yield store
    await store.close()


def told(name: str, **labels: str) -> float | None:
    """Return a metric's value now."""
    return REGISTRY.get_sample_value(f"musicgen_{name}", labels)


async def make(store: JobStore, id: str) -> None:
    """Accept a job."""
    await store.create(id=id, queue=QUEUE, spec=b"", max_attempts=2, queue_limit=9)


async def test_queues_are_gauged(store: JobStore) -> None:
    """The gauges say what waits, is delayed and runs; a queue that is gone is not told of."""
    watching = Monitor(store, WatchHub(store))
    for id in "abc":
        await make(store, id)
    claim = await store.claim("w", [QUEUE], 30)
    assert claim
    await store.fail(claim, b"", retryable=True, delay_s=30)
    await store.claim("w", [QUEUE], 30)
    await store.announce("w", None, ttl_s=10)
    await store.pause(QUEUE, paused=True)
    await watching.look()
    assert [told(f"queue_{name}", queue=QUEUE) for name in ("waiting", "delayed", "running")] == [
        1, 1, 1,
    ]  # fmt: skip
    assert told("queue_paused", queue=QUEUE) == 1
    assert told("workers_alive") == 1
    assert told("history_changes") == len(await store.changes("0-0"))
    await store.pause(QUEUE, paused=False)
    for id in "ac":
        await store.cancel(id)
    await watching.look()
    assert told("queue_waiting", queue=QUEUE) == 0
    await store.cancel("b")
    await store.release("w", b"")
    await watching.look()
    assert told("queue_waiting", queue=QUEUE) is None


async def test_ends_are_counted(store: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each end is counted once, with its state, attempts and times."""
    monkeypatch.setattr(monitor, "RETRY_S", 0.01)
    hub = WatchHub(store)
    tasks = [asyncio.create_task(part.run()) for part in (hub, Monitor(store, hub))]
    try:
        async with asyncio.timeout(10):
            while told("store_up") != 1 or not hub.position:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.1)  # until it listens
            await make(store, "a")
            await make(store, "b")
            claim = await store.claim("w", [QUEUE], 30)
            assert claim
            await store.commit(claim, b"made")
            await store.publish("a", result=b"r")
            await store.cancel("b")
            while told("jobs_ended_total", queue=QUEUE, state="CANCELLED") != 1:
                await asyncio.sleep(0.01)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert told("jobs_ended_total", queue=QUEUE, state="SUCCEEDED") == 1
    assert told("job_attempts_sum", queue=QUEUE) == 1
    assert told("job_wait_seconds_count", queue=QUEUE) == 1
