"""A runner's slot against a real store: what it commits, and when it must stop."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from musicgen.api.audio.v1 import audio_pb2
from musicgen.api.errors.v1 import error_pb2, error_reason_pb2
from musicgen.api.jobs.v1 import job_outcome_pb2, job_pb2
from musicgen.api.progress.v1 import progress_pb2
from musicgen.engine.base import MAX_PREVIEWS
from musicgen.errors import EngineCrashed, InvalidPrompt
from services.jobs.convert import job_to_proto
from services.jobs.records import Claim, JobRecord, State
from services.jobs.runner.cancels import Cancels
from services.jobs.runner.lanes import Event, Lane
from services.jobs.runner.worker import Slot
from services.jobs.store import JobStore
from tests.valkey import Valkey

pytestmark = pytest.mark.contract

OUTCOME = job_outcome_pb2.JobOutcome(tracks=[audio_pb2.ProducedTrack(title="made")])
Script = Callable[[Claim], AsyncGenerator[Event, None]]


class ScriptedLane(Lane):
    """Does jobs as its script says."""

    name = "scripted"

    def __init__(self, script: Script) -> None:
        self._script = script

    async def serving(self) -> bool:
        """Serve always."""
        return True

    async def queues(self) -> list[str]:
        """Return the one queue."""
        return ["q"]

    def work(self, claim: Claim, spec: job_pb2.JobSpec) -> AsyncGenerator[Event, None]:  # noqa: ARG002 - the base's signature
        """Follow the script."""
        return self._script(claim)


@pytest.fixture
async def store(valkey: Valkey) -> AsyncIterator[JobStore]:
    """A store on an empty server, with one job."""
    store = JobStore.connect(valkey.url)
    await store.create(id="a", queue="q", spec=b"", max_attempts=2, queue_limit=10)
    yield store
    await store.close()


@asynccontextmanager
async def slot(store: JobStore, script: Script, lease_s: float = 15.0) -> AsyncIterator[None]:
    """Run a slot that works by `script`."""
    cancels = Cancels(store)
    runner = Slot(store, ScriptedLane(script), cancels, owner="w", lease_s=lease_s)
    tasks = [asyncio.create_task(runner.run()), asyncio.create_task(cancels.run())]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(
    store: JobStore, done: Callable[[JobRecord], bool], timeout_s: float = 10
) -> JobRecord:
    """Wait until the job is as asked."""
    async with asyncio.timeout(timeout_s):
        while not done(record := await store.get("a")):
            await asyncio.sleep(0.01)
    return record


def step(number: int) -> Event:
    """Return progress."""
    return Event(
        progress=progress_pb2.Progress(stage="s", step=number, steps=99, fraction=number / 99)
    )


def preview(number: int) -> Event:
    """Return a preview of ten frames."""
    artifact = audio_pb2.Artifact(
        key=f"artifacts/a/1/preview-{number}.flac",
        sha256="0" * 64,
        audio=audio_pb2.AudioProperties(duration_frames=10),
    )
    return Event(preview=audio_pb2.Preview(artifact=artifact, start_frame=10 * number))


def starts(record: JobRecord) -> list[int]:
    """Return where the previews of a job begin, as its watchers see them."""
    return [preview.start_frame for preview in job_to_proto(record).previews]


async def done(claim: Claim) -> AsyncGenerator[Event, None]:  # noqa: ARG001 - a script's signature
    """Succeed at once."""
    yield Event(outcome=OUTCOME)


async def hang(claim: Claim) -> AsyncGenerator[Event, None]:  # noqa: ARG001 - a script's signature
    """Never end."""
    yield step(1)
    await asyncio.sleep(1000)


async def test_outcome_is_committed(store: JobStore) -> None:
    """What the service made is frozen in the store, byte by byte."""
    async with slot(store, done):
        record = await until(store, lambda record: bool(record.outcome))
    assert job_outcome_pb2.JobOutcome.FromString(record.outcome) == OUTCOME


async def test_progress_is_written_at_most_four_times_a_second(store: JobStore) -> None:
    """A hail of progress is thinned out; the newest is what stands."""

    async def hail(claim: Claim) -> AsyncGenerator[Event, None]:  # noqa: ARG001 - a script's signature
        for number in range(100):
            yield step(number)
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.5)
        yield Event(outcome=OUTCOME)

    started = time.monotonic()
    async with slot(store, hail):
        await until(store, lambda record: bool(record.outcome))
    seconds = time.monotonic() - started
    written = [change for change in await store.changes("0-0") if change.progress is not None]
    assert 2 <= len(written) <= seconds * 4 + 2
    last = progress_pb2.Progress.FromString(written[-1].progress or b"")
    assert last.step == 99


async def test_previews_are_all_told_each_at_once(store: JobStore) -> None:
    """As many as there may be, in one go, are told one by one, each with those before it."""

    async def script(claim: Claim) -> AsyncGenerator[Event, None]:  # noqa: ARG001 - a script's signature
        for number in range(MAX_PREVIEWS):
            yield step(number)
            yield preview(number)
        await asyncio.sleep(1000)

    whole = [10 * number for number in range(MAX_PREVIEWS)]
    async with slot(store, script):
        await until(store, lambda record: starts(record) == whole)
        changes = await store.changes("0-0")
    told = [starts(change.record) for change in changes if change.record]
    assert told == [[], *(whole[:count] for count in range(MAX_PREVIEWS + 1))]
    assert [change.rev for change in changes] == list(range(1, len(changes) + 1))


async def test_previews_wait_for_a_store_that_is_away(store: JobStore, valkey: Valkey) -> None:
    """None is lost and none is told twice when the store goes and comes back."""
    away = asyncio.Event()

    async def script(claim: Claim) -> AsyncGenerator[Event, None]:  # noqa: ARG001 - a script's signature
        yield preview(0)
        await away.wait()
        for number in range(1, 4):
            yield preview(number)
        await asyncio.sleep(1000)

    async with slot(store, script, lease_s=60):
        await until(store, lambda record: starts(record) == [0])
        valkey.kill()
        away.set()
        await asyncio.sleep(0.5)
        valkey.start()
        await until(store, lambda record: len(starts(record)) == 4)
    told = [starts(change.record) for change in await store.changes("0-0") if change.record]
    assert told[2:6] == [[0], [0, 10], [0, 10, 20], [0, 10, 20, 30]]


async def test_untold_previews_hold_up_no_outcome(store: JobStore) -> None:
    """Work that is done is committed, whatever previews came just before."""

    async def script(claim: Claim) -> AsyncGenerator[Event, None]:  # noqa: ARG001 - a script's signature
        for number in range(MAX_PREVIEWS):
            yield preview(number)
        yield Event(outcome=OUTCOME)

    async with slot(store, script):
        await until(store, lambda record: bool(record.outcome))
        record = await store.get("a")
        await store.publish("a", result=b"")
    assert starts(record) == [10 * number for number in range(len(starts(record)))]
    assert starts(await store.get("a")) == []


def failing(make: Callable[[], Exception]) -> Script:
    """Return a script that fails."""

    async def script(claim: Claim) -> AsyncGenerator[Event, None]:  # noqa: ARG001 - a script's signature
        yield step(1)
        raise make()

    return script


async def test_crash_is_tried_again_until_attempts_are_spent(store: JobStore) -> None:
    """A crash is tried again after a while; the last one ends the job with its reason."""

    async def reconcile() -> None:
        while True:
            await store.reconcile(b"")
            await asyncio.sleep(0.05)

    async with slot(store, failing(lambda: EngineCrashed("It died."))):
        task = asyncio.create_task(reconcile())
        record = await until(store, lambda record: record.state is State.FAILED)
        task.cancel()
    error = error_pb2.Error.FromString(record.error)
    assert (record.attempt, error.reason) == (2, error_reason_pb2.ERROR_REASON_ENGINE_CRASHED)


async def test_bad_request_is_not_tried_again(store: JobStore) -> None:
    """What would fail again is not tried again."""
    async with slot(store, failing(lambda: InvalidPrompt("No."))):
        record = await until(store, lambda record: record.state is State.FAILED)
    assert record.attempt == 1


async def test_cancel_stops_the_work_within_a_second(store: JobStore) -> None:
    """A cancel reaches running work at once, not with the next beat."""
    stopped: list[float] = []

    async def stubborn(claim: Claim) -> AsyncGenerator[Event, None]:  # noqa: ARG001 - a script's signature
        try:
            yield step(1)
            await asyncio.sleep(1000)
        finally:
            stopped.append(time.monotonic())

    async with slot(store, stubborn, lease_s=60):
        await until(store, lambda record: bool(record.progress))
        asked = time.monotonic()
        await store.cancel("a")
        await until(store, lambda record: record.state is State.CANCELLED, timeout_s=2)
    assert stopped
    assert stopped[0] - asked < 1.5


async def test_a_job_taken_over_is_left_alone(store: JobStore) -> None:
    """A slot that lost its claim stops its work and writes nothing more."""
    async with slot(store, hang, lease_s=1.0):
        await until(store, lambda record: bool(record.progress))
        assert await store.release("w", b"presumed dead") == 1
        taken = await store.claim("other", ["q"], 30)
        if taken is None:  # the slot itself was faster
            await until(store, lambda record: record.attempt == 2)
        else:
            await asyncio.sleep(0.6)
            assert (await store.get("a")).attempt == 2
            assert not (await store.get("a")).error.startswith(b"late")


async def test_stopping_gives_the_job_back(store: JobStore) -> None:
    """A runner that is stopped hands its job on, and the attempt doesn't count."""
    async with slot(store, hang):
        await until(store, lambda record: bool(record.progress))
    record = await store.get("a")
    assert (record.state, record.attempt) == (State.QUEUED, 0)


