"""Plays notes with voices made of sines and noise, into frames [frames, channels]."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import signal

Floats = NDArray[np.float64]

_NYQUIST_SHARE = 0.45
"""Of the rate; partials above are left out."""


class Played(NamedTuple):
    """A note to be heard."""

    frame: float
    instrument: str
    pitch: int
    """MIDI number; of a drum, which of its takes."""
    seconds: float
    velocity: float
    pan: float
    """-1 is left, 1 right."""


@dataclass(frozen=True, slots=True)
class Sounded:
    """What a voice is to sound."""

    time: Floats
    """[frames], in s since the note began."""
    hz: float
    length_s: float
    """Of the note; the sound may be longer."""
    sound_s: float
    rate_hz: int


@dataclass(frozen=True, slots=True)
class Voice:
    """How a note sounds."""

    sound: Callable[[Sounded], Floats]
    gain: float
    ring_s: float
    """What sounds after the note's end."""
    longest_s: float = math.inf


def hertz(pitch: int) -> float:
    """Return a MIDI pitch's frequency."""
    return float(440.0 * 2.0 ** ((pitch - 69) / 12.0))


def _envelope(time: Floats, length_s: float, attack_s: float, release_s: float) -> Floats:
    rise = np.minimum(1.0, time / attack_s)
    fall = np.clip((time - length_s) / release_s, 0.0, 1.0)
    return np.where(time < 0, 0.0, rise * 0.5 * (1 + np.cos(np.pi * fall)))


def _harmonics(
    time: Floats, hz: float, levels: Iterable[float], rate_hz: int, phase: float = 0.0
) -> Floats:
    wave = np.zeros_like(time)
    for number, level in enumerate(levels, 1):
        if number * hz > _NYQUIST_SHARE * rate_hz:
            break
        wave += level * np.sin(2 * np.pi * hz * number * time + phase * number)
    return wave


def _pluck(to: Sounded) -> Floats:
    wave = np.zeros_like(to.time)
    for number in range(1, 11):
        if number * to.hz > _NYQUIST_SHARE * to.rate_hz:
            break
        fading = np.exp(-to.time * (1.6 + 0.9 * number))
        wave += number**-1.1 * fading * np.sin(2 * np.pi * to.hz * number * to.time)
    return wave * _envelope(to.time, to.sound_s - 0.25, 0.003, 0.25)


def _piano(to: Sounded) -> Floats:
    wave = np.zeros_like(to.time)
    for number in range(1, 14):
        partial_hz = to.hz * number * np.sqrt(1 + 0.0004 * number * number)  # stiff strings
        if partial_hz > _NYQUIST_SHARE * to.rate_hz:
            break
        fading = np.exp(-to.time * (0.7 + 0.35 * number))
        wave += number**-1.35 * fading * np.sin(2 * np.pi * partial_hz * to.time)
    return wave * _envelope(to.time, to.length_s, 0.002, 0.35)


def _pad(to: Sounded) -> Floats:
    levels = [1 / number**1.4 for number in range(1, 9)]
    high = _harmonics(to.time, to.hz * 1.003, levels, to.rate_hz)
    low = _harmonics(to.time, to.hz * 0.997, levels, to.rate_hz, 1.0)
    return (high + low) * 0.5 * _envelope(to.time, to.length_s, 0.9, 1.6)


def _bass(to: Sounded) -> Floats:
    wave = _harmonics(to.time, to.hz, [1, 0.6, 0.35, 0.2, 0.1], to.rate_hz)
    return wave * np.exp(-to.time * 1.2) * _envelope(to.time, to.length_s, 0.004, 0.12)


def _square(to: Sounded) -> Floats:
    levels = [1 / number if number % 2 else 0 for number in range(1, 24)]
    return _harmonics(to.time, to.hz, levels, to.rate_hz) * _envelope(
        to.time, to.length_s, 0.002, 0.03
    )


def _bell(to: Sounded) -> Floats:
    strike = 2.2 * np.exp(-to.time * 3) * np.sin(2 * np.pi * 3.5 * to.hz * to.time)
    wave = np.sin(2 * np.pi * to.hz * to.time + strike) * np.exp(-to.time * 1.8)
    return np.asarray(wave * _envelope(to.time, to.sound_s - 0.4, 0.002, 0.4))


def _organ(to: Sounded) -> Floats:
    wave = _harmonics(to.time, to.hz, [1, 0.7, 0.5, 0.35, 0, 0.25, 0, 0.2], to.rate_hz)
    return wave * 0.5 * _envelope(to.time, to.length_s, 0.012, 0.06)


VOICES = {
    "pluck": Voice(_pluck, 0.30, 1.2, 3.0),
    "piano": Voice(_piano, 0.34, 0.5, 5.0),
    "pad": Voice(_pad, 0.13, 1.6),
    "bass": Voice(_bass, 0.34, 0.12),
    "square": Voice(_square, 0.13, 0.03),
    "bell": Voice(_bell, 0.20, 2.5, 5.0),
    "organ": Voice(_organ, 0.15, 0.06),
}
DRUMS = {"kick": 0.75, "snare": 0.38, "hat": 0.20, "tom": 0.5}
"""Drums and their gains."""
_GAINS = DRUMS | {name: voice.gain for name, voice in VOICES.items()}


