"""JobService over a real channel: what is accepted, what is refused and how."""

from __future__ import annotations

import uuid
from typing import Any

import grpc
import pytest
from google.protobuf import struct_pb2

from musicgen.api.audio.v1 import audio_pb2
from musicgen.api.engine.v1 import engine_pb2
from musicgen.api.inference.v1 import inference_service_pb2
from musicgen.api.jobs.v1 import job_pb2, job_service_pb2
from musicgen.api.library.v1 import track_pb2
from musicgen.api.looper.v1 import loop_pb2
from musicgen.api.system.v1 import system_service_pb2, system_service_pb2_grpc
from musicgen.errors import StudioError
from musicgen.rpc.status import from_rpc_error
from tests.contract.jobs.conftest import ENGINE, Jobs
from tests.valkey import Valkey

pytestmark = pytest.mark.contract

STATE = job_pb2.Job.State


def generate(prompt: str = "calm", engine: str = "tones", **parameters: object) -> job_pb2.JobSpec:
    """Return a generate spec."""
    return job_pb2.JobSpec(
        generate=inference_service_pb2.GenerateSpec(
            engine=engine,
            parameters=engine_pb2.GenerationParameters(prompt=prompt, **parameters),  # type: ignore[arg-type]  # a test's shorthand
        )
    )


def variation(parent_track_id: str) -> job_pb2.JobSpec:
    """Return a spec of a variation of that track."""
    spec = generate()
    spec.generate.parent_track_id = parent_track_id
    return spec


async def refused(jobs: Jobs, spec: job_pb2.JobSpec, request_id: str = "") -> StudioError:
    """Return why the spec is refused."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await jobs.stub.CreateJob(
            job_service_pb2.CreateJobRequest(spec=spec, request_id=request_id)
        )
    return from_rpc_error(caught.value)


async def created(jobs: Jobs, spec: job_pb2.JobSpec | None = None) -> job_pb2.Job:
    """Return an accepted job."""
    request = job_service_pb2.CreateJobRequest(spec=spec or generate())
    return (await jobs.stub.CreateJob(request)).job


async def test_defaults_are_written_into_the_job(jobs: Jobs) -> None:
    """An accepted job shows the seed drawn, the length and the format it will have."""
    job = await created(jobs)
    parameters = job.spec.generate.parameters
    assert parameters.HasField("seed")
    assert parameters.duration_seconds == 30
    assert job.spec.generate.format == audio_pb2.AUDIO_FORMAT_FLAC
    assert (job.state, job.rev) == (STATE.STATE_QUEUED, 1)
    got = await jobs.stub.GetJob(job_service_pb2.GetJobRequest(job_id=job.job_id))
    assert got.job == job


async def test_lineage_is_kept(jobs: Jobs) -> None:
    """An accepted job says of which track it makes a variation."""
    job = await created(jobs, variation("abcdefgh234567ab"))
    assert job.spec.generate.parent_track_id == "abcdefgh234567ab"


async def test_same_request_id_same_job_though_the_seed_is_drawn(jobs: Jobs) -> None:
    """A repeated call returns the first job; its drawn seed doesn't make it another."""
    request = job_service_pb2.CreateJobRequest(spec=generate(), request_id=str(uuid.uuid4()))
    first, second = await jobs.stub.CreateJob(request), await jobs.stub.CreateJob(request)
    assert first.job == second.job
    error = await refused(jobs, generate("other"), request.request_id)
    assert error.reason == "REQUEST_ID_REUSED"


