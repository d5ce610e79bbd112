"""Measurements of audio, independent of the composer's own code."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
from scipy import signal

from musicgen.engine.base import MIX_FILE, Generation, Parameters, Reported
from musicgen.progress import Progress
from services.inference.engines.composer.engine import Composer

RATE_HZ = 44_100

Audio = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Made:
    """A piece that was generated: its audio of shape [frames, 2], and what was said of it."""

    generation: Generation
    audio: Audio
    sha256: str

    @property
    def plan(self) -> Mapping[str, Any]:
        """The plan among the decisions."""
        plan: Mapping[str, Any] = self.generation.decisions["plan"]
        return plan


def ignore(told: Reported) -> None:
    """Take what is reported and do nothing."""
    assert not isinstance(told, Progress) or 0.0 <= told.fraction <= 1.0


def make(
    scratch: Path, prompt: str, duration_s: float = 12.0, seed: int = 1, **options: Any
) -> Made:
    """Generate a piece."""
    generation = Composer().generate(
        Parameters(prompt, "", duration_s, seed, options), scratch, ignore
    )
    path = scratch / MIX_FILE
    audio, rate_hz = soundfile.read(path, always_2d=True)
    assert rate_hz == RATE_HZ
    return Made(generation, audio, hashlib.sha256(path.read_bytes()).hexdigest())


def loudness_lufs(audio: Audio) -> float:
    """Integrated loudness by BS.1770, blocks of 400 ms every 100 ms."""
    weighted = signal.sosfilt(_k_weighting(), audio, axis=0)
    size, hop = round(0.4 * RATE_HZ), round(0.1 * RATE_HZ)
    power = np.array(
        [
            (weighted[i : i + size] ** 2).mean(axis=0).sum()
            for i in range(0, len(audio) - size + 1, hop)
        ]
    )
    power = power[power > 10 ** (-6.9309)]
    power = power[power > 0.1 * power.mean()]
    return float(-0.691 + 10 * np.log10(power.mean()))


def _k_weighting() -> npt.NDArray[np.float64]:
    rows = []
    turn, q = math.tan(math.pi * 1681.9744509 / RATE_HZ), 0.7071752
    high = 10 ** (3.9998438 / 20)
    middle = high**0.4996667
    a0 = 1 + turn / q + turn**2
    rows.append(
        [
            (high + middle * turn / q + turn**2) / a0,
            2 * (turn**2 - high) / a0,
            (high - middle * turn / q + turn**2) / a0,
            1,
            2 * (turn**2 - 1) / a0,
            (1 - turn / q + turn**2) / a0,
        ]
    )
    turn, q = math.tan(math.pi * 38.1354709 / RATE_HZ), 0.5003270
    a0 = 1 + turn / q + turn**2
    rows.append([1, -2, 1, 1, 2 * (turn**2 - 1) / a0, (1 - turn / q + turn**2) / a0])
    return np.array(rows)


def true_peak_db(audio: Audio) -> float:
    """True peak in dBTP, from eightfold oversampling."""
    peak = max(np.abs(signal.resample_poly(audio[:, c], 8, 1)).max() for c in (0, 1))
    return float(20 * np.log10(peak))


def power_db(samples: Audio) -> float:
    """Mean square in dB."""
    return float(10 * np.log10((samples**2).mean() + 1e-15))


def side_to_mid_db(audio: Audio, below_hz: float | None = None) -> float:
    """Level of the side against the middle, of everything or below a frequency."""
    middle, side = audio.sum(axis=1) / 2, (audio[:, 0] - audio[:, 1]) / 2
    if below_hz:
        sos = signal.butter(4, below_hz, fs=RATE_HZ, output="sos")
        middle, side = signal.sosfilt(sos, middle), signal.sosfilt(sos, side)
    return power_db(side) - power_db(middle)


def band_share_db(audio: Audio, low_hz: float, high_hz: float) -> float:
    """Energy between two frequencies as a share of all of it, in dB."""
    power = np.abs(np.fft.rfft(audio.mean(axis=1))) ** 2
    hz = np.fft.rfftfreq(len(audio), 1 / RATE_HZ)
    inside = power[(hz >= low_hz) & (hz < high_hz)].sum()
    return float(10 * np.log10(inside / power.sum() + 1e-15))


def tempo_strength(audio: Audio, tempo_bpm: float) -> float:
    """How much the onsets repeat at a tempo: autocorrelation at its beat, bar and two bars."""
    _, _, spectrum = signal.stft(audio.mean(axis=1), RATE_HZ, nperseg=1024, noverlap=768)
    onsets = np.maximum(0, np.diff(np.log1p(100 * np.abs(spectrum)), axis=1)).sum(axis=0)
    onsets -= signal.fftconvolve(onsets, np.ones(87) / 87, "same")
    correlation = signal.fftconvolve(onsets, onsets[::-1])[len(onsets) - 1 :]
    beat = 60 / tempo_bpm * RATE_HZ / 256
    lags = np.arange(len(correlation))
    return float(sum(np.interp(k * beat, lags, correlation) for k in (1, 2, 4, 8)))


def chroma(audio: Audio) -> npt.NDArray[np.float64]:
    """Energy of the twelve pitch classes between 60 and 2000 Hz, C first."""
    _, _, spectrum = signal.stft(audio.mean(axis=1), RATE_HZ, nperseg=16384, noverlap=8192)
    level = np.abs(spectrum).mean(axis=1)
    hz = np.fft.rfftfreq(16384, 1 / RATE_HZ)
    found = np.zeros(12)
    for bin_hz, value in zip(hz, level, strict=True):
        if 60 < bin_hz < 2000:
            found[round(12 * math.log2(bin_hz / 440) + 69) % 12] += value
    return found