async def test_finished_work_survives_a_store_that_is_away(store: JobStore, valkey: Valkey) -> None:
    """Work that ends while the store is away is committed when it is back."""
    started, finish = asyncio.Event(), asyncio.Event()

    async def wait(claim: Claim) -> AsyncGenerator[Event, None]:  # noqa: ARG001 - a script's signature
        started.set()
        await finish.wait()
        yield Event(outcome=OUTCOME)

    async with slot(store, wait):
        await asyncio.wait_for(started.wait(), 5)
        valkey.kill()
        finish.set()
        await asyncio.sleep(0.5)
        valkey.start()
        await until(store, lambda record: bool(record.outcome))


async def test_an_unreachable_service_is_an_unavailable_attempt(store: JobStore) -> None:
    """A broken stream counts as an attempt that may be repeated."""

    async def broken(claim: Claim) -> AsyncGenerator[Event, None]:  # noqa: ARG001 - a script's signature
        channel = grpc.aio.insecure_channel("unix:/nonexistent/x.sock")
        call: Any = channel.unary_unary("/x/y")
        try:
            await call(b"")
        finally:
            await channel.close()
        yield step(1)

    async with slot(store, broken):
        record = await until(store, lambda record: bool(record.error))
    assert error_pb2.Error.FromString(record.error).retryable


