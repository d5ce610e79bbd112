"""What can be measured of a finished mix. `samples` are float64, shape [frames, 2]."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyloudnorm
from scipy import signal

from bench.composer.clicks import clicks

Floats = npt.NDArray[np.float64]

HOP = 512
_BLOCK, _MARGIN, _OVERSAMPLED = 1 << 15, 2048, 8
_PASSED = 0.4535
_SILENT = 0.001  # -60 dBFS


@dataclass(frozen=True, slots=True)
class Measures:
    """Facts of one mix."""

    loudness_lufs: float
    true_peak_dbtp: float
    clipped: int
    dc: float
    """Mean of the worse channel, full scale 1."""
    click_frames: tuple[int, ...]
    silence_s: float
    """The longest stretch under -60 dBFS that isn't the end."""
    side_mid_db: float
    side_mid_low_db: float
    """Under 120 Hz."""
    rolloff_hz: float
    """99 % of the energy lies below."""
    air_db: float
    """Energy above 8 kHz against all."""


def measure(samples: Floats, rate_hz: int, strokes: Floats | None = None) -> Measures:
    """Measure a stereo mix. `strokes` are the frames of drum hits, where they are known."""
    mid, side = samples.sum(axis=1) / 2, (samples[:, 0] - samples[:, 1]) / 2
    low = signal.butter(4, 120, "low", fs=rate_hz, output="sos")
    frequencies, power = signal.welch(mid, rate_hz, nperseg=8192)
    total = np.cumsum(power)
    return Measures(
        loudness_lufs=float(pyloudnorm.Meter(rate_hz).integrated_loudness(samples)),
        true_peak_dbtp=true_peak_db(samples),
        clipped=int(np.sum(np.abs(samples) >= 1.0)),
        dc=float(np.abs(samples.mean(axis=0)).max()),
        click_frames=tuple(clicks(samples, strokes)),
        silence_s=silence_s(samples, rate_hz),
        side_mid_db=_ratio_db(side, mid),
        side_mid_low_db=_ratio_db(signal.sosfilt(low, side), signal.sosfilt(low, mid)),
        rolloff_hz=float(frequencies[np.searchsorted(total, 0.99 * total[-1])]),
        air_db=float(10 * np.log10(power[frequencies > 8000].sum() / power.sum() + 1e-20)),
    )


def _ratio_db(part: Floats, whole: Floats) -> float:
    return float(10 * np.log10((np.mean(part**2) + 1e-20) / (np.mean(whole**2) + 1e-20)))


def true_peak_db(samples: Floats) -> float:
    """Peak after oversampling by eight (BS.1770 annex 2 asks for at least four), in dBTP.

    By a longer spectrum, in blocks with margins: flat to 0.45 of the rate (20 kHz), as what plays
    it back is, from where it fades to half the rate. Only blocks within 6 dB of the highest
    sample can hold the peak. A tone at a quarter of the rate is read to 0.001 dB.
    """
    size = _BLOCK + 2 * _MARGIN
    beyond = (np.fft.rfftfreq(size) - _PASSED) / (0.5 - _PASSED)
    fade = np.cos(np.pi / 2 * beyond.clip(0, 1)) ** 2
    height = float(np.abs(samples).max(initial=0.0))
    padded = np.pad(samples, ((_MARGIN, _MARGIN), (0, 0)))
    peak, kept = height, slice(_MARGIN * _OVERSAMPLED, (_MARGIN + _BLOCK) * _OVERSAMPLED)
    for start in range(0, len(samples), _BLOCK):
        block = padded[start : start + _BLOCK + 2 * _MARGIN]
        for channel in block.T:
            if np.abs(channel[_MARGIN:-_MARGIN]).max() > height / 2:
                spectrum = np.fft.rfft(channel, size) * fade
                dense = np.fft.irfft(spectrum, size * _OVERSAMPLED)[kept] * _OVERSAMPLED
                peak = max(peak, float(np.abs(dense).max()))
    return float(20 * np.log10(peak + 1e-20))


def silence_s(samples: Floats, rate_hz: int) -> float:
    """Return the longest stretch whose samples all lie under -60 dBFS, but the last one."""
    loud = np.flatnonzero(np.abs(samples).max(axis=1) >= _SILENT)
    if not len(loud):
        return len(samples) / rate_hz
    return float(np.diff(loud, prepend=-1).max() - 1) / rate_hz


def onset_strength(samples: Floats, rate_hz: int) -> Floats:
    """Return the half-wave rectified log-spectral flux, one value a HOP."""
    _, _, spectrum = signal.stft(samples.mean(axis=1), rate_hz, nperseg=2048, noverlap=2048 - HOP)
    level = np.log1p(100 * np.abs(spectrum))
    flux = np.maximum(np.diff(level, axis=1), 0).sum(axis=0)
    return np.asarray(np.maximum(flux - signal.medfilt(flux, 31), 0), np.float64)


def tempo_bpm(samples: Floats, rate_hz: int, near_bpm: float, division: int = 2) -> float:
    """Return the tempo whose pulse fits best within 12 % of `near_bpm`.

    The pulse train is compared over the whole piece, so that a small error shows. `division`
    is into how many parts a beat falls: three in 6/8.
    """
    onsets = onset_strength(samples, rate_hz)
    frames_per_s = rate_hz / HOP
    times = np.arange(len(onsets)) / frames_per_s
    candidates = near_bpm * np.arange(0.88, 1.12, 0.0005)
    phases = np.exp(-2j * np.pi * np.outer(candidates / 60, times)) @ onsets
    # The parts of a beat too: music that leans on the off-beat has its pulse there.
    parts = np.exp(-2j * np.pi * np.outer(candidates / 60 * division, times)) @ onsets
    return float(candidates[np.argmax(np.abs(phases) + np.abs(parts))])
