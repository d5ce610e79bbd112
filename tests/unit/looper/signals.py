"""Synthetic music whose loops are known to the sample, and signals that hold none.

All are float32 arrays of shape [frames, channels].
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Notes = list[list[int]]
"""MIDI pitches that begin on each half beat; the first of them is the melody."""

Signal = npt.NDArray[np.float32]
BEATS_A_BAR = 4


@functools.cache
def note(midi: float, length_s: float, rate_hz: int) -> npt.NDArray[np.float64]:
    """A plucked tone with eight harmonics, faded at its end."""
    t = np.arange(round(length_s * rate_hz)) / rate_hz
    pitch_hz = 440.0 * 2 ** ((midi - 69) / 12)
    tone = sum(
        np.exp(-t * (2 + h)) * np.sin(2 * np.pi * pitch_hz * h * t) / h
        for h in range(1, 9)
        if pitch_hz * h < 0.45 * rate_hz
    )
    return np.asarray(tone) * np.clip((length_s - t) / 0.02, 0, 1) * np.clip(t / 0.003, 0, 1)


@functools.cache
def drum(kind: str, rate_hz: int) -> npt.NDArray[np.float64]:
    """A kick or a hat."""
    t = np.arange(round(0.2 * rate_hz)) / rate_hz
    if kind == "kick":
        body = np.sin(2 * np.pi * (50 * t + 4 * (1 - np.exp(-30 * t))))
        return np.asarray(body * np.exp(-t * 20))
    hiss = np.random.default_rng(5).standard_normal(t.size)
    return np.diff(hiss, prepend=0.0) * np.exp(-t * 70)


def music(  # one argument for each thing a test varies
    period_frames: int,
    cycles: float,
    *,
    rate_hz: int = 44_100,
    channels: int = 2,
    bars: int = 8,
    seed: int = 1,
    intro_bars: int = 0,
    outro_bars: int = 0,
    drums: bool = True,
) -> tuple[Signal, int]:
    """Return music that repeats every `period_frames`, and where its first cycle begins.

    Notes ring over the end of a cycle into the next one. Intro and outro are other notes.
    """
    rng = np.random.default_rng(seed)
    beat = period_frames / (bars * BEATS_A_BAR)
    intro = round(intro_bars * BEATS_A_BAR * beat)
    body = round(cycles * period_frames)
    outro = round(outro_bars * BEATS_A_BAR * beat)
    out = np.zeros((intro + body + outro + 4 * rate_hz, channels))

    def play(steps: int, at: int, repeats: int, period: int, drum_on: bool) -> None:
        for step in range(steps):
            onset = round(step * beat / 2)
            voices = [(note(rng.choice([57, 60, 62, 64, 67, 69, 72]), 0.6, rate_hz), 0.25)]
            if step % 8 == 0:
                root = rng.choice([41, 43, 45, 48])
                voices += [(note(root + i, 1.6, rate_hz), 0.15) for i in (0, 7, 16)]
            if drum_on:
                voices.append((drum("kick" if step % 4 == 0 else "hat", rate_hz), 0.4))
            pan = rng.uniform(0.6, 1.0, channels)
            for repeat in range(repeats):
                start = at + repeat * period + onset
                if start >= len(out):
                    continue
                for sound, gain in voices:
                    stop = min(start + len(sound), len(out))
                    out[start:stop] += gain * sound[: stop - start, None] * pan

    play(bars * 8, intro, int(np.ceil(cycles)), period_frames, drums)
    out[intro + body :] = 0
    play(intro_bars * 8, 0, 1, 0, False)
    play(outro_bars * 8, intro + body, 1, 0, False)
    out = out[: intro + body + outro]
    return (0.8 * out / np.abs(out).max()).astype(np.float32), intro


def composed(bars: int, seed: int, *, half_beats_a_bar: int = 8) -> Notes:
    """Return a section: another chord in each bar, and a melody of its notes."""
    rng = np.random.default_rng(seed)
    # A whole tone up or down: no two neighbours have a note in common.
    roots = 41 + (np.cumsum(rng.choice([-2, 2], bars)) % 12)
    steps = []
    for root in roots.tolist():
        chord = [root, root + 7, root + 16]
        for place in range(half_beats_a_bar):
            melody = root + 12 + int(rng.choice([0, 4, 7, 12, 16]))
            steps.append([melody] + (chord if place == 0 else []))
    return steps


def played(
    sections: Sequence[Notes],
    *,
    beat_s: float = 0.5,
    rate_hz: int = 44_100,
    scatter_s: float = 0.0,
    drift: float = 0.0,
    ring_s: float = 0.0,
    seed: int = 1,
) -> Signal:
    """Play sections one after the other, over a kick and hats, and end `ring_s` after that.

    A player's notes come early and late by `scatter_s` (standard deviation), and no two are
    equally loud; by the end half beats are longer by the share `drift`.
    """
    rng = np.random.default_rng(seed)
    steps = [notes for section in sections for notes in section]
    half_s = beat_s / 2 * (1 + drift * np.arange(len(steps)) / len(steps))
    at_s = np.concatenate([[0.0], np.cumsum(half_s)])
    out = np.zeros((round((at_s[-1] + 4) * rate_hz), 2))
    for place, notes in enumerate(steps):
        start = max(0, round((at_s[place] + scatter_s * rng.standard_normal()) * rate_hz))
        gain = 1 + 10 * scatter_s * rng.standard_normal()
        sounds = [(note(notes[0], 0.6, rate_hz), 0.25)]
        sounds += [(note(pitch, 1.6, rate_hz), 0.15) for pitch in notes[1:]]
        sounds.append((drum("kick" if place % 4 == 0 else "hat", rate_hz), 0.4))
        for sound, level in sounds:
            out[start : start + len(sound)] += gain * level * sound[:, None]
    out = out[: round((at_s[-1] + ring_s) * rate_hz)]
    return np.asarray(0.8 * out / np.abs(out).max(), np.float32)


def pulses(bpm: float, length_s: float, rate_hz: int = 44_100) -> Signal:
    """Return a hat on each beat, to the nearest frame."""
    out = np.zeros(round((length_s + 1) * rate_hz))
    hat = drum("hat", rate_hz)
    for at_s in np.arange(0.5, length_s, 60 / bpm):
        out[round(at_s * rate_hz) :][: len(hat)] += 0.5 * hat
    return np.asarray(out[: round(length_s * rate_hz), None], np.float32)


def looping_file(period_frames: int, seed: int = 1, bars: int = 8) -> Signal:
    """Return one cycle whose end leads to its own start."""
    signal, _ = music(period_frames, 3, seed=seed, bars=bars)
    return signal[period_frames : 2 * period_frames]


def noise(length_s: float, rate_hz: int = 44_100, seed: int = 3) -> Signal:
    """White noise."""
    rng = np.random.default_rng(seed)
    return (0.2 * rng.standard_normal((round(length_s * rate_hz), 2))).astype(np.float32)


def through_composed(length_s: float, seed: int = 3, *, drums: bool = False) -> Signal:
    """Return notes that never return, over drums if wanted, at a steady tempo."""
    frames = round(length_s * 44_100)
    bars = round(length_s / 2)
    return music(frames, 1, bars=bars, seed=seed, drums=drums)[0]


def babble(length_s: float, rate_hz: int = 44_100, seed: int = 3) -> Signal:
    """Return syllables of gliding pitch and random length, like speech."""
    rng = np.random.default_rng(seed)
    out = np.zeros(round(length_s * rate_hz))
    at = 0
    while at < len(out) - rate_hz:
        t = np.arange(round(rng.uniform(0.1, 0.35) * rate_hz)) / rate_hz
        glide = rng.uniform(90, 220) * (1 + rng.uniform(-0.3, 0.3) * t)
        phase = 2 * np.pi * np.cumsum(glide) / rate_hz
        voice = sum(np.sin(h * phase) * rng.uniform(0, 1) for h in range(1, 12))
        out[at : at + t.size] = 0.1 * np.asarray(voice) * np.hanning(t.size)
        at += t.size + round(rng.exponential(0.1) * rate_hz)
    return np.stack([out, out], axis=1).astype(np.float32)


def sweep(length_s: float, rate_hz: int = 44_100) -> Signal:
    """Return a tone that rises for ever."""
    t = np.arange(round(length_s * rate_hz)) / rate_hz
    tone = 0.4 * np.sin(2 * np.pi * (80 * t + 2000 * t**2 / (2 * length_s)))
    return np.stack([tone, tone], axis=1).astype(np.float32)


def sustained(period_frames: int, rate_hz: int = 44_100, seed: int = 1) -> Signal:
    """Return a chord that swells and ebbs without a beat, and goes on at its start where it
    ends: each partial has whole numbers of waves."""
    rng = np.random.default_rng(seed)
    turns = 2 * np.pi * np.arange(period_frames) / period_frames
    out = np.zeros(period_frames)
    for pitch_hz in (110.0, 165.0, 220.0, 277.0, 330.0, 440.0, 880.0):
        waves = round(pitch_hz * period_frames / rate_hz)
        swell = 1 + 0.8 * np.sin(int(rng.integers(1, 4)) * turns + rng.uniform(0, 6))
        out += swell * np.sin(waves * turns + rng.uniform(0, 6)) / pitch_hz
    return np.stack([0.5 * out / np.abs(out).max()] * 2, axis=1).astype(np.float32)
