"""Batches, moves and queues over a channel."""

from __future__ import annotations

import base64
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
    QueueNotFound,
    StudioError,
)
from musicgen.rpc.status import from_rpc_error
from services.jobs.acceptance import Acceptance
from services.jobs.admission import Admission
from services.jobs.records import Priority
from services.jobs.store import JobStore
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


async def test_many_faults_still_fit_into_an_answer(jobs: Jobs) -> None:
    """However many requests are faulty, the first of them are named."""
    bad = job_service_pb2.CreateJobRequest(spec=GENERATE)
    bad.spec.generate.parameters.duration_seconds = 1e9
    for _ in range(3):
        error = await refused(
            jobs.stub.BatchCreateJobs(job_service_pb2.BatchCreateJobsRequest(requests=[bad] * 500))
        )
        assert isinstance(error, InvalidField)
        assert "500 requests are faulty" in error.message
        assert "requests[0].spec.generate.parameters.duration_seconds" in error.fields


async def test_a_batch_that_can_never_fit_is_refused_for_good(jobs: Jobs) -> None:
    """More jobs than the queue takes are no reason to try again."""
    small = Acceptance(jobs.store, Welcoming(), queue_limit=2, max_attempts=1)
    requests = [job_service_pb2.CreateJobRequest(spec=GENERATE) for _ in range(3)]
    with pytest.raises(InvalidField) as refusal:
        await small.batch(requests, "")
    assert set(refusal.value.fields) == {"requests"}


async def test_overlong_ids_are_not_found(jobs: Jobs) -> None:
    """An id of any length gets a plain answer."""
    for call in (
        jobs.stub.GetJob(job_service_pb2.GetJobRequest(job_id="x" * 20_000)),
        jobs.stub.CancelJob(job_service_pb2.CancelJobRequest(job_id="x" * 20_000)),
    ):
        assert isinstance(await refused(call), JobNotFound)
    batch = jobs.stub.GetJobBatch(job_service_pb2.GetJobBatchRequest(batch_id="x" * 20_000))
    assert isinstance(await refused(batch), BatchNotFound)


async def test_odd_masks_and_tokens_are_refused(jobs: Jobs) -> None:
    """A mask has a bound, and a token that was tampered with is none."""
    mask = field_mask_pb2.FieldMask(paths=[f"spec.generate.engine{n}" for n in range(101)])
    error = await refused(jobs.stub.ListJobs(job_service_pb2.ListJobsRequest(read_mask=mask)))
    assert set(error.fields) == {"read_mask"}
    for _ in range(2):
        await jobs.stub.CreateJob(job_service_pb2.CreateJobRequest(spec=GENERATE))
    page = await jobs.stub.ListJobs(job_service_pb2.ListJobsRequest(page_size=1))
    text = base64.urlsafe_b64decode(page.next_page_token + "==").decode()
    forged = base64.urlsafe_b64encode(f"abc.{text.partition('.')[2]}".encode()).decode()
    error = await refused(jobs.stub.ListJobs(job_service_pb2.ListJobsRequest(page_token=forged)))
    assert set(error.fields) == {"page_token"}


async def test_a_list_of_a_batch_goes_on_after_its_page(jobs: Jobs) -> None:
    """Pages of a batch hold each of its jobs once, newest first, and none of others."""
    request = job_service_pb2.BatchCreateJobsRequest(
        requests=[job_service_pb2.CreateJobRequest(spec=GENERATE) for _ in range(5)]
    )
    made = await jobs.stub.BatchCreateJobs(request)
    await jobs.stub.CreateJob(job_service_pb2.CreateJobRequest(spec=GENERATE))
    found, token = [], ""
    while True:
        page = await jobs.stub.ListJobs(
            job_service_pb2.ListJobsRequest(
                page_size=2, page_token=token,
                filter=job_pb2.JobFilter(batch_ids=[made.batch.batch_id]),
            )
        )  # fmt: skip
        found += [job.job_id for job in page.jobs]
        if not (token := page.next_page_token):
            break
    assert found == list(made.job_ids)[::-1]


class Welcoming(Admission):
    """Admits everything to one queue."""

    def __init__(self) -> None:
        """Ask nobody."""

    async def admit(self, spec: job_pb2.JobSpec) -> str:
        """Admit it."""
        return "q" if spec is not None else ""
