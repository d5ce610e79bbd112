"""Priorities, places in the queue, pauses and batches, in the store and over a channel."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable

import grpc
import pytest
from google.protobuf import field_mask_pb2

from musicgen.api.jobs.v1 import (
    job_pb2,
    job_service_pb2,
    queue_service_pb2,
    queue_service_pb2_grpc,
)
from musicgen.errors import (
    BatchNotFound,
    InvalidField,
    JobNotFound,
    JobNotWaiting,
    QueueFull,
    QueueNotFound,
    RequestIdReused,
    StoreUnavailable,
    StudioError,
)
from musicgen.rpc.status import from_rpc_error
from services.jobs.records import Hold, Priority, State
from services.jobs.store import JobStore, NewJob, housekeeping
from tests.contract.jobs.conftest import Jobs
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


async def refused(call: Awaitable[object]) -> StudioError:
    """Return what a call is refused with."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return from_rpc_error(caught.value)


async def test_a_batch_over_the_channel(jobs: Jobs) -> None:
    """A batch is created once for its request id, listed, filtered by and cancelled."""
    request = job_service_pb2.BatchCreateJobsRequest(
        requests=[
            job_service_pb2.CreateJobRequest(spec=GENERATE, priority=job_pb2.Job.PRIORITY_LOW)
            for _ in range(3)
        ],
        request_id=str(uuid.uuid4()),
    )
    made, again = [await jobs.stub.BatchCreateJobs(request) for _ in range(2)]
    assert made.job_ids == again.job_ids
    batch_id = made.batch.batch_id
    await jobs.stub.CreateJob(job_service_pb2.CreateJobRequest(spec=GENERATE))
    listed = await jobs.stub.ListJobs(
        job_service_pb2.ListJobsRequest(
            filter=job_pb2.JobFilter(batch_ids=[batch_id]),
            read_mask=field_mask_pb2.FieldMask(paths=["job_id", "rank"]),
        )
    )
    assert [job.job_id for job in listed.jobs] == made.job_ids[::-1]
    assert all(job.rank and not job.HasField("spec") for job in listed.jobs)
    job = (await jobs.stub.GetJob(job_service_pb2.GetJobRequest(job_id=made.job_ids[0]))).job
    assert (job.batch_id, job.priority, job.queue) == (
        batch_id, job_pb2.Job.PRIORITY_LOW, "generate.tones",
    )  # fmt: skip
    ended = await jobs.stub.CancelJobBatch(job_service_pb2.CancelJobBatchRequest(batch_id=batch_id))
    assert (ended.batch.counts.cancelled, ended.batch.HasField("end_time")) == (3, True)


async def test_batches_are_listed_in_pages(jobs: Jobs) -> None:
    """Newest first, each once; a token of another list is refused."""
    one = [job_service_pb2.CreateJobRequest(spec=GENERATE)]
    made = [
        (
            await jobs.stub.BatchCreateJobs(job_service_pb2.BatchCreateJobsRequest(requests=one))
        ).batch.batch_id
        for _ in range(5)
    ]
    found, token = [], ""
    while True:
        page = await jobs.stub.ListJobBatches(
            job_service_pb2.ListJobBatchesRequest(page_size=2, page_token=token)
        )
        found += [batch.batch_id for batch in page.batches]
        if not (token := page.next_page_token):
            break
    assert found == made[::-1]
    jobs_page = await jobs.stub.ListJobs(job_service_pb2.ListJobsRequest(page_size=2))
    error = await refused(
        jobs.stub.ListJobBatches(
            job_service_pb2.ListJobBatchesRequest(page_token=jobs_page.next_page_token)
        )
    )
    assert isinstance(error, InvalidField)


