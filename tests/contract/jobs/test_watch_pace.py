"""Watchers that want less than everything, and those that are too slow."""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path

import pytest
import redis
from google.protobuf import duration_pb2

from bench.jobs.wire import Http2
from musicgen.api.jobs.v1 import job_service_pb2
from musicgen.api.progress.v1 import progress_pb2
from services.jobs import hub, watch
from services.jobs.records import Change
from services.jobs.store import age
from services.jobs.watch import Telling, Watch, WatchLimits
from tests.contract.jobs.conftest import Jobs
from tests.contract.jobs.test_job_service import created
from tests.contract.jobs.watcher import Frame, Watcher, claim, progress
from tests.valkey import Valkey

pytestmark = pytest.mark.contract

WATCH = "/musicgen.api.jobs.v1.JobService/WatchJobs"


async def test_progress_can_be_thinned_but_states_never(jobs: Jobs) -> None:
    """With a minimum interval most progress is left out; state changes all come at once."""
    watcher = Watcher(jobs, min_interval=duration_pb2.Duration(seconds=5))
    await watcher.synced()
    job = await created(jobs)
    held = await claim(jobs)
    for step in range(9):
        await jobs.store.beat(held, 30, progress(step))
        await asyncio.sleep(0.01)
    await jobs.store.fail(held, b"", retryable=False, delay_s=0)
    await watcher.until(lambda: (job.job_id, 12) in watcher.events())
    revs = [rev for _, rev in watcher.events()]
    assert revs[:2] == [1, 2]
    assert revs[-1] == 12
    assert len(revs) <= 4
    watcher.close()


async def test_frames_are_paced(jobs: Jobs) -> None:
    """With a minimum interval the progress of many jobs comes in a frame each 100 ms."""
    for _ in range(30):
        await created(jobs)
    watcher = Watcher(jobs, min_interval=duration_pb2.Duration(nanos=100_000_000))
    await watcher.synced()
    held = [await claim(jobs) for _ in range(30)]
    await watcher.until(lambda: len(watcher.events()) >= 30)
    begin = len(watcher.frames)
    begin_s = time.monotonic()
    for step in range(5):
        for one in held:
            await jobs.store.beat(one, 30, progress(step))
    progressing_s = time.monotonic() - begin_s
    frames = len(watcher.frames) - begin
    assert frames <= progressing_s / 0.1 + 2
    watcher.close()


