from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import signal
import time
from typing import Any

import grpc
import numpy as np
import pytest
import soundfile
from google.protobuf import struct_pb2

from musicgen.api.audio.v1 import audio_pb2
from musicgen.api.inference.v1 import inference_service_pb2 as pb
from musicgen.api.inference.v1.inference_service_pb2_grpc import InferenceServiceStub
from musicgen.engine.convert import dict_from_struct
from musicgen.errors import (
    ClaimLost,
    DiskFull,
    EngineCrashed,
    GenerationTimeout,
    Internal,
    InvalidField,
    InvalidLyrics,
    InvalidPrompt,
    ModelNotFound,
    OutOfMemory,
    StudioError,
    UnsupportedFormat,
)
from musicgen.rpc.channel import connect
from musicgen.rpc.status import from_rpc_error
from musicgen.testing.fake_engine import SCORE, expected_samples
from services.inference.encoder import to_pcm_16_bit
from tests.contract.inference.conftest import Running, request

pytestmark = pytest.mark.contract


async def failure(inference: Running, message: pb.GenerateRequest) -> StudioError:
    """What a generation ends with."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await inference.generate(message)
    return from_rpc_error(caught.value)


async def first_step(call: Any, stage: str = "playing") -> None:
    """Read until the engine itself has reported, or another stage begins."""
    while (await call.read()).progress.stage != stage:
        pass


async def the_rest(call: Any) -> None:
    """Read to the end."""
    while await call.read() is not grpc.aio.EOF:
        pass


async def test_makes_a_track(inference: Running) -> None:
    """A generation ends with a stored file, whose samples are those the engine made, bit
    for bit, and with the recipe that makes them again."""
    events = await inference.generate(request(duration_s=3.0, options={"steps": 3}))
    track = events[-1].result
    assert track.title == "a plain tone"
    assert track.tempo_bpm == 120.0
    assert track.artifact.key == "artifacts/job1/1/mix.flac"
    path = inference.data_root / track.artifact.key
    content = path.read_bytes()
    assert (len(content), hashlib.sha256(content).hexdigest()) == (
        track.artifact.size_bytes,
        track.artifact.sha256,
    )
    decoded, rate_hz = soundfile.read(path, dtype="int16")
    expected = to_pcm_16_bit(expected_samples(7, 3.0)).tobytes()
    assert (rate_hz, decoded.astype("<i2").tobytes()) == (44_100, expected)
    assert track.artifact.audio == audio_pb2.AudioProperties(
        format=audio_pb2.AUDIO_FORMAT_FLAC,
        sample_rate_hz=44_100,
        channels=2,
        duration_frames=3 * 44_100,
    )
    recipe = dict_from_struct(track.recipe)
    assert recipe["audio_sha256"] == hashlib.sha256(expected).hexdigest()
    assert (recipe["engine"], recipe["engine_version"]) == ("fake", "1.0.0")
    assert (recipe["seed"], recipe["options"]) == (7, {"steps": 3})
    assert recipe["numpy_version"] == np.__version__
    assert recipe["cpu_arch"].startswith(os.uname().machine)
    assert recipe["decisions"]["steps"] == 3
    assert inference.scratch_left() == []


async def test_progress_never_falls(inference: Running) -> None:
    """Progress begins before the engine does, never falls, and ends at 1."""
    events = await inference.generate(
        request(duration_s=20.0, options={"steps": 5, "step_s": 0.11})
    )
    steps = [event.progress for event in events[:-1]]
    fractions = [step.fraction for step in steps]
    assert steps[0].stage == "starting"
    assert {"playing", "encoding"} <= {step.stage for step in steps}
    assert fractions == sorted(fractions)
    assert fractions[0] == 0.0
    assert fractions[-1] <= 1.0
    assert any(step.HasField("eta") for step in steps)
    assert all(0 <= step.step <= step.steps for step in steps)


@pytest.mark.parametrize(
    ("format", "extension", "kind"),
    [
        (audio_pb2.AUDIO_FORMAT_WAV, "wav", "audio/wav"),
        (audio_pb2.AUDIO_FORMAT_MP3, "mp3", "audio/mpeg"),
        (audio_pb2.AUDIO_FORMAT_OPUS, "opus", "audio/ogg"),
        (audio_pb2.AUDIO_FORMAT_OGG, "ogg", "audio/ogg"),
        (audio_pb2.AUDIO_FORMAT_M4A, "m4a", "audio/mp4"),
    ],
)
async def test_other_formats(inference: Running, format: int, extension: str, kind: str) -> None:
    """The track has the format asked for, and its recipe the same audio hash."""
    track = (await inference.generate(request(format=format)))[-1].result
    assert track.artifact.key.endswith(f"/mix.{extension}")
    assert track.artifact.media_type == kind
    assert track.artifact.audio.format == format
    rate_hz = 48_000 if format == audio_pb2.AUDIO_FORMAT_OPUS else 44_100
    assert track.artifact.audio.sample_rate_hz == rate_hz
    assert track.artifact.audio.duration_frames == rate_hz
    digest = hashlib.sha256(to_pcm_16_bit(expected_samples(7, 1.0)).tobytes()).hexdigest()
    assert dict_from_struct(track.recipe)["audio_sha256"] == digest


@pytest.mark.parametrize(
    ("format", "extension"),
    [
        (audio_pb2.AUDIO_FORMAT_FLAC, "flac"),
        (audio_pb2.AUDIO_FORMAT_WAV, "wav"),
        (audio_pb2.AUDIO_FORMAT_MP3, "flac"),
        (audio_pb2.AUDIO_FORMAT_OPUS, "flac"),
    ],
)
async def test_score_and_stems_lie_beside_the_mix(
    inference: Running, format: int, extension: str
) -> None:
    """They are stored with their checksums, the score as it is, the stems encoded without
    loss; together the stems are the mix."""
    options = {"midi": True, "stems": ["bass", "drums"]}
    track = (await inference.generate(request(format=format, options=options)))[-1].result
    score, *stems = track.attachments
    assert [(file.name, file.label) for file in track.attachments] == [
        ("score.mid", "Score"),
        (f"stem-bass.{extension}", "Bass"),
        (f"stem-drums.{extension}", "Drums"),
    ]
    for file in track.attachments:
        assert file.artifact.key == f"artifacts/job1/1/{file.name}"
        content = (inference.data_root / file.artifact.key).read_bytes()
        assert hashlib.sha256(content).hexdigest() == file.artifact.sha256
        assert len(content) == file.artifact.size_bytes
    assert score.artifact.media_type == "audio/midi"
    assert not score.artifact.HasField("audio")
    assert (inference.data_root / score.artifact.key).read_bytes() == SCORE
    decoded = [soundfile.read(inference.data_root / stem.artifact.key)[0] for stem in stems]
    assert [stem.artifact.media_type for stem in stems] == [f"audio/{extension}"] * 2
    assert stems[0].artifact.audio.duration_frames == 44_100
    assert np.allclose(sum(decoded), expected_samples(7, 1.0), atol=3 / 32_768)
    assert len(inference.artifacts()) == 4
    assert "attachments" not in dict_from_struct(track.recipe)
    assert inference.scratch_left() == []


@pytest.mark.parametrize(
    "wrong", ["midi_text", "midi_missing", "stem_missing", "rate", "length", "text", "nan"]
)
async def test_what_is_wrong_beside_the_mix_fails_the_whole(inference: Running, wrong: str) -> None:
    """A track is kept with all its files or not at all."""
    options = {"midi": True, "stems": ["bass", "drums"], "wrong_extra": wrong}
    assert isinstance(await failure(inference, request(options=options)), EngineCrashed)
    assert inference.artifacts() == []
    assert inference.scratch_left() == []


async def test_cancelled_while_stems_are_encoded(inference: Running) -> None:
    """Work ends within a second, and neither the mix nor a stem stays."""
    stems = list("abcdefghijkl")
    options = {"midi": True, "stems": stems, "steps": 1}
    call = inference.stub.Generate(request(duration_s=60.0, options=options))
    await first_step(call, "encoding")
    call.cancel()
    start = time.monotonic()
    while inference.scratch_left() and time.monotonic() < start + 5:
        await asyncio.sleep(0.02)
    assert time.monotonic() - start < 1.0
    assert inference.artifacts() == []
    assert inference.scratch_left() == []


async def test_same_seed_same_file(inference: Running) -> None:
    """The same seed gives the same bytes, another seed others."""
    same = [(await inference.generate(request(f"j{n}")))[-1].result for n in range(2)]
    other = (await inference.generate(request("other", seed=8)))[-1].result
    assert same[0].artifact.sha256 == same[1].artifact.sha256 != other.artifact.sha256


@pytest.mark.parametrize(
    ("changes", "error", "field"),
    [
        ({"prompt": "  \n"}, InvalidPrompt, "spec.parameters.prompt"),
        ({"prompt": "x" * 10_000}, InvalidPrompt, "spec.parameters.prompt"),
        ({"prompt": "a\0b"}, InvalidPrompt, "spec.parameters.prompt"),
        ({"lyrics": "la", "engine": "composer"}, InvalidLyrics, "spec.parameters.lyrics"),
        ({"duration_s": -1.0}, InvalidField, "spec.parameters.duration_seconds"),
        ({"duration_s": 39_600.0}, InvalidField, "spec.parameters.duration_seconds"),
        ({"duration_s": float("nan")}, InvalidField, "spec.parameters.duration_seconds"),
        ({"options": {"nosuch": 1}}, InvalidField, "spec.parameters.options.nosuch"),
        ({"options": {"steps": 0.5}}, InvalidField, "spec.parameters.options.steps"),
        (
            {"options": {"step_s": float("inf")}},
            InvalidField,
            "spec.parameters.options.step_s",
        ),
        ({"fence": 0}, InvalidField, "fence"),
        ({"job_id": "../etc"}, InvalidField, "job_id"),
        ({"job_id": ""}, InvalidField, "job_id"),
    ],
)
async def test_bad_requests(
    inference: Running, changes: dict[str, object], error: type[StudioError], field: str
) -> None:
    """What can't be served is refused before an engine is started, and the field named."""
    found = await failure(inference, request(**changes))  # type: ignore[arg-type]  # by table
    assert type(found) is error
    assert field in found.fields
    assert found.message
    assert inference.fake.host_pid is None


