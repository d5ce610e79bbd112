from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from google.protobuf import field_mask_pb2, json_format
from grpc_health.v1 import health_pb2, health_pb2_grpc

from musicgen.api.audio.v1 import audio_pb2
from musicgen.api.library.v1 import library_service_pb2 as pb
from musicgen.api.library.v1 import track_pb2
from musicgen.artifacts import sha256_of
from musicgen.audio.codecs import Format, Properties, probe, written_rate_hz
from musicgen.errors import (
    ArtifactNotFound,
    ChecksumMismatch,
    ClaimLost,
    DiskFull,
    EditConflict,
    InvalidAudio,
    InvalidField,
    StudioError,
    TrackNotFound,
    UnsupportedFormat,
    UploadNotFound,
)
from musicgen.rpc.status import from_rpc_error
from tests.contract.library.studio import Studio, running
from tests.unit.library.sounds import RATE_HZ, TAGGED, samples, tags_of, write

pytestmark = pytest.mark.contract

UPLOAD = "123e4567-e89b-42d3-a456-426614174000"
FORMATS = {format: audio_pb2.AudioFormat.Value(f"AUDIO_FORMAT_{format.name}") for format in Format}


async def refused(call: object) -> StudioError:
    """The error that a call ends with, as a client sees it."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call  # type: ignore[misc]  # any call
    error = from_rpc_error(caught.value)
    assert error.remedy
    return error


async def test_a_track_lives(studio: Studio) -> None:
    """Register, get, list, edit, delete: each shows what the one before did."""
    request = studio.request()
    track = (await studio.stub.RegisterTrack(request)).track
    assert (await studio.stub.RegisterTrack(request)).track == track
    assert track.audio.duration_frames == 50_017
    assert track.audio.format == audio_pb2.AUDIO_FORMAT_FLAC
    assert track.source_sha256 == request.track.artifact.sha256
    assert track.recipe == request.track.recipe
    assert track.loop_points == request.track.loop_points
    assert track.parent_track_id == "b" * 16
    assert not track.HasField("year")
    assert track.audio_path == f"/v1/tracks/{track.track_id}/audio"
    assert (await studio.stub.GetTrack(pb.GetTrackRequest(track_id=track.track_id))).track == track
    assert list((await studio.stub.ListTracks(pb.ListTracksRequest())).tracks) == [track]

    edit = track_pb2.Track(track_id=track.track_id, title="Nuit", year=1999, etag=track.etag)
    edited = (await studio.stub.UpdateTrack(pb.UpdateTrackRequest(track=edit))).track
    assert (edited.title, edited.year, edited.genre) == ("Nuit", 1999, "lofi")
    assert edited.update_time.ToMicroseconds() > track.update_time.ToMicroseconds()
    stale = pb.UpdateTrackRequest(track=edit, update_mask=field_mask_pb2.FieldMask(paths=["title"]))
    assert isinstance(await refused(studio.stub.UpdateTrack(stale)), EditConflict)
    wrong = pb.UpdateTrackRequest(
        track=track_pb2.Track(track_id=track.track_id, title="", year=0),
        update_mask=field_mask_pb2.FieldMask(paths=["title", "year"]),
    )
    error = await refused(studio.stub.UpdateTrack(wrong))
    assert set(error.fields) == {"track.title", "track.year"}
    wrong.update_mask.paths[:] = ["recipe"]
    assert isinstance(await refused(studio.stub.UpdateTrack(wrong)), InvalidField)

    await studio.stub.DeleteTrack(pb.DeleteTrackRequest(track_id=track.track_id))
    gone = await refused(studio.stub.GetTrack(pb.GetTrackRequest(track_id=track.track_id)))
    assert isinstance(gone, TrackNotFound)
    assert (await studio.stub.RegisterTrack(request)).track == edited
    assert not (await studio.stub.ListTracks(pb.ListTracksRequest())).tracks


async def test_whole_numbers_of_a_recipe_are_written_as_such(studio: Studio) -> None:
    """A Struct knows floats only; the sidecar still says seed 7."""
    track = await studio.register()
    sidecar = studio.store.path(f"library/{track.track_id}/track.json").read_text()
    assert '"seed": 7,' in sidecar or '"seed": 7\n' in sidecar
    assert json_format.MessageToDict(track.recipe)["seed"] == 7.0


async def test_registering_at_once(studio: Studio) -> None:
    """Ten calls at the same time get the one track."""
    request = studio.request()
    answers = await asyncio.gather(*(studio.stub.RegisterTrack(request) for _ in range(10)))
    assert len({answer.SerializeToString(deterministic=True) for answer in answers}) == 1


async def test_bad_requests_are_refused(studio: Studio) -> None:
    """Each wrong request has its reason; nothing dies of any."""
    good = studio.request()

    def but(**changes: object) -> pb.RegisterTrackRequest:
        request = pb.RegisterTrackRequest()
        request.CopyFrom(good)
        for name, value in changes.items():
            holder = request.track.artifact if name in ("key", "sha256") else request
            setattr(holder, name, value)
        return request

    for request, kind in (
        (but(job_id=""), InvalidField),
        (but(job_id="../x"), InvalidField),
        (but(output_index=-1), InvalidField),
        (but(key=""), InvalidField),
        (but(sha256=""), InvalidField),
        (but(key="artifacts/../../etc"), InvalidField),
        (but(key="artifacts/job-1/2/mix.flac"), ArtifactNotFound),
        (but(sha256="0" * 64), ChecksumMismatch),
    ):
        assert type(await refused(studio.stub.RegisterTrack(request))) is kind
    bad = pb.ListTracksRequest(page_token="nonsense")
    assert set((await refused(studio.stub.ListTracks(bad))).fields) == {"page_token"}
    assert isinstance(
        await refused(studio.stub.ResolveAudio(pb.ResolveAudioRequest())), InvalidField
    )
    garbled: Any = studio.channel.unary_unary("/musicgen.api.library.v1.LibraryService/GetTrack")
    error = await refused(garbled(b"\x0a\x02\xff\xfe"))
    assert error.reason == "MALFORMED_MESSAGE"


async def test_resolve_audio(studio: Studio) -> None:
    """A track, an artifact and an upload resolve to a key, its facts and its checksum."""
    track = await studio.register()

    async def resolve(**source: str) -> audio_pb2.ProducedTrack:
        request = pb.ResolveAudioRequest(audio=audio_pb2.AudioRef(**source))
        return (await studio.stub.ResolveAudio(request)).track

    found = await resolve(track_id=track.track_id)
    assert found.artifact.key == f"library/{track.track_id}/audio.flac"
    assert found.artifact.sha256 == "", "its tags, and so its bytes, may change"
    assert (found.title, found.tempo_bpm, found.recipe) == (track.title, 82.5, track.recipe)
    assert found.loop_points == track.loop_points

    found = await resolve(artifact_key="artifacts/kept/1/mix.flac")
    assert found.artifact.sha256 == track.source_sha256
    assert found.artifact.audio.duration_frames == 50_017

    path = write(studio.store.path(f"uploads/{UPLOAD}"), Format.MP3, 30_000)
    found = await resolve(upload_id=UPLOAD.upper())
    assert found.artifact.key == f"uploads/{UPLOAD}"
    assert found.artifact.sha256 == sha256_of(path)
    assert found.artifact.media_type == "audio/mpeg"
    assert found.artifact.audio.duration_frames == 30_000
    path.write_bytes(b"garbage" * 1000)

    for source, kind in (
        ({"upload_id": UPLOAD}, InvalidAudio),
        ({"upload_id": UPLOAD.replace("1", "2")}, UploadNotFound),
        ({"upload_id": "../index.sqlite"}, InvalidField),
        ({"track_id": "a" * 16}, TrackNotFound),
        ({"track_id": "../.."}, TrackNotFound),
        ({"artifact_key": "artifacts/nope/1/mix.flac"}, ArtifactNotFound),
        ({"artifact_key": "library/index.sqlite"}, InvalidField),
        ({"artifact_key": "artifacts/../library/index.sqlite"}, InvalidField),
    ):
        request = pb.ResolveAudioRequest(audio=audio_pb2.AudioRef(**source))
        assert type(await refused(studio.stub.ResolveAudio(request))) is kind


def export_request(
    track_id: str, format: Format, job_id: str = "x", fence: int = 1
) -> pb.ExportTrackRequest:
    """A runner's request."""
    spec = track_pb2.ExportSpec(track_id=track_id, format=FORMATS[format])
    return pb.ExportTrackRequest(job_id=job_id, fence=fence, spec=spec)


