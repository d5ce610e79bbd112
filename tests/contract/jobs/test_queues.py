"""The order of a queue, moves in it and pauses, in the store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from musicgen.api.jobs.v1 import (
    job_pb2,
)
from musicgen.errors import (
    InvalidField,
    JobNotFound,
    JobNotWaiting,
)
from services.jobs.records import Hold, Priority
from services.jobs.store import JobStore
from services.jobs.store.connection import PREFIX
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


async def make(
    store: JobStore, id: str, priority: Priority = NORMAL, queue: str = "q", limit: int = 100
) -> None:
    """Accept a job called `id`."""
    await store.create(
        id=id, queue=queue, spec=b"", max_attempts=3, queue_limit=limit, priority=priority
    )


async def line(store: JobStore, *queues: str) -> str:
    """Claim everything that can start; return the ids in the order in which they came."""
    taken = ""
    while claim := await store.claim("w", queues or ["q"], 30):
        taken += claim.job_id
    return taken


async def test_urgent_jobs_start_first_and_each_class_in_order(store: JobStore) -> None:
    """High before normal before low, over all queues of a worker; first in, first out within."""
    for id, priority, queue in (
        ("a", LOW, "q"), ("b", NORMAL, "r"), ("c", HIGH, "q"), ("d", NORMAL, "q"),
        ("e", HIGH, "r"), ("f", LOW, "r"),
    ):  # fmt: skip
        await make(store, id, priority, queue)
    assert await line(store, "q", "r") == "cebdaf"


@pytest.mark.parametrize(
    ("id", "place", "other", "order"),
    [
        ("d", "first", "", "dabc"),
        ("a", "last", "", "bcda"),
        ("d", "before", "b", "adbc"),
        ("a", "after", "c", "bcad"),
        ("a", "before", "d", "bcad"),
        ("b", "after", "a", "abcd"),
        ("c", "before", "d", "abcd"),
        ("a", "after", "d", "bcda"),
        ("d", "before", "a", "dabc"),
    ],
)
async def test_a_job_is_moved(store: JobStore, id: str, place: str, other: str, order: str) -> None:
    """A job goes where it is told to; the others keep their order and their ranks."""
    for each in "abcd":
        await make(store, each)
    before = {each: (await store.get(each)).rank for each in "abcd" if each != id}
    await store.move(id, None, place, other)  # type: ignore[arg-type]  # a test's shorthand
    assert {each: (await store.get(each)).rank for each in before} == before
    assert await line(store) == order


async def test_moving_into_the_same_gap_never_runs_out_of_room(store: JobStore) -> None:
    """After a hundred moves to the same place the order is still the one asked for, and ranks
    say so."""
    for each in "abcd":
        await make(store, each)
    expected = list("abcd")
    for step in range(100):
        id = expected[-1] if step % 2 else expected[2]
        await store.move(id, None, "after", "a")
        expected.remove(id)
        expected.insert(1, id)
        ranks = {each: (await store.get(each)).rank for each in "abcd"}
        assert sorted(ranks, key=lambda each: ranks[each]) == expected
    assert await line(store) == "".join(expected)


async def test_a_job_becomes_more_urgent(store: JobStore) -> None:
    """Another priority puts a job at the end of that class, or where it is told to go."""
    for each in "ab":
        await make(store, each, HIGH)
    for each in "cd":
        await make(store, each)
    assert (await store.move("d", HIGH, None)).priority is HIGH
    await store.move("c", HIGH, "before", "b")
    assert await line(store) == "acbd"


async def test_what_can_not_be_moved(store: JobStore) -> None:
    """Only a job that waits is moved, and only beside one of its queue and priority."""
    await make(store, "a")
    await make(store, "b", HIGH)
    await make(store, "c", queue="r")
    for other in ("a", "b", "c", "nobody"):
        with pytest.raises(InvalidField):
            await store.move("a", None, "before", other)
    with pytest.raises(JobNotFound):
        await store.move("nobody", None, "first")
    await store.claim("w", ["q"], 30)
    with pytest.raises(JobNotWaiting):
        await store.move("b", None, "first")
    assert (await store.get("a")).rev == 1, "a refused move changes nothing"


async def test_a_job_that_waits_for_its_delay_keeps_the_place_it_is_given(store: JobStore) -> None:
    """A job between two attempts can be moved, and comes back at that place."""
    for each in "abc":
        await make(store, each)
    claim = await store.claim("w", ["q"], 30)
    assert claim
    await store.fail(claim, b"", retryable=True, delay_s=0.05)
    await store.move("a", None, "after", "b")
    await store.move("c", None, "before", "a")
    assert await line(store) == "bc"
    await asyncio.sleep(0.06)
    await store.reconcile(b"")
    assert await line(store) == "a"


async def test_a_paused_queue_waits_and_tells(store: JobStore) -> None:
    """No job of a paused queue starts; what runs goes on; the history tells of it once."""
    await make(store, "a")
    held = await store.claim("w", ["q"], 30)
    assert held
    await make(store, "b")
    await make(store, "c", queue="r")
    for _ in range(2):
        await store.pause("q", paused=True)
    assert await line(store, "q", "r") == "c"
    assert await store.commit(held, b"made") is Hold.OK
    assert await store.paused_queues() == ["q"]
    await store.pause("all", paused=True)
    await store.pause("q", paused=False)
    assert await line(store) == "", "all are paused"
    await store.pause("all", paused=False)
    assert await line(store) == "b"
    told = [change.queue for change in await store.changes("0-0") if change.queue]
    assert [(change.name, change.paused) for change in told] == [
        ("q", True), ("all", True), ("q", False), ("all", False),
    ]  # fmt: skip


async def test_resuming_wakes_workers(store: JobStore) -> None:
    """A worker that waits starts at once when its queue, or all of them, goes on."""
    await make(store, "a")
    await store.pause("all", paused=True)
    await store.wait_for_work(["q"], 1)  # the token of the job itself
    for queue in ("q", "all"):
        waiting = asyncio.create_task(store.wait_for_work(["q"], 2))
        await asyncio.sleep(0.05)
        await store.pause(queue, paused=False)
        await asyncio.wait_for(waiting, 1)


async def test_queues_are_counted(store: JobStore) -> None:
    """Waiting, delayed and running are told apart, whatever becomes of the jobs."""
    for each in "abcd":
        await make(store, each)
    first, second = [await store.claim("w", ["q"], 30) for _ in range(2)]
    assert first
    assert second
    await store.fail(first, b"", retryable=True, delay_s=30)
    found = (await store.queues(["empty"])).queues
    assert [(queue.name, queue.waiting, queue.delayed, queue.running) for queue in found] == [
        ("empty", 0, 0, 0), ("q", 2, 1, 1),
    ]  # fmt: skip
    assert found[0].wait_s is None
    assert found[1].wait_s is not None
    await store.commit(second, b"made")
    for each in "acd":
        await store.cancel(each)
    assert (await store.queues()).queues == ()


async def test_after_the_last_is_before_what_comes_next(store: JobStore) -> None:
    """A job that is moved to the end by another's name stays before those accepted later."""
    for each in "abc":
        await make(store, each)
    await store.move("a", None, "after", "c")
    await make(store, "d")
    assert await line(store) == "bcad"


