"""A few seconds of a seam to listen to."""

from __future__ import annotations

import itertools

import numpy as np

from musicgen.artifacts import ArtifactStore, StoredFile
from musicgen.audio.codecs import AudioReader, AudioWriter, Format, Samples
from services.looper.stretches import Stretch, taken

SIDE_S = 3.0
FADE_S = 0.02


def preview(reader: AudioReader, repeated: Stretch) -> Samples:
    """Return the last seconds of a cycle and its first, the seam in the middle. Shape
    [frames, channels]; faded at both ends."""
    rate = reader.properties.sample_rate_hz
    side = min(round(SIDE_S * rate), repeated.frames)
    ends = itertools.chain(repeated.blocks(repeated.frames - side), repeated.blocks())
    samples = taken(ends, 2 * side)
    fade = min(round(FADE_S * rate), side)
    ramp = np.linspace(0, 1, fade, dtype=np.float32)[:, None]
    samples[:fade] *= ramp
    samples[len(samples) - fade :] *= ramp[::-1]
    return samples


def write_preview(
    store: ArtifactStore, key: str, reader: AudioReader, repeated: Stretch
) -> StoredFile:
    """Write the preview of a seam as FLAC under `key`."""
    facts = reader.properties
    samples = preview(reader, repeated)
    with (
        store.writing(key) as path,
        AudioWriter(path, Format.FLAC, facts.sample_rate_hz, facts.channels) as writer,
    ):
        writer.write(samples)
    return store.stat(key)
