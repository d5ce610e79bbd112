from __future__ import annotations

import contextlib

import pytest

from musicgen.api.jobs.v1 import job_pb2, job_service_pb2
from musicgen.client import specs
from musicgen.client.studio import Studio
from musicgen.errors import (
    BatchNotFound,
    InvalidField,
    JobNotWaiting,
    QueueNotFound,
    ServiceUnavailable,
)
from tests.contract.client.scripted_studio import ScriptedStudio
from tests.contract.client.test_watch import FAST, client

pytestmark = pytest.mark.contract

RAIN = specs.generate("rain")


async def test_a_batch_is_accepted_once_and_followed_to_its_end(studio: ScriptedStudio) -> None:
    """Also when replies are lost and the watch breaks; failures are results like others."""
    studio.faults.lost_replies = 2
    studio.faults.watch_ends = [(3, "unavailable"), (2, "ok")]
    urgent = job_service_pb2.CreateJobRequest(
        spec=specs.generate("fail DISK_FULL"), priority=specs.PRIORITIES["high"]
    )
    seen: list[job_pb2.Job] = []
    async with client(studio) as connection:
        accepted = await connection.batch_create([RAIN, urgent], priority="low")
        assert (accepted.batch.size, list(accepted.job_ids)) == (2, ["job1", "job2"])
        batch_ids = [accepted.batch.batch_id]
        ended = await connection.wait_all(accepted.job_ids, seen.append, batch_ids=batch_ids)
        batch = await connection.batch(batch_ids[0])
        assert [found.batch_id async for found in connection.batches()] == batch_ids
        listed = {job.job_id async for job in connection.list_jobs(batch_ids=batch_ids)}
    assert [ended[job_id].state for job_id in accepted.job_ids] == [
        job_pb2.Job.STATE_SUCCEEDED, job_pb2.Job.STATE_FAILED,
    ]  # fmt: skip
    assert (batch.counts.succeeded, batch.counts.failed) == (1, 1)
    assert listed == set(accepted.job_ids)
    priorities = [studio.jobs.jobs[job_id].priority for job_id in accepted.job_ids]
    assert priorities == [job_pb2.Job.PRIORITY_LOW, job_pb2.Job.PRIORITY_HIGH]
    for job_id in accepted.job_ids:
        revs = [job.rev for job in seen if job.job_id == job_id]
        assert revs == sorted(set(revs))


async def test_a_batch_with_a_fault_is_not_accepted_in_part(studio: ScriptedStudio) -> None:
    """The field says which request."""
    async with client(studio) as connection:
        with pytest.raises(InvalidField) as caught:
            await connection.batch_create([RAIN, specs.generate("snow", duration_s=10_000)])
    assert list(caught.value.fields) == ["requests[1].spec.generate.parameters.duration_seconds"]
    assert studio.jobs.created == 0


async def test_the_jobs_of_a_batch_are_watched_and_cancelled(studio: ScriptedStudio) -> None:
    """No other job is told of."""
    async with client(studio) as connection:
        await connection.create_job(RAIN)
        accepted = await connection.batch_create([specs.generate("hang")] * 2)
        batch_id = accepted.batch.batch_id
        async with contextlib.aclosing(connection.watch(batch_ids=[batch_id])) as updates:
            async for update in updates:
                assert update.view.jobs.keys() <= set(accepted.job_ids)
                if update.synced:
                    await connection.cancel_batch(batch_id)
                if {job.state for job in update.view.jobs.values()} == {
                    job_pb2.Job.STATE_CANCELLED
                }:
                    break
        with pytest.raises(BatchNotFound):
            await connection.cancel_batch("nonesuch")


async def test_jobs_are_moved_within_their_queue(studio: ScriptedStudio) -> None:
    """To one place at a time, and only while they wait."""
    async with client(studio) as connection:
        await connection.pause_queue()
        first, second = [await connection.create_job(RAIN) for _ in range(2)]
        moved = await connection.move_job(second.job_id, before=first.job_id)
        assert moved.rank < first.rank
        moved = await connection.move_job(second.job_id, priority="high")
        assert moved.priority == job_pb2.Job.PRIORITY_HIGH
        with pytest.raises(InvalidField):
            await connection.move_job(second.job_id, first=True, last=True)
        with pytest.raises(InvalidField):
            await connection.move_job(second.job_id, priority="urgent")
        await connection.resume_queue()
        await connection.wait(first.job_id)
        with pytest.raises(JobNotWaiting):
            await connection.move_job(first.job_id, first=True)


async def test_a_pause_reaches_every_watcher(studio: ScriptedStudio) -> None:
    """With the snapshot if it was there before, else as it happens."""
    async with client(studio) as connection:
        job = await connection.create_job(specs.generate("hang"))
        answer = await connection.pause_queue("generate.composer")
        assert [queue.paused for queue in answer.queues] == [True]
        async with contextlib.aclosing(connection.watch([job.job_id])) as updates:
            async for update in updates:
                if update.synced:
                    assert update.view.paused_queues == {"generate.composer"}
                    await connection.pause_queue()
                if "all" in update.view.paused_queues:
                    assert [change.queue for change in update.queues] == ["all"]
                    break
        assert (await connection.queues()).all_paused
        with pytest.raises(QueueNotFound):
            await connection.pause_queue("nonesuch")


async def test_a_watch_says_when_it_is_back(studio: ScriptedStudio) -> None:
    """Though nothing has changed meanwhile."""
    async with Studio(studio.endpoint, backoff=FAST, silence_s=0.3) as connection:
        await connection.pause_queue()
        await connection.create_job(RAIN)
        async with contextlib.aclosing(connection.watch()) as updates:
            seen = []
            async for update in updates:
                seen.append((bool(update.disconnected), update.reconnected))
                if update.disconnected:
                    await connection.resume_queue()
                if update.reconnected:
                    break
    assert seen[0] == (False, False)
    assert seen[-2:] == [(True, False), (False, True)]


async def test_patience_with_a_batch_ends(studio: ScriptedStudio) -> None:
    """Its jobs are not lost by that."""
    async with Studio(studio.endpoint) as connection:
        accepted = await connection.batch_create([specs.generate("hang")])
        studio.faults.watch_ends = [(2, "unavailable")] * 20
        studio.stop()
        with pytest.raises(ServiceUnavailable):
            await connection.wait_all(
                accepted.job_ids, batch_ids=[accepted.batch.batch_id], patience_s=0.1
            )


async def test_only_the_fields_that_are_wanted_are_asked_for(studio: ScriptedStudio) -> None:
    """The mask reaches the studio."""
    async with client(studio) as connection:
        job = await connection.create_job(RAIN)
        await connection.wait_all([job.job_id], fields=["progress", "result.track_ids"])
    assert studio.jobs.masks == [["progress", "result.track_ids"]]