async def test_unknown_engine_and_format(inference: Running) -> None:
    """An unknown engine is NOT_FOUND and says which there are; so is a format refused."""
    found = await failure(inference, request(engine="nosuch"))
    assert isinstance(found, ModelNotFound)
    assert found.metadata["available"] == "composer, diffrhythm, diffrhythm-tiny, fake"
    assert isinstance(await failure(inference, request(format=99)), UnsupportedFormat)
    message = request()
    message.spec.parameters.ClearField("seed")
    assert "spec.parameters.seed" in (await failure(inference, message)).fields


async def test_failures_keep_their_reason(inference: Running) -> None:
    """What the engine fails with reaches the caller, and the engine lives on."""
    pids = set()
    for reason, error in (
        ("MEMORY", OutOfMemory),
        ("DISK", DiskFull),
        ("INVALID_LYRICS", InvalidLyrics),
    ):
        script = {"fail_at": 2, "fail_with": reason}
        found = await failure(inference, request(f"job-{reason}", options=script))
        assert type(found) is error
        assert found.metadata["engine"] == "fake"
        pids.add(inference.fake.host_pid)
    await inference.generate(request("next"))
    assert pids == {inference.fake.host_pid}
    assert inference.artifacts() == ["next/1/mix.flac"]
    assert inference.scratch_left() == []