@pytest.mark.parametrize(
    ("spec", "reason", "field"),
    [
        (job_pb2.JobSpec(), "INVALID_FIELD", "spec"),
        (generate(""), "INVALID_PROMPT", "spec.generate.parameters.prompt"),
        (generate("x" * 10_000), "INVALID_PROMPT", "spec.generate.parameters.prompt"),
        (generate(engine="none"), "MODEL_NOT_FOUND", "spec.generate.engine"),
        (
            generate(duration_seconds=-1),
            "INVALID_FIELD",
            "spec.generate.parameters.duration_seconds",
        ),
        (
            generate(duration_seconds=39_600),
            "INVALID_FIELD",
            "spec.generate.parameters.duration_seconds",
        ),
        (
            generate(duration_seconds=float("nan")),
            "INVALID_FIELD",
            "spec.generate.parameters.duration_seconds",
        ),
        (
            generate(options=struct_pb2.Struct(fields={"x": struct_pb2.Value(number_value=1)})),
            "INVALID_FIELD",
            "spec.generate.parameters.options",
        ),
        (variation("../x"), "INVALID_FIELD", "spec.generate.parent_track_id"),
        (variation("x" * 65), "INVALID_FIELD", "spec.generate.parent_track_id"),
        (
            job_pb2.JobSpec(loop=loop_pb2.LoopSpec(length_seconds=39_600)),
            "INVALID_FIELD",
            "spec.loop.length_seconds",
        ),
        (
            job_pb2.JobSpec(loop=loop_pb2.LoopSpec(length_seconds=float("nan"))),
            "INVALID_FIELD",
            "spec.loop.length_seconds",
        ),
        (
            job_pb2.JobSpec(loop=loop_pb2.LoopSpec(length_seconds=60, crossfade_ms=501)),
            "INVALID_FIELD",
            "spec.loop.crossfade_ms",
        ),
        (
            job_pb2.JobSpec(loop=loop_pb2.LoopSpec(length_seconds=60)),
            "INVALID_FIELD",
            "spec.loop.source",
        ),
        (
            job_pb2.JobSpec(export=track_pb2.ExportSpec()),
            "INVALID_FIELD",
            "spec.export.track_id",
        ),
        (
            job_pb2.JobSpec(export=track_pb2.ExportSpec(track_id="t", format=77)),  # type: ignore[arg-type]  # the fault tested
            "UNSUPPORTED_FORMAT",
            "format",
        ),
    ],
)
async def test_what_can_not_be_done_is_refused(
    jobs: Jobs, spec: job_pb2.JobSpec, reason: str, field: str
) -> None:
    """A spec that can't be done gets a reason, a remedy and the field at fault; no job."""
    error = await refused(jobs, spec)
    assert error.reason == reason
    assert error.remedy
    assert any(name.startswith(field) for name in error.fields), error.fields
    listed = await jobs.stub.ListJobs(job_service_pb2.ListJobsRequest())
    assert not listed.jobs


async def test_request_id_must_be_a_uuid(jobs: Jobs) -> None:
    """A request id that can collide is refused."""
    error = await refused(jobs, generate(), "1")
    assert (error.reason, list(error.fields)) == ("INVALID_FIELD", ["request_id"])


async def test_a_missing_library_is_said(jobs: Jobs) -> None:
    """While the library is away an export is refused as unavailable, not as wrong."""
    spec = job_pb2.JobSpec(export=track_pb2.ExportSpec(track_id="t"))
    assert (await refused(jobs, spec)).code in ("UNAVAILABLE", "DEADLINE_EXCEEDED")


