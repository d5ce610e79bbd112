from __future__ import annotations

import asyncio
import concurrent.futures
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import json_format
from grpc_health.v1 import health_pb2, health_pb2_grpc

from musicgen.api.audio.v1 import audio_pb2
from musicgen.api.looper.v1 import loop_pb2, looper_service_pb2, looper_service_pb2_grpc
from musicgen.artifacts import ArtifactStore, sha256_of
from musicgen.audio.codecs import AudioWriter, Format, probe
from musicgen.errors import ClaimLost, StudioError
from musicgen.rpc.channel import connect
from musicgen.rpc.server import RpcServer
from musicgen.rpc.status import from_rpc_error
from services.looper.servicer import SERVICE, LooperServicer
from tests.unit.looper import signals

pytestmark = pytest.mark.contract

PERIOD = 352_811
SOURCE_KEY = "uploads/music"


@dataclass
class Looper:
    """A running service and its store."""

    stub: Any  # the stubs describe the synchronous API
    store: ArtifactStore
    servicer: LooperServicer
    channel: grpc.aio.Channel

    def files(self) -> list[Path]:
        """List what lies under artifacts/."""
        return [path for path in (self.store.root / "artifacts").rglob("*") if path.is_file()]


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A FLAC file of two and a half cycles."""
    path = tmp_path_factory.mktemp("music") / "music.flac"
    with AudioWriter(path, Format.FLAC, 44_100, 2) as writer:
        writer.write(signals.music(PERIOD, 2.5)[0])
    return path.read_bytes()


@pytest.fixture
async def looper(short_tmp: Path, music: bytes) -> AsyncIterator[Looper]:
    """A looper on a Unix socket, with one source in its store."""
    store = ArtifactStore(short_tmp / "data")
    source = store.path(SOURCE_KEY)
    source.parent.mkdir(parents=True)
    source.write_bytes(music)
    address = f"unix:{short_tmp}/looper.sock"
    with concurrent.futures.ThreadPoolExecutor(2) as executor:
        servicer = LooperServicer(store, executor)
        server = RpcServer([SERVICE], servicer.check)
        looper_service_pb2_grpc.add_LooperServiceServicer_to_server(servicer, server.grpc)
        running = asyncio.create_task(server.run(address))
        async with connect(address) as channel:
            await channel.channel_ready()
            stub = looper_service_pb2_grpc.LooperServiceStub(channel)
            yield Looper(stub, store, servicer, channel)
        server.draining.set()
        await running


def render_request(**spec: Any) -> looper_service_pb2.RenderLoopRequest:
    """Ask for a minute of the music under fence 1."""
    fields: dict[str, Any] = {
        "length_seconds": 60.0,
        "source": audio_pb2.AudioRef(track_id="t1"),
    } | spec
    request = looper_service_pb2.RenderLoopRequest(
        job_id="j1",
        fence=1,
        spec=loop_pb2.LoopSpec(**fields),
        source=audio_pb2.ProducedTrack(
            artifact=audio_pb2.Artifact(key=SOURCE_KEY, sha256="abc"),
            title="Rain",
            genre="lofi",
            tempo_bpm=82.0,
            musical_key="A minor",
        ),
    )
    request.source.recipe.update({"prompt": "rain", "seed": 7})
    return request


async def events(call: Any) -> tuple[list[Any], Any]:
    """Collect a stream: its progress messages and its result."""
    progress, result = [], None
    async for event in call:
        if event.WhichOneof("event") == "progress":
            progress.append(event.progress)
        else:
            result = event.result
    return progress, result


async def failure(call: Any) -> StudioError:
    """Return the error that a stream ends with."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await events(call)
    return from_rpc_error(caught.value)


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


async def test_find_loops(looper: Looper) -> None:
    """Progress, then the candidates with what was measured."""
    request = looper_service_pb2.FindLoopsRequest(source=audio_pb2.Artifact(key=SOURCE_KEY))
    progress, result = await events(looper.stub.FindLoops(request))
    assert progress[0].stage == "analysing"
    best = result.candidates[0]
    assert best.points.end_frame - best.points.start_frame == PERIOD
    assert best.score > 0.95
    assert best.spectral_similarity > 0.95
    assert best.waveform_correlation > 0.99
    assert len(result.candidates) <= 5
    request.max_candidates = 1
    _, result = await events(looper.stub.FindLoops(request))
    assert len(result.candidates) == 1