async def test_defect_is_told_without_its_details(inference: Running) -> None:
    """An exception of the engine's code is INTERNAL, and only that."""
    found = await failure(inference, request(options={"fail_at": 1, "fail_with": "INTERNAL"}))
    assert type(found) is Internal


async def test_broken_mix_is_refused(inference: Running) -> None:
    """A mix that is not what was promised fails the generation and leaves nothing."""
    for wrong in ("rate", "channels", "length", "nan", "missing", "text"):
        found = await failure(inference, request(f"job-{wrong}", options={"wrong": wrong}))
        assert isinstance(found, EngineCrashed), wrong
        assert inference.artifacts() == []
        assert inference.scratch_left() == []


async def test_crash_in_the_middle(inference: Running) -> None:
    """A host that dies fails its generation with how it ended; the next one works."""
    found = await failure(inference, request(options={"crash_at": 2}))
    assert isinstance(found, EngineCrashed)
    assert "exited with code 42" in found.metadata["exit"]
    listed = (await inference.stub.ListEngines(pb.ListEnginesRequest())).engines
    assert listed[-1].state == pb.Engine.STATE_STOPPED
    assert "code 42" in listed[-1].detail
    assert (await inference.generate(request(fence=2)))[-1].HasField("result")


async def test_kill_9_of_the_host(inference: Running) -> None:
    """The same when somebody else kills it."""
    call = inference.stub.Generate(request(options={"steps": 100, "step_s": 0.05}))
    await first_step(call)
    pid = inference.fake.host_pid
    assert pid
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await the_rest(call)
    found = from_rpc_error(caught.value)
    assert isinstance(found, EngineCrashed)
    assert "SIGKILL" in found.metadata["exit"]
    assert (await inference.generate(request(fence=2)))[-1].HasField("result")
    assert inference.scratch_left() == []


async def test_cancel_is_quick_and_clean(inference: Running) -> None:
    """Cancelling stops the engine within a second, leaves nothing, keeps the host."""
    call = inference.stub.Generate(request(options={"steps": 1000, "step_s": 0.05}))
    await first_step(call)
    pid = inference.fake.host_pid
    started_s = time.monotonic()
    call.cancel()
    await inference.generate(request("next"))
    assert time.monotonic() - started_s < 1.0
    assert inference.fake.host_pid == pid
    assert inference.artifacts() == ["next/1/mix.flac"]
    assert inference.scratch_left() == []