def rms(signal: npt.NDArray[np.float64]) -> float:
    """The root of the mean square, the edges left out: a coder needs time to begin."""
    return float(np.sqrt(np.mean(signal[5000:-5000] ** 2)))


@pytest.mark.parametrize("made", Format)
@pytest.mark.parametrize("wanted", Format)
async def test_export(studio: Studio, made: Format, wanted: Format) -> None:
    """Every format from every other: the length to the frame, samples where lossless,
    tags inside, progress that only grows, checksum and name right."""
    frames = RATE_HZ + 321
    track = await studio.register(format=made, frames=frames, title="Rain: 1/2")
    await studio.stub.UpdateTrack(
        pb.UpdateTrackRequest(track=track_pb2.Track(track_id=track.track_id, artist="Ana"))
    )
    events = [
        event async for event in studio.stub.ExportTrack(export_request(track.track_id, wanted))
    ]
    result = events[-1].result
    path = studio.store.existing(f"artifacts/x/1/export.{wanted.extension}")
    assert result.artifact.key == f"artifacts/x/1/export.{wanted.extension}"
    assert result.artifact.sha256 == sha256_of(path)
    assert result.artifact.size_bytes == path.stat().st_size
    made_hz = written_rate_hz(RATE_HZ, made)
    made_frames = round(frames * made_hz / RATE_HZ)
    rate_hz = written_rate_hz(made_hz, wanted)
    assert probe(path) == Properties(wanted, rate_hz, 2, round(made_frames * rate_hz / made_hz))
    assert result.artifact.audio.duration_frames == probe(path).duration_frames
    assert result.artifact.audio.format == FORMATS[wanted]
    assert result.artifact.media_type == wanted.media_type
    assert result.file_name == f"Ana - Rain_ 1_2.{wanted.extension}"
    fractions = [event.progress.fraction for event in events[:-1]]
    assert fractions
    assert fractions == sorted(fractions)
    source = studio.store.path("artifacts/kept/1/mix." + made.extension)
    if wanted is made or (wanted.lossless and made.lossless):
        assert np.array_equal(samples(path), samples(source))
    elif rate_hz == made_hz:
        expected = samples(source).astype(np.float64)
        assert rms(samples(path) - expected) < 0.03 * rms(expected)
    # Of an MP4 file mutagen counts the silence before the sound, too.
    inexact_s = 0.05 if wanted is Format.M4A else 0.001
    length_s = TAGGED[wanted](path).info.length
    assert length_s == pytest.approx(probe(path).duration_s, abs=inexact_s)
    tags = tags_of(path, wanted)
    assert tags["ARTIST"] == ["Ana"]
    assert '"seed":7' in tags["MUSICGEN_RECIPE"][0]
    # The artifact's loop is [100, frames - 100), whatever the rate it was made at.
    assert tags["LOOPSTART"] == [str(round(100 * rate_hz / made_hz))]
    length = (frames - 200) * rate_hz / made_hz
    assert float(tags["LOOPLENGTH"][0]) == pytest.approx(length, abs=1)
    assert [left.name for left in path.parent.iterdir()] == [path.name]


