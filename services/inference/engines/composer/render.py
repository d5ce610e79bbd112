"""Playing the score: one stem at a time, section by section, in constant memory."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np

from services.inference.engines.composer.plan import SAMPLE_RATE_HZ, Plan
from services.inference.engines.composer.score import Note
from services.inference.engines.composer.sounds.bank import Bank
from services.inference.engines.composer.streams import Streams
from services.inference.engines.composer.synth.drums import DrumKit
from services.inference.engines.composer.synth.instruments import make_voice
from services.inference.engines.composer.synth.tables import Floats
from services.inference.engines.composer.synth.voice import Voice

_RING_FRAMES = 4 * SAMPLE_RATE_HZ
"""No sound goes on for longer after its note has ended."""

Alive = Callable[[], None]
"""Called between notes; raises when the work was cancelled."""


class Band:
    """The instruments of a plan. Sounds are made when first needed and kept."""

    def __init__(self, plan: Plan, streams: Streams, bank: Bank | None = None) -> None:
        self._voices: dict[str, Voice] = {}
        self._kit: DrumKit | None = None
        for part, name in plan.parts.items():
            if part == "drums":
                random = functools.partial(streams.layer, "sound", "drums")
                self._kit = DrumKit(name, random, bank)
            elif name not in self._voices:
                self._voices[name] = make_voice(name, _random_of(streams, name), bank)
        self._names = dict(plan.parts)

    def sound(self, part: str, note: Note, turn: int) -> tuple[Floats, float, float]:
        """Play one note: samples of shape [1 or 2, frames], left and right gain."""
        if part == "drums":
            assert self._kit is not None  # noqa: S101  # drums only play where there is a kit
            return self._kit.hit(note.sound, note.velocity, turn)
        voice = self._voices[self._names[part]]
        samples = voice.play(note.pitch, note.held_frames, note.velocity, note.start_frame)
        return samples, *voice.pan(note.pitch)


def _random_of(streams: Streams, name: str) -> Callable[[object], np.random.Generator]:
    return lambda key: streams.layer("sound", name, key)


class Stem:
    """One part, rendered from its start on; what rings on is carried to the next stretch."""

    def __init__(self, part: str, band: Band) -> None:
        self.part = part
        self._band = band
        self._carry = np.zeros((2, 0), np.float32)
        self.turn = 0
        """How many notes were played: what varies from hit to hit follows it."""

    def render(self, notes: Sequence[Note], start: int, end: int, alive: Alive) -> Floats:
        """Render frames start–end, end exclusive. Shape [2, end - start]."""
        frames = end - start
        held = max((note.start_frame + note.held_frames for note in notes), default=end)
        room = max(frames + _RING_FRAMES, held - start + _RING_FRAMES, self._carry.shape[1])
        stem = np.zeros((2, room), np.float32)
        stem[:, : self._carry.shape[1]] = self._carry
        for note in notes:
            alive()
            samples, left, right = self._band.sound(self.part, note, self.turn)
            self.turn += 1
            at = max(0, note.start_frame - start)
            stop = min(room, at + samples.shape[1])
            sound = samples[:, : stop - at]
            stem[0, at:stop] += sound[0] * np.float32(left)
            stem[1, at:stop] += sound[-1] * np.float32(right)
        self._carry = stem[:, frames:].copy()  # a view would keep the whole stretch
        return stem[:, :frames]
