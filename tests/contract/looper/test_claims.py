"""Cancelling, claims, and what other calls notice of a long render."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import time
from typing import Any

import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from musicgen.api.audio.v1 import audio_pb2
from musicgen.artifacts import ArtifactStore
from musicgen.errors import ClaimLost
from services.looper.servicer import SERVICE, LooperServicer
from tests.contract.looper.calls import (
    TEN_HOURS_S,
    Looper,
    events,
    failure,
    find,
    find_request,
    left,
    points,
    render,
    render_request,
    started,
)

pytestmark = pytest.mark.contract

CYCLE = points(50_000, 402_811)
HOURS: dict[str, Any] = {"length_seconds": TEN_HOURS_S, "points": CYCLE}
FLAC, OPUS, OGG = (
    audio_pb2.AUDIO_FORMAT_FLAC,
    audio_pb2.AUDIO_FORMAT_OPUS,
    audio_pb2.AUDIO_FORMAT_OGG,
)


async def test_it_is_healthy(looper: Looper) -> None:
    """Health says SERVING while the data root can be written, and not without it."""
    stub: Any = health_pb2_grpc.HealthStub(looper.channel)
    answer = await stub.Check(health_pb2.HealthCheckRequest(service=SERVICE))
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
    assert await looper.servicer.check() == ""
    nowhere = LooperServicer(
        ArtifactStore(looper.store.root / "none"), concurrent.futures.ThreadPoolExecutor(1)
    )
    assert "none" in await nowhere.check()


@pytest.mark.parametrize(
    ("format", "stage"),
    [(FLAC, "writing"), (OPUS, "encoding"), (OPUS, "writing"), (OGG, "encoding")],
)
async def test_a_cancelled_render_stops_within_a_second(
    looper: Looper, format: audio_pb2.AudioFormat.ValueType, stage: str
) -> None:
    """Of ten hours nothing is left after less than a second of work, and the service goes
    on."""
    call = looper.stub.RenderLoop(render_request(format=format, **HOURS))
    await started(call, stage)
    assert looper.files()
    # Work, not waiting: others may be using this machine.
    before_s = time.process_time()
    call.cancel()
    await left(looper, [])
    assert time.process_time() - before_s < 1.0
    assert (await render(looper, points=CYCLE)).track.title


async def test_a_search_that_is_cancelled_and_asked_for_again(looper: Looper) -> None:
    """Under the same claim it begins when the former has cleaned up, and finds everything;
    that the former lost its claim is no defect to be logged, for nobody waits for it."""
    defects: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, told: defects.append(told))
    key = looper.add("long", np.tile(looper.music(), (10, 1)))
    call = looper.stub.FindLoops(find_request(key=key, fence=1))
    await started(call, "analysing")
    call.cancel()
    result = await find(looper, fence=1, max_candidates=1)
    made = [file.artifact.key for file in result.files]
    assert looper.files() == sorted([*made, "artifacts/j1/1/seam-1.flac"])
    gc.collect()
    assert defects == []


async def test_a_greater_fence_takes_over(looper: Looper) -> None:
    """The older render ends with CLAIM_LOST and leaves nothing; a late one is refused."""
    old = looper.stub.RenderLoop(render_request(**HOURS))
    await started(old)
    result = await render(looper, fence=2, points=CYCLE)
    assert isinstance(await failure(old), ClaimLost)
    late = await failure(looper.stub.RenderLoop(render_request(points=CYCLE)))
    assert isinstance(late, ClaimLost)
    assert late.metadata["job_id"] == "j1"
    await left(looper, [result.track.artifact.key])


async def test_a_search_holds_a_claim_too(looper: Looper) -> None:
    """A lower fence is refused; without a job there is none to hold."""
    await find(looper, fence=3)
    assert isinstance(await failure(looper.stub.FindLoops(find_request(fence=2))), ClaimLost)
    await find(looper)
    files = looper.files()
    assert {key.rsplit("/", 1)[0] for key in files} == {"artifacts/j1/3"}


async def test_the_same_claim_again_starts_over(looper: Looper) -> None:
    """A repeated call under one fence waits for the first to clean up, then succeeds."""
    first = looper.stub.RenderLoop(render_request(**HOURS))
    await started(first)
    result = await render(looper, points=CYCLE)
    assert isinstance(await failure(first), ClaimLost)
    assert looper.files() == [result.track.artifact.key]


async def test_the_loop_stays_free_during_a_render(looper: Looper) -> None:
    """Other calls are answered meanwhile, a search too."""
    call = looper.stub.RenderLoop(render_request(**HOURS))
    await started(call)
    stub: Any = health_pb2_grpc.HealthStub(looper.channel)
    for _ in range(20):
        await stub.Check(health_pb2.HealthCheckRequest())
    assert not call.done()
    assert looper.files() == [key for key in looper.files() if key.endswith(".part")]
    call.cancel()
    await left(looper, [])


async def test_jobs_do_not_disturb_each_other(looper: Looper) -> None:
    """Two at a time, each in its own place."""
    calls = []
    for job_id in ("a", "b"):
        request = render_request(points=CYCLE)
        request.job_id = job_id
        calls.append(looper.stub.RenderLoop(request))
    for call in calls:
        await events(call)
    assert looper.files() == ["artifacts/a/1/loop.flac", "artifacts/b/1/loop.flac"]
