from __future__ import annotations

import asyncio
import contextlib

import pytest

from musicgen.api.jobs.v1 import job_pb2
from musicgen.client import specs
from musicgen.client.backoff import Backoff
from musicgen.client.studio import Studio
from musicgen.client.view import Change, JobsView, Kind
from musicgen.errors import (
    Cancelled,
    DiskFull,
    EngineCrashed,
    InvalidPrompt,
    JobNotFound,
    MessageTooLarge,
    ServiceUnavailable,
)
from tests.contract.client.scripted_studio import ScriptedStudio

pytestmark = pytest.mark.contract

FAST = Backoff(first_s=0.01, most_s=0.1)


def client(studio: ScriptedStudio) -> Studio:
    """Connect without waiting long between attempts."""
    return Studio(studio.endpoint, backoff=FAST)


async def changes_until_end(connection: Studio, job_id: str = "") -> tuple[list[Change], JobsView]:
    """Watch until the one job has ended."""
    seen: list[Change] = []
    async with contextlib.aclosing(connection.watch([job_id] if job_id else [])) as updates:
        async for update in updates:
            seen.extend(update.changes)
            if any(job.state == job_pb2.Job.STATE_SUCCEEDED for job in update.view.jobs.values()):
                return seen, update.view
    raise AssertionError("a watch does not end by itself")


async def test_run_returns_the_job_that_succeeded(studio: ScriptedStudio) -> None:
    """A job is accepted, its progress is told in order, and its result comes back."""
    seen: list[job_pb2.Job] = []
    async with client(studio) as connection:
        job = await connection.run(specs.generate("rain"), seen.append)
    assert job.result.track_ids == ["track1"]
    revs = [step.rev for step in seen]
    assert revs == sorted(set(revs))
    assert [step.state for step in seen][-1] == job_pb2.Job.STATE_SUCCEEDED
    fractions = [step.progress.fraction for step in seen]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


async def test_a_lost_reply_makes_no_second_job(studio: ScriptedStudio) -> None:
    """CreateJob is repeated with the same request id, so the same job comes back."""
    studio.faults.lost_replies = 2
    async with client(studio) as connection:
        job = await connection.create_job(specs.generate("rain"))
    assert job.job_id == "job1"
    assert studio.jobs.created == 1


@pytest.mark.parametrize("how", ["unavailable", "ok"])
async def test_a_broken_watch_resumes_without_losing_a_state(
    studio: ScriptedStudio, how: str
) -> None:
    """However a stream ends, the next one begins at its cursor and nothing is missing."""
    studio.faults.watch_ends = [(2, how), (1, how), (1, how), (2, how)]
    async with client(studio) as connection:
        job = await connection.create_job(specs.generate("rain"))
        seen, view = await changes_until_end(connection, job.job_id)
    assert view.jobs[job.job_id].state == job_pb2.Job.STATE_SUCCEEDED
    revs = [change.job.rev for change in seen]
    assert revs == list(range(revs[0], revs[-1] + 1))
    assert len(studio.jobs.cursors) >= 5
    resumed = [cursor for cursor in studio.jobs.cursors if cursor]
    assert len(set(resumed)) == len(resumed)


async def test_a_snapshot_that_breaks_off_is_read_again(studio: ScriptedStudio) -> None:
    """Pages without the last one are no snapshot: nothing is reported twice."""
    studio.faults.watch_ends = [(1, "unavailable")]
    async with client(studio) as connection:
        await connection.create_job(specs.generate("rain"))
        seen, _ = await changes_until_end(connection)
    assert studio.jobs.cursors[:2] == ["", ""]
    revs = [change.job.rev for change in seen]
    assert revs == sorted(set(revs))


async def test_events_that_come_twice_count_once(studio: ScriptedStudio) -> None:
    """Repeated frames and replays that overlap change nothing."""
    studio.faults.repeat_events = True
    studio.faults.watch_ends = [(3, "unavailable"), (2, "ok")]
    async with client(studio) as connection:
        job = await connection.create_job(specs.generate("rain"))
        seen, _ = await changes_until_end(connection, job.job_id)
    revs = [change.job.rev for change in seen]
    assert revs == list(range(revs[0], revs[-1] + 1))


async def test_lost_history_means_a_new_snapshot(studio: ScriptedStudio) -> None:
    """WATCH_CURSOR_COMPACTED is no error of the caller: the watch starts over."""
    async with client(studio) as connection:
        job = await connection.create_job(specs.generate("hang"))
        async with contextlib.aclosing(connection.watch()) as updates:
            async for update in updates:
                if update.view.jobs[job.job_id].state == job_pb2.Job.STATE_RUNNING:
                    break
            studio.run(studio.jobs.compact())
            async for update in updates:
                if update.synced:
                    break
            known = update.view.jobs[job.job_id]
            assert known.rev < 10
            async for update in updates:  # and it goes on from there
                if update.changes and update.view.jobs[job.job_id].rev > known.rev:
                    break
    assert "" in studio.jobs.cursors[1:]


