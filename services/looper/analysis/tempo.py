"""The grid that a piece is played on: its beat to a few parts in 100,000, and its bars.

Strokes (sharp onsets in one band) are added up as phasors: at the frequency of the beat,
and at its multiples, they all point the same way. Then a line is fitted through their
times and their numbers on the grid. How many of them lie on it tells whether there is one:
steady music measures 0.7 to 1, tempos that change below 0.5, speech below 0.2.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import scipy.signal

from musicgen.audio.codecs import Samples
from services.looper.analysis.features import PITCH_CLASSES, TIMBRE_BANDS, Features
from services.looper.analysis.levels import LEVEL_HZ, Floats, levels

RISE_MS = 12
LEAST_APART_MS = 60
FEWEST_STROKES = 8
SLOWEST_BPM, FASTEST_BPM = 50.0, 200.0
USUAL_BPM = 110.0
OCTAVES_FROM_USUAL = 0.9
"""Standard deviation of tempos that people tap, in octaves."""

HARMONICS = 4
TOLERANCES = (0.24, 0.16, 0.10, 0.06)
"""Of half a beat: strokes further off don't count in the next fit."""

MIN_SHARE = 0.6
HALF_BEATS_A_BAR = {8: 1.0, 6: 0.9, 10: 0.75, 14: 0.75, 12: 0.8, 16: 0.9, 4: 0.8}
"""With how much each is believed: most music has four beats a bar."""

METRE_CONTRAST = 1.5
OFF_GRID = 0.15
CHORD_S = 0.6


@dataclass(frozen=True, slots=True)
class Tempo:
    """A steady beat. `phase_s` is the time of a beat, or of the half between two;
    `share` how much of the strokes lies on the grid; `strokes_s` all of them."""

    beat_s: float
    phase_s: float
    share: float
    strokes_s: Floats

    @property
    def bpm(self) -> float:
        """Beats in a minute."""
        return 60 / self.beat_s


def tempo(blocks: Iterable[Samples], sample_rate_hz: int) -> Tempo | None:
    """Return the beat of a stretch of audio, in blocks [frames, channels]; None if it has
    none."""
    strongest, found = 0.0, None
    for level in levels(blocks, sample_rate_hz).bands:
        times_s, weights = _strokes(level)
        if len(times_s) < FEWEST_STROKES:
            continue
        beat_s, phase_s, strength = _spectral(times_s, weights)
        if strength <= strongest:
            continue
        # Swung hats can be stronger than the drum that keeps the beat, and lie on no grid.
        fitted = _fitted(times_s, weights, beat_s, phase_s)
        if fitted and fitted.share >= MIN_SHARE:
            strongest, found = strength, fitted
    return found


@dataclass(frozen=True, slots=True)
class Grid:
    """A tempo, and how many half beats make a bar (0: unknown)."""

    tempo: Tempo
    half_beats_a_bar: int

    def count(self, length_s: float) -> tuple[int, int]:
        """Return a length in whole beats and bars; 0 where it is no whole number of them."""
        beats = length_s / self.tempo.beat_s
        bars = 2 * beats / self.half_beats_a_bar if self.half_beats_a_bar else 0.0
        return _whole(beats), _whole(bars)


def _whole(count: float) -> int:
    return round(count) if abs(count - round(count)) < OFF_GRID else 0


def grid(blocks: Iterable[Samples], features: Features) -> Grid | None:
    """Return the grid of a piece from the audio of its first minutes, in blocks [frames,
    channels]."""
    found = tempo(blocks, features.sample_rate_hz)
    return Grid(found, half_beats_a_bar(features, found)) if found else None


