"""Loops made by the studio's own composer, whose length is exact to the frame."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import numpy as np
import soundfile

from bench.looper.composition import Chance
from bench.looper.instruments import Floats
from bench.looper.made import Made
from bench.looper.truth import Truth
from musicgen.engine.base import MIX_FILE, Parameters
from services.inference.engines.composer.engine import Composer
from services.inference.engines.composer.profiles import PROFILES

RATE_HZ = 44_100

FAMILIES = 8
"""Of the composer's families so many are taken, evenly spread, from one drawn by chance."""
_FADE_S = 0.02


@functools.lru_cache(2)
def _piece(family: str, seed: int, bpm: int, tonic: str, seconds: float, *, loop: bool) -> Floats:
    prompt = f"{PROFILES[family].label}, {bpm} bpm, {tonic}"
    wanted = Parameters(prompt, "", seconds, seed, {"genre": family, "loop": loop})
    with tempfile.TemporaryDirectory() as name:
        Composer().generate(wanted, Path(name), lambda _: None)
        samples, _ = soundfile.read(Path(name, MIX_FILE), always_2d=True)
    return np.asarray(samples)


def _loop(chance: Chance, place: int) -> tuple[str, Floats, Floats]:
    """Return a family, a loop of it, and the beginning of another piece of the same kind."""
    names = list(PROFILES)
    step = len(names) / FAMILIES
    family = names[int(place * step + chance.uniform(0, step)) % len(names)]
    low, high = PROFILES[family].tempo_bpm
    bpm, tonic = int(chance.integers(int(low), int(high) + 1)), str(chance.choice(list("ABCDEFG")))
    mode = str(chance.choice(["major", "minor"]))
    seconds, seed = float(chance.choice([12.0, 16.0, 24.0])), int(chance.integers(2**31))
    loop = _piece(family, seed, bpm, f"{tonic} {mode}", seconds, loop=True)
    other = _piece(family, seed + 1, bpm, f"{tonic} {mode}", 12.0, loop=False)
    intro = other[: int(chance.uniform(3, 8) * RATE_HZ)].copy()
    fade = int(_FADE_S * RATE_HZ)
    intro[-fade:] *= np.linspace(1, 0, fade)[:, None]
    return family, loop, intro


def whole_file(chance: Chance, place: int) -> Made:
    """The file is the loop."""
    family, loop, _ = _loop(chance, place)
    return Made(loop, _truth(f"composer: file, {family}", 0, len(loop), 1))


def tiled(chance: Chance, place: int) -> Made:
    """An intro, the loop twice and perhaps a part of it once more."""
    family, loop, intro = _loop(chance, place)
    times = float(chance.choice([2.0, 2.4]))
    body = np.tile(loop, (3, 1))[: int(times * len(loop))]
    truth = _truth(f"composer: tiled, {family}", len(intro), len(loop), len(body) / len(loop))
    return Made(np.concatenate([intro, body]), truth)


def _truth(klass: str, start: int, period: int, times: float) -> Truth:
    end = start + round(times * period)
    return Truth(
        klass,
        loopable=True,
        body=(start, end),
        period_frames=float(period),
        grid=[[float(start), 0.0], [float(end), times]],
        match=(start, end - period),
        cycles=times,
        exact=True,
        sample_rate_hz=RATE_HZ,
    )
