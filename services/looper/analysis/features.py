"""What a piece sounds like, on a grid of hops: harmony, timbre and onsets.

The file is decoded in blocks; only the features (about 8 kB per second) stay in memory.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.fft

from musicgen.audio.codecs import BLOCK_FRAMES, AudioReader, Samples
from musicgen.errors import InvalidAudio
from musicgen.progress import ProgressMeter
from services.looper.loops import Report

WINDOW_S = 0.046
TIMBRE_BANDS = 28
PITCH_CLASSES = 12
ONSET_BANDS = 4
WEIGHTS = (1.0, 1.0, 0.7)
"""Of timbre, chroma and onsets."""

SILENT_RMS = 1e-4
"""-80 dBFS: nothing that could be heard."""

HOPS_AT_ONCE = 64

FeatureArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Scale:
    """How energies become features of this piece: its floor, means and spreads."""

    floor: float
    means: tuple[FeatureArray, ...]
    spreads: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Features:
    """Features of a whole file.

    `values` is [hops, dimensions], each dimension around zero; hop i is centred on
    frame i * hop_frames. `rms` is the level of all samples, 1 is full scale.
    """

    values: FeatureArray
    scale: Scale
    hop_frames: int
    sample_rate_hz: int
    duration_frames: int
    rms: float

    @property
    def hops_per_s(self) -> float:
        """Hops in a second of audio."""
        return self.sample_rate_hz / self.hop_frames

    def describe(self, samples: Samples) -> FeatureArray:
        """Return features [hops, dimensions] of samples [frames, channels] of the same
        piece, on the scale of `values`; hop i starts at frame i * hop_frames."""
        window_frames = 2 * self.hop_frames
        window = np.hanning(window_frames).astype(np.float32)
        bank = _bank(self.sample_rate_hz, window_frames)
        return _apply(self.scale, _energies(samples, window, self.hop_frames, bank)[0])


def extract(
    reader: AudioReader,
    meter: ProgressMeter,
    report: Report,
    *,
    first_frame: int = 0,
    seconds: float = float("inf"),
) -> Features:
    """Decode `seconds` of `reader` from `first_frame` on and describe them; `meter` must be
    in a stage of one step a second of audio. Hop i is then centred on frame first_frame +
    i * hop_frames. Raises InvalidAudio if the file is broken or ends early.
    """
    facts = reader.properties
    expected = facts.duration_frames - first_frame
    expected = min(expected, round(min(seconds, facts.duration_s) * facts.sample_rate_hz))
    window_frames = 1 << round(np.log2(WINDOW_S * facts.sample_rate_hz))
    hop_frames = window_frames // 2
    window = np.hanning(window_frames).astype(np.float32)
    bank = _bank(facts.sample_rate_hz, window_frames)
    # Half a window of silence, so that the first hop is centred on frame 0.
    pending: Samples = np.zeros((window_frames // 2, facts.channels), np.float32)
    energies: list[FeatureArray] = []
    square_sum, frames, done_s = 0.0, 0, 0
    reader.seek(first_frame)
    while len(block := reader.read(min(BLOCK_FRAMES, expected - frames))):
        square_sum += float(np.square(block, dtype=np.float64).sum())
        pending = np.concatenate([pending, block])
        energy, used = _energies(pending, window, hop_frames, bank)
        energies.append(energy)
        pending = pending[used:]
        frames += len(block)
        newly_s = frames // facts.sample_rate_hz - done_s
        report(meter.advance(newly_s))
        done_s += newly_s
    if frames < expected:
        raise InvalidAudio(
            f"The audio ends after {first_frame + frames} of {facts.duration_frames} frames; it"
            " is cut off."
        )
    tail = np.concatenate([pending, np.zeros((window_frames, facts.channels), np.float32)])
    energies.append(_energies(tail, window, hop_frames, bank)[0])
    count = frames // hop_frames + 1
    raw = np.concatenate(energies)[:count]
    rms = float(np.sqrt(square_sum / max(1, frames * facts.channels)))
    scale = _scale(raw)
    values = _apply(scale, raw)
    return Features(values, scale, hop_frames, facts.sample_rate_hz, frames, rms)


def _bank(sample_rate_hz: int, window_frames: int) -> FeatureArray:
    """Return the weights [bins, TIMBRE_BANDS + PITCH_CLASSES] from power to features."""
    frequencies_hz = np.fft.rfftfreq(window_frames, 1 / sample_rate_hz)
    top_hz = min(12_000.0, 0.45 * sample_rate_hz)
    edges_hz = np.geomspace(50.0, top_hz, TIMBRE_BANDS + 2)
    bank = np.zeros((frequencies_hz.size, TIMBRE_BANDS + PITCH_CLASSES), np.float32)
    for band in range(TIMBRE_BANDS):
        low, middle, high = edges_hz[band : band + 3]
        rising = (frequencies_hz - low) / (middle - low)
        falling = (high - frequencies_hz) / (high - middle)
        bank[:, band] = np.clip(np.minimum(rising, falling), 0, None)
        if not bank[:, band].any():  # narrower than a bin
            bank[np.abs(frequencies_hz - middle).argmin(), band] = 1
    pitched = np.flatnonzero((frequencies_hz > 80) & (frequencies_hz < 5000))
    classes = np.round(12 * np.log2(frequencies_hz[pitched] / 440.0)).astype(int) % PITCH_CLASSES
    bank[pitched, TIMBRE_BANDS + classes] = 1
    return bank


def _energies(
    samples: Samples, window: npt.NDArray[np.float32], hop_frames: int, bank: FeatureArray
) -> tuple[FeatureArray, int]:
    """Return band energies [hops, bands], summed over channels so that nothing cancels,
    and the number of frames that are done with."""
    count = max(0, (len(samples) - len(window)) // hop_frames + 1)
    if count == 0:
        return np.zeros((0, bank.shape[1]), np.float32), 0
    views = np.lib.stride_tricks.sliding_window_view(samples, len(window), axis=0)
    frames = views[: count * hop_frames : hop_frames]  # [hops, channels, window]
    energies = np.empty((count, bank.shape[1]), np.float32)
    # A few at a time: spectra take far more room than what is kept of them.
    for first in range(0, count, HOPS_AT_ONCE):
        part = frames[first : first + HOPS_AT_ONCE]
        power = np.zeros((len(part), len(window) // 2 + 1), np.float32)
        for channel in range(samples.shape[1]):
            spectrum = scipy.fft.rfft(part[:, channel] * window, axis=1)
            power += np.square(np.abs(spectrum))
        energies[first : first + HOPS_AT_ONCE] = power @ bank
    return energies, count * hop_frames


def _scale(raw: FeatureArray) -> Scale:
    floor = float(raw[:, :TIMBRE_BANDS].mean()) * 1e-4 + 1e-12
    groups = _groups(floor, raw)
    means = tuple(group.mean(axis=0) for group in groups)
    spreads = tuple(
        float(np.sqrt(np.square(group - mean).sum(axis=1).mean())) + 1e-6
        for group, mean in zip(groups, means, strict=True)
    )
    return Scale(floor, means, spreads)


def _groups(floor: float, raw: FeatureArray) -> tuple[FeatureArray, ...]:
    """Turn energies into log timbre, chroma of unit length, and onsets."""
    timbre = np.log10(raw[:, :TIMBRE_BANDS] + floor)
    chroma = np.sqrt(raw[:, TIMBRE_BANDS:])
    chroma = chroma / (np.linalg.norm(chroma, axis=1, keepdims=True) + np.sqrt(floor))
    rise = np.maximum(np.diff(timbre, axis=0, prepend=timbre[:1]), 0)
    onsets = rise.reshape(len(rise), ONSET_BANDS, -1).mean(axis=2)
    return timbre, chroma, onsets


def _apply(scale: Scale, raw: FeatureArray) -> FeatureArray:
    parts = [
        weight * (group - mean) / spread
        for group, mean, spread, weight in zip(
            _groups(scale.floor, raw), scale.means, scale.spreads, WEIGHTS, strict=True
        )
    ]
    return np.concatenate(parts, axis=1, dtype=np.float32)
