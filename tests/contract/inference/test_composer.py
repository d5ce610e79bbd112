from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from musicgen.api.inference.v1 import inference_service_pb2 as pb
from musicgen.engine.convert import dict_from_struct
from tests.contract.inference.conftest import Running, request, running

pytestmark = pytest.mark.contract

LOFI = "warm lofi hip hop, 82 bpm, rainy night"


@pytest.fixture
async def composer(short_tmp: Path) -> AsyncIterator[Running]:
    """The service with the composer prewarmed, as it starts by default."""
    async with running(short_tmp, prewarm="composer") as service:
        yield service


def composing(
    job_id: str, prompt: str, *, seed: int = 7, duration_s: float = 6.0
) -> pb.GenerateRequest:
    """A request with no engine named, so that it goes to the composer."""
    return request(job_id, engine="", prompt=prompt, seed=seed, duration_s=duration_s)


async def test_composer_makes_music_that_can_be_made_again(composer: Running) -> None:
    """The default engine makes stereo music of the length asked for; the same seed gives the
    same file in another host, another prompt other music."""
    first = (await composer.generate(composing("a", LOFI)))[-1].result
    assert composer.service.engines["composer"].host_pid is not None
    await composer.service.engines["composer"].stop()
    again = (await composer.generate(composing("b", LOFI)))[-1].result
    other = (await composer.generate(composing("c", "dark techno, 130 bpm")))[-1].result
    assert first.artifact.sha256 == again.artifact.sha256 != other.artifact.sha256
    recipe = dict_from_struct(first.recipe)
    assert recipe["audio_sha256"] == dict_from_struct(again.recipe)["audio_sha256"]
    assert first.tempo_bpm == pytest.approx(82, rel=0.01)
    samples, rate_hz = soundfile.read(composer.data_root / first.artifact.key)
    assert rate_hz == 44_100
    assert len(samples) == pytest.approx(6.0 * rate_hz, abs=0.1 * rate_hz)
    assert np.sqrt((samples**2).mean()) > 0.01
    assert np.abs(samples[:, 0] - samples[:, 1]).max() > 0.01


async def test_composer_is_cancelled_in_the_middle(composer: Running) -> None:
    """Cancelling ends the composer's work without killing its host, and leaves nothing."""
    await composer.generate(composing("warm", LOFI, duration_s=5.0))
    pid = composer.service.engines["composer"].host_pid
    call: Any = composer.stub.Generate(composing("a", LOFI, duration_s=300.0))
    while (await call.read()).progress.fraction < 0.02:
        pass
    call.cancel()
    await composer.generate(composing("c", LOFI, duration_s=5.0))
    assert composer.service.engines["composer"].host_pid == pid
    assert composer.artifacts() == [
        f"{job}/1/{name}" for job in ("c", "warm") for name in ("mix.flac", "score.mid")
    ]
    assert composer.scratch_left() == []


async def test_composer_leaves_its_score_and_stems(composer: Running) -> None:
    """The score comes always, the stems when they are asked for, as long as the mix."""
    message = composing("a", LOFI)
    message.spec.parameters.options.update({"stems": True})
    track = (await composer.generate(message))[-1].result
    score, *stems = track.attachments
    assert (score.name, score.artifact.media_type) == ("score.mid", "audio/midi")
    assert {"stem-drums.flac", "stem-room.flac"} <= {stem.name for stem in stems}
    frames = {stem.artifact.audio.duration_frames for stem in stems}
    assert frames == {track.artifact.audio.duration_frames}
