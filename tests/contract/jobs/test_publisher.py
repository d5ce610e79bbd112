"""The publisher against a real store: what can't be published harms nothing else."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from musicgen.api.audio.v1 import audio_pb2
from musicgen.api.errors.v1 import error_pb2, error_reason_pb2
from musicgen.api.jobs.v1 import job_outcome_pb2, job_pb2
from musicgen.api.library.v1 import (
    library_service_pb2,
    library_service_pb2_grpc,
    track_pb2,
)
from musicgen.errors import DiskFull, Internal, StudioError
from musicgen.rpc.channel import connect
from musicgen.rpc.server import RpcServer
from services.jobs import publisher as publisher_module
from services.jobs.publisher import Publisher
from services.jobs.records import State
from services.jobs.store import JobStore
from tests.valkey import Valkey

pytestmark = pytest.mark.contract


async def test_an_outcome_that_makes_no_sense_fails_its_job_only(
    valkey: Valkey, short_tmp: Path
) -> None:
    """A poisoned outbox entry ends as FAILED; the publisher lives and publishes the next."""
    store = JobStore.connect(valkey.url)
    nowhere = connect(f"unix:{short_tmp}/nowhere.sock")
    publisher = Publisher(store, library_service_pb2_grpc.LibraryServiceStub(nowhere))
    good = job_outcome_pb2.JobOutcome(downloads=[job_pb2.Download(file_name="f")])
    for id, outcome in (("bad", b"\xff\xff"), ("good", good.SerializeToString())):
        await store.create(id=id, queue="q", spec=b"", max_attempts=2, queue_limit=10)
        held = await store.claim("w", ["q"], 30)
        assert held is not None
        await store.commit(held, outcome)
    task = asyncio.create_task(publisher.run())
    async with asyncio.timeout(5):
        while await store.outbox():
            await asyncio.sleep(0.01)
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    bad = await store.get("bad")
    reason = error_pb2.Error.FromString(bad.error).reason
    assert (bad.state, reason) == (State.FAILED, error_reason_pb2.ERROR_REASON_CHECKSUM_MISMATCH)
    assert (await store.get("good")).state is State.SUCCEEDED
    await nowhere.close()
    await store.close()


class FullLibrary(library_service_pb2_grpc.LibraryServiceServicer):
    """A library whose disk is full the first times it is asked."""

    def __init__(self, failures: list[StudioError]) -> None:
        self.failures = failures

    async def RegisterTrack(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802 - the contract's
        """Fail as long as there are failures left."""
        if self.failures:
            raise self.failures.pop()
        track = track_pb2.Track(track_id="t")
        return library_service_pb2.RegisterTrackResponse(track=track)


async def test_a_finished_song_waits_for_the_disk_and_for_the_library(
    valkey: Valkey, short_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk and a passing defect of the library delay a finished job; no song is lost."""
    monkeypatch.setattr(publisher_module, "RETRY_S", 0.01)
    failures: list[StudioError] = [DiskFull("Full."), Internal("Once."), DiskFull("Full.")]
    library = FullLibrary(failures)  # type: ignore[abstract]  # its other methods are not called

    async def check() -> str:
        return ""

    server = RpcServer(["musicgen.api.library.v1.LibraryService"], check)
    library_service_pb2_grpc.add_LibraryServiceServicer_to_server(library, server.grpc)
    serving = asyncio.create_task(server.run(f"unix:{short_tmp}/l.sock"))
    store, channel = JobStore.connect(valkey.url), connect(f"unix:{short_tmp}/l.sock")
    outcome = job_outcome_pb2.JobOutcome(tracks=[audio_pb2.ProducedTrack(title="x")])
    await store.create(id="a", queue="q", spec=b"", max_attempts=2, queue_limit=10)
    held = await store.claim("w", ["q"], 30)
    assert held is not None
    await store.commit(held, outcome.SerializeToString())
    publisher = Publisher(store, library_service_pb2_grpc.LibraryServiceStub(channel))
    task = asyncio.create_task(publisher.run())
    async with asyncio.timeout(10):
        while await store.outbox():
            await asyncio.sleep(0.01)
    record = await store.get("a")
    assert (record.state, failures) == (State.SUCCEEDED, [])
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await channel.close()
    server.draining.set()
    await serving
    await store.close()
