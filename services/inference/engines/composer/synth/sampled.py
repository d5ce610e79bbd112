"""Voices that play recordings: each pitch is made once from the nearest one, then reused."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.inference.engines.composer.sounds.bank import Bank, Cut, Envelope
from services.inference.engines.composer.synth.filters import filtered, lowpass
from services.inference.engines.composer.synth.resample import TAPS, read_at
from services.inference.engines.composer.synth.tables import (
    SAMPLE_RATE_HZ,
    Doubles,
    Floats,
    decay,
    level,
    ramp_cycles,
    rise,
    sine,
)
from services.inference.engines.composer.synth.voice import MAX_RELEASE_FRAMES, Voice

_FALL_DB = 100.0
"""How far a decay or release falls in the time that a font gives for it."""
_QUIET_DB = 60.0
_LONGEST_S = 5.0
_LEAST_ATTACK_S = 0.0008
_SHORTEST_ROUND_S = 2.0
"""A loop goes round as often as it takes: its length in whole frames is then its true one."""
_SHORT_FRAMES = 1 << 16
_VIBRATO_HZ = 5.1
_FULL_SCALE = 32_000.0

Shorts = npt.NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Manner:
    """How a recorded instrument is played."""

    source: str
    """Its name in the bank."""
    release_s: float = 0.2
    spread: float = 0.0
    dark_hz: float = 1500.0
    """Corner of what a soft note keeps."""
    held: bool = False
    """Sounds as long as the note; else it dies away."""
    attack_s: float = 0.0
    """Softens the start, where it is longer than the recording's own."""
    vibrato_cents: float = 0.0
    wide: bool = False
    """Two neighbouring recordings, left and right: a section and not one player."""
    skip_s: float = 0.0
    """Begins this far into a recording, for a quick start."""


@dataclass(frozen=True, slots=True)
class _Sound:
    """One pitch of one recording: what soft notes have and what loud ones add, shape
    [1 or 2, frames]."""

    dark: Shorts
    edge: Shorts
    scale: float
    loop: tuple[int, int] | None
    """In frames; the end is the sound's own."""
    whole: bool
    """Not just its beginning."""


