"""Previews through the service: stored, heard before the rest is done, or refused."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

import numpy as np
import pytest
import soundfile

from musicgen.api.audio.v1 import audio_pb2
from musicgen.errors import EngineCrashed
from musicgen.testing.fake_engine import expected_samples
from services.inference.encoder import to_pcm_16_bit
from tests.contract.inference.conftest import Running, request
from tests.contract.inference.test_generate import failure

pytestmark = pytest.mark.contract


async def first_previews(call: Any, count: int) -> list[audio_pb2.Preview]:
    """Read until that many have come."""
    found: list[audio_pb2.Preview] = []
    while len(found) < count:
        event = await call.read()
        if event.HasField("preview"):
            found.append(event.preview)
    return found


async def test_previews_join_to_the_piece(inference: Running) -> None:
    """Each is a FLAC file with its facts and checksum; one after the other they are the
    piece, sample by sample, and come before it."""
    options = {"steps": 3, "previews": 5}
    events = await inference.generate(request(duration_s=3.0, options=options))
    previews = [event.preview for event in events if event.HasField("preview")]
    assert len(previews) == 5
    assert events[-1].result.artifact.key == "artifacts/job1/1/mix.flac"
    parts, end_frame = [], 0
    for number, preview in enumerate(previews):
        artifact = preview.artifact
        assert artifact.key == f"artifacts/job1/1/preview-{number}.flac"
        assert artifact.media_type == "audio/flac"
        content = (inference.data_root / artifact.key).read_bytes()
        assert hashlib.sha256(content).hexdigest() == artifact.sha256
        assert len(content) == artifact.size_bytes
        part, rate_hz = soundfile.read(inference.data_root / artifact.key, dtype="int16")
        assert artifact.audio == audio_pb2.AudioProperties(
            format=audio_pb2.AUDIO_FORMAT_FLAC,
            sample_rate_hz=rate_hz,
            channels=2,
            duration_frames=len(part),
        )
        assert preview.start_frame == end_frame
        end_frame += len(part)
        parts.append(part)
    assert (np.concatenate(parts) == to_pcm_16_bit(expected_samples(7, 3.0))).all()
    fractions = [event.progress.fraction for event in events if event.HasField("progress")]
    assert fractions == sorted(fractions)
    assert inference.scratch_left() == []


async def test_previews_are_heard_while_the_rest_is_being_made(inference: Running) -> None:
    """They arrive though the engine says nothing after them, can be played at once, and
    their WAV files are gone; a cancel then leaves whole previews, and nothing else."""
    options = {"steps": 4, "previews": 4, "hang_at": 3}
    call = inference.stub.Generate(request(options=options))
    previews = await first_previews(call, 2)
    for preview in previews:
        samples, _ = soundfile.read(inference.data_root / preview.artifact.key)
        assert len(samples) == 11_025
    [folder] = inference.scratch_left()
    assert list(folder.iterdir()) == []
    call.cancel()
    async with asyncio.timeout(5):
        while inference.scratch_left():
            await asyncio.sleep(0.02)
    assert inference.artifacts() == ["job1/1/preview-0.flac", "job1/1/preview-1.flac"]
    assert (await inference.generate(request("next")))[-1].HasField("result")


@pytest.mark.parametrize("steps", [1, 100])
@pytest.mark.parametrize(
    "wrong", ["rate", "channels", "length", "nan", "missing", "text", "empty", "again"]
)
async def test_bad_previews_are_a_breach(inference: Running, wrong: str, steps: int) -> None:
    """An engine that sends what isn't a stretch of the piece is stopped at once, as one
    whose mix isn't one; its host lives on and nothing of it is left in the scratch folder."""
    options = {"steps": steps, "step_s": 0.005, "previews": 3, "wrong_preview": wrong}
    assert isinstance(await failure(inference, request(options=options)), EngineCrashed)
    assert not any("mix" in name or name.endswith(".part") for name in inference.artifacts())
    pid = inference.fake.host_pid
    assert (await inference.generate(request("next")))[-1].HasField("result")
    assert pid == inference.fake.host_pid
    assert inference.scratch_left() == []


@pytest.mark.parametrize("wrong", ["again", "text"])
async def test_a_deaf_engine_with_bad_previews_is_killed(inference: Running, wrong: str) -> None:
    """One that doesn't stop is not left to write into a folder that goes."""
    script = {"steps": 1000, "step_s": 0.01, "previews": 50, "ignore_cancel": True}
    message = request(options={**script, "wrong_preview": wrong})
    assert isinstance(await failure(inference, message), EngineCrashed)
    assert inference.fake.host_pid is None
    assert inference.scratch_left() == []


async def test_each_claim_has_its_own(inference: Running) -> None:
    """A newer claim's previews begin anew, in its own folder."""
    options = {"steps": 2, "previews": 2, "hang_at": 2}
    old = inference.stub.Generate(request(options=options))
    await first_previews(old, 1)
    events = await inference.generate(request(fence=2, options={"previews": 1}))
    [preview] = [event.preview for event in events if event.HasField("preview")]
    assert (preview.artifact.key, preview.start_frame) == ("artifacts/job1/2/preview-0.flac", 0)
    old.cancel()


async def test_lineage_is_passed_on(inference: Running) -> None:
    """A track says of which one it is a variation."""
    message = request()
    message.spec.parent_track_id = "abcdefgh234567ab"
    assert (await inference.generate(message))[-1].result.parent_track_id == "abcdefgh234567ab"
    assert (await inference.generate(request("other")))[-1].result.parent_track_id == ""
