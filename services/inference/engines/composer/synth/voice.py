"""What every voice gives: samples for a note, and where it stands between the speakers."""

from __future__ import annotations

import abc
import math
from collections.abc import Callable

import numpy as np

from services.inference.engines.composer.synth.filters import filtered, lowpass
from services.inference.engines.composer.synth.tables import (
    SAMPLE_RATE_HZ,
    Doubles,
    Floats,
    level,
    rise,
)

MAX_RELEASE_FRAMES = 2 * SAMPLE_RATE_HZ

Random = Callable[[object], np.random.Generator]
"""Gives the random stream of a sound by its name."""


class Voice(abc.ABC):
    """An instrument."""

    spread: float = 0.0
    """How far low and high notes stand apart, 0 to 1. Only for mono voices."""

    @abc.abstractmethod
    def play(self, pitch: int, held_frames: int, velocity: float, start_frame: int) -> Floats:
        """Return the note, shape [1 or 2, frames], about -20 dBFS rms at full velocity.

        At most MAX_RELEASE_FRAMES longer than it is held.
        """

    def pan(self, pitch: int) -> tuple[float, float]:
        """Gains of the left and the right speaker, of equal power."""
        place = max(-1.0, min(1.0, (pitch - 62) / 24.0)) * self.spread
        angle = (place + 1.0) * math.pi / 4.0
        return math.cos(angle) * math.sqrt(2.0), math.sin(angle) * math.sqrt(2.0)


class Struck(Voice):
    """An instrument whose notes die away: each pitch is made once, then cut to length.

    A soft note is the same sound with its highs taken off, as it is on real strings.
    """

    def __init__(
        self,
        build: Callable[[int, np.random.Generator], Doubles],
        random: Random,
        *,
        release_s: float = 0.12,
        spread: float = 0.0,
        dark_hz: float = 1200.0,
    ) -> None:
        self._build = build
        self._random = random
        self._release_frames = round(release_s * SAMPLE_RATE_HZ)
        self._dark_hz = dark_hz
        self._made: dict[int, tuple[Floats, Floats]] = {}
        self.spread = spread

    def play(self, pitch: int, held_frames: int, velocity: float, start_frame: int) -> Floats:  # noqa: ARG002  # the same sound at any time
        """See Voice."""
        if pitch not in self._made:
            self._made[pitch] = self._make(pitch)
        dark, edge = self._made[pitch]
        frames = min(len(dark), held_frames + self._release_frames)
        note: Floats = dark[:frames] + edge[:frames] * np.float32(0.15 + 0.85 * velocity)
        note *= np.float32(velocity**1.3)
        tail = min(self._release_frames, frames)
        note[frames - tail :] *= rise(tail)[::-1]
        return note[None, :]

    def _make(self, pitch: int) -> tuple[Floats, Floats]:
        sound = self._build(pitch, self._random(pitch))
        head = sound[: SAMPLE_RATE_HZ // 2]
        sound = sound * (0.1 / max(1e-9, level(head)))
        dark = filtered(sound, lowpass(max(self._dark_hz, 6.0 * 27.5 * 2 ** ((pitch - 21) / 24))))
        return np.asarray(dark, np.float32), np.asarray(sound - dark, np.float32)
