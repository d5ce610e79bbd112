"""Music that a piece is made from: its style, and the piece of which parts are made anew."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import soundfile

from musicgen.api.audio.v1 import audio_pb2
from musicgen.api.inference.v1 import inference_service_pb2 as pb
from musicgen.artifacts import sha256_of
from musicgen.audio.codecs import Samples
from musicgen.engine.base import TimeRange
from musicgen.engine.convert import dict_from_struct, parts_to_proto, struct_from_dict
from musicgen.errors import ArtifactNotFound, InvalidField, StudioError
from musicgen.testing.fake_engine import SAMPLE_RATE_HZ, expected_edit
from tests.contract.inference.conftest import Running, engines_file, request, running
from tests.contract.inference.test_generate import failure

pytestmark = pytest.mark.contract

STYLE, SOURCE = "uploads/style", "library/t/audio.flac"
Parts = list[tuple[float, float | None]]
PARTS: Parts = [(0.5, 1.0), (2.25, None)]
NOT_A_NUMBER = math.nan


def noise(frames: int, seed: int) -> Samples:
    """Return samples that 16 bits hold exactly. Shape [frames, 2]."""
    steps = np.random.default_rng(seed).integers(-20_000, 20_000, (frames, 2))
    samples: Samples = (steps / 32_768).astype(np.float32)
    return samples


def put(inference: Running, key: str, samples: Samples) -> Path:
    """Lay a FLAC file where the studio keeps its audio."""
    path = inference.data_root / key
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, SAMPLE_RATE_HZ, "PCM_16", format="FLAC")
    return path


def styled(message: pb.GenerateRequest, key: str = STYLE) -> pb.GenerateRequest:
    """Let the style come from an upload."""
    message.spec.style_audio.upload_id = "style"
    message.style_audio.artifact.key = key
    message.style_audio.artifact.sha256 = "5" * 64
    return message


def edited(
    message: pb.GenerateRequest, parts: Parts = PARTS, key: str = SOURCE
) -> pb.GenerateRequest:
    """Make parts of a track anew."""
    message.spec.edit.source.track_id = "t"
    message.spec.edit.regenerate.extend(parts_to_proto(TimeRange(*part) for part in parts))
    message.edit_source.CopyFrom(audio_pb2.ProducedTrack(title="Rain"))
    message.edit_source.artifact.key = key
    message.edit_source.recipe.CopyFrom(struct_from_dict({"audio_sha256": "a" * 64}))
    return message


async def test_style_from_music(inference: Running) -> None:
    """The host reads the very file, and the recipe says which music it was, and where nothing
    lies."""
    path = put(inference, STYLE, noise(30_000, 1))
    track = (await inference.generate(styled(request())))[-1].result
    recipe = dict_from_struct(track.recipe)
    assert recipe["decisions"]["style_audio"] == {"sha256": sha256_of(path), "frames": 30_000}
    assert recipe["style_audio"] == {
        "reference": {"upload_id": "style"},
        "title": "",
        "sha256": "5" * 64,
    }
    assert "edit" not in recipe
    said = json.dumps(recipe)
    assert str(inference.data_root) not in said
    assert STYLE not in said
    assert path.is_file()


async def test_parts_are_made_anew(inference: Running) -> None:
    """Outside of the parts each sample stays as it was; the piece is as long as its source,
    whatever was asked for; the recipe names the source and the parts."""
    samples = noise(3 * SAMPLE_RATE_HZ, 2)
    path = put(inference, SOURCE, samples)
    put(inference, STYLE, noise(441, 3))
    message = edited(styled(request(duration_s=9.0, seed=5)))
    track = (await inference.generate(message))[-1].result
    made, _ = soundfile.read(inference.data_root / track.artifact.key, dtype="float32")
    expected = expected_edit(samples, [TimeRange(*part) for part in PARTS], seed=5)
    assert (made == expected).all()
    assert not (expected == samples).all()
    outside = np.r_[0:22_050, 44_100:99_225]
    assert (made[outside] == samples[outside]).all()
    recipe = dict_from_struct(track.recipe)
    assert recipe["edit"] == {
        "source": {
            "reference": {"track_id": "t"},
            "title": "Rain",
            "sha256": sha256_of(path),
            "audio_sha256": "a" * 64,
        },
        "regenerate": [[0.5, 1], [2.25, None]],
    }
    assert recipe["decisions"]["edit"]["regenerate"] == [[0.5, 1], [2.25, None]]
    assert {"style_audio", "edit"} <= set(recipe["decisions"])
    assert str(inference.data_root) not in json.dumps(recipe)
    assert inference.scratch_left() == []


@pytest.mark.parametrize("make", [styled, edited])
async def test_music_that_is_gone(inference: Running, make: object) -> None:
    """What was deleted since the job was accepted is told, and no engine is started; nor is a
    file outside of the studio ever read."""
    assert callable(make)
    assert isinstance(await failure(inference, make(request())), ArtifactNotFound)
    for key in ("../../etc/passwd", "/etc/passwd", "library/../../x"):
        assert isinstance(await failure(inference, make(request(), key=key)), InvalidField)
    found = await failure(inference, make(request(), key=""))
    assert list(found.fields) == [
        "style_audio.artifact.key" if make is styled else "edit_source.artifact.key"
    ]
    assert inference.fake.host_pid is None


@pytest.mark.parametrize(
    ("parts", "field"),
    [
        ([], "spec.edit.regenerate"),
        ([(n, n + 0.5) for n in range(65)], "spec.edit.regenerate"),
        ([(1.0, 1.0)], "spec.edit.regenerate[0]"),
        ([(2.0, 1.0)], "spec.edit.regenerate[0]"),
        ([(-0.5, 1.0)], "spec.edit.regenerate[0]"),
        ([(0.0, 1.0), (0.9, 2.0)], "spec.edit.regenerate[1]"),
        ([(2.0, 2.5), (0.0, 1.0)], "spec.edit.regenerate[1]"),
        ([(0.0, None), (1.0, 2.0)], "spec.edit.regenerate[1]"),
        ([(NOT_A_NUMBER, 1.0)], "spec.edit.regenerate[0]"),
        ([(0.0, NOT_A_NUMBER)], "spec.edit.regenerate[0]"),
    ],
)
async def test_parts_that_cannot_be(inference: Running, parts: Parts, field: str) -> None:
    """Parts that are none, out of order, in each other or no numbers are refused by name."""
    put(inference, SOURCE, noise(3 * SAMPLE_RATE_HZ, 2))
    found = await failure(inference, edited(request(), parts))
    assert type(found) is InvalidField
    assert list(found.fields) == [field]
    assert inference.fake.host_pid is None


async def test_an_engine_that_cannot(short_tmp: Path) -> None:
    """An engine that takes no style from music, or edits nothing, is not asked to."""
    file = engines_file(short_tmp / "e.json", supports_style_audio=False, supports_edit=False)
    async with running(short_tmp, engines_file=file) as inference:
        put(inference, SOURCE, noise(441, 2))
        put(inference, STYLE, noise(441, 2))
        refusals: list[StudioError] = [
            await failure(inference, styled(request())),
            await failure(inference, edited(request())),
        ]
        assert [type(found) for found in refusals] == [InvalidField, InvalidField]
        assert [list(found.fields) for found in refusals] == [
            ["spec.style_audio"],
            ["spec.edit.regenerate"],
        ]
        assert inference.fake.host_pid is None


async def test_what_the_engine_cannot_read(inference: Running) -> None:
    """An engine's word on the music reaches the caller; the engine lives on."""
    path = put(inference, SOURCE, noise(441, 2))
    path.write_bytes(path.read_bytes()[:20])
    assert isinstance(await failure(inference, edited(request())), StudioError)
    mono = noise(441, 2)[:, :1]
    put(inference, STYLE, mono)
    assert (await failure(inference, styled(request()))).reason == "INVALID_AUDIO"
    assert (await inference.generate(request()))[-1].HasField("result")