async def test_faulty_batches_make_nothing(jobs: Jobs) -> None:
    """Every fault is named by the place of its request, and nothing is accepted."""
    good, bad = job_service_pb2.CreateJobRequest(spec=GENERATE), job_service_pb2.CreateJobRequest()
    bad.spec.generate.engine = "tones"
    twice = job_service_pb2.CreateJobRequest(spec=GENERATE, request_id=str(uuid.uuid4()))
    odd = job_service_pb2.CreateJobRequest(spec=GENERATE, priority=77)  # type: ignore[arg-type]  # no priority
    for requests, fields in (
        (
            [good, bad, twice],
            {"requests[1].spec.generate.parameters.prompt", "requests[2].request_id"},
        ),
        ([good, odd], {"requests[1].priority"}),
        ([], {"requests"}),
        ([good] * 501, {"requests"}),
    ):
        error = await refused(
            jobs.stub.BatchCreateJobs(job_service_pb2.BatchCreateJobsRequest(requests=requests))
        )
        assert isinstance(error, InvalidField)
        assert set(error.fields) == fields
    assert not (await jobs.stub.ListJobs(job_service_pb2.ListJobsRequest())).jobs


async def test_moving_over_the_channel(jobs: Jobs) -> None:
    """A job is moved by each of the places; what makes no sense is refused at its field."""
    made = [
        (await jobs.stub.CreateJob(job_service_pb2.CreateJobRequest(spec=GENERATE))).job
        for _ in range(3)
    ]
    ids = [job.job_id for job in made]
    move = job_service_pb2.MoveJobRequest
    moved = (await jobs.stub.MoveJob(move(job_id=ids[2], first=True))).job
    assert moved.rank < made[0].rank
    moved = (await jobs.stub.MoveJob(move(job_id=ids[2], after_job_id=ids[0]))).job
    assert made[0].rank < moved.rank < made[1].rank
    moved = (await jobs.stub.MoveJob(move(job_id=ids[2], priority=job_pb2.Job.PRIORITY_HIGH))).job
    assert moved.priority == job_pb2.Job.PRIORITY_HIGH
    for request, field in (
        (move(job_id=ids[0], before_job_id=ids[2]), "before_job_id"),
        (move(job_id=ids[0], first=False), "first"),
        (move(job_id=ids[0], priority=9), "priority"),  # type: ignore[arg-type]  # no priority
    ):
        error = await refused(jobs.stub.MoveJob(request))
        assert isinstance(error, InvalidField)
        assert set(error.fields) == {field}


async def test_queues_over_the_channel(jobs: Jobs) -> None:
    """Queues are listed, empty ones too, paused and resumed by name or all together."""
    queues = queue_service_pb2_grpc.QueueServiceStub(jobs.channel)
    await jobs.stub.CreateJob(job_service_pb2.CreateJobRequest(spec=GENERATE))
    listed = await queues.ListQueues(queue_service_pb2.ListQueuesRequest())
    by_name = {queue.queue: queue for queue in listed.queues}
    assert by_name["generate.tones"].waiting == 1
    assert by_name["generate.tones"].HasField("oldest_wait")
    assert by_name["loop"].waiting == 0
    paused = await queues.PauseQueue(queue_service_pb2.PauseQueueRequest(queue="all"))
    assert paused.all_paused
    assert all(queue.paused for queue in paused.queues)
    resumed = await queues.ResumeQueue(queue_service_pb2.ResumeQueueRequest(queue="all"))
    assert not any(queue.paused for queue in resumed.queues)
    one = await queues.PauseQueue(queue_service_pb2.PauseQueueRequest(queue="loop"))
    assert [queue.queue for queue in one.queues if queue.paused] == ["loop"]
    error = await refused(
        queues.PauseQueue(queue_service_pb2.PauseQueueRequest(queue="generate.nobody"))
    )
    assert isinstance(error, QueueNotFound)
    assert "generate.tones" in error.metadata["available"]


async def test_after_the_last_is_before_what_comes_next(store: JobStore) -> None:
    """A job that is moved to the end by another's name stays before those accepted later."""
    for each in "abc":
        await make(store, each)
    await store.move("a", None, "after", "c")
    await make(store, "d")
    assert await line(store) == "bcad"


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
