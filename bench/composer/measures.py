"""What can be measured of a finished mix. `samples` are float64, shape [frames, 2]."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyloudnorm
from scipy import signal

Floats = npt.NDArray[np.float64]

HOP = 512
NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
# Temperley's key profiles (Music and Probability, 2007), as weights of the scale degrees.
_MAJOR = (0.748, 0.060, 0.488, 0.082, 0.670, 0.460, 0.096, 0.715, 0.104, 0.366, 0.057, 0.400)
_MINOR = (0.712, 0.084, 0.474, 0.618, 0.049, 0.460, 0.105, 0.747, 0.404, 0.067, 0.133, 0.330)


@dataclass(frozen=True, slots=True)
class Measures:
    """Facts of one mix."""

    loudness_lufs: float
    true_peak_dbtp: float
    clipped: int
    dc: float
    side_mid_db: float
    side_mid_low_db: float
    """Under 120 Hz."""
    rolloff_hz: float
    """99 % of the energy lies below."""
    air_db: float
    """Energy above 8 kHz against all."""


def measure(samples: Floats, rate_hz: int) -> Measures:
    """Measure a stereo mix."""
    mid, side = samples.sum(axis=1) / 2, (samples[:, 0] - samples[:, 1]) / 2
    low = signal.butter(4, 120, "low", fs=rate_hz, output="sos")
    frequencies, power = signal.welch(mid, rate_hz, nperseg=8192)
    total = np.cumsum(power)
    return Measures(
        loudness_lufs=float(pyloudnorm.Meter(rate_hz).integrated_loudness(samples)),
        true_peak_dbtp=_true_peak_db(samples),
        clipped=int(np.sum(np.abs(samples) >= 1.0)),
        dc=float(np.abs(samples.mean(axis=0)).max()),
        side_mid_db=_ratio_db(side, mid),
        side_mid_low_db=_ratio_db(signal.sosfilt(low, side), signal.sosfilt(low, mid)),
        rolloff_hz=float(frequencies[np.searchsorted(total, 0.99 * total[-1])]),
        air_db=float(10 * np.log10(power[frequencies > 8000].sum() / power.sum() + 1e-20)),
    )


def _ratio_db(part: Floats, whole: Floats) -> float:
    return float(10 * np.log10((np.mean(part**2) + 1e-20) / (np.mean(whole**2) + 1e-20)))


def _true_peak_db(samples: Floats) -> float:
    """Peak after oversampling by four, in blocks (ITU-R BS.1770 annex 2)."""
    peak = 0.0
    for start in range(0, len(samples), 1 << 18):
        block = samples[max(0, start - 64) : start + (1 << 18) + 64]
        peak = max(peak, float(np.abs(signal.resample_poly(block, 4, 1, axis=0)).max()))
    return float(20 * np.log10(peak + 1e-20))


def onset_strength(samples: Floats, rate_hz: int) -> Floats:
    """Return the half-wave rectified log-spectral flux, one value a HOP."""
    _, _, spectrum = signal.stft(samples.mean(axis=1), rate_hz, nperseg=2048, noverlap=2048 - HOP)
    level = np.log1p(100 * np.abs(spectrum))
    flux = np.maximum(np.diff(level, axis=1), 0).sum(axis=0)
    return np.asarray(np.maximum(flux - signal.medfilt(flux, 31), 0), np.float64)


def tempo_bpm(samples: Floats, rate_hz: int, near_bpm: float) -> float:
    """Return the tempo whose pulse fits best within 12 % of `near_bpm`.

    The pulse train is compared over the whole piece, so that a small error shows.
    """
    onsets = onset_strength(samples, rate_hz)
    frames_per_s = rate_hz / HOP
    times = np.arange(len(onsets)) / frames_per_s
    candidates = near_bpm * np.arange(0.88, 1.12, 0.0005)
    phases = np.exp(-2j * np.pi * np.outer(candidates / 60, times)) @ onsets
    # The half beat too: music that leans on the off-beat has its pulse there.
    halves = np.exp(-2j * np.pi * np.outer(candidates / 30, times)) @ onsets
    return float(candidates[np.argmax(np.abs(phases) + np.abs(halves))])


def key(samples: Floats, rate_hz: int) -> list[str]:
    """Return all 24 keys, the likeliest first ("A minor", "C major", …)."""
    frequencies, power = signal.welch(samples.mean(axis=1), rate_hz, nperseg=16384)
    chroma = np.zeros(12)
    audible = (frequencies > 55) & (frequencies < 2000)
    pitches = np.round(69 + 12 * np.log2(frequencies[audible] / 440)).astype(int) % 12
    np.add.at(chroma, pitches, np.sqrt(power[audible]))
    chroma -= chroma.min()
    scores = {
        f"{NAMES[tonic]} {mode}": float(np.corrcoef(np.roll(profile, tonic), chroma)[0, 1])
        for mode, profile in (("major", _MAJOR), ("minor", _MINOR))
        for tonic in range(12)
    }
    return sorted(scores, key=scores.__getitem__, reverse=True)


def relative(name: str) -> str:
    """Return the key with the same notes: A minor for C major."""
    tonic, mode = name.split()
    shift, other = (9, "minor") if mode == "major" else (3, "major")
    return f"{NAMES[(NAMES.index(tonic) + shift) % 12]} {other}"
