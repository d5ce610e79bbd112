"""Audio with a known truth, as artifacts of a job, and its tags read back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mutagen.flac
import mutagen.id3
import mutagen.mp3
import mutagen.wave
import numpy as np
import numpy.typing as npt
import soundfile

from musicgen.artifacts import ArtifactStore, sha256_of
from musicgen.audio.codecs import AudioWriter, Format
from musicgen.testing.fake_engine import SCORE
from services.library.attachments import Attachment
from services.library.library import Produced
from services.library.track import LoopPoints

RATE_HZ = 44_100

# mutagen's annotations cover a part of it only.
ID3: Any = mutagen.id3.ID3
TXXX: Any = mutagen.id3.TXXX
TAGGED: dict[Format, Any] = {
    Format.FLAC: mutagen.flac.FLAC,
    Format.WAV: mutagen.wave.WAVE,
    Format.MP3: mutagen.mp3.MP3,
}


def tone(frames: int, *, hz: float = 220.0) -> npt.NDArray[np.float32]:
    """Return a stereo tone of shape [frames, 2], half of full scale; `hz` is whole."""
    second = 0.5 * np.sin(2 * np.pi * hz * np.arange(RATE_HZ) / RATE_HZ)
    left = np.resize(second, frames)
    return np.stack([left, left[::-1]], axis=1).astype(np.float32)


def write(
    path: Path, format: Format, frames: int, *, bits: int = 16, hz: float = 220.0, channels: int = 2
) -> Path:
    """Write a tone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with AudioWriter(path, format, RATE_HZ, channels, bits=bits) as writer:
        writer.write(tone(frames, hz=hz)[:, :channels])
    return path


def samples(path: Path) -> npt.NDArray[np.int32]:
    """Decode a file, of shape [frames, channels]."""
    decoded: npt.NDArray[np.int32] = soundfile.read(path, dtype="int32", always_2d=True)[0]
    return decoded


def attached(store: ArtifactStore, job_id: str = "job-1") -> tuple[Attachment, ...]:
    """Make the artifacts of a score and two stems."""
    found = []
    for name, label in (("score.mid", "Score"), ("stem-bass.flac", "Bass"), ("d.flac", "Drums")):
        key = f"{store.job_prefix(job_id, 1)}/{name}"
        path = store.path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".mid"):
            path.write_bytes(SCORE)
            media_type = "audio/midi"
        else:
            write(path, Format.FLAC, 5000, hz=len(name) * 10.0)
            media_type = "audio/flac"
        found.append(Attachment(key, sha256_of(path), name, label, media_type))
    return tuple(found)


def produced(
    store: ArtifactStore,
    job_id: str = "job-1",
    *,
    format: Format = Format.FLAC,
    frames: int = 2 * RATE_HZ + 17,
    title: str = "Rainy Night",
    bits: int = 16,
) -> Produced:
    """Make an artifact of a job, with everything known of it."""
    key = f"{store.job_prefix(job_id, 1)}/mix.{format.extension}"
    path = write(store.path(key), format, frames, bits=bits)
    return Produced(
        artifact_key=key,
        sha256=sha256_of(path),
        title=title,
        genre="lofi",
        recipe={"engine": "composer", "prompt": "warm lofi, café", "seed": 7},
        tempo_bpm=82.5,
        musical_key="A minor",
        loop_points=LoopPoints(100, frames - 100),
    )
