"""Playing the score: each part a stem, stretch by stretch, in constant memory."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from services.inference.engines.composer.crew import Alive
from services.inference.engines.composer.plan import SAMPLE_RATE_HZ, Plan
from services.inference.engines.composer.score import Note, Score
from services.inference.engines.composer.sounds.bank import Bank
from services.inference.engines.composer.streams import Streams
from services.inference.engines.composer.synth.drums import DrumKit
from services.inference.engines.composer.synth.instruments import make_voice
from services.inference.engines.composer.synth.tables import Floats
from services.inference.engines.composer.synth.voice import MAX_RELEASE_FRAMES, Voice

_ROOM_FRAMES = 2 * SAMPLE_RATE_HZ
"""What a stretch is made longer by at a time, for the notes that ring on."""


@dataclass(frozen=True, slots=True)
class Cue:
    """When a note is played. In a loop's lead that is a cycle before its own time.

    `turn` counts the part's notes: what varies from hit to hit follows it.
    """

    at: int
    turn: int
    note: Note


class Band:
    """The instruments of a plan and what they play. Sounds are made when needed and kept."""

    def __init__(
        self, plan: Plan, score: Score, streams: Streams, bank: Bank | None, lead_frames: int
    ) -> None:
        """`lead_frames` of a loop's end are played before its start."""
        self.played = {
            part: _cues(part, score, plan.duration_frames, lead_frames) for part in plan.parts
        }
        drums = self.played.get("drums", [])
        self.kicks = [cue.at for cue in drums if cue.note.sound == "kick"]
        """The frames at which the kick drum plays."""
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


def _cues(part: str, score: Score, frames: int, lead: int) -> list[Cue]:
    """Every note of a part in order; before frame 0 what sounds in the last `lead` frames of
    the cycle."""
    notes = sorted(
        (note for parts in score.sections for note in parts.get(part, [])),
        key=lambda note: note.start_frame,
    )
    longest = max((note.held_frames for note in notes), default=0) + MAX_RELEASE_FRAMES
    cycles = math.ceil((lead + longest) / frames) if lead else 0
    return [
        Cue(note.start_frame + cycle * frames, turn, note)
        for cycle in range(-cycles, 1)
        for turn, note in enumerate(notes)
        if cycle == 0
        or note.start_frame + cycle * frames + note.held_frames + MAX_RELEASE_FRAMES > -lead
    ]


class Stem:
    """One part, rendered stretch by stretch; what rings on is carried to the next one."""

    def __init__(self, part: str, band: Band, played: Sequence[Cue]) -> None:
        self.part = part
        self._band = band
        self._played = played
        self._next = 0
        self._carry = np.zeros((2, 0), np.float32)

    def render(self, start: int, end: int, alive: Alive) -> Floats:
        """Render frames start–end, end exclusive. Shape [2, end - start]."""
        frames = end - start
        stem = np.zeros((2, max(frames + _ROOM_FRAMES, self._carry.shape[1])), np.float32)
        last = self._carry.shape[1]
        stem[:, :last] = self._carry
        while self._next < len(self._played) and self._played[self._next].at < end:
            alive()
            cue = self._played[self._next]
            self._next += 1
            samples, left, right = self._band.sound(self.part, cue.note, cue.turn)
            # In a loop's lead a long note has begun before it.
            samples = samples[:, max(0, start - cue.at) :]
            at = max(0, cue.at - start)
            stop = at + samples.shape[1]
            if stop > stem.shape[1]:
                stem = np.pad(stem, ((0, 0), (0, stop - stem.shape[1] + _ROOM_FRAMES)))
            stem[0, at:stop] += samples[0] * np.float32(left)
            stem[1, at:stop] += samples[-1] * np.float32(right)
            last = max(last, stop)
        self._carry = stem[:, frames:last].copy()  # a view would keep the whole stretch
        return stem[:, :frames]