async def test_a_change_of_state_waits_for_no_frame(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long progress waits for its frame, a state is told at once."""
    monkeypatch.setattr(watch, "PACE_S", 8.0)
    for _ in range(2):
        await created(jobs)
    held = [await claim(jobs) for _ in range(2)]
    watcher = Watcher(jobs, min_interval=duration_pb2.Duration(seconds=8))
    await watcher.synced()
    await jobs.store.beat(held[0], 30, progress(1))
    await watcher.until(lambda: (held[0].job_id, 3) in watcher.events())
    begin_s = time.monotonic()
    await jobs.store.beat(held[0], 30, progress(2))
    await jobs.store.fail(held[1], b"", retryable=False, delay_s=0)
    await watcher.until(lambda: (held[1].job_id, 3) in watcher.events())
    assert time.monotonic() - begin_s < 5
    assert (held[0].job_id, 4) not in watcher.events()
    watcher.close()


async def test_slow_watcher_is_reset(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """A watcher that falls behind is told to start over and gets a fresh snapshot."""
    monkeypatch.setattr(hub, "WAITING_LIMIT", 3)
    limits = WatchLimits(watch_s=600, bookmark_s=10)
    watching = Watch(jobs.store, jobs.hub, limits, Telling())
    async with contextlib.aclosing(watching.frames("")) as frames:
        while not (await anext(frames)).snapshot.complete:
            pass
        made = [await created(jobs) for _ in range(6)]  # it does not read meanwhile
        async with asyncio.timeout(5):
            while jobs.hub.position != await jobs.store.tail():
                await asyncio.sleep(0.01)
        assert (await anext(frames)).HasField("reset")
        page = (await anext(frames)).snapshot
        assert [job.job_id for job in page.jobs] == [job.job_id for job in made[::-1]]
        assert (await anext(frames)).snapshot.complete
        later = await created(jobs)
        assert (await anext(frames)).events.events[0].job_id == later.job_id


async def test_a_client_that_stops_reading_holds_up_nobody(
    jobs: Jobs, valkey: Valkey, short_tmp: Path
) -> None:
    """While 20,000 changes go by, the service keeps a bounded part of them for a client that
    does not read; the others hear all of them. When it reads again it is told to start over
    and is then up to date."""
    job = await created(jobs)
    stuck = Http2(f"unix:{short_tmp}/jobs.sock")
    stuck.call(WATCH, job_service_pb2.WatchJobsRequest().SerializeToString())
    watcher = Watcher(jobs)
    await watcher.synced()
    async with asyncio.timeout(10):
        while len(jobs.hub._of_any[hub.EVERYBODY]) < 2:
            await asyncio.sleep(0.01)
    longest = 0
    with redis.Redis.from_url(valkey.url) as client:
        for start in range(0, 20_000, 500):
            pipe = client.pipeline(transaction=False)
            for rev in range(start + 2, start + 502):
                pipe.xadd(
                    "{musicgen}:ev",
                    {
                        "kind": "progressed",
                        "job": job.job_id,
                        "rev": rev,
                        "at_ms": 1,
                        "progress": progress_pb2.Progress(
                            step=rev, detail="x" * 100
                        ).SerializeToString(),
                    },
                )
            await asyncio.to_thread(pipe.execute)
            longest = max(longest, *(len(one._waiting) for one in jobs.hub._of_any[hub.EVERYBODY]))
    await watcher.until(lambda: len(watcher.events()) == 20_000)
    assert watcher.events() == [(job.job_id, rev) for rev in range(2, 20_002)]
    watcher.close()
    assert 1_000 < longest <= hub.WAITING_LIMIT

    kinds: list[str] = []
    stuck.socket.setblocking(False)
    async with asyncio.timeout(20):
        while "reset" not in kinds or kinds[-1] != "events":
            for _, message in stuck.feed(
                await asyncio.get_running_loop().sock_recv(stuck.socket, 1 << 18)
            ):
                frame = Frame.FromString(message)
                kinds.append(str(frame.WhichOneof("body")))
                if frame.snapshot.complete and "reset" in kinds:
                    await jobs.stub.CancelJob(job_service_pb2.CancelJobRequest(job_id=job.job_id))
    stuck.socket.close()
    assert kinds.count("reset") == 1
    assert kinds.index("reset") < 150  # a part of what went by, in frames of 200 and less


async def test_progress_held_back_over_a_reset_is_forgotten(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the new snapshot nothing from before it is told, and the cursor goes forward."""
    monkeypatch.setattr(hub, "WAITING_LIMIT", 3)
    await created(jobs)
    held = await claim(jobs)
    limits = WatchLimits(watch_s=600, bookmark_s=10)
    watching = Watch(jobs.store, jobs.hub, limits, Telling(), interval_s=0.3)
    async with contextlib.aclosing(watching.frames("")) as frames:
        while not (await anext(frames)).snapshot.complete:
            pass
        await jobs.store.beat(held, 30, progress(1))
        assert (await anext(frames)).events.events[0].rev == 3
        await jobs.store.beat(held, 30, progress(2))
        waiting = asyncio.ensure_future(anext(frames))  # takes it, and holds it back
        await asyncio.sleep(0.15)
        for _ in range(6):
            await created(jobs)
        async with asyncio.timeout(5):
            frame = await waiting
            while not frame.HasField("reset"):
                for _ in range(6):
                    await created(jobs)
                while jobs.hub.position != await jobs.store.tail():
                    await asyncio.sleep(0.01)
                frame = await anext(frames)
            while not frame.snapshot.complete:
                frame = await anext(frames)
            snapshot = frame.cursor
            await asyncio.sleep(0.35)  # what is held back would be due
            later = await created(jobs)
            frame = await anext(frames)
    told = [(event.job_id, event.rev) for event in frame.events.events]
    assert told == [(later.job_id, 1)]
    assert age(frame.cursor.partition(".")[2]) > age(snapshot.partition(".")[2])


async def test_a_bookmark_that_is_due_costs_no_spinning(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While progress waits for its frame, a watch whose bookmark is due sleeps."""
    takes = 0
    take = hub.Subscription.take

    async def counted(self: hub.Subscription, timeout_s: float) -> list[Change]:
        nonlocal takes
        takes += 1
        return await take(self, timeout_s)

    monkeypatch.setattr(hub.Subscription, "take", counted)
    await created(jobs)
    held = await claim(jobs)
    # The service's bookmarks come every 0.2 s.
    watcher = Watcher(jobs, min_interval=duration_pb2.Duration(seconds=1))
    await watcher.synced()
    for step in range(40):
        await jobs.store.beat(held, 30, progress(step))
        await asyncio.sleep(0.05)
    watcher.close()
    assert takes < 400
