"""A piece of which parts are to be made anew: its audio, its latents, and the parts' seams."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soxr
import torch
from torch import Tensor

from musicgen.audio.codecs import AudioReader
from musicgen.engine.base import TimeRange
from musicgen.errors import InvalidAudio
from services.inference.engines.diffrhythm.config import (
    LATENT_DIM,
    SAMPLE_RATE_HZ,
    SAMPLES_PER_LATENT,
)
from services.inference.engines.diffrhythm.style import MAX_CHANNELS
from services.inference.engines.diffrhythm.vae.oobleck import Encoder, drawn
from services.inference.engines.diffrhythm.vae.streaming import encode

ENCODING_PEAK = 10 ** (-6 / 20)
"""-6 dBFS: how loud the model is used to hear what it goes on from."""

_QUIET_PEAK = 0.05
"""What is softer is taken for this loud: silence tells no level."""

SEAM_SAMPLES = 4_096
"""93 ms to either side of a part, over which the old audio becomes the new one."""

Audio = npt.NDArray[np.float32]
"""[channels, samples]."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A piece, stereo at the model's rate, and the parts [start, end) of it to make anew, in
    samples."""

    audio: Audio
    parts: Sequence[tuple[int, int]]

    @property
    def samples(self) -> int:
        """Its length."""
        return int(self.audio.shape[1])

    @property
    def frames(self) -> int:
        """Latents that hold it."""
        return -(-self.samples // SAMPLES_PER_LATENT)

    @property
    def segments(self) -> Sequence[tuple[int, int]]:
        """The parts in latent frames: all that hold some of them."""
        return [
            (start // SAMPLES_PER_LATENT, -(-end // SAMPLES_PER_LATENT))
            for start, end in self.parts
        ]

    @property
    def gain(self) -> float:
        """What brings it to ENCODING_PEAK."""
        return ENCODING_PEAK / max(_QUIET_PEAK, float(np.abs(self.audio).max(initial=0.0)))

    def latents(self, encoder: Encoder, seed: int, tick: Callable[[], None]) -> Tensor:
        """Return [1, frames, LATENT_DIM]; what `tick` raises ends it."""
        device = next(encoder.parameters()).device
        padded = np.pad(self.audio, ((0, 0), (0, self.frames * SAMPLES_PER_LATENT - self.samples)))
        sound = torch.from_numpy(padded * np.float32(self.gain))[None]
        statistics = encode(encoder, sound.to(device), tick=tick).cpu()
        generator = torch.Generator("cpu").manual_seed(seed)
        noise = torch.randn(1, LATENT_DIM, self.frames, generator=generator)
        return drawn(statistics, noise).transpose(1, 2)

    def stretches(self) -> Sequence[tuple[int, int]]:
        """Return what has to be decoded, in latent frames: parts with their seams; those whose
        seams touch are one."""
        found: list[tuple[int, int]] = []
        for start, end in self.parts:
            first = max(0, start - SEAM_SAMPLES) // SAMPLES_PER_LATENT
            last = min(self.frames, -(-(end + SEAM_SAMPLES) // SAMPLES_PER_LATENT))
            if found and first <= found[-1][1]:
                first, _ = found.pop()
            found.append((first, last))
        return found

    def spliced(self, made: Sequence[Audio]) -> Audio:
        """Return the piece with the decoded `stretches()` in place of its own. Outside the
        parts and their seams each sample is what it was; inside, the level is the piece's."""
        whole = self.audio.copy()
        loudest = max(0.944, float(np.abs(self.audio).max(initial=0.0)))
        for (first, last), stretch in zip(self.stretches(), made, strict=True):
            low, high = first * SAMPLES_PER_LATENT, min(self.samples, last * SAMPLES_PER_LATENT)
            new = stretch[:, : high - low] / np.float32(self.gain)
            new *= min(1.0, loudest / max(_QUIET_PEAK, float(np.abs(new).max(initial=0.0))))
            share = self._share(low, high)
            whole[:, low:high] += share * (new - whole[:, low:high])
        return whole

    def _share(self, low: int, high: int) -> Audio:
        """Return how much of samples [low, high) is new: 1 in the parts, falling to 0 over
        their seams."""
        here = np.arange(low, high)
        outside = np.full(high - low, SEAM_SAMPLES)
        for start, end in self.parts:
            away = np.maximum(0, np.maximum(start - here, here - (end - 1)))
            outside = np.minimum(outside, away)
        return (1 - outside / SEAM_SAMPLES).astype(np.float32)


def read_recording(path: Path, parts: Sequence[TimeRange], max_s: float) -> Recording:
    """Read a piece of at most `max_s`. Raises InvalidAudio."""
    with AudioReader(path) as reader:
        rate_hz = reader.properties.sample_rate_hz
        length_s = reader.properties.duration_frames / rate_hz
        if length_s > max_s + 0.1:
            raise InvalidAudio(
                f"The piece lasts {length_s:.0f} s; parts of up to {max_s:.0f} s can be made anew.",
                remedy="Choose a shorter piece.",
            )
        if reader.properties.channels > MAX_CHANNELS:
            raise InvalidAudio(
                f"The piece has {reader.properties.channels} channels; up to {MAX_CHANNELS} are "
                "taken.",
                remedy="Mix it to stereo.",
            )
        audio = reader.read(reader.properties.duration_frames).astype(np.float32, copy=False)
    if rate_hz != SAMPLE_RATE_HZ:
        audio = soxr.resample(audio, rate_hz, SAMPLE_RATE_HZ, quality="HQ").astype(np.float32)
    if not audio.size or not np.isfinite(audio).all():
        raise InvalidAudio("The piece holds samples that are no sound.")
    stereo = np.repeat(audio, 2, axis=1) if audio.shape[1] == 1 else audio[:, :2]
    piece = np.ascontiguousarray(stereo.T)
    return Recording(piece, [_in_samples(part, piece.shape[1]) for part in parts])


def _in_samples(part: TimeRange, samples: int) -> tuple[int, int]:
    end = samples if part.end_s is None else min(samples, round(part.end_s * SAMPLE_RATE_HZ))
    start = min(round(part.start_s * SAMPLE_RATE_HZ), samples - 1)
    return start, max(start + 1, end)
