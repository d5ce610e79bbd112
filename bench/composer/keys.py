"""Hears the key of a mix, knowing nothing of how it was composed.

Spectral peaks of long windows are read as pitches, after the tuning of the piece was found from
them; each peak also speaks for the notes that it may be an overtone of. The chroma of all
windows is compared with the key profiles of Temperley (Music and Probability, 2007), minor also
with its seventh lowered, as popular music has it. Two relative keys share their notes: together
they compete with the other eleven pairs, and then each alone, where the bass has a word.
`selfcheck` renders plain chord progressions in all 24 keys and expects each of them back.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import signal

Floats = npt.NDArray[np.float64]

NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_MAJOR = (0.748, 0.060, 0.488, 0.082, 0.670, 0.460, 0.096, 0.715, 0.104, 0.366, 0.057, 0.400)
_MINOR = (0.712, 0.084, 0.474, 0.618, 0.049, 0.460, 0.105, 0.747, 0.404, 0.067, 0.133, 0.330)
_NATURAL = (*_MINOR[:10], _MINOR[11], _MINOR[10])

_RATE_HZ = 11_025
_WINDOW, _HOP = 8192, 2048  # 0.74 s: tells A1 from Bb1, 3.3 Hz apart
_LOW_HZ, _HIGH_HZ, _BASS_HZ = 50.0, 2500.0, 180.0
_OVERTONES = 5
_FADE = 0.6
"""Weight of a peak as an overtone, against that of the one below (Gómez, 2006)."""
_BASS_WORD = 0.25
"""Weight of the bass' share of a tonic and its fifth against the correlation."""


def key(samples: Floats, rate_hz: int) -> list[str]:
    """Return all 24 keys, the likeliest first ("A minor", "C major", …)."""
    whole, bass = chroma(samples, rate_hz)
    alone = {
        f"{NAMES[tonic]} {mode}": max(
            float(np.corrcoef(np.roll(profile, tonic), whole)[0, 1]) for profile in profiles
        )
        for mode, profiles in (("major", (_MAJOR,)), ("minor", (_MINOR, _NATURAL)))
        for tonic in range(12)
    }

    def rank(name: str) -> tuple[float, float]:
        tonic = NAMES.index(name.split(maxsplit=1)[0])
        heard_below = bass[tonic] + bass[(tonic + 7) % 12] / 2
        return round(alone[name] + alone[relative(name)], 9), alone[name] + _BASS_WORD * heard_below

    return sorted(alone, key=rank, reverse=True)


def chroma(samples: Floats, rate_hz: int) -> tuple[Floats, Floats]:
    """Return how present each pitch class is, in all and in the bass; each adds up to 1."""
    common = int(np.gcd(_RATE_HZ, rate_hz))
    mono = signal.resample_poly(samples.mean(axis=1), _RATE_HZ // common, rate_hz // common)
    if len(mono) < _WINDOW:
        mono = np.pad(mono, (0, _WINDOW - len(mono)))
    windows = np.lib.stride_tricks.sliding_window_view(mono, _WINDOW)[::_HOP]
    level = np.abs(np.fft.rfft(windows * signal.get_window("blackmanharris", _WINDOW)))
    frame, pitch, height = _peaks(level)
    # Each window counts alike, but a silent one: loud passages would outvote the rest.
    loudness = np.sqrt(np.bincount(frame, height**2, len(level)))
    height = np.sqrt(height / (loudness[frame] + 0.1 * loudness.max() + 1e-12))
    turns = np.exp(2j * np.pi * pitch) @ height
    pitch = pitch - np.angle(turns) / (2 * np.pi)
    whole = np.zeros(12)
    for overtone in range(1, _OVERTONES + 1):
        root = pitch - 12 * np.log2(overtone)
        whole += _bins(root, height * _FADE ** (overtone - 1))
    low = pitch < 69 + 12 * np.log2(_BASS_HZ / 440)
    bass = _bins(pitch[low], height[low])
    return whole / (whole.sum() + 1e-12), bass / (bass.sum() + 1e-12)


def _peaks(level: Floats) -> tuple[npt.NDArray[np.int64], Floats, Floats]:
    """Return window, MIDI pitch and height of the peaks that stand above their surroundings."""
    first, last = (int(hz * _WINDOW / _RATE_HZ) for hz in (_LOW_HZ, _HIGH_HZ))
    part = level[:, first - 1 : last + 1]
    middle = part[:, 1:-1]
    floor = np.maximum(3 * np.median(middle, axis=1, keepdims=True), 1e-3 * middle.max())
    is_peak = (middle > part[:, :-2]) & (middle >= part[:, 2:]) & (middle > floor)
    frame, column = np.nonzero(is_peak)
    left, centre, right = (
        np.log(part[frame, column + shift] + 1e-12) for shift in (0, 1, 2)
    )  # the top of a parabola through three points
    shift = 0.5 * (left - right) / np.minimum(left - 2 * centre + right, -1e-9)
    frequency = (column + first + shift) * _RATE_HZ / _WINDOW
    return frame, 69 + 12 * np.log2(frequency / 440), middle[frame, column]


def _bins(pitch: Floats, weight: Floats) -> Floats:
    """Add up weights in twelve pitch classes; what lies between two counts less."""
    nearest = np.round(pitch)
    near = np.cos(np.pi * (pitch - nearest)) ** 2
    return np.asarray(np.bincount(nearest.astype(int) % 12, weight * near, 12), np.float64)


def relative(name: str) -> str:
    """Return the key with the same notes: A minor for C major."""
    tonic, mode = name.split()
    shift, other = (9, "minor") if mode == "major" else (3, "major")
    return f"{NAMES[(NAMES.index(tonic) + shift) % 12]} {other}"