def tone(name: str, pitch: int, length_s: float, rate_hz: int, late: float = 0.0) -> Floats:
    """Return a note [frames] that begins `late` of a frame after its first."""
    voice = VOICES[name]
    sound_s = min(length_s + voice.ring_s, voice.longest_s)
    time = (np.arange(int(sound_s * rate_hz)) - late) / rate_hz
    return voice.sound(Sounded(time, hertz(pitch), length_s, sound_s, rate_hz))


@functools.cache
def drum(name: str, take: int, rate_hz: int) -> Floats:
    """Return a stroke [frames]; takes of a noisy drum differ."""
    chance = np.random.default_rng(1000 * take + len(name) * 7 + ord(name[0]))
    length_s, rise_s = {"kick": (0.28, 0.001), "snare": (0.22, 0.0006), "hat": (0.07, 0.0004),
                        "tom": (0.3, 0.001)}[name]  # fmt: skip
    time = np.arange(int(length_s * rate_hz)) / rate_hz
    rise = np.minimum(1, time / rise_s)
    if name == "kick":
        turns = 48 * time + 130 / 28 * (1 - np.exp(-28 * time))
        wave = np.sin(2 * np.pi * turns) * np.exp(-time * 13) * rise
    elif name == "snare":
        noise = 0.7 * chance.standard_normal(time.size) * np.exp(-time * 22)
        wave = (noise + 0.6 * np.sin(2 * np.pi * 190 * time) * np.exp(-time * 25)) * rise
    elif name == "hat":
        noise = chance.standard_normal(time.size) * np.exp(-time * 70) * rise
        wave = filtered(noise, min(6000, 0.4 * rate_hz), rate_hz, "high")
    else:
        turns = 95 * time + 2.2 * (1 - np.exp(-18 * time))
        wave = np.sin(2 * np.pi * turns) * np.exp(-time * 9) * rise
    return np.asarray(wave)


def filtered(
    wave: Floats, hz: float | list[float], rate_hz: int, kind: str, order: int = 2
) -> Floats:
    """Return a wave [frames, …] through a Butterworth filter, "low", "high" or "band"."""
    sections = signal.butter(order, hz, kind, fs=rate_hz, output="sos")
    return np.asarray(signal.sosfilt(sections, wave, axis=0))


def _delayed(wave: Floats, part: float) -> Floats:
    """Return a wave later by a part of a frame, with room at its end for the ringing."""
    size = 1 << (len(wave) + 64).bit_length()
    turned = np.exp(-2j * np.pi * np.fft.rfftfreq(size) * part)
    moved = np.fft.irfft(np.fft.rfft(np.pad(wave, (32, 0)), size) * turned, size)
    return np.asarray(moved[32 : 32 + len(wave) + 32])


def play(
    notes: Iterable[Played], frames: int, rate_hz: int, channels: int = 2, *, between: bool = False
) -> Floats:
    """Play notes that begin before `frames`; returns 8 s more, for what rings on.

    `between` lets notes begin between two frames; else they are rounded.
    """
    out = np.zeros((frames + 8 * rate_hz, channels))
    heard: dict[tuple[str, int, float, float], Floats] = {}
    for note in notes:
        start = math.floor(note.frame) if between else round(note.frame)
        late = note.frame - start if between else 0.0
        if not 0 <= start < frames:
            continue
        key = (note.instrument, note.pitch, round(note.seconds, 5), round(late, 6))
        if key not in heard:
            if note.instrument in DRUMS:
                stroke = drum(note.instrument, note.pitch, rate_hz)
                heard[key] = _delayed(stroke, late) if late else stroke
            else:
                heard[key] = tone(note.instrument, note.pitch, note.seconds, rate_hz, late)
        wave = heard[key] * (_GAINS[note.instrument] * note.velocity)
        end = min(len(out), start + len(wave))
        wave = wave[: end - start]
        if channels == 1:
            out[start:end, 0] += wave
        else:
            angle = (note.pan + 1) * np.pi / 4
            out[start:end, 0] += wave * np.cos(angle) * 1.2
            out[start:end, 1] += wave * np.sin(angle) * 1.2
    return out


def reverb(
    samples: Floats, rate_hz: int, rt60_s: float, wet: float, chance: np.random.Generator
) -> tuple[Floats, int]:
    """Add a room of noise that decays; returns its length in frames, too."""
    length = int(rt60_s * 1.1 * rate_hz)
    decay = 10 ** (-3 * (np.arange(length) / rate_hz) / rt60_s)
    out = samples.copy()
    before = int(0.012 * rate_hz)
    for channel in range(samples.shape[1]):
        room = chance.standard_normal(length) * decay
        room = filtered(room, min(5200, 0.4 * rate_hz), rate_hz, "low", 1)
        room /= np.sqrt((room**2).sum())
        heard = signal.fftconvolve(samples[:, channel], room)[: len(samples)]
        out[before:, channel] += wet * heard[:-before]
    return out, length + before