async def test_render_a_found_loop(looper: Looper) -> None:
    """The result is durable, exact, and carries its lineage."""
    progress, result = await events(looper.stub.RenderLoop(render_request()))
    track = result.track
    path = looper.store.existing(track.artifact.key)
    assert track.artifact.key == "artifacts/j1/1/loop.flac"
    assert track.artifact.sha256 == sha256_of(path)
    assert track.artifact.size_bytes == path.stat().st_size
    assert track.artifact.media_type == "audio/flac"
    assert track.artifact.audio.duration_frames == probe(path).duration_frames == 60 * 44_100
    assert track.title == "Rain (loop 1 min)"
    assert (track.genre, track.tempo_bpm, track.musical_key) == ("lofi", 82.0, "A minor")
    assert track.parent_track_id == "t1"
    assert track.loop_points.end_frame - track.loop_points.start_frame == PERIOD
    recipe = json_format.MessageToDict(track.recipe)
    assert recipe["source"]["recipe"] == {"prompt": "rain", "seed": 7}
    assert recipe["source"]["reference"] == {"track_id": "t1"}
    assert recipe["points"]["from"] == "found"
    assert recipe["points"]["start_frame"] == result.candidate.points.start_frame
    assert recipe["seam"]["clean"] is result.seam.clean is True
    assert result.seam.crossfade_ms == pytest.approx(30)
    stages = list(dict.fromkeys(p.stage for p in progress))
    assert stages == ["analysing", "comparing", "aligning", "rendering", "checking"]
    assert [p.fraction for p in progress] == sorted(p.fraction for p in progress)
    assert looper.files() == [path]


@pytest.mark.parametrize(
    ("format", "extension"),
    [(audio_pb2.AUDIO_FORMAT_WAV, "wav"), (audio_pb2.AUDIO_FORMAT_MP3, "mp3")],
)
async def test_the_format_is_the_one_asked_for(looper: Looper, format: int, extension: str) -> None:
    """WAV and MP3 have the exact length too."""
    request = render_request(format=format, length_seconds=60.25)
    _, result = await events(looper.stub.RenderLoop(request))
    path = looper.store.existing(result.track.artifact.key)
    assert path.suffix == f".{extension}"
    assert probe(path).duration_frames == round(60.25 * 44_100)
    assert result.track.artifact.audio.format == format


async def test_points_given_go_before_the_sources_own(looper: Looper) -> None:
    """The request's points win; without them the source's own are used as they are."""
    own = audio_pb2.LoopPoints(start_frame=10, end_frame=PERIOD + 10)
    given = audio_pb2.LoopPoints(start_frame=5000, end_frame=PERIOD + 5000)
    request = render_request(crossfade_ms=0)
    request.source.loop_points.CopyFrom(own)
    _, result = await events(looper.stub.RenderLoop(request))
    assert result.candidate.points == own
    assert result.track.recipe["points"]["from"] == "source"
    assert result.seam.crossfade_ms == 0
    request.fence = 2
    request.spec.points.CopyFrom(given)
    _, result = await events(looper.stub.RenderLoop(request))
    assert result.candidate.points == given
    assert result.track.recipe["points"]["from"] == "request"


def _points(start: int, end: int) -> audio_pb2.LoopPoints:
    return audio_pb2.LoopPoints(start_frame=start, end_frame=end)


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"length_seconds": 59.9}, "spec.length_seconds"),
        ({"length_seconds": 39_600.0}, "spec.length_seconds"),
        ({"length_seconds": float("nan")}, "spec.length_seconds"),
        ({"length_seconds": float("inf")}, "spec.length_seconds"),
        ({"length_seconds": -1.0}, "spec.length_seconds"),
        ({"crossfade_ms": 500.1}, "spec.crossfade_ms"),
        ({"crossfade_ms": float("nan")}, "spec.crossfade_ms"),
        ({"points": _points(-1, 100_000)}, "spec.points.start_frame"),
        ({"points": _points(100_000, 100_000)}, "spec.points.end_frame"),
        ({"points": _points(100_000, 100_500)}, "spec.points"),
        ({"points": _points(0, 10**12)}, "spec.points"),
    ],
)
async def test_a_bad_spec_names_its_field(looper: Looper, spec: dict[str, Any], field: str) -> None:
    """Each fault is INVALID_FIELD with the field, and nothing is written."""
    error = await failure(looper.stub.RenderLoop(render_request(**spec)))
    assert error.reason == "INVALID_FIELD"
    assert field in error.fields
    assert error.remedy
    assert looper.files() == []


