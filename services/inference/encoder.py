"""From the WAV files of a host to the files of a track, block by block."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from musicgen.artifacts import sha256_of
from musicgen.audio.codecs import (
    BLOCK_FRAMES,
    AudioReader,
    AudioWriter,
    Format,
    Properties,
    Samples,
)
from musicgen.engine.base import Generation, Manifest
from musicgen.errors import EngineCrashed, InvalidAudio
from services.inference.scratch import no_space_is_disk_full

LENGTH_TOLERANCE_S = 0.1
MAX_MIDI_BYTES = 16 << 20
_MIDI_HEAD = b"MThd"
_STEPS_16_BIT = np.float32(32_768.0)


@dataclass(frozen=True, slots=True)
class Encoded:
    """An encoded file. `audio_sha256` is of the audio alone: 16-bit little-endian PCM,
    interleaved, which a FLAC or WAV track decodes to."""

    path: Path
    sha256: str
    size_bytes: int
    properties: Properties
    audio_sha256: str


def check_mix(
    mix: Path, manifest: Manifest, made: Generation, asked_duration_s: float
) -> Properties:
    """Return the facts of a mix that is what was promised. Raises EngineCrashed if not:
    a broken engine can't be told from one that broke down."""
    facts = _facts(mix, "mix")
    promised = (Format.WAV, manifest.sample_rate_hz, manifest.channels)
    if (facts.format, facts.sample_rate_hz, facts.channels) != promised:
        raise EngineCrashed(
            f"The engine's mix has {facts.channels} channels at {facts.sample_rate_hz} Hz; "
            f"{manifest.channels} at {manifest.sample_rate_hz} Hz were promised."
        )
    _check_length(facts, made, asked_duration_s, manifest)
    return facts


def check_stem(stem: Path, mix: Properties) -> Properties:
    """Return the facts of a stem that lines up with its mix. Raises EngineCrashed if it
    doesn't."""
    facts = _facts(stem, stem.name)
    same = (Format.WAV, mix.sample_rate_hz, mix.channels)
    off_s = abs(facts.duration_s - mix.duration_s)
    if (facts.format, facts.sample_rate_hz, facts.channels) != same or off_s > LENGTH_TOLERANCE_S:
        raise EngineCrashed(f"The engine's {stem.name} has not the rate and length of the mix.")
    return facts


def check_preview(preview: Path, manifest: Manifest) -> Properties:
    """Return the facts of a preview that is a stretch of a mix. Raises EngineCrashed if it
    isn't."""
    facts = _facts(preview, preview.name)
    promised = (Format.WAV, manifest.sample_rate_hz, manifest.channels)
    if (facts.format, facts.sample_rate_hz, facts.channels) != promised:
        raise EngineCrashed(f"The engine's {preview.name} has not the rate of the mix.")
    if not facts.duration_frames:
        raise EngineCrashed(f"The engine's {preview.name} holds no audio.")
    return facts


def check_midi(score: Path) -> None:
    """Raise EngineCrashed unless this is a MIDI file that can be kept."""
    if score.is_symlink() or not score.is_file():
        raise EngineCrashed(f"The engine left no {score.name}.")
    with score.open("rb") as file:
        begins = file.read(len(_MIDI_HEAD))
    if begins != _MIDI_HEAD or score.stat().st_size > MAX_MIDI_BYTES:
        raise EngineCrashed(f"The engine's {score.name} is no MIDI file.")


def _facts(audio: Path, what: str) -> Properties:
    if audio.is_symlink() or not audio.is_file():
        raise EngineCrashed(f"The engine left no {what}.")
    try:
        with AudioReader(audio) as reader:
            return reader.properties
    except InvalidAudio as error:
        raise EngineCrashed(f"The engine's {what} can't be read.") from error


def _check_length(
    facts: Properties, made: Generation, asked_duration_s: float, manifest: Manifest
) -> None:
    if made.decides_length:
        fits = facts.duration_s <= manifest.max_duration_s + LENGTH_TOLERANCE_S
    else:
        fits = abs(facts.duration_s - asked_duration_s) <= LENGTH_TOLERANCE_S
    if made.loop_frames is not None:
        start, end = made.loop_frames
        fits = fits and 0 <= start < end <= facts.duration_frames
    if not fits:
        raise EngineCrashed(
            f"The engine made {facts.duration_s:.2f} s instead of {asked_duration_s:.2f} s, "
            "or a loop that is not inside."
        )


def blocks_of(facts: Properties) -> int:
    """Return how many times `encode` ticks."""
    return max(1, -(-facts.duration_frames // BLOCK_FRAMES))


def encode(
    source: Path, facts: Properties, format: Format, target: Path, tick: Callable[[], None]
) -> Encoded:
    """Encode `source` to `target` and hash both. Blocks the thread; memory is constant.
    `tick` is called after each block, and what it raises ends the work.

    Raises EngineCrashed for samples that are no sound, DiskFull.
    """
    digest = hashlib.sha256()
    with (
        no_space_is_disk_full(),
        _opened(source) as reader,
        AudioWriter(
            target,
            format,
            facts.sample_rate_hz,
            facts.channels,
            expected_frames=facts.duration_frames,
        ) as writer,
    ):
        for block in _blocks(reader, source.name):
            pcm = to_pcm_16_bit(block)
            digest.update(pcm.tobytes())
            # libsndfile rounds for FLAC but truncates for WAV; on the grid it does neither.
            writer.write(pcm.astype(np.float32) / _STEPS_16_BIT)
            tick()
    # Read back, not assumed: an MP3 is longer than what went in.
    with AudioReader(target) as reader:
        properties = reader.properties
    return Encoded(target, sha256_of(target), target.stat().st_size, properties, digest.hexdigest())


def _opened(source: Path) -> AudioReader:
    """Open what was looked at before: a broken engine may have written it again since."""
    try:
        return AudioReader(source)
    except InvalidAudio as error:
        raise EngineCrashed(f"The engine's {source.name} is broken: {error.message}") from error


def _blocks(reader: AudioReader, name: str) -> Iterator[Samples]:
    try:
        yield from reader.blocks()
    except InvalidAudio as error:
        raise EngineCrashed(f"The engine's {name} is broken: {error.message}") from error


def to_pcm_16_bit(samples: Samples) -> npt.NDArray[np.int16]:
    """Round samples to little-endian 16-bit PCM; the shape stays [frames, channels]."""
    rounded = np.clip(np.rint(samples * _STEPS_16_BIT), -32_768, 32_767)
    pcm: npt.NDArray[np.int16] = rounded.astype("<i2")
    return pcm