async def test_export_keeps_24_bits(studio: Studio) -> None:
    """A 24-bit FLAC becomes a 24-bit WAV, bit by bit."""
    track = await studio.register(bits=24)
    async for _ in studio.stub.ExportTrack(export_request(track.track_id, Format.WAV)):
        pass
    made, source = (
        studio.store.path(key) for key in ("artifacts/x/1/export.wav", "artifacts/kept/1/mix.flac")
    )
    assert np.array_equal(samples(made), samples(source))
    assert np.any(samples(made) & 0xFF00)


async def test_export_of_what_can_not_be(studio: Studio) -> None:
    """No such track, no such format, a rate that MP3 lacks, no fence: refused at once."""
    track = await studio.register()
    path = studio.store.path("artifacts/hi/1/mix.wav")
    path.parent.mkdir(parents=True)
    soundfile.write(path, np.zeros((1000, 2)), 96_000)
    message = audio_pb2.ProducedTrack(
        artifact=audio_pb2.Artifact(key="artifacts/hi/1/mix.wav", sha256=sha256_of(path))
    )
    fast = (
        await studio.stub.RegisterTrack(pb.RegisterTrackRequest(job_id="hi", track=message))
    ).track
    assert fast.title == "Untitled"
    odd = export_request(track.track_id, Format.WAV)
    odd.spec.format = 77  # type: ignore[assignment]  # a newer client's
    for request, kind in (
        (export_request("a" * 16, Format.WAV), TrackNotFound),
        (export_request(fast.track_id, Format.MP3), UnsupportedFormat),
        (odd, UnsupportedFormat),
        (export_request(track.track_id, Format.WAV, fence=0), InvalidField),
        (export_request(track.track_id, Format.WAV, job_id="a/b"), InvalidField),
    ):
        stream = studio.stub.ExportTrack(request)
        assert type(await refused(stream.read())) is kind
    assert not list(studio.store.path("artifacts").glob("x/1/*"))