@pytest.mark.parametrize(
    "options", [{"hang_at": 1}, {"ignore_cancel": True, "steps": 1000, "step_s": 0.05}]
)
async def test_cancel_of_a_deaf_engine_kills_it(
    inference: Running, options: dict[str, object]
) -> None:
    """A host that goes on after a cancellation is killed a second later."""
    call = inference.stub.Generate(request(options=options))
    await first_step(call)
    pid = inference.fake.host_pid
    assert pid
    call.cancel()
    started_s = time.monotonic()
    while inference.fake.host_pid == pid:
        await asyncio.sleep(0.02)
    assert 0.5 < time.monotonic() - started_s < 1.6
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert (await inference.generate(request("next")))[-1].HasField("result")
    assert inference.scratch_left() == []


async def test_silence_is_a_timeout(inference: Running) -> None:
    """A host that sends no progress for the stall timeout is killed, and that is told."""
    started_s = time.monotonic()
    found = await failure(inference, request(options={"hang_at": 2}))
    assert isinstance(found, GenerationTimeout)
    assert time.monotonic() - started_s < 8.0
    assert (await inference.generate(request("next")))[-1].HasField("result")


async def test_stopped_host_is_a_timeout(inference: Running) -> None:
    """A host that is frozen (SIGSTOP) is killed like a silent one."""
    call = inference.stub.Generate(request(options={"steps": 1000, "step_s": 0.05}))
    await first_step(call)
    assert inference.fake.host_pid
    os.kill(inference.fake.host_pid, signal.SIGSTOP)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await the_rest(call)
    assert isinstance(from_rpc_error(caught.value), GenerationTimeout)
    assert inference.fake.host_pid is None


async def test_one_at_a_time_in_order(inference: Running) -> None:
    """Callers of one engine wait for their turn, in order; waiting ones can be cancelled."""
    ended: list[str] = []

    async def one(name: str) -> list[str]:
        events = await inference.generate(request(name, options={"steps": 4, "step_s": 0.05}))
        ended.append(name)
        return [event.progress.stage for event in events]

    tasks = []
    for name in ("a", "b", "c", "d"):
        tasks.append(asyncio.create_task(one(name)))
        await asyncio.sleep(0.05)
    tasks[1].cancel()
    stages = await asyncio.gather(*tasks, return_exceptions=True)
    assert ended == ["a", "c", "d"]
    assert stages[2][0] == "waiting"  # type: ignore[index]  # not the cancelled one


async def test_higher_fence_stops_the_lower(inference: Running) -> None:
    """A newer claim of a job stops the older worker; an older one is refused."""
    old = inference.stub.Generate(request(options={"steps": 1000, "step_s": 0.05}))
    await first_step(old)
    new = asyncio.create_task(inference.generate(request(fence=2)))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await the_rest(old)
    assert isinstance(from_rpc_error(caught.value), ClaimLost)
    assert (await new)[-1].result.artifact.key == "artifacts/job1/2/mix.flac"
    assert isinstance(await failure(inference, request(fence=1)), ClaimLost)
    assert inference.artifacts() == ["job1/2/mix.flac"]


async def test_broken_bytes_and_oversize(inference: Running) -> None:
    """Bytes that are no message, broken UTF-8 and oversize get a status with a reason."""
    generate: Any = inference.channel.unary_stream(
        "/musicgen.api.inference.v1.InferenceService/Generate"
    )
    broken = struct_pb2.Value(string_value="xx").SerializeToString().replace(b"xx", b"\xff\xfe")
    bad_utf8 = b"\x0a\x02\xff\xfe"  # field 1 (job_id) with bytes that are no UTF-8
    for garbage in (b"\xff\xff\xff\xff", broken, bad_utf8):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            async for _ in generate(garbage):
                pass
        assert from_rpc_error(caught.value).reason == "MALFORMED_MESSAGE"
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for _ in generate(b"\x0a" + bytes(5 << 20)):
            pass
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert (await inference.generate(request()))[-1].HasField("result")


async def test_client_that_vanishes(inference: Running) -> None:
    """A caller whose connection is gone counts as one that cancelled."""
    channel = connect(inference.address)
    call = InferenceServiceStub(channel).Generate(request(options={"steps": 1000, "step_s": 0.05}))
    await first_step(call)
    await channel.close()
    with contextlib.suppress(asyncio.CancelledError, grpc.aio.UsageError):
        await call.read()
    assert (await inference.generate(request("next")))[-1].HasField("result")