async def test_all_faults_are_told_at_once(looper: Looper) -> None:
    """An empty request lists everything that is missing."""
    error = await failure(looper.stub.RenderLoop(looper_service_pb2.RenderLoopRequest()))
    assert set(error.fields) == {
        "job_id",
        "fence",
        "source.artifact.key",
        "spec.length_seconds",
    }
    request = looper_service_pb2.FindLoopsRequest(max_candidates=-1)
    error = await failure(looper.stub.FindLoops(request))
    assert set(error.fields) == {"source.key", "max_candidates"}


async def test_what_can_not_be_used_has_its_own_reason(looper: Looper) -> None:
    """Unknown formats, missing, broken, short and unloopable files are told apart."""
    store = looper.store
    store.path("uploads/garbage").write_bytes(b"RIFF" + bytes(5000))
    for name, signal in (("noise", signals.noise(20)), ("short", signals.noise(0.4))):
        with AudioWriter(store.path(f"uploads/{name}"), Format.WAV, 44_100, 2) as writer:
            writer.write(signal)
    cases = [
        ("uploads/music", {"format": 99}, "UNSUPPORTED_FORMAT"),
        ("uploads/gone", {}, "ARTIFACT_NOT_FOUND"),
        ("../etc/passwd", {}, "INVALID_FIELD"),
        ("uploads/garbage", {}, "INVALID_AUDIO"),
        ("uploads/short", {}, "INVALID_AUDIO"),
        ("uploads/noise", {}, "NO_LOOP_FOUND"),
    ]
    for key, spec, reason in cases:
        request = render_request(**spec)
        request.source.artifact.key = key
        assert (await failure(looper.stub.RenderLoop(request))).reason == reason, key
        if not spec:
            find = looper_service_pb2.FindLoopsRequest(source=audio_pb2.Artifact(key=key))
            assert (await failure(looper.stub.FindLoops(find))).reason == reason, key
    assert looper.files() == []


async def started(call: Any) -> None:
    """Read until the render has begun to write."""
    async for event in call:
        if event.progress.stage == "rendering" and event.progress.step > 0:
            return


async def gone(looper: Looper, within_s: float) -> None:
    """Wait until nothing is left under artifacts/."""
    deadline = time.monotonic() + within_s
    while looper.files():
        assert time.monotonic() < deadline, looper.files()
        await asyncio.sleep(0.02)


async def test_a_cancelled_call_stops_within_a_second(looper: Looper) -> None:
    """Nothing is left of a ten hour render, and the service goes on."""
    call = looper.stub.RenderLoop(render_request(length_seconds=36_000.0))
    await started(call)
    assert looper.files()
    call.cancel()
    await gone(looper, 1.0)
    _, result = await events(looper.stub.RenderLoop(render_request()))
    assert result.track.title


async def test_a_greater_fence_takes_over(looper: Looper) -> None:
    """The older render ends with CLAIM_LOST and leaves nothing; a late one is refused."""
    old = looper.stub.RenderLoop(render_request(length_seconds=36_000.0))
    await started(old)
    request = render_request()
    request.fence = 2
    _, result = await events(looper.stub.RenderLoop(request))
    assert isinstance(await failure(old), ClaimLost)
    assert isinstance(await failure(looper.stub.RenderLoop(render_request())), ClaimLost)
    kept = looper.store.existing(result.track.artifact.key)
    deadline = time.monotonic() + 1.0
    while looper.files() != [kept]:
        assert time.monotonic() < deadline, looper.files()
        await asyncio.sleep(0.02)


async def test_the_same_claim_again_starts_over(looper: Looper) -> None:
    """A repeated call under one fence waits for the first to clean up, then succeeds."""
    first = looper.stub.RenderLoop(render_request(length_seconds=36_000.0))
    await started(first)
    _, result = await events(looper.stub.RenderLoop(render_request()))
    assert isinstance(await failure(first), ClaimLost)
    assert looper.files() == [looper.store.existing(result.track.artifact.key)]


async def test_the_loop_stays_free_during_a_render(looper: Looper) -> None:
    """Other calls are answered in milliseconds meanwhile."""
    call = looper.stub.RenderLoop(render_request(length_seconds=36_000.0))
    await started(call)
    stub: Any = health_pb2_grpc.HealthStub(looper.channel)
    waits = []
    for _ in range(20):
        begun = time.perf_counter()
        await stub.Check(health_pb2.HealthCheckRequest())
        waits.append(time.perf_counter() - begun)
    call.cancel()
    await gone(looper, 1.0)
    assert sorted(waits)[10] < 0.1