async def test_broken_bytes_are_refused_and_nothing_dies(jobs: Jobs) -> None:
    """Broken UTF-8, garbage and an oversize message get a status; the service goes on."""
    call: Any = jobs.channel.unary_unary("/musicgen.api.jobs.v1.JobService/CreateJob")
    broken_utf8 = bytes([0x12, 2, 0xC3, 0x28])  # request_id = invalid UTF-8
    for data, reason in (
        (broken_utf8, "MALFORMED_MESSAGE"),
        (b"\xff\xff\xff", "MALFORMED_MESSAGE"),
        (b"\x00" * (5 << 20), "MESSAGE_TOO_LARGE"),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(data)
        error = from_rpc_error(caught.value)
        assert (error.reason, bool(error.remedy)) == (reason, True)
    await created(jobs)


async def test_list_pages_and_filters(jobs: Jobs) -> None:
    """Pages join without gap or overlap; a token serves only the query it was made for."""
    made = [(await created(jobs)).job_id for _ in range(7)]
    for job_id in made[:3]:
        await jobs.stub.CancelJob(job_service_pb2.CancelJobRequest(job_id=job_id))
    seen: list[str] = []
    request = job_service_pb2.ListJobsRequest(page_size=3)
    while True:
        page = await jobs.stub.ListJobs(request)
        seen += [job.job_id for job in page.jobs]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert seen == made[::-1]

    cancelled = job_pb2.JobFilter(states=[STATE.STATE_CANCELLED])
    request = job_service_pb2.ListJobsRequest(page_size=2, filter=cancelled)
    first = await jobs.stub.ListJobs(request)
    request.page_token = first.next_page_token
    second = await jobs.stub.ListJobs(request)
    assert [job.job_id for job in (*first.jobs, *second.jobs)] == made[2::-1]
    assert not second.next_page_token

    named = job_pb2.JobFilter(job_ids=made[:2])
    request = job_service_pb2.ListJobsRequest(filter=named)
    assert len((await jobs.stub.ListJobs(request)).jobs) == 2
    for request in (
        job_service_pb2.ListJobsRequest(page_token=first.next_page_token),
        job_service_pb2.ListJobsRequest(page_token="~"),
        job_service_pb2.ListJobsRequest(page_size=-1),
        job_service_pb2.ListJobsRequest(filter=job_pb2.JobFilter(job_ids=["x"] * 101)),
        job_service_pb2.ListJobsRequest(filter=job_pb2.JobFilter(states=[99])),  # type: ignore[list-item]  # the fault tested
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await jobs.stub.ListJobs(request)
        assert from_rpc_error(caught.value).reason == "INVALID_FIELD"


async def test_cancel_retry_delete(jobs: Jobs) -> None:
    """An ended job can be retried and deleted; one that has not ended can't."""
    job = await created(jobs)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await jobs.stub.RetryJob(job_service_pb2.RetryJobRequest(job_id=job.job_id))
    assert from_rpc_error(caught.value).reason == "JOB_NOT_TERMINAL"
    answer = await jobs.stub.CancelJob(job_service_pb2.CancelJobRequest(job_id=job.job_id))
    assert answer.job.state == STATE.STATE_CANCELLED
    again = (await jobs.stub.RetryJob(job_service_pb2.RetryJobRequest(job_id=job.job_id))).job
    assert (again.spec, again.retry_of) == (job.spec, job.job_id)
    await jobs.stub.DeleteJob(job_service_pb2.DeleteJobRequest(job_id=job.job_id))
    for call in (
        jobs.stub.GetJob(job_service_pb2.GetJobRequest(job_id=job.job_id)),
        jobs.stub.DeleteJob(job_service_pb2.DeleteJobRequest(job_id="../../etc")),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        assert from_rpc_error(caught.value).reason == "JOB_NOT_FOUND"


async def test_health_names_the_part_that_is_away(jobs: Jobs, valkey: Valkey) -> None:
    """Health is degraded by exactly the parts that are gone, and says what that means."""
    stub = system_service_pb2_grpc.SystemServiceStub(jobs.channel)
    health = await stub.GetHealth(system_service_pb2.GetHealthRequest())
    faults = {part.name: part.detail for part in health.components if not part.serving}
    assert set(faults) == {"library"}
    assert health.status == system_service_pb2.GetHealthResponse.STATUS_DEGRADED
    valkey.kill()
    health = await stub.GetHealth(system_service_pb2.GetHealthRequest())
    assert {part.name for part in health.components if not part.serving} == {
        "jobs",
        "library",
        "runner",
    }
    assert (await refused(jobs, generate())).reason == "STORE_UNAVAILABLE"


async def test_a_repeated_request_is_answered_though_its_engine_is_gone(jobs: Jobs) -> None:
    """What was accepted stays accepted, whatever has become impossible since."""
    request = job_service_pb2.CreateJobRequest(spec=generate(), request_id=str(uuid.uuid4()))
    first = await jobs.stub.CreateJob(request)
    await jobs.store.announce("test", {"other": ENGINE.SerializeToString()}, ttl_s=60)
    assert (await jobs.stub.CreateJob(request)).job == first.job
    assert (await refused(jobs, generate())).reason == "MODEL_NOT_FOUND"


async def test_before_any_worker_has_spoken_clients_are_told_to_try_again(jobs: Jobs) -> None:
    """That no engine is known yet is not the request's fault."""
    await jobs.store.announce("test", {}, ttl_s=60)
    error = await refused(jobs, generate())
    assert (error.reason, error.retry_after_s) == ("SERVICE_UNAVAILABLE", 1.0)


async def test_a_list_of_large_jobs_fits_into_messages(jobs: Jobs) -> None:
    """A page ends before it is larger than a message; no job is lost. A spec that fits into
    no page is refused."""
    big = generate("x" + " " * 200_000).SerializeToString()
    for number in range(30):
        await jobs.store.create(
            id=f"j{number:02}", queue="q", spec=big, max_attempts=3, queue_limit=100
        )
    seen: list[str] = []
    request = job_service_pb2.ListJobsRequest(page_size=200)
    while True:
        page = await jobs.stub.ListJobs(request)
        seen += [job.job_id for job in page.jobs]
        if not (token := page.next_page_token):
            break
        request.page_token = token
    assert seen == [f"j{number:02}" for number in range(29, -1, -1)]
    error = await refused(jobs, generate("x" + " " * 300_000))
    assert (error.reason, list(error.fields)) == ("INVALID_FIELD", ["spec"])