async def started(
    studio: Studio, request: pb.ExportTrackRequest
) -> grpc.aio.UnaryStreamCall[pb.ExportTrackRequest, pb.ExportTrackResponse]:
    """An export that has sent its first progress."""
    stream = studio.stub.ExportTrack(request)
    first = await stream.read()
    assert isinstance(first, pb.ExportTrackResponse)
    assert first.HasField("progress")
    return stream


async def nothing_left(folder: Path, *, within_s: float) -> None:
    """Wait until the folder is empty."""
    async with asyncio.timeout(within_s):
        while list(folder.iterdir()):
            await asyncio.sleep(0.02)


async def test_cancelled_export_leaves_nothing(studio: Studio) -> None:
    """A cancel in the middle acts within a second and leaves no file."""
    track = await studio.register(frames=120 * RATE_HZ)
    stream = await started(studio, export_request(track.track_id, Format.MP3))
    folder = studio.store.path("artifacts/x/1")
    while not [path.name for path in folder.iterdir() if path.name.endswith(".plain")]:
        await asyncio.sleep(0.01)
    stream.cancel()
    await nothing_left(folder, within_s=1.0)


async def test_a_newer_fence_stops_an_older_export(studio: Studio) -> None:
    """The newer claim works; the older ends with CLAIM_LOST, and can't come back."""
    track = await studio.register(frames=120 * RATE_HZ)
    old = await started(studio, export_request(track.track_id, Format.MP3))
    new = studio.stub.ExportTrack(export_request(track.track_id, Format.WAV, fence=2))
    events = [event async for event in new]
    assert events[-1].HasField("result")

    async def rest() -> None:
        while await old.read() is not grpc.aio.EOF:
            pass

    assert isinstance(await refused(rest()), ClaimLost)
    await nothing_left(studio.store.path("artifacts/x/1"), within_s=1.0)
    again = studio.stub.ExportTrack(export_request(track.track_id, Format.MP3))
    assert isinstance(await refused(again.read()), ClaimLost)


