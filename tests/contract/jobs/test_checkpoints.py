"""From the engine's host to the job store and back: what a crash does not make anew."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from musicgen.api.audio.v1 import audio_pb2
from musicgen.api.inference.v1 import inference_service_pb2 as pb
from musicgen.api.inference.v1 import inference_service_pb2_grpc
from musicgen.api.jobs.v1 import job_pb2
from musicgen.rpc.channel import connect
from services.jobs.records import Claim
from services.jobs.runner.cancels import Cancels
from services.jobs.runner.lanes import Event, GenerateLane
from services.jobs.runner.worker import Slot
from services.jobs.store import JobStore
from tests.contract.inference.conftest import request, running
from tests.valkey import Valkey

pytestmark = pytest.mark.contract


class NotingLane(GenerateLane):
    """The real lane; what it tells is noted, by attempt."""

    def __init__(self, inference: grpc.aio.Channel, library: grpc.aio.Channel) -> None:
        super().__init__(inference, library)
        self.told: dict[int, list[Event]] = {}

    async def work(self, claim: Claim, spec: job_pb2.JobSpec) -> AsyncGenerator[Event, None]:
        """Note what is told."""
        async for event in super().work(claim, spec):
            self.told.setdefault(claim.fence, []).append(event)
            yield event

    def made(self, fence: int) -> bool:
        """Return whether an attempt came to its end."""
        return any(event.outcome is not None for event in self.told.get(fence, []))

    def checkpoints(self, fence: int) -> int:
        """Return how many checkpoints an attempt told of."""
        return sum(event.checkpoint is not None for event in self.told.get(fence, []))


@asynccontextmanager
async def working(store: JobStore, lane: GenerateLane) -> AsyncIterator[None]:
    """Run a slot of a runner."""
    cancels = Cancels(store)
    slot = Slot(store, lane, cancels, owner="w", lease_s=15.0)
    tasks = [asyncio.create_task(slot.run()), asyncio.create_task(cancels.run())]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_crash_costs_only_what_came_after_the_checkpoint(
    valkey: Valkey, short_tmp: Path
) -> None:
    """After kill -9 of the engine's host in the middle of a job the next attempt goes on from the
    checkpoint that is registered with the job."""
    options = {"steps": 8, "step_s": 0.4, "checkpoints": 1}
    spec = job_pb2.JobSpec(generate=request(duration_s=2.0, options=options).spec)
    store = JobStore.connect(valkey.url)
    await store.create(
        id="job1", queue="generate.fake", spec=spec.SerializeToString(), max_attempts=3,
        queue_limit=10,
    )  # fmt: skip
    nowhere = connect(f"unix:{short_tmp}/nowhere.sock")
    async with running(short_tmp) as inference, asyncio.timeout(60):
        await inference.fake.start()
        lane = NotingLane(inference.channel, nowhere)
        async with working(store, lane):
            while lane.checkpoints(1) < 2:
                await asyncio.sleep(0.05)
            await asyncio.sleep(0.2)  # the store has it
            assert inference.fake.host_pid is not None
            os.kill(inference.fake.host_pid, signal.SIGKILL)
            while not lane.made(2):
                await store.reconcile(b"")
                await asyncio.sleep(0.05)
        details = [one.progress.detail for one in lane.told[2] if one.progress]
        begins = next(detail for detail in details if detail.startswith("going on"))
        assert int(begins.split()[4]) >= 2
        assert "step 1" not in details
        assert max(lane.told) == 2
    await nowhere.close()
    await store.close()


class Scripted(inference_service_pb2_grpc.InferenceServiceServicer):
    """Remembers what it was asked, and answers with a checkpoint and a track."""

    def __init__(self) -> None:
        self.asked: list[pb.GenerateRequest] = []

    async def Generate(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802 - the contract's
        """Answer."""
        self.asked.append(request)
        yield pb.GenerateResponse(checkpoint=audio_pb2.Artifact(key="artifacts/a/stages/new"))
        yield pb.GenerateResponse(result=audio_pb2.ProducedTrack(title="made"))


async def test_the_lane_passes_checkpoints_both_ways(short_tmp: Path) -> None:
    """The one of the claim to the service, as it was; those of the service to the attempt."""
    server, scripted = grpc.aio.server(), Scripted()  # type: ignore[abstract]  # one method is called
    inference_service_pb2_grpc.add_InferenceServiceServicer_to_server(scripted, server)
    address = f"unix:{short_tmp}/i.sock"
    server.add_insecure_port(address)
    await server.start()
    channel = connect(address)
    lane = GenerateLane(channel, channel)
    spec = job_pb2.JobSpec(generate=request().spec)
    old = audio_pb2.Artifact(key="artifacts/a/stages/old", sha256="0" * 64, size_bytes=7)
    for kept in (old.SerializeToString(), b""):
        claim = Claim("a", 1, 1, b"", checkpoint=kept)
        events = [event async for event in lane.work(claim, spec)]
        assert [event.checkpoint.key for event in events if event.checkpoint] == [
            "artifacts/a/stages/new"
        ]
        assert events[-1].outcome is not None
    assert scripted.asked[0].checkpoint == old
    assert not scripted.asked[1].HasField("checkpoint")
    await channel.close()
    await server.stop(None)