async def test_a_defect_fails_the_job_not_the_runner(store: JobStore) -> None:
    """A job that trips a defect is FAILED as INTERNAL in the end; the slot goes on."""

    async def script(claim: Claim) -> AsyncGenerator[Event, None]:
        if claim.job_id == "a":
            raise KeyError("unforeseen")
        yield Event(outcome=OUTCOME)

    async with slot(store, script):
        await until(store, lambda record: bool(record.error))
        await store.create(id="b", queue="q", spec=b"", max_attempts=2, queue_limit=10)
        async with asyncio.timeout(5):
            while not (await store.get("b")).outcome:
                await asyncio.sleep(0.01)
    error = error_pb2.Error.FromString((await store.get("a")).error)
    assert error.reason == error_reason_pb2.ERROR_REASON_INTERNAL


async def test_the_last_progress_is_told(store: JobStore) -> None:
    """What came just before the outcome is not lost, however soon the outcome follows."""

    async def quick(claim: Claim) -> AsyncGenerator[Event, None]:  # noqa: ARG001 - a script's signature
        for number in range(1, 100):
            yield step(number)
        yield Event(outcome=OUTCOME)

    async with slot(store, quick):
        record = await until(store, lambda record: bool(record.outcome))
    assert progress_pb2.Progress.FromString(record.progress).step == 99


async def test_two_slots_may_watch_one_job(store: JobStore) -> None:
    """A slot that lost its job to its neighbour leaves the neighbour's watch alone, and a
    cancel from before the watch is heard."""
    await store.claim("w", ["q"], 30)
    await store.cancel("a")
    cancels = Cancels(store)
    async with contextlib.AsyncExitStack() as lost, cancels.watch("a") as cancelled:
        await lost.enter_async_context(cancels.watch("a"))
        await lost.aclose()
        task = asyncio.create_task(cancels.run())
        await asyncio.wait_for(cancelled.wait(), 2)
        task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_checkpoint_told_with_the_last_breath_is_kept(store: JobStore) -> None:
    """A checkpoint that comes right before the failure goes to the next attempt."""
    seen: list[bytes] = []

    async def script(claim: Claim) -> AsyncGenerator[Event, None]:
        seen.append(claim.checkpoint)
        if claim.fence == 1:
            yield Event(checkpoint=audio_pb2.Artifact(key="artifacts/a/stages/1"))
            raise EngineCrashed("died")
        yield Event(outcome=job_outcome_pb2.JobOutcome(tracks=[audio_pb2.ProducedTrack()]))

    async def reconcile() -> None:
        while True:
            await store.reconcile(b"")
            await asyncio.sleep(0.05)

    task = asyncio.create_task(reconcile())
    async with slot(store, script):
        await until(store, lambda job: bool(job.outcome))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    kept = audio_pb2.Artifact(key="artifacts/a/stages/1").SerializeToString()
    assert seen == [b"", kept]


class CancelledAtOnce(JobStore):
    """Somebody cancels each job right after it was claimed."""

    async def claim(self, owner: str, queues: Sequence[str], lease_s: float) -> Claim | None:
        """Claim, and have it cancelled."""
        claim = await super().claim(owner, queues, lease_s)
        if claim:
            await self.cancel(claim.job_id)
        return claim


async def test_a_cancel_right_after_the_claim_is_heard(store: JobStore, valkey: Valkey) -> None:
    """It does not wait for the next beat, which is a minute away."""
    hasty = CancelledAtOnce.connect(valkey.url)
    await store.create(id="b", queue="q", spec=b"", max_attempts=2, queue_limit=10)
    async with slot(hasty, hang, lease_s=300):
        for id in "ab":  # with "b" the runner reads already
            async with asyncio.timeout(10):
                while (await store.get(id)).state is not State.CANCELLED:
                    await asyncio.sleep(0.01)
    await hasty.close()