class Sampled(Voice):
    """A recorded instrument."""

    def __init__(self, manner: Manner, bank: Bank) -> None:
        self._manner = manner
        self._bank = bank
        self._cuts = bank.instruments[manner.source]
        self._made: dict[int, tuple[_Sound, ...]] = {}
        self.spread = manner.spread

    def play(self, pitch: int, held_frames: int, velocity: float, start_frame: int) -> Floats:
        """See Voice."""
        manner = self._manner
        release = min(MAX_RELEASE_FRAMES, max(64, round(manner.release_s * SAMPLE_RATE_HZ)))
        frames = held_frames + release
        sounds = self._sounds(pitch, frames)
        if sounds[0].loop is None:
            frames = min(frames, sounds[0].dark.shape[1])
            release = min(release, frames)
        note = _note(sounds[0], frames, velocity)
        if len(sounds) == 2:
            near, far = np.float32(0.88), np.float32(0.34)
            other = _note(sounds[1], frames, velocity)
            note = np.concatenate((near * note + far * other, far * note + near * other))
        if manner.vibrato_cents:
            note = _vibrato(note, manner.vibrato_cents, start_frame)
        attack_s = max(_LEAST_ATTACK_S, manner.attack_s)
        attack = max(1, min(held_frames, frames, round(attack_s * SAMPLE_RATE_HZ)))
        note[:, :attack] *= rise(attack)
        note[:, frames - release :] *= rise(release)[::-1]
        return note

    def _sounds(self, pitch: int, frames: int) -> tuple[_Sound, ...]:
        """The pitch's sounds, made no longer than needed: most notes are short."""
        found = self._made.get(pitch)
        if found and (found[0].whole or frames <= found[0].dark.shape[1]):
            return found
        most = _SHORT_FRAMES if frames <= _SHORT_FRAMES else None
        made = tuple(self._make(cut, pitch, most) for cut in self._chosen(pitch))
        self._made[pitch] = made
        return made

    def _chosen(self, pitch: int) -> list[Cut]:
        """The recording for a key, and with `wide` the one of the next key for the other side."""
        place = next(i for i, cut in enumerate(self._cuts) if pitch <= cut.high_key)
        chosen = [self._cuts[place]]
        if self._manner.wide and len(self._cuts) > 1:
            step = 1 if pitch > chosen[0].root else -1
            beside = place + (step if 0 <= place + step < len(self._cuts) else -step)
            chosen.append(self._cuts[beside])
        return chosen

    def _make(self, cut: Cut, pitch: int, most_frames: int | None) -> _Sound:
        samples = self._bank.read(cut)
        skipped = min(round(self._manner.skip_s * cut.rate_hz), cut.loop[0] if cut.loop else 0)
        samples = samples[:, skipped:]
        loop = (cut.loop[0] - skipped, cut.loop[1] - skipped) if cut.loop else None
        # The recording's own rate and key against ours: source frames for each frame.
        ratio = cut.rate_hz / SAMPLE_RATE_HZ * 2.0 ** ((pitch - cut.root) / 12.0)
        if self._manner.held and loop:
            sound, loop = _sustained(samples, loop, ratio)
            loud = level(sound[:, loop[0] :])
        else:
            sound, loop = _dying(samples, loop, ratio, cut.envelope, most_frames), None
            loud = level(sound[:, : SAMPLE_RATE_HZ // 2])
        sound *= 0.1 / max(1e-9, loud)
        corner = max(self._manner.dark_hz, 6.0 * 27.5 * 2.0 ** ((pitch - 21) / 24.0))
        dark = _darkened(sound, corner, loop)
        edge = sound - dark
        # Only from the beginning, so that a sound made longer later begins with the same bits.
        head = slice(0, _SHORT_FRAMES if loop is None else None)
        peak = max(1e-9, *(float(np.abs(each[:, head]).max()) for each in (dark, edge)))
        return _Sound(
            _shorts(dark, peak),
            _shorts(edge, peak),
            peak / _FULL_SCALE,
            loop,
            loop is not None or most_frames is None or sound.shape[1] < most_frames,
        )


class Layered(Voice):
    """A recording with a synthesised voice beside it."""

    def __init__(self, recorded: Sampled, beside: Voice, share: float) -> None:
        """`share` of the synthesised voice, 0 to 1; together as loud as one."""
        self._voices = ((recorded, math.sqrt(1.0 - share)), (beside, math.sqrt(share)))
        self.spread = recorded.spread

    def play(self, pitch: int, held_frames: int, velocity: float, start_frame: int) -> Floats:
        """See Voice."""
        parts = [
            (voice.play(pitch, held_frames, velocity, start_frame), np.float32(gain))
            for voice, gain in self._voices
        ]
        sides = max(len(part) for part, _ in parts)
        note = np.zeros((sides, max(part.shape[1] for part, _ in parts)), np.float32)
        for part, gain in parts:
            note[:, : part.shape[1]] += part * gain
        return note


def _dying(
    samples: Floats,
    loop: tuple[int, int] | None,
    ratio: float,
    shape: Envelope,
    most_frames: int | None,
) -> Doubles:
    """A recording to its end, or round its loop until it has died away; or its beginning."""
    if loop is None:
        frames = min(int(samples.shape[1] / ratio), most_frames or 1 << 30)
        return read_at(samples, ratio, frames).astype(np.float64)
    quiet_s = shape.hold_s + _QUIET_DB / _FALL_DB * shape.decay_s
    whole = round(min(_LONGEST_S, max(0.3, quiet_s)) * SAMPLE_RATE_HZ)
    frames = min(whole, most_frames or whole)
    sound = read_at(samples, ratio, frames, loop).astype(np.float64)
    if shape.decay_s > 0.0:
        hold = min(frames, round(shape.hold_s * SAMPLE_RATE_HZ))
        tau_s = shape.decay_s * 20.0 / (_FALL_DB * math.log(10.0))
        sound[:, hold:] *= decay(frames - hold, tau_s)
    tail = min(whole // 3, SAMPLE_RATE_HZ)
    sound[:, whole - tail :] *= rise(tail)[::-1][: max(0, frames - (whole - tail))]
    return sound


def _sustained(
    samples: Floats, loop: tuple[int, int], ratio: float
) -> tuple[Doubles, tuple[int, int]]:
    """The start, then whole rounds of the loop that together last whole frames.

    The pitch bends for that by half a frame in two seconds at most.
    """
    length = loop[1] - loop[0]
    rounds = max(1, math.ceil(_SHORTEST_ROUND_S * SAMPLE_RATE_HZ * ratio / length))
    frames = round(rounds * length / ratio)
    ratio = rounds * length / frames
    # The taps reach back over the loop's start in the first round only: begin after it.
    first = math.ceil((loop[0] + TAPS) / ratio)
    sound = read_at(samples, ratio, first + frames, loop).astype(np.float64)
    return sound, (first, first + frames)


def _darkened(sound: Doubles, corner_hz: float, loop: tuple[int, int] | None) -> Doubles:
    """Take the highs off; a loop stays one."""
    if loop is None:
        return filtered(sound, lowpass(corner_hz))
    # The second round is what the filter gives for ever after: it takes the place of the first.
    twice = filtered(np.concatenate((sound, sound[:, loop[0] :]), axis=1), lowpass(corner_hz))
    dark = twice[:, : loop[1]].copy()
    dark[:, loop[0] :] = twice[:, loop[1] :]
    return dark


def _shorts(sound: Doubles, peak: float) -> Shorts:
    scaled = np.rint(sound * (_FULL_SCALE / peak))
    return np.clip(scaled, -32_768, 32_767).astype(np.int16)


def _note(sound: _Sound, frames: int, velocity: float) -> Floats:
    """A note of a length, shape [1 or 2, frames]: loud ones have more highs."""
    soft = np.float32(sound.scale * velocity**1.25)
    note = _tiled(sound.dark, sound.loop, frames) * soft
    note += _tiled(sound.edge, sound.loop, frames) * np.float32(soft * (0.12 + 0.88 * velocity))
    return np.asarray(note, np.float32)


def _tiled(sound: Shorts, loop: tuple[int, int] | None, frames: int) -> Shorts:
    """The first `frames` of a sound, round its loop where it is shorter."""
    if loop is None or frames <= loop[1]:
        return sound[:, :frames]
    rest = sound[:, loop[0] :]
    more = -(-(frames - loop[1]) // rest.shape[1])
    return np.concatenate((sound, *[rest] * more), axis=1)[:, :frames]


def _vibrato(note: Floats, cents: float, start_frame: int) -> Floats:
    """Sway the pitch, more and more, as a player does on a long note."""
    frames = note.shape[1]
    depth = (2.0 ** (cents / 1200.0) - 1.0) * SAMPLE_RATE_HZ / (2.0 * math.pi * _VIBRATO_HZ)
    phase = start_frame * 0.37 % 1.0
    sway = sine(ramp_cycles(_VIBRATO_HZ, frames, phase)) * (1.0 - decay(frames, 0.45))
    place = np.arange(frames) - depth * (1.0 + sway.astype(np.float64))
    place = np.clip(place, 0.0, frames - 1.0)
    whole = np.minimum(place.astype(np.int64), frames - 2)
    part = (place - whole).astype(np.float32)
    before = note[:, np.maximum(whole - 1, 0)]
    left, right = note[:, whole], note[:, whole + 1]
    after = note[:, np.minimum(whole + 2, frames - 1)]
    # A cubic through four points (Catmull-Rom).
    bend = np.float32(0.5) * (right - before)
    other = np.float32(0.5) * (after - left)
    fall = left - right
    cubic = np.float32(2.0) * fall + bend + other
    square = -fall - cubic - bend
    return np.asarray(((cubic * part + square) * part + bend) * part + left, np.float32)
