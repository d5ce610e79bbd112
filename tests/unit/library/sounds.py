"""Audio with a known truth, as artifacts of a job, and its tags read back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mutagen.flac
import mutagen.id3
import mutagen.mp3
import mutagen.mp4
import mutagen.oggopus
import mutagen.oggvorbis
import mutagen.wave
import numpy as np
import numpy.typing as npt
import soundfile

from musicgen.artifacts import ArtifactStore, sha256_of
from musicgen.audio.codecs import AudioReader, AudioWriter, Format
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
    Format.OPUS: mutagen.oggopus.OggOpus,
    Format.OGG: mutagen.oggvorbis.OggVorbis,
    Format.M4A: mutagen.mp4.MP4,
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
    with AudioWriter(path, format, RATE_HZ, channels, bits=bits, expected_frames=frames) as writer:
        writer.write(tone(frames, hz=hz)[:, :channels])
    return path


def samples(path: Path) -> npt.NDArray[np.int32]:
    """Decode a file, of shape [frames, channels]."""
    with AudioReader(path) as reader:
        if reader.properties.format is Format.M4A:
            whole = np.concatenate(list(reader.blocks())).astype(np.float64)
            return np.clip(whole * 2.0**31, -(2.0**31), 2.0**31 - 1).astype(np.int32)
    decoded: npt.NDArray[np.int32] = soundfile.read(path, dtype="int32", always_2d=True)[0]
    return decoded


def tags_of(path: Path, format: Format) -> dict[str, list[str]]:
    """Return the tags as mutagen reads them, by the names that Vorbis comments have."""
    tags = TAGGED[format](path).tags
    if format in (Format.FLAC, Format.OPUS, Format.OGG):
        return {name.upper(): list(tags[name]) for name in dict(tags)}
    if format is Format.M4A:
        names = {"\xa9nam": "TITLE", "\xa9ART": "ARTIST", "\xa9alb": "ALBUM"}
        names |= {"\xa9gen": "GENRE", "\xa9day": "DATE", "tmpo": "BPM"}
        found = {names.get(key, key.rpartition(":")[2].upper()): tags[key] for key in tags}
        found.pop("ITUNSMPB", None)  # about the audio, not about the music
        return {
            name: [str(one, "utf-8") if isinstance(one, bytes) else str(one) for one in values]
            for name, values in found.items()
        }
    names = {"TIT2": "TITLE", "TPE1": "ARTIST", "TALB": "ALBUM", "TCON": "GENRE", "TDRC": "DATE"}
    names |= {"TBPM": "BPM", "TKEY": "INITIALKEY"}
    texts = {names.get(key, key.removeprefix("TXXX:")): list(tags[key].text) for key in tags}
    return {name: [str(value) for value in values] for name, values in texts.items()}


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
