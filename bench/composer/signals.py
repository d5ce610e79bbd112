"""Sounds whose truth is known, to measure the measures on. One channel unless said otherwise."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import signal

Floats = npt.NDArray[np.float64]

RATE_HZ = 44_100
PROGRESSIONS = {
    "major": ("I IV V I", "I V vi IV", "ii V I I", "I vi IV V", "I iii IV V", "I IV I V"),
    "minor": ("i iv V i", "i VI III VII", "i iv v i", "i VII VI VII", "i iv VII i", "i VI iv V"),
}
_ROOTS = {
    "major": {"I": 0, "ii": 2, "iii": 4, "IV": 5, "V": 7, "vi": 9},
    "minor": {"i": 0, "III": 3, "iv": 5, "v": 7, "V": 7, "VI": 8, "VII": 10},
}


def tone(pitch: float, frames: int, overtones: int = 6) -> Floats:
    """Add up harmonics that fade as 1/n, with a decay and soft edges."""
    seconds = np.arange(frames) / RATE_HZ
    hz = 440 * 2 ** ((pitch - 69) / 12)
    wave = sum(
        (np.sin(2 * np.pi * hz * n * seconds) / n for n in range(1, overtones + 1)),
        start=np.zeros(frames),
    )
    edge = np.minimum(1, np.minimum(seconds, seconds[::-1]) / 0.01)
    return np.asarray(0.1 * wave * edge * np.exp(-1.5 * seconds))


def chords(progression: str, tonic: int, mode: str, cents: float = 0.0) -> Floats:
    """Play a progression twice: triads in close position, the root in the bass."""
    frames, parts = RATE_HZ, []
    for name in progression.split() * 2:
        root = tonic + _ROOTS[mode][name]
        third = 4 if name.isupper() else 3
        pitches = (36 + root % 12, *(60 + (root + step) % 12 for step in (0, third, 7)))
        parts.append(sum((tone(p + cents / 100, frames) for p in pitches), start=np.zeros(frames)))
    mono = np.concatenate(parts)
    return np.stack([mono, mono], axis=1)


def band_noise(seconds: float, seed: int = 1) -> Floats:
    """Make pink noise at about -20 dBFS as a stand-in for dense music."""
    frames = int(seconds * RATE_HZ)
    white = np.random.default_rng(seed).standard_normal((frames, 2))
    spectrum = np.fft.rfft(white, axis=0)
    spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 20))[:, None]
    wave = np.fft.irfft(spectrum, frames, axis=0)
    return np.asarray(0.1 * wave / wave.std())


def damaged(mix: Floats, place: int, step: float, *, lasting: bool) -> Floats:
    """Return a copy with a wrong sample, or with a jump that fades away over 50 ms."""
    copy = mix.copy()
    if lasting:
        fade = np.exp(-np.arange(len(mix) - place) / (0.05 * RATE_HZ))
        copy[place:] += step * fade[:, None]
    else:
        copy[place] += step
    return copy


def plucks(seconds: float = 12.0) -> Floats:
    """Play broken chords on plucked strings (Karplus and Strong, 1983)."""
    mix = np.zeros(int(seconds * RATE_HZ))
    pattern = (40, 47, 52, 56, 59, 64, 59, 56)
    for number, start in enumerate(range(0, len(mix), RATE_HZ // 4)):
        pitch = pattern[number % len(pattern)]
        period = round(RATE_HZ / (440 * 2 ** ((pitch - 69) / 12)))
        burst = np.zeros(min(2 * RATE_HZ, len(mix) - start))
        noise = np.random.default_rng(pitch).uniform(-0.3, 0.3, period)
        burst[:period] = noise[: len(burst)]
        string = np.r_[1.0, np.zeros(period - 1), -0.498, -0.498]
        mix[start : start + len(burst)] += signal.lfilter([1.0], string, burst)
    return mix


def four_to_the_floor(seconds: float = 12.0, bpm: float = 128.0) -> Floats:
    """Play a kick on each beat, a hat between them, and a pumping saw chord."""
    times = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    beat, off = times % (60 / bpm), (times + 30 / bpm) % (60 / bpm)
    kick = np.sin(2 * np.pi * (50 * beat + 4.5 * (1 - np.exp(-40 * beat)))) * np.exp(-12 * beat)
    hat = np.random.default_rng(1).standard_normal(len(times)) * np.exp(-60 * off)
    chord = sum((times * hz % 1 - 0.5 for hz in (55, 110.3, 164.8, 220.7)), start=times * 0)
    return np.asarray(0.6 * kick + 0.2 * hat + 0.15 * chord * (1 - np.exp(-10 * beat)))


def pad(seconds: float = 12.0) -> Floats:
    """Hold a chord of slightly detuned sines that swells over four seconds."""
    times = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    tones = [hz * (1 + off) for hz in (110, 164.8, 220, 277.2, 329.6) for off in (0, 2e-3, -1.5e-3)]
    wave = sum((np.sin(2 * np.pi * hz * times) for hz in tones), start=times * 0)
    return np.asarray(0.1 * wave * np.minimum(1, times / 4))
