"""WatchJobs over a real channel: snapshot, order, resume, bookmarks, refusals."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest
from google.protobuf import duration_pb2, field_mask_pb2

from musicgen.api.audio.v1 import audio_pb2
from musicgen.api.jobs.v1 import job_pb2, job_service_pb2
from musicgen.api.progress.v1 import progress_pb2
from services.jobs import hub
from services.jobs.convert import preview_to_bytes
from services.jobs.watch import Telling, Watch, WatchLimits
from tests.contract.jobs.conftest import Jobs, running
from tests.contract.jobs.test_job_service import created, generate
from tests.contract.jobs.watcher import Watcher, claim, progress
from tests.valkey import Valkey

pytestmark = pytest.mark.contract


async def test_snapshot_then_every_change_in_order(jobs: Jobs) -> None:
    """A new watcher gets what there is, then each change once, without a gap in rev."""
    old = await created(jobs)
    watcher = Watcher(jobs)
    await watcher.synced()
    snapshot = [job.job_id for frame in watcher.frames for job in frame.snapshot.jobs]
    assert snapshot == [old.job_id]
    assert watcher.frames[-1].snapshot.complete
    held = await claim(jobs)
    for step in range(5):
        await jobs.store.beat(held, 30, progress(step))
    await jobs.store.commit(held, b"")
    await jobs.store.publish(held.job_id, result=b"")
    await watcher.until(lambda: (old.job_id, 8) in watcher.events())
    assert watcher.events() == [(old.job_id, rev) for rev in range(2, 9)]
    watcher.close()


async def test_two_watchers_see_the_same(jobs: Jobs) -> None:
    """Two watchers get the same events in the same order."""
    watchers = [Watcher(jobs), Watcher(jobs)]
    for watcher in watchers:
        await watcher.synced()
    for _ in range(20):
        await created(jobs)
    for watcher in watchers:
        await watcher.until(lambda watcher=watcher: len(watcher.events()) == 20)  # type: ignore[misc]  # binds now
        watcher.close()
    assert watchers[0].events() == watchers[1].events()


async def test_resume_replays_exactly_what_was_missed(jobs: Jobs) -> None:
    """A watcher that comes back with its cursor gets what it missed, and nothing twice."""
    first = Watcher(jobs)
    await first.synced()
    seen = await created(jobs)
    await first.until(lambda: len(first.events()) == 1)
    cursor = first.frames[-1].cursor
    first.close()
    missed = [await created(jobs) for _ in range(3)]
    second = Watcher(jobs, cursor=cursor)
    await second.synced()
    later = await created(jobs)
    await second.until(lambda: len(second.events()) == 4)
    assert second.events() == [(job.job_id, 1) for job in (*missed, later)]
    assert (seen.job_id, 1) not in second.events()
    second.close()


async def test_filter_shows_only_the_jobs_named(jobs: Jobs) -> None:
    """A filtered watcher hears of its jobs only; bookmarks move its cursor past the others."""
    mine, other = await created(jobs), await created(jobs)
    watcher = Watcher(jobs, filter=job_pb2.JobFilter(job_ids=[mine.job_id]))
    before = await watcher.synced()
    for job in (other, mine):
        await jobs.stub.CancelJob(job_service_pb2.CancelJobRequest(job_id=job.job_id))
    await watcher.until(lambda: bool(watcher.events()))
    assert watcher.events() == [(mine.job_id, 2)]
    await created(jobs)
    await watcher.until(lambda: watcher.frames[-1].HasField("bookmark"))
    assert watcher.frames[-1].cursor != before
    watcher.close()


@pytest.mark.parametrize(
    ("cursor", "reason"),
    [
        ("deadbeef.1-1", "WATCH_CURSOR_COMPACTED"),
        ("{epoch}.99999999999999-0", "WATCH_CURSOR_COMPACTED"),
        ("{epoch}.x", "INVALID_FIELD"),
        ("garbage", "INVALID_FIELD"),
    ],
)
async def test_bad_cursors_are_refused(jobs: Jobs, cursor: str, reason: str) -> None:
    """A cursor of another store, of the future or of no watch is refused, never skipped."""
    epoch = await jobs.store.epoch()
    error = await Watcher(jobs, cursor=cursor.format(epoch=epoch)).ended()
    assert error is not None
    assert error.reason == reason


async def test_compacted_cursor_is_refused(jobs: Jobs) -> None:
    """A cursor from before the history that is kept is refused."""
    watcher = Watcher(jobs)
    cursor = await watcher.synced()
    watcher.close()
    await created(jobs)
    await created(jobs)
    await asyncio.sleep(0.01)
    await jobs.store.trim(history_s=0, records_s=1000)
    error = await Watcher(jobs, cursor=cursor).ended()
    assert error is not None
    assert error.reason == "WATCH_CURSOR_COMPACTED"


async def test_previews_are_told_at_once(jobs: Jobs) -> None:
    """However much progress is thinned, each preview is an event of its own with all that
    can be heard, also for who comes later; the last event of the job has none."""
    watcher = Watcher(jobs, min_interval=duration_pb2.Duration(seconds=5))
    await watcher.synced()
    job = await created(jobs)
    held = await claim(jobs)
    offset = 0
    for number in range(3):
        await jobs.store.beat(held, 30, progress(number))
        preview = audio_pb2.Preview(start_frame=number, artifact=audio_pb2.Artifact(key="k"))
        data = preview_to_bytes(preview)
        await jobs.store.add_preview(held, offset, data)
        offset += len(data)
    await watcher.until(lambda: (job.job_id, 8) in watcher.events())
    late = Watcher(jobs)
    await late.synced()
    [page] = [frame.snapshot.jobs for frame in late.frames if frame.snapshot.jobs]
    assert [preview.start_frame for preview in page[0].previews] == [0, 1, 2]
    await jobs.store.fail(held, b"", retryable=False, delay_s=0)
    await watcher.until(lambda: (job.job_id, 9) in watcher.events())
    told = [
        [preview.start_frame for preview in event.changed.previews]
        for frame in watcher.frames
        for event in frame.events.events
        if event.HasField("changed")
    ]
    assert told == [[], [], [0], [0, 1], [0, 1, 2], []]
    watcher.close()
    late.close()


async def batch_of(jobs: Jobs, size: int) -> tuple[str, list[str]]:
    """Return an accepted batch and its jobs."""
    one = job_service_pb2.CreateJobRequest(spec=generate())
    made = await jobs.stub.BatchCreateJobs(
        job_service_pb2.BatchCreateJobsRequest(requests=[one] * size)
    )
    return made.batch.batch_id, list(made.job_ids)


async def test_a_batch_can_be_watched(jobs: Jobs) -> None:
    """A watch of batches and jobs shows the jobs of either, each change once, whichever way a
    job is meant; also what was missed of them."""
    alone, other = await created(jobs), await created(jobs)
    batch_id, members = await batch_of(jobs, 3)
    either = job_pb2.JobFilter(job_ids=[alone.job_id, members[0]], batch_ids=[batch_id])
    watcher = Watcher(jobs, filter=either)
    cursor = await watcher.synced()
    snapshot = [job.job_id for frame in watcher.frames for job in frame.snapshot.jobs]
    assert sorted(snapshot) == sorted([alone.job_id, *members])
    for id in (other.job_id, *members, alone.job_id):
        await jobs.stub.CancelJob(job_service_pb2.CancelJobRequest(job_id=id))
    await jobs.store.delete(members[1])
    wanted = [(id, 2) for id in (*members, alone.job_id)] + [(members[1], 3)]
    await watcher.until(lambda: len(watcher.events()) == 5)
    assert watcher.events() == wanted
    late = Watcher(jobs, filter=either, cursor=cursor)
    await late.synced()
    assert late.events() == wanted
    watcher.close()
    late.close()


async def test_everybody_hears_of_the_queues(jobs: Jobs) -> None:
    """Pausing and resuming reaches every watcher, whatever its filter, and those who missed
    it; a snapshot ends with what is paused."""
    job = await created(jobs)
    watcher = Watcher(jobs, filter=job_pb2.JobFilter(job_ids=[job.job_id]))
    cursor = await watcher.synced()

    def heard(watcher: Watcher) -> list[tuple[str, bool]]:
        return [
            (change.queue, change.paused)
            for frame in watcher.frames
            for change in frame.events.queues
        ]

    await jobs.store.pause("all", paused=True)
    await jobs.store.pause("loop", paused=True)
    await watcher.until(lambda: heard(watcher) == [("all", True), ("loop", True)])
    assert watcher.events() == []
    later = Watcher(jobs)
    await later.synced()
    assert list(later.frames[-1].snapshot.paused_queues) == ["all", "loop"]
    await jobs.store.pause("all", paused=False)
    await later.until(lambda: heard(later) == [("all", False)])
    missed = Watcher(jobs, cursor=cursor, min_interval=duration_pb2.Duration(seconds=5))
    await missed.synced()
    assert heard(missed) == [("all", True), ("loop", True), ("all", False)]
    for each in (watcher, later, missed):
        each.close()


async def test_a_read_mask_leaves_out_what_was_not_asked_for(jobs: Jobs) -> None:
    """Jobs have the fields of the mask, and job_id, rev and state always; progress is told
    only to those who want it, and of it what they want."""
    old = await created(jobs)
    bare = Watcher(jobs, read_mask=field_mask_pb2.FieldMask(paths=["queue"]))
    some = Watcher(jobs, read_mask=field_mask_pb2.FieldMask(paths=["progress.step"]))
    for watcher in (bare, some):
        await watcher.synced()
    held = await claim(jobs)
    await jobs.store.beat(held, 30, progress(3))
    await jobs.store.fail(held, b"", retryable=False, delay_s=0)
    for watcher in (bare, some):
        await watcher.until(lambda watcher=watcher: (old.job_id, 4) in watcher.events())  # type: ignore[misc]  # binds now
        watcher.close()
    assert [rev for _, rev in bare.events()] == [2, 4]
    assert [rev for _, rev in some.events()] == [2, 3, 4]
    in_snapshot = next(frame.snapshot.jobs[0] for frame in bare.frames if frame.snapshot.jobs)
    assert in_snapshot == job_pb2.Job(
        job_id=old.job_id, rev=1, state=old.state, queue="generate.tones"
    )
    last = bare.frames[-1].events.events[0].changed
    failed = job_pb2.Job.State.STATE_FAILED
    assert last == job_pb2.Job(job_id=old.job_id, rev=4, state=failed, queue="generate.tones")
    told = [event for frame in some.frames for event in frame.events.events]
    assert told[1].progressed == progress_pb2.Progress(step=3)
    assert told[2].changed.spec == job_pb2.JobSpec()


async def test_bad_requests_are_refused(jobs: Jobs) -> None:
    """States in the filter, too many names, an interval out of range and a mask of what a job
    has not are refused, at their fields."""
    for field, request in (
        ("filter.batch_ids", {"filter": job_pb2.JobFilter(batch_ids=map(str, range(101)))}),
        ("read_mask", {"read_mask": field_mask_pb2.FieldMask(paths=["state", "colour"])}),
    ):
        error = await Watcher(jobs, **request).ended()
        assert error is not None
        assert (error.reason, list(error.fields)) == ("INVALID_FIELD", [field])
    for wrong in (
        {"min_interval": duration_pb2.Duration(seconds=11)},
        {"min_interval": duration_pb2.Duration(seconds=-1)},
        {"filter": job_pb2.JobFilter(states=[job_pb2.Job.State.STATE_QUEUED])},
    ):
        error = await Watcher(jobs, **wrong).ended()
        assert error is not None
        assert (error.reason, bool(error.fields)) == ("INVALID_FIELD", True)


async def test_the_store_away_ends_watches_which_resume(jobs: Jobs, valkey: Valkey) -> None:
    """When the store goes, a watch ends as unavailable; with its cursor it misses nothing."""
    watcher = Watcher(jobs)
    cursor = await watcher.synced()
    valkey.kill()
    error = await watcher.ended()
    assert error is not None
    assert error.reason == "STORE_UNAVAILABLE"
    valkey.start()
    async with asyncio.timeout(10):
        while not jobs.hub.position:
            await asyncio.sleep(0.05)
    job = await created(jobs)
    second = Watcher(jobs, cursor=cursor)
    await second.until(lambda: second.events() == [(job.job_id, 1)])
    second.close()


async def test_watch_ends_well_after_its_time_and_on_drain(valkey: Valkey, short_tmp: Path) -> None:
    """A watch ends with OK when its time is over and when the service is going away."""
    async with running(valkey, short_tmp, WatchLimits(watch_s=0.3, bookmark_s=0.1)) as jobs:
        assert await Watcher(jobs).ended() is None
    async with running(valkey, short_tmp, WatchLimits(watch_s=600, bookmark_s=10)) as jobs:
        watchers = [Watcher(jobs), Watcher(jobs, min_interval=duration_pb2.Duration(seconds=9))]
        for watcher in watchers:
            await watcher.synced()
        jobs.draining.set()
        async with asyncio.timeout(0.5):  # they are woken
            assert [await watcher.ended() for watcher in watchers] == [None, None]


async def test_large_jobs_fit_into_frames(jobs: Jobs) -> None:
    """Snapshot and replay of large jobs come in frames that a client can receive."""
    watcher = Watcher(jobs)
    cursor = await watcher.synced()
    watcher.close()
    spec = generate("x" + " " * 200_000).SerializeToString()
    names = [f"j{number:02}" for number in range(30)]
    for name in names:
        await jobs.store.create(id=name, queue="q", spec=spec, max_attempts=3, queue_limit=100)
    fresh, back = Watcher(jobs), Watcher(jobs, cursor=cursor)
    await fresh.synced()
    await back.until(lambda: len(back.events()) == 30)
    assert {job.job_id for frame in fresh.frames for job in frame.snapshot.jobs} == set(names)
    assert [name for name, _ in back.events()] == names
    fresh.close()
    back.close()


async def test_a_cursor_ahead_of_this_process_brings_nothing_twice(jobs: Jobs) -> None:
    """A watcher that another process has told more than this one knows yet hears only what
    is new, and its cursor never goes back."""
    await created(jobs)
    reader = hub.WatchHub(jobs.store)
    reader._position = "0-0"  # it has read nothing yet
    watch = Watch(jobs.store, reader, WatchLimits(600, 10), Telling())
    cursor = f"{await jobs.store.epoch()}.{await jobs.store.tail()}"
    async with contextlib.aclosing(watch.frames(cursor)) as frames:
        assert (await anext(frames)).cursor == cursor
        reading = asyncio.create_task(reader.run())
        new = await created(jobs)
        event = (await anext(frames)).events.events[0]
        assert event.job_id == new.job_id
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
