"""Loopable tracks that aren't an intro and repeats: ambient, rubato, and files of one cycle."""

from __future__ import annotations

import numpy as np

from bench.looper.composition import SCALES, STYLES, Chance, Key, compose, draw_chords, timed
from bench.looper.instruments import Floats, Played, filtered, play, reverb
from bench.looper.made import Made
from bench.looper.truth import Truth

RATE_HZ = 44_100
CODEC_PADDING = 1_105, 1_503
"""Silent frames that an encoder leaves at a file's start and end."""


def ambient(chance: Chance, *, wind: bool = False) -> Made:
    """Slow pads without a beat, three times; `wind` is noise over them that never repeats."""
    count, seconds = int(chance.integers(5, 8)), float(chance.uniform(5.0, 7.5))
    period = float(round(count * seconds * RATE_HZ))
    root = int(chance.integers(43, 52))
    key = Key(root, str(chance.choice(list(SCALES))))
    chords = draw_chords(chance, count, 7)
    lengths_s = chance.uniform(0.75, 1.25, count)
    lengths_s *= period / RATE_HZ / lengths_s.sum()
    starts = np.round(np.concatenate([[0], np.cumsum(lengths_s)[:-1]]) * RATE_HZ)
    cycle = [
        Played(
            start,
            "pad",
            key.pitch(chord + step),
            float(length_s * chance.uniform(0.8, 1.1)),
            float(chance.uniform(0.5, 1)),
            float(chance.uniform(-0.8, 0.8)),
        )
        for start, chord, length_s in zip(starts, chords, lengths_s, strict=True)
        for step in (0, 2, 4, 6, 9)
    ]
    times = 3
    frames = int(period * times)
    notes = [
        note._replace(frame=note.frame + repeat * period)
        for repeat in range(times)
        for note in cycle
    ]
    samples = play(notes, frames, RATE_HZ)[:frames]
    samples, room_frames = reverb(samples, RATE_HZ, 3.5, 0.8, chance)
    truth = Truth(
        "ambient+noise" if wind else "ambient",
        loopable=True,
        body=(0, frames),
        period_frames=period,
        grid=[[0.0, 0.0], [float(frames), frames / period]],
        cycles=times,
        exact=not wind,
    )
    if wind:
        samples = samples + _wind(chance, frames) * np.sqrt((samples**2).mean()) * 10 ** (-14 / 20)
        truth.match = (room_frames, int(frames - period))
    return Made(samples, truth)


def _wind(chance: Chance, frames: int) -> Floats:
    """Return noise [frames, 2] of unit level whose strength wanders."""
    noise = filtered(chance.standard_normal((frames, 2)), [200, 900], RATE_HZ, "band")
    gusts = np.interp(np.arange(frames), np.linspace(0, frames, 40), chance.uniform(0.3, 1, 40))
    return np.asarray(noise * gusts[:, None] / noise.std())


def rubato(chance: Chance, *, same: bool = True) -> Made:
    """A piano whose tempo bends: alike in each pass, or in each pass its own way."""
    bars, metre, times = int(chance.integers(8, 12)), 4, 3
    body, _ = compose(chance, bars, metre, STYLES["piano"])
    beat_s, beats = 60 / float(chance.uniform(66, 92)), bars * metre
    places = np.arange(beats + 1)

    def bent() -> Floats:
        """Return when each beat comes, in s."""
        waves, phase = chance.integers(1, 4), chance.uniform(0, 6)
        sway = 0.12 * np.sin(2 * np.pi * places / beats * waves + phase)
        lengths_s = beat_s * (1 + sway + 0.05 * chance.standard_normal(beats + 1))
        return np.concatenate([[0], np.cumsum(lengths_s[:-1])])

    first = bent()
    first = first * (round(first[-1] * RATE_HZ) / RATE_HZ / first[-1])
    start, grid, notes = 0.0, [], []
    for repeat in range(times):
        times_s = first if same else bent() * float(chance.uniform(0.985, 1.015))
        grid += [[start + times_s[k] * RATE_HZ, repeat + k / beats] for k in range(beats)]
        for note in body:
            on_s = np.interp(note.beat, places, times_s)
            off_s = np.interp(min(note.beat + note.beats, beats), places, times_s)
            velocity = note.velocity
            if not same:
                velocity *= float(np.exp(chance.normal(0, 0.08)))
            # Where the passes are alike, so is the rounding.
            frame = start + round(on_s * RATE_HZ) if same else round(start + on_s * RATE_HZ)
            notes.append(
                Played(frame, note.instrument, note.pitch, off_s - on_s, velocity, note.pan)
            )
        start = float(round(start + times_s[-1] * RATE_HZ))
    grid.append([start, float(times)])
    frames = int(start)
    samples, room_frames = reverb(play(notes, frames, RATE_HZ)[:frames], RATE_HZ, 1.2, 0.2, chance)
    truth = Truth(
        "rubato" if same else "rubato-drift",
        loopable=True,
        body=(0, frames),
        period_frames=start / times,
        grid=grid,
        cycles=times,
        exact=same,
    )
    if not same:
        truth.match = (room_frames, int(frames - start / times))
    return Made(samples, truth)


def _cycle(
    chance: Chance, style: str, bars: tuple[int, int], bpm: tuple[float, float]
) -> tuple[list[Played], int, float]:
    """Compose one cycle at whole frames: its notes, its period and a beat in frames."""
    count, metre = int(chance.integers(*bars)), 4
    period = round(count * metre * RATE_HZ * 60 / float(chance.uniform(*bpm)))
    beat = period / (count * metre)
    body, _ = compose(chance, count, metre, STYLES[style])
    notes = [note._replace(frame=round(note.frame)) for note in timed(body, beat, RATE_HZ)]
    return notes, period, beat


def single_tail(chance: Chance) -> Made:
    """One pass and its ringing out: nothing repeats; the right loop folds the tail back."""
    notes, period, beat = _cycle(chance, "calm", (10, 15), (80, 112))
    tail = 5 * RATE_HZ
    frames = period + tail
    samples, _ = reverb(play(notes, frames, RATE_HZ)[:frames], RATE_HZ, 2.6, 0.5, chance)
    fade = int(0.5 * RATE_HZ)
    samples[-fade:] *= np.linspace(1, 0, fade)[:, None]
    ideal = samples[:period].copy()
    ideal[:tail] += samples[period:]
    truth = Truth(
        "single+tail",
        loopable=True,
        body=(0, frames),
        period_frames=float(period),
        grid=[[0.0, 0.0], [float(period), 1.0]],
        match=(0, 0),
        cycles=1,
        beat_frames=beat,
    )
    return Made(samples, truth, ideal)


def whole_file(chance: Chance, *, padded: bool = False) -> Made:
    """The file is one finished loop, its tail folded in; `padded` as a codec pads it."""
    notes, period, beat = _cycle(chance, "band", (8, 14), (84, 126))
    twice = notes + [note._replace(frame=note.frame + period) for note in notes]
    samples = play(twice, 2 * period, RATE_HZ)[: 2 * period]
    samples, _ = reverb(samples, RATE_HZ, 1.2, 0.3, chance)
    before, after = CODEC_PADDING if padded else (0, 0)
    samples = np.pad(samples[period:], ((before, after), (0, 0)))
    truth = Truth(
        "whole file+pad" if padded else "whole file",
        loopable=True,
        body=(before, before + period),
        period_frames=float(period),
        grid=[[float(before), 0.0], [float(before + period), 1.0]],
        match=(before, before),
        cycles=1,
        beat_frames=beat,
        exact=True,
    )
    return Made(samples, truth)
