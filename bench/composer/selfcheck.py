"""Measures the measures, on sound whose truth is known: `python -m bench.composer.selfcheck`.

Prints a line a check and ends with status 1 if one fails. Give a mix (`--mix FILE`) to damage
copies of it and see whether each click is found.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

from bench.composer import seams
from bench.composer.clicks import clicks
from bench.composer.keys import NAMES, key, relative
from bench.composer.measures import Floats, silence_s, tempo_bpm, true_peak_db
from bench.composer.musicnn import TAGS, hear
from bench.composer.packages import Unavailable
from bench.composer.signals import (
    PROGRESSIONS,
    RATE_HZ,
    band_noise,
    chords,
    damaged,
    four_to_the_floor,
    pad,
    plucks,
    tone,
)


def keys_found() -> tuple[int, int, int]:
    """Return how often the key was named exactly, or as its relative, and of how many."""
    exact = near = total = 0
    for mode, progressions in PROGRESSIONS.items():
        for tonic, name in enumerate(NAMES):
            for number, progression in enumerate(progressions):
                cents = (-30, 0, 20)[number % 3]
                found = key(chords(progression, tonic, mode, cents), RATE_HZ)[0]
                asked = f"{name} {mode}"
                exact += found == asked
                near += found in (asked, relative(asked))
                total += 1
    return exact, near, total


def clicks_found(mix: Floats, count: int = 40) -> tuple[int, int, int]:
    """Return the clicks of a clean mix, and how many of `count` steps and jumps are found."""
    clean = clicks(mix)
    places = np.linspace(0.05, 0.95, count) * len(mix)
    steps = jumps = 0
    for lasting in (False, True):
        for place in places.astype(int):
            part = slice(max(0, place - RATE_HZ // 4), place + RATE_HZ // 4)
            heard = clicks(damaged(mix[part], place - part.start, 0.05, lasting=lasting))
            hit = any(abs(frame - (place - part.start)) <= 4 for frame in heard)
            steps, jumps = steps + (hit and not lasting), jumps + (hit and lasting)
    return len(clean), steps, jumps


def loops_found() -> tuple[float, float, float]:
    """Return the seam's ratio of a sound loop, of one with a cut end, and of one that jumps."""
    bar = np.zeros(RATE_HZ)
    for step, pitch in enumerate((36, 64, 67, 71)):
        start = step * RATE_HZ // 4
        played = tone(pitch, RATE_HZ)
        bar += np.roll(np.pad(played, (0, len(bar) - len(played))), start)  # rings into the next
    mono = np.tile(bar, 8)
    sound = np.stack([mono, mono], axis=1)
    cut, jump = sound.copy(), sound.copy()
    cut[-RATE_HZ // 20 :] = 0
    jump[: RATE_HZ // 10] += 0.1 * np.exp(-np.arange(RATE_HZ // 10) / 500)[:, None]

    def ratio(one: Floats) -> float:
        return seams.assess("", 1, one, bars=8, beats=2, bpm=120, hits=np.empty(0)).ratio

    return ratio(sound), ratio(cut), ratio(jump)


def tags_heard() -> Iterator[tuple[str, bool]]:
    """Yield whether the judge's taggers say of plain sounds what they are."""
    sounds = (("plucked strings", "guitar", plucks()), ("four to the floor", "techno",
              four_to_the_floor()), ("a pad", "ambient", pad()))  # fmt: skip
    for name, expected, wave in sounds:
        likely = hear(np.stack([wave, wave], axis=1), RATE_HZ).tags
        best = [TAGS[place].partition(":")[2] for place in np.argsort(-likely)[:3]]
        yield f"{name} heard as: {', '.join(best)}", expected in best[:2]


def checks(mix: Floats | None) -> Iterator[tuple[str, bool]]:
    """Yield what was checked, with its figures, and whether it holds."""
    exact, near, total = keys_found()
    yield f"keys of plain progressions: {exact}/{total}, {near} with relatives", near == total
    seconds = np.arange(RATE_HZ) / RATE_HZ
    fade = np.minimum(1, np.minimum(seconds, seconds[::-1]) / 0.1)
    quarter = fade * np.sin(2 * np.pi * RATE_HZ / 4 * seconds + np.pi / 4)
    peak = true_peak_db(np.stack([quarter, quarter], axis=1) / 2) + 6.0206
    yield f"true peak of a tone between samples: {peak:+.3f} dB of 0", abs(peak) < 0.05
    gap = band_noise(2.0)
    gap[RATE_HZ // 2 : RATE_HZ] = 0
    gap[-RATE_HZ // 2 :] = 0
    silent = silence_s(gap, RATE_HZ)
    yield f"silence of 0.5 s: {silent:.3f} s", abs(silent - 0.5) < 0.01
    beats = np.zeros((30 * RATE_HZ, 2))
    for beat in np.arange(0, 29.5, 60 / 97.3):
        start = int(beat * RATE_HZ)
        beats[start : start + 4000] += tone(40, 4000)[:, None]
    good, cut, jump = loops_found()
    yield (
        f"seam of a loop against its bar lines: {good:.2f}, cut short {cut:.2f}, jump {jump:.2f}",
        abs(good - 1) < 0.01 and min(cut, jump) > 1.3,
    )
    try:
        yield from tags_heard()
    except Unavailable as problem:
        yield f"no judge: {problem}", True
    bpm = tempo_bpm(beats, RATE_HZ, 95.0)
    yield f"tempo of a pulse at 97.3 bpm: {bpm:.2f}", abs(bpm / 97.3 - 1) < 0.003
    sounds = [("pink noise", band_noise(5.0), 0), ("chords", chords("I V vi IV", 0, "major"), 38)]
    if mix is not None:
        sounds.append(("the mix", mix, 8))
    for name, sound, least in sounds:
        clean, steps, jumps = clicks_found(sound)
        text = f"clicks in {name}: {clean}; damaged by 0.05: {steps}/40 samples, {jumps}/40 jumps"
        yield text, clean == 0 and steps >= least


def main() -> int:
    """Read the arguments and check; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mix", type=Path)
    arguments = parser.parse_args()
    mix = None
    if arguments.mix:
        mix, _ = soundfile.read(arguments.mix, dtype="float64", always_2d=True)
    good = True
    for text, holds in checks(mix):
        print("ok    " if holds else "FAILS ", text, flush=True)
        good &= holds
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
