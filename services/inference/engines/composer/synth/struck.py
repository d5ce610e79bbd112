"""Recipes of sounds that die away: strings, bars, bells, electric piano.

Each takes a MIDI pitch and a random stream and returns a mono sound in double precision.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from services.inference.engines.composer.synth.filters import filtered, highpass, lowpass, peak
from services.inference.engines.composer.synth.tables import (
    SAMPLE_RATE_HZ,
    Doubles,
    decay,
    ramp_cycles,
    ring,
    sine,
)
from services.inference.engines.composer.theory import frequency_hz

TOP_HZ = 15_000.0

Recipe = Callable[[int, np.random.Generator], Doubles]


def piano(pitch: int, rng: np.random.Generator) -> Doubles:
    """Stiff strings in pairs that beat, a felt hammer, a wooden knock."""
    base = frequency_hz(pitch)
    seconds = min(6.0, max(1.3, 7.5 - 0.085 * (pitch - 30)))
    frames = round(seconds * SAMPLE_RATE_HZ)
    sound = np.zeros(frames)
    stiffness = 2.2e-4 * 2.0 ** ((pitch - 60) / 9.0)
    body_tau = seconds / 4.2
    for k in range(1, min(26, int(TOP_HZ / base)) + 1):
        hz = k * base * math.sqrt(1.0 + stiffness * k * k)
        if hz > TOP_HZ:
            break
        strike = abs(math.sin(math.pi * k * 0.118)) + 0.08
        loud = strike * math.pow(k, -0.7) * math.exp(-hz / 6500.0)
        tau = body_tau / (1.0 + 0.22 * (k - 1)) + 0.02
        length = min(frames, round(tau * 7.0 * SAMPLE_RATE_HZ))
        sound[:length] += loud * ring(length, hz, tau)
        short = min(frames, round(tau * 2.6 * SAMPLE_RATE_HZ))
        detuned = hz * (1.0 + 0.0006 * (rng.random() - 0.5))
        sound[:short] += 0.8 * loud * ring(short, detuned, tau * 0.35)
    knock = round(0.04 * SAMPLE_RATE_HZ)
    noise = rng.standard_normal(knock) * decay(knock, 0.006)
    sound[:knock] += 0.25 * filtered(noise, lowpass(2600.0), highpass(180.0))
    return _soft_start(sound, 0.0012)


def electric_piano(pitch: int, rng: np.random.Generator) -> Doubles:  # noqa: ARG001  # a recipe
    """A tine over a tone bar: frequency modulation, bell-like at first, then round."""
    base = frequency_hz(pitch)
    seconds = min(4.5, max(1.5, 5.0 - 0.05 * (pitch - 36)))
    frames = round(seconds * SAMPLE_RATE_HZ)
    cycles = ramp_cycles(base, frames)
    index = 0.22 * decay(frames, 0.5) * min(1.0, 900.0 / base)
    body = sine(cycles + index * sine(cycles)) * decay(frames, seconds / 3.4)
    body += 0.22 * sine(2.0 * cycles + 0.06 * sine(cycles)) * decay(frames, seconds / 6.0)
    short = min(frames, round(0.9 * SAMPLE_RATE_HZ))
    tine_ratio = 14.0 if base * 14.0 < 9000.0 else 7.0
    tine = sine(tine_ratio * cycles[:short]) * decay(short, 0.09)
    bark = sine(cycles[:short] + 0.32 * sine(3.0 * cycles[:short]) * decay(short, 0.12))
    body[:short] += 0.10 * tine + 0.28 * bark * decay(short, 0.22)
    return _soft_start(np.asarray(body, np.float64), 0.0015)


def modal(
    partials: Sequence[tuple[float, float, float]], *, knock: float = 0.05, seconds: float = 4.0
) -> Recipe:
    """A recipe of ringing modes: (ratio to the pitch, level, time constant in s at C5)."""

    def build(pitch: int, rng: np.random.Generator) -> Doubles:
        base = frequency_hz(pitch)
        frames = round(seconds * SAMPLE_RATE_HZ)
        sound = np.zeros(frames)
        shrink = 2.0 ** ((72 - pitch) / 26.0)
        for ratio, loud, tau_s in partials:
            if base * ratio < TOP_HZ:
                tau = min(seconds / 5.0, tau_s * shrink)
                length = min(frames, round(8.0 * tau * SAMPLE_RATE_HZ))
                sound[:length] += loud * ring(length, base * ratio, tau)
        click = round(0.012 * SAMPLE_RATE_HZ)
        noise = rng.standard_normal(click) * decay(click, 0.002)
        sound[:click] += knock * filtered(noise, highpass(900.0))
        return _soft_start(_trim(sound), 0.0008)

    return build


BELLS = modal(
    ((1.0, 1.0, 0.8), (2.0, 0.25, 0.5), (2.76, 0.4, 0.35), (5.4, 0.25, 0.14), (8.93, 0.12, 0.06))
)
VIBRAPHONE = modal(((1.0, 1.0, 1.0), (4.0, 0.28, 0.28), (10.1, 0.1, 0.06)), knock=0.03)
MARIMBA = modal(((1.0, 1.0, 0.22), (3.93, 0.3, 0.06), (9.2, 0.14, 0.02)), knock=0.12, seconds=2.0)
KALIMBA = modal(
    ((1.0, 1.0, 0.5), (2.0, 0.1, 0.2), (5.9, 0.22, 0.09), (11.0, 0.1, 0.03)),
    knock=0.14,
    seconds=3.0,
)


def plucked(
    *,
    bright: float,
    sustain_s: float,
    position: float = 0.18,
    body_hz: tuple[float, ...] = (),
    seconds: float = 3.5,
    ceiling_hz: float = 9000.0,
) -> Recipe:
    """A recipe of a plucked string: a burst of noise running round a damped loop.

    `bright` 0–1 is how slowly the highs die; `position` where the string is plucked.
    """

    def build(pitch: int, rng: np.random.Generator) -> Doubles:
        exact = SAMPLE_RATE_HZ / frequency_hz(pitch)
        period = max(8, round(exact))
        smear = 0.5 * (1.0 - bright) + 0.04
        held_s = sustain_s * 2.0 ** ((60 - pitch) / 22.0)
        loss = math.exp(-exact / (held_s * SAMPLE_RATE_HZ))
        length_s = min(seconds, held_s * 6.0)
        rows = max(2, math.ceil(length_s * SAMPLE_RATE_HZ / period))
        # Round and round, so that it joins itself: a step would tick in each period.
        noise = np.tile(rng.standard_normal(period), 3)
        burst = filtered(noise, lowpass(ceiling_hz))[2 * period :]
        burst = burst - np.add.reduce(burst) / period
        comb = max(1, round(period * position))
        current = burst - np.concatenate((burst[-comb:], burst[:-comb]))
        table = np.empty((rows, period))
        last = float(current[-1])
        for row in range(rows):
            table[row] = current
            shifted = np.concatenate(((last,), current[:-1]))
            last = float(current[-1])
            current = loss * ((1.0 - smear) * current + smear * shifted)
        sound = table.ravel()
        # The loop's true period is whole samples plus the smear: tune by resampling.
        frames = int(len(sound) * exact / (period + smear)) - 1
        places = np.arange(frames) * ((period + smear) / exact)
        sound = np.interp(places, np.arange(len(sound)), sound)
        rows_body = [peak(hz, 5.0, 2.0) for hz in body_hz]
        sound = filtered(sound, highpass(min(60.0, 0.6 * frequency_hz(pitch))), *rows_body)
        return _soft_start(_trim(sound), 0.0006)

    return build


ACOUSTIC_GUITAR = plucked(bright=0.72, sustain_s=0.75, body_hz=(110.0, 220.0, 400.0))
ELECTRIC_GUITAR = plucked(bright=0.55, sustain_s=0.8, position=0.12, ceiling_hz=6000.0)
HARP = plucked(bright=0.62, sustain_s=1.0, position=0.35, body_hz=(300.0,))
ELECTRIC_BASS = plucked(bright=0.6, sustain_s=0.62, position=0.15, ceiling_hz=3500.0)
UPRIGHT_BASS = plucked(
    bright=0.3, sustain_s=0.32, position=0.28, body_hz=(95.0, 190.0), ceiling_hz=2200.0
)


def synth_pluck(pitch: int, rng: np.random.Generator) -> Doubles:  # noqa: ARG001  # a recipe
    """A saw whose filter snaps shut."""
    base = frequency_hz(pitch)
    frames = round(1.1 * SAMPLE_RATE_HZ)
    sound = np.zeros(frames)
    for k in range(1, min(28, int(TOP_HZ / base)) + 1):
        tau = 0.3 / (1.0 + 0.3 * (k - 1))
        length = min(frames, round(8.0 * tau * SAMPLE_RATE_HZ))
        sound[:length] += ring(length, base * k, tau) / k
        if k <= 10:
            sound[:length] += 0.7 * ring(length, base * k * 1.004, tau) / k
    return _soft_start(sound, 0.0015)


def sub_bass(pitch: int, rng: np.random.Generator) -> Doubles:  # noqa: ARG001  # a recipe
    """The long low drum-machine tone: a falling start, overtones from saturation."""
    base = frequency_hz(pitch)
    frames = round(2.2 * SAMPLE_RATE_HZ)
    drop = 0.9 * 0.035 * base * (1.0 - decay(frames, 0.035))
    tone = sine(ramp_cycles(base, frames) + drop).astype(np.float64) * decay(frames, 0.9)
    pushed = 2.6 * tone
    tone = pushed / np.sqrt(1.0 + pushed * pushed) + 0.2 * pushed * tone * decay(frames, 0.4)
    return _soft_start(filtered(tone, highpass(24.0), lowpass(2500.0)), 0.003)


def _soft_start(sound: Doubles, seconds: float) -> Doubles:
    frames = max(2, round(seconds * SAMPLE_RATE_HZ))
    sound[:frames] *= np.arange(frames) / frames
    return sound


def _trim(sound: Doubles) -> Doubles:
    """Cut the end where nothing can be heard, so that notes are cheap."""
    blocks = len(sound) // 1024
    peaks = np.abs(sound[: blocks * 1024]).reshape(blocks, 1024).max(axis=1)
    loud = np.flatnonzero(peaks > 0.0006 * peaks.max())
    end = (int(loud[-1]) + 1) * 1024 if len(loud) else len(sound)
    sound = sound[:end].copy()
    fade = min(1024, end)
    sound[end - fade :] *= np.arange(fade, 0, -1) / fade
    return sound
