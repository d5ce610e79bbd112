"""The score: every note of every part, in frames. Pattern makers write in beats."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from services.inference.engines.composer.form import Section
from services.inference.engines.composer.harmony import (
    LOOP_OF_KIND,
    Chord,
    develop,
    lead_voices,
    spell,
)
from services.inference.engines.composer.plan import SAMPLE_RATE_HZ, Plan


@dataclass(frozen=True, slots=True)
class Note:
    """A note or a drum hit. `sound` names the drum, else `pitch` is the MIDI pitch."""

    start_frame: int
    held_frames: int
    pitch: int
    velocity: float
    sound: str = ""


@dataclass(slots=True)
class Score:
    """Notes by section and part, in order of time."""

    sections: list[dict[str, list[Note]]] = field(default_factory=list)

    def note_count(self) -> int:
        """How many notes there are in all."""
        return sum(len(notes) for parts in self.sections for notes in parts.values())


@dataclass(frozen=True, slots=True)
class Event:
    """A note in musical time: beats from the start of its section."""

    beat: float
    beats: float
    pitch: int
    velocity: float
    sound: str = ""


@dataclass(frozen=True, slots=True)
class Span:
    """A chord that holds for a while, with its voicing. Beats count from the section."""

    start_beat: float
    beats: float
    chord: Chord
    voicing: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Scene:
    """All that a pattern maker needs to write one part of one section."""

    plan: Plan
    section: Section
    spans: tuple[Span, ...]
    rng: np.random.Generator
    next_kind: str
    """Kind of the section that follows, or "" after the last one."""

    @property
    def beats(self) -> float:
        """Length of the section in beats."""
        return self.section.bars * self.plan.bar.beats

    @property
    def step(self) -> float:
        """Length of a grid step in beats."""
        return 1.0 / self.plan.bar.division

    def span_at(self, beat: float) -> Span:
        """Return the chord that sounds at a beat."""
        for span in reversed(self.spans):
            if beat >= span.start_beat - 1e-9:
                return span
        return self.spans[0]


class Clock:
    """Turns beats into frames, with the swing and the human hand of the plan."""

    def __init__(self, plan: Plan) -> None:
        self._frames_per_beat = SAMPLE_RATE_HZ * 60.0 / plan.tempo_bpm
        self._swing = plan.swing
        self._unit = 1.0 / plan.profile.swing_division
        self._beats_per_bar = plan.bar.beats

    def frame(self, bar: int, beat: float) -> int:
        """Frame of a beat counted from the start of `bar`. Swing needs whole beats a bar."""
        position = bar * self._beats_per_bar + beat
        pair = 2.0 * self._unit
        whole = math.floor(position / pair + 1e-9) * pair
        inside = max(0.0, position - whole)
        late = self._unit * (1.0 + self._swing)
        if inside <= self._unit:
            inside *= 1.0 + self._swing
        else:
            inside = late + (inside - self._unit) * (pair - late) / self._unit
        return round((whole + inside) * self._frames_per_beat)

    def frames(self, beats: float) -> int:
        """Length of some beats in frames."""
        return round(beats * self._frames_per_beat)


def section_spans(plan: Plan, section: Section, rng: np.random.Generator) -> tuple[Span, ...]:
    """Lay the section's chords over its bars, developed, and voiced for the chords part."""
    progression = plan.progressions[LOOP_OF_KIND[section.kind]]
    length = plan.bars_per_chord * plan.bar.beats
    total = section.bars * plan.bar.beats
    count = math.ceil(total / length - 1e-9)
    degrees = develop(progression, count, plan.mode, section.repeat, rng)
    ends_loop = plan.loop and section.start_bar + section.bars == plan.bars
    if ends_loop and plan.profile.form == "drift" and count > 1:
        degrees[-1] = (0, False)  # the chord of the loop's start: nothing moves at the seam
    sequence = [
        spell(degree, plan.tonic, plan.mode, progression.tones, raised=raised)
        for degree, raised in degrees
    ]
    # A section heard before sits in another register.
    up = (0, 3, -2)[section.repeat % 3]
    voicings = lead_voices(sequence, low=53 + min(up, 0), high=77 + up, voices=4)
    return tuple(
        Span(i * length, min(length, total - i * length), chord, voicing)
        for i, (chord, voicing) in enumerate(zip(sequence, voicings, strict=True))
    )


def to_notes(
    events: list[Event], plan: Plan, section: Section, clock: Clock, rng: np.random.Generator
) -> list[Note]:
    """Place events in time: swing, then a little of the human hand, never before 0."""
    # Where the drums rest the others lean in, so that the level does not fall away.
    rests = "drums" in plan.parts and "drums" not in section.parts
    lift = 1.25 if rests else 1.0
    spread = plan.profile.humanise_ms * SAMPLE_RATE_HZ / 1000.0
    notes = []
    for event in sorted(events, key=lambda e: (e.beat, e.pitch, e.sound)):
        start = clock.frame(section.start_bar, event.beat)
        shift = float(np.clip(rng.standard_normal(), -2.0, 2.0)) * spread * 0.5
        velocity = lift * event.velocity * (1.0 + 0.05 * float(rng.standard_normal()))
        notes.append(
            Note(
                min(plan.duration_frames - 1, max(0, round(start + shift))),
                max(256, clock.frames(event.beats)),
                event.pitch,
                min(1.0, max(0.05, velocity)),
                event.sound,
            )
        )
    return notes