def half_beats_a_bar(features: Features, grid: Tempo) -> int:
    """Return how many half beats make a bar: the spacing at which the harmony changes most.
    0 if none stands out."""
    half_s = grid.beat_s / 2
    chroma = features.values[:, TIMBRE_BANDS : TIMBRE_BANDS + PITCH_CLASSES]
    # Chords that swell are told apart only by more than a beat of each.
    hops = max(1, round(max(half_s, CHORD_S) * features.hops_per_s))
    total = np.concatenate([np.zeros((1, PITCH_CLASSES)), np.cumsum(chroma, axis=0)])
    first, last = float(grid.strokes_s[0]), float(grid.strokes_s[-1])
    places = np.round(np.arange(first, last, half_s) * features.hops_per_s).astype(int)
    places = places[(places >= hops) & (places + hops < len(total))]
    before = total[places] - total[places - hops]
    after = total[places + hops] - total[places]
    change = np.linalg.norm(after - before, axis=1)
    change -= change.mean()
    best, highest = 0, METRE_CONTRAST
    for count, favour in HALF_BEATS_A_BAR.items():
        rows = len(change) // count
        if rows < 3:
            continue
        # Bars lie one below the other: what changes in each at the same place stands out.
        folded = change[: rows * count].reshape(rows, count)
        contrast = float(folded.mean(axis=0).max() / (change.std() + 1e-12)) * np.sqrt(rows)
        if favour * contrast > highest:
            best, highest = count, favour * contrast
    return best


def _strokes(level: Floats) -> tuple[Floats, Floats]:
    """Return the times in seconds and weights of sharp onsets in a band's level."""
    if len(level) <= 2 * RISE_MS:
        return np.zeros(0), np.zeros(0)
    smooth = np.convolve(level, np.full(RISE_MS, 1 / RISE_MS), "full")[: len(level)]
    rise = np.zeros(len(smooth))
    half = RISE_MS // 2
    rise[half:-half] = np.maximum(smooth[RISE_MS:] - smooth[:-RISE_MS], 0)
    rise /= rise.std() + 1e-12
    peaks, _ = scipy.signal.find_peaks(
        rise, height=1.0 + float(np.median(rise)), distance=LEAST_APART_MS
    )
    return peaks / LEVEL_HZ, np.minimum(np.sqrt(rise[peaks]), 4.0)


def _spectral(times_s: Floats, weights: Floats) -> tuple[float, float, float]:
    """Return the beat and its phase in seconds, and the peak over the median tempo."""
    length = round(float(times_s[-1]) * LEVEL_HZ) + RISE_MS + 1
    train = np.zeros(length)
    train[np.round(times_s * LEVEL_HZ).astype(int)] = weights
    kernel = np.hanning(RISE_MS + 1)
    train = np.convolve(train, kernel / kernel.sum(), "same")
    size = 1 << (4 * length - 1).bit_length()
    spectrum = np.fft.rfft((train - train.mean()).astype(np.float32), size)
    line_hz = LEVEL_HZ / size
    lines = np.arange(int(SLOWEST_BPM / 60 / line_hz), int(FASTEST_BPM / 60 / line_hz) + 1)
    power = np.zeros(len(lines))
    for harmonic in range(1, HARMONICS + 1):
        power += np.abs(spectrum[lines * harmonic]) / np.sqrt(harmonic)
    octaves = np.log2(lines * line_hz * 60 / USUAL_BPM)
    power *= np.exp(-0.5 * np.square(octaves / OCTAVES_FROM_USUAL))
    top = int(power.argmax())
    beat_hz = float(lines[top]) * line_hz
    # At the beat itself, strokes between two beats would cancel those on them.
    turns_a_s = 2 * np.pi * 2 * beat_hz
    phase_s = -float(np.angle((weights * np.exp(-1j * turns_a_s * times_s)).sum())) / turns_a_s
    return 1 / beat_hz, phase_s, float(power[top] / (np.median(power) + 1e-12))


def _fitted(times_s: Floats, weights: Floats, beat_s: float, phase_s: float) -> Tempo | None:
    """Fit half beats through the strokes, leaving out those that lie beside them."""
    half_s, near = beat_s / 2, np.ones(len(times_s), bool)
    for tolerance in TOLERANCES:
        numbers = np.round((times_s - phase_s) / half_s)
        near = np.abs(times_s - phase_s - numbers * half_s) < tolerance * half_s
        if near.sum() < FEWEST_STROKES or np.ptp(numbers[near]) == 0:
            return None
        line = np.polynomial.Polynomial.fit(
            numbers[near], times_s[near], 1, w=weights[near], window=[0, 1], domain=[0, 1]
        )
        phase_s, half_s = (float(value) for value in line.coef)
    return Tempo(2 * half_s, phase_s % half_s, float(near.mean()), times_s)