async def test_the_same_claim_twice(studio: Studio) -> None:
    """A runner that lost its stream asks again under the same fence: the second works."""
    track = await studio.register(frames=120 * RATE_HZ)
    old = await started(studio, export_request(track.track_id, Format.MP3))
    events = [
        event
        async for event in studio.stub.ExportTrack(export_request(track.track_id, Format.FLAC))
    ]
    assert events[-1].result.artifact.size_bytes
    old.cancel()
    assert [path.name for path in studio.store.path("artifacts/x/1").iterdir()] == ["export.flac"]


async def health_of(studio: Studio) -> int:
    """What grpc.health.v1 says."""
    stub = health_pb2_grpc.HealthStub(studio.channel)
    return int((await stub.Check(health_pb2.HealthCheckRequest())).status)


async def test_health_is_truthful(studio: Studio) -> None:
    """NOT_SERVING while the library folder is gone; SERVING again when it is back."""
    serving = health_pb2.HealthCheckResponse.SERVING
    track = await studio.register()
    assert await health_of(studio) == serving
    root = studio.store.path("library")
    root.rename(root.with_name("away"))
    root.write_text("in the way")
    async with asyncio.timeout(5):
        while await health_of(studio) == serving:
            await asyncio.sleep(0.05)
    root.unlink()
    root.with_name("away").rename(root)
    async with asyncio.timeout(5):
        while await health_of(studio) != serving:
            await asyncio.sleep(0.05)
    assert list((await studio.stub.ListTracks(pb.ListTracksRequest())).tracks) == [track]


async def test_tracks_outlive_the_process_and_the_index(short_tmp: Path) -> None:
    """After a restart without its index, all is there."""
    async with running(short_tmp) as studio:
        tracks = [await studio.register(f"job-{n}") for n in range(3)]
    for path in studio.store.path("library").glob("index.sqlite*"):
        path.unlink()
    async with running(short_tmp) as studio:
        found = (await studio.stub.ListTracks(pb.ListTracksRequest())).tracks
        assert list(found) == tracks[::-1]


async def test_export_without_space(studio: Studio) -> None:
    """An export that can't fit is refused before it begins."""
    track = await studio.register()
    path = studio.store.path(f"library/{track.track_id}/track.json")
    sidecar = json.loads(path.read_text())
    sidecar["audio"]["duration_frames"] = 10**15
    path.write_text(json.dumps(sidecar))
    stream = studio.stub.ExportTrack(export_request(track.track_id, Format.WAV))
    error = await refused(stream.read())
    assert isinstance(error, DiskFull)
    assert int(error.metadata["needed_bytes"]) > int(error.metadata["free_bytes"])


async def test_files_beside_the_audio_are_registered_too(studio: Studio) -> None:
    """The track lists them, again when asked again, and their artifacts are gone; a wrong
    checksum of one leaves no track."""
    request = studio.request(files=True)
    first = (await studio.stub.RegisterTrack(request)).track
    assert [file.name for file in first.files] == ["score.mid", "stem-bass.flac", "d.flac"]
    assert all(file.size_bytes and file.sha256 for file in first.files)
    assert (await studio.stub.RegisterTrack(request)).track == first
    assert not [path for path in studio.store.path("artifacts").rglob("*") if path.is_file()]
    bad = studio.request("job-2", files=True)
    bad.track.attachments[1].artifact.sha256 = "0" * 64
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await studio.stub.RegisterTrack(bad)
    assert caught.value.code() is grpc.StatusCode.DATA_LOSS
    bad.track.attachments[1].artifact.sha256 = request.track.attachments[1].artifact.sha256
    bad.track.attachments[0].name = "../x"
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await studio.stub.RegisterTrack(bad)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    page = await studio.stub.ListTracks(pb.ListTracksRequest())
    assert list(page.tracks) == [first]