async def test_hundreds_of_moves_to_one_place_keep_the_line(store: JobStore) -> None:
    """Where more neighbours than are read at once have to move on, none jumps over others."""
    ids = [f"j{number:03}" for number in range(300)]
    for id in ids:
        await make(store, id, limit=1000)
    expected = list(ids)
    for id in reversed(ids[60:]):
        await store.move(id, None, "after", ids[0])
        expected.remove(id)
        expected.insert(1, id)
    assert await line(store) == "".join(expected)


async def test_first_is_before_those_that_wait_for_a_delay(store: JobStore) -> None:
    """A job that comes back from its delay does not overtake the one that was put first."""
    for each in "abc":
        await make(store, each)
    claim = await store.claim("w", ["q"], 30)
    assert claim
    await store.fail(claim, b"", retryable=True, delay_s=0.02)
    await store.move("c", None, "first")
    await asyncio.sleep(0.03)
    await store.reconcile(b"")
    assert await line(store) == "cab"


async def test_jobs_of_a_studio_without_ranks_still_run(store: JobStore) -> None:
    """A record from before priorities, ranks and attempts were kept is lined up as ever."""
    await make(store, "a")
    claim = await store.claim("w", ["q"], 30)
    assert claim
    await store._redis.hdel(f"{PREFIX}job:a", "priority", "rank", "claimed_ms")
    await store.fail(claim, b"e", retryable=True, delay_s=0)
    record = await store.get("a")
    assert (record.priority, len(record.attempts)) == (NORMAL, 1)
    assert await line(store) == "a"