async def test_reset_replaces_the_view(studio: ScriptedStudio) -> None:
    """After a reset only the snapshot that follows counts."""
    studio.faults.watch_ends = [(3, "reset")]
    async with client(studio) as connection:
        job = await connection.create_job(specs.generate("rain"))
        done = await connection.wait(job.job_id)
    assert done.state == job_pb2.Job.STATE_SUCCEEDED


async def test_a_frame_too_large_ends_the_watch(studio: ScriptedStudio) -> None:
    """What can never be received is an error, not an endless loop."""
    studio.faults.watch_ends = [(1, "oversize")]
    async with client(studio) as connection:
        job = await connection.create_job(specs.generate("hang"))
        with pytest.raises(MessageTooLarge):
            await connection.wait(job.job_id)


async def test_a_request_too_large_is_refused(studio: ScriptedStudio) -> None:
    """Five megabytes of lyrics get a reason and a remedy."""
    async with client(studio) as connection:
        with pytest.raises(MessageTooLarge) as caught:
            await connection.create_job(specs.generate("rain", lyrics="la " * 2_000_000))
    assert caught.value.remedy


async def test_silence_is_a_broken_connection(studio: ScriptedStudio) -> None:
    """A stream without even a bookmark is given up and begun again."""
    studio.faults.watch_ends = [(2, "silence")]
    async with Studio(studio.endpoint, backoff=FAST, silence_s=0.3) as connection:
        job = await connection.create_job(specs.generate("rain"))
        done = await connection.wait(job.job_id)
    assert done.state == job_pb2.Job.STATE_SUCCEEDED
    assert len(studio.jobs.cursors) == 2


async def test_a_restart_of_the_studio_is_survived(studio: ScriptedStudio) -> None:
    """While the studio is away the watch says so, and then it goes on."""
    away: list[str] = []
    async with client(studio) as connection:
        job = await connection.create_job(specs.generate("rain"))
        waiting = asyncio.create_task(
            connection.wait(job.job_id, on_disconnect=lambda error: away.append(error.reason))
        )
        await asyncio.sleep(0.03)
        await asyncio.to_thread(studio.stop)
        await asyncio.sleep(0.2)
        await asyncio.to_thread(studio.start)
        done = await asyncio.wait_for(waiting, 10)
    assert done.state == job_pb2.Job.STATE_SUCCEEDED
    assert away


async def test_patience_ends(studio: ScriptedStudio) -> None:
    """Without the studio a wait ends with an error that says so, after its patience."""
    async with client(studio) as connection:
        job = await connection.create_job(specs.generate("hang"))
        await asyncio.to_thread(studio.stop)
        with pytest.raises(ServiceUnavailable):
            await connection.wait(job.job_id, patience_s=0.2)


@pytest.mark.parametrize(
    ("reason", "kind"), [("DISK_FULL", DiskFull), ("ENGINE_CRASHED", EngineCrashed)]
)
async def test_failed_work_raises_its_reason(
    studio: ScriptedStudio, reason: str, kind: type[Exception]
) -> None:
    """The error inside the job comes out as the exception of the same reason."""
    async with client(studio) as connection:
        with pytest.raises(kind) as caught:
            await connection.run(specs.generate(f"fail {reason}"))
    assert getattr(caught.value, "metadata", {})["job_id"] == "job1"


async def test_cancelled_work_raises_cancelled(studio: ScriptedStudio) -> None:
    """Whoever waits for a job hears that somebody cancelled it."""
    async with client(studio) as connection:
        job = await connection.create_job(specs.generate("hang"))
        waiting = asyncio.create_task(connection.wait(job.job_id))
        await asyncio.sleep(0.05)
        await connection.cancel_job(job.job_id)
        with pytest.raises(Cancelled):
            await waiting


async def test_waiting_for_no_job_is_not_found(studio: ScriptedStudio) -> None:
    """A complete snapshot without the job says that it is not there."""
    async with client(studio) as connection:
        with pytest.raises(JobNotFound):
            await connection.wait("nonesuch")


async def test_a_deleted_job_is_not_found(studio: ScriptedStudio) -> None:
    """A job that goes while it is watched is reported as gone."""
    async with client(studio) as connection:
        job = await connection.run(specs.generate("rain"))
        async with contextlib.aclosing(connection.watch()) as updates:
            await anext(updates)
            await connection.delete_job(job.job_id)
            update = await anext(updates)
        with pytest.raises(JobNotFound):
            await connection.get_job(job.job_id)
    assert [change.kind for change in update.changes] == [Kind.DELETED]
    assert not update.view.jobs


async def test_a_bad_request_is_not_repeated(studio: ScriptedStudio) -> None:
    """What the studio refuses comes back as its exception, with reason and remedy."""
    async with client(studio) as connection:
        with pytest.raises(InvalidPrompt) as caught:
            await connection.run(specs.generate("x" * 10_000))
    assert "10000" in caught.value.message
    assert caught.value.remedy
    assert studio.jobs.created == 0
