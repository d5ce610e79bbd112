"""A looper to call, what it is asked, and what comes back."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest

from musicgen.api.audio.v1 import audio_pb2
from musicgen.api.looper.v1 import loop_pb2, looper_service_pb2
from musicgen.artifacts import ArtifactStore
from musicgen.audio.codecs import Format
from musicgen.errors import StudioError
from musicgen.rpc.status import from_rpc_error
from services.looper.servicer import LooperServicer
from tests.unit.looper.files import read, write
from tests.unit.looper.signals import Signal

RATE_HZ = 44_100
PERIOD = 352_811
"""Frames of the cycle that the music repeats."""

SOURCE_KEY = "uploads/music"
TEN_HOURS_S = 36_000.0
PATIENCE_S = 30.0
"""What takes longer hangs."""


@dataclass
class Looper:
    """A running service and its store."""

    stub: Any  # the stubs describe the synchronous API
    store: ArtifactStore
    servicer: LooperServicer
    channel: grpc.aio.Channel

    def files(self) -> list[str]:
        """List what lies under artifacts/, finished or not, by key."""
        found = (self.store.root / "artifacts").rglob("*")
        return sorted(str(p.relative_to(self.store.root)) for p in found if p.is_file())

    def add(
        self, name: str, signal: Signal, *, rate_hz: int = RATE_HZ, format: Format = Format.FLAC
    ) -> str:
        """Put audio into the store and return its key."""
        write(self.store.path(f"uploads/{name}"), signal, rate_hz, format)
        return f"uploads/{name}"

    def heard(self, artifact: audio_pb2.Artifact) -> Signal:
        """Return what a file that was made sounds like."""
        return read(self.store.existing(artifact.key))

    def music(self, key: str = SOURCE_KEY) -> Signal:
        """Return what a source sounds like."""
        return read(self.store.existing(key))


def points(start: int, end: int) -> audio_pb2.LoopPoints:
    """Return loop points."""
    return audio_pb2.LoopPoints(start_frame=start, end_frame=end)


def render_request(
    *, key: str = SOURCE_KEY, fence: int = 1, **spec: Any
) -> looper_service_pb2.RenderLoopRequest:
    """Ask for three cycles of the music, unless the spec says otherwise."""
    if "length_seconds" not in spec:
        spec.setdefault("cycles", 3)
    spec.setdefault("source", audio_pb2.AudioRef(track_id="t1"))
    request = looper_service_pb2.RenderLoopRequest(
        job_id="j1", fence=fence, spec=loop_pb2.LoopSpec(**spec), source=_source(key)
    )
    request.source.recipe.update({"prompt": "rain", "seed": 7})
    return request


def find_request(
    *,
    key: str = SOURCE_KEY,
    fence: int = 0,
    own: audio_pb2.LoopPoints | None = None,
    **spec: Any,
) -> looper_service_pb2.FindLoopsRequest:
    """Ask for the loops of the music: for a job if there is a fence; `own` are the points
    that it has already."""
    request = looper_service_pb2.FindLoopsRequest(
        job_id="j1" if fence else "",
        fence=fence,
        spec=loop_pb2.FindLoopsSpec(**spec),
        source=_source(key),
    )
    if own:
        request.source.loop_points.CopyFrom(own)
    return request


def _source(key: str) -> audio_pb2.ProducedTrack:
    return audio_pb2.ProducedTrack(
        artifact=audio_pb2.Artifact(key=key, sha256="abc"),
        title="Rain",
        genre="lofi",
        tempo_bpm=82.0,
        musical_key="A minor",
    )


async def events(call: Any) -> tuple[list[Any], Any]:
    """Collect a stream: its progress messages and its result."""
    progress, result = [], None
    async for event in call:
        assert result is None, "the result ends the stream"
        if event.WhichOneof("event") == "progress":
            progress.append(event.progress)
        else:
            result = event.result
    return progress, result


async def render(looper: Looper, **request: Any) -> looper_service_pb2.LoopRender:
    """Return the result of a render."""
    _, result = await events(looper.stub.RenderLoop(render_request(**request)))
    assert isinstance(result, looper_service_pb2.LoopRender)
    return result


async def find(looper: Looper, **request: Any) -> looper_service_pb2.LoopsFound:
    """Return the result of an analysis."""
    _, result = await events(looper.stub.FindLoops(find_request(**request)))
    assert isinstance(result, looper_service_pb2.LoopsFound)
    return result


async def failure(call: Any) -> StudioError:
    """Return the error that a stream ends with."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await events(call)
    return from_rpc_error(caught.value)


async def started(call: Any, stage: str = "writing") -> None:
    """Read until the work is in a stage and has made some way in it."""
    async for event in call:
        if event.progress.stage == stage and event.progress.step > 0:
            return
    pytest.fail(f"the work ended before {stage}")


async def left(looper: Looper, keys: list[str]) -> None:
    """Wait until nothing but these is left under artifacts/."""
    async with asyncio.timeout(PATIENCE_S):
        while looper.files() != keys:
            await asyncio.sleep(0.01)


def stages_of(progress: list[Any]) -> list[str]:
    """Return the stages in the order in which they came."""
    return list(dict.fromkeys(one.stage for one in progress))


def source_file(folder: Path, signal: Signal, *, rate_hz: int = RATE_HZ) -> ArtifactStore:
    """Return a new store in a folder with this audio as the source, as FLAC."""
    store = ArtifactStore(folder)
    store.path(SOURCE_KEY).parent.mkdir(parents=True)
    write(store.path(SOURCE_KEY), signal, rate_hz, Format.FLAC)
    return store
