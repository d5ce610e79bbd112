"""Writes passages of music by chance: notes in beats."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from bench.looper.instruments import Played

Chance = np.random.Generator

SCALES = {
    "maj": (0, 2, 4, 5, 7, 9, 11),
    "min": (0, 2, 3, 5, 7, 8, 10),
    "dor": (0, 2, 3, 5, 7, 9, 10),
}


class Note(NamedTuple):
    """A written note."""

    beat: float
    instrument: str
    pitch: int
    """MIDI number; of a drum, which of its takes."""
    beats: float
    """How long it is."""
    velocity: float
    pan: float


@dataclass(frozen=True, slots=True)
class Style:
    """Who plays; None: nobody does."""

    lead: str | None = None
    keys: str | None = None
    bass: str | None = None
    pad: str | None = None
    drums: str | None = None
    """Has strokes on every second beat ("full") or every fourth ("half")."""

    def without_lead(self) -> Style:
        """Return who accompanies; in a style of leads only, everyone."""
        quiet = Style(keys=self.keys, bass=self.bass, pad=self.pad)
        return quiet if quiet != Style() else self


STYLES = {
    "edm": Style(lead="square", pad="pad", bass="bass", drums="full"),
    "chip": Style(lead="square", keys="square", bass="bass", drums="full"),
    "piano": Style(lead="piano", keys="piano", bass="piano"),
    "band": Style(lead="bell", keys="organ", bass="bass", drums="half"),
    "calm": Style(lead="bell", pad="pad"),
    "waltz": Style(lead="pluck", keys="pluck", bass="bass"),
    "orch": Style(lead="organ", pad="pad", bass="bass", drums="half"),
}


@dataclass(frozen=True, slots=True)
class Key:
    """A tonic (MIDI) and a scale."""

    root: int
    scale: str

    def pitch(self, degree: int) -> int:
        """Return the pitch of a degree of the scale; 0 is the tonic."""
        return self.root + 12 * (degree // 7) + SCALES[self.scale][degree % 7]


def draw_key(chance: Chance) -> Key:
    """Draw a key."""
    root = int(chance.integers(55, 64))
    return Key(root, str(chance.choice(list(SCALES))))


def draw_chords(chance: Chance, count: int, degrees: int = 6) -> list[int]:
    """Draw degrees of chords, the first the tonic, none twice in a row."""
    chords = [0]
    while len(chords) < count:
        chord = int(chance.integers(0, degrees))
        if chord != chords[-1]:
            chords.append(chord)
    return chords


def compose(
    chance: Chance, bars: int, metre: float, style: Style, key: Key | None = None
) -> tuple[list[Note], Key]:
    """Write `bars` bars of `metre` beats; returns the key, too, drawn if none is given."""
    key = key or draw_key(chance)
    chords = draw_chords(chance, bars)
    own = np.random.default_rng(chance.integers(2**31))
    notes: list[Note] = []
    degree = int(own.integers(5, 10))
    for bar in range(bars):
        start, chord = bar * metre, chords[bar % len(chords)]
        triad = [key.pitch(chord + step) for step in (0, 2, 4)]
        if style.pad:
            for pitch, pan in zip(triad, (-0.5, 0, 0.5), strict=True):
                notes.append(Note(start, style.pad, pitch, metre * 0.98, 0.8, pan))
        if style.keys:
            notes += _keys(own, start, metre, style.keys, triad)
        if style.bass:
            tones = [key.pitch(chord + step) - 24 for step in (0, 0, 4, 7)]
            notes += _bass(own, start, metre, style.bass, tones)
        if style.lead:
            line = _lead(own, metre, degree)
            degree = line[-1][2] if line else degree
            for beat, length, step, velocity in line:
                pitch = key.pitch(step) + 12
                notes.append(Note(start + beat, style.lead, pitch, length * 0.92, velocity, -0.25))
        if style.drums:
            notes += _drums(own, start, metre, bar, half=style.drums == "half")
    return notes, key


def _keys(
    chance: Chance, start: float, metre: float, instrument: str, triad: list[int]
) -> Iterator[Note]:
    rhythm = chance.permutation(int(metre * 2))[: max(2, int(metre * 1.2))] * 0.5
    for beat in sorted(rhythm):
        for pitch in triad:
            yield Note(start + beat, instrument, pitch, 0.45, chance.uniform(0.55, 0.9), 0.3)


def _bass(
    chance: Chance, start: float, metre: float, instrument: str, tones: list[int]
) -> Iterator[Note]:
    beat = 0.0
    while beat < metre - 0.01:
        length = min(float(chance.choice([0.5, 1.0, 1.5])), metre - beat)
        pitch = int(chance.choice(tones))
        yield Note(start + beat, instrument, pitch, length * 0.9, chance.uniform(0.7, 1), 0)
        beat += length


def _lead(chance: Chance, metre: float, degree: int) -> list[tuple[float, float, int, float]]:
    """Write a bar of melody that goes on from a degree: beats, lengths, degrees, velocities."""
    line, beat = [], 0.0
    while beat < metre - 0.01:
        length = min(float(chance.choice([0.5, 0.5, 1.0, 1.5, 2.0])), metre - beat)
        if chance.random() > 0.18:
            degree = int(np.clip(degree + chance.integers(-3, 4), 0, 14))
            line.append((beat, length, degree, float(chance.uniform(0.6, 1))))
        beat += length
    return line


def _drums(chance: Chance, start: float, metre: float, bar: int, *, half: bool) -> Iterator[Note]:
    for eighth in range(int(metre * 2)):
        take = int(chance.integers(0, 3))
        yield Note(start + eighth * 0.5, "hat", take, 0.1, chance.uniform(0.4, 1), 0.4)
    for count in range(int(metre)):
        if count % 2 == 0 or chance.random() < 0.15:
            yield Note(start + count, "kick", 0, 0.1, 1.0, 0)
        if count % (4 if half else 2) == (2 if half else 1):
            yield Note(start + count, "snare", int(chance.integers(0, 2)), 0.1, 0.9, 0.05)
    if bar % 4 == 3:
        for step in range(3):
            beat = start + metre - 0.75 + 0.25 * step
            yield Note(beat, "tom", 0, 0.1, 0.7, -0.3 + 0.3 * step)


def moved(notes: Iterable[Note], beats: float, semitones: int = 0) -> list[Note]:
    """Return notes that come later by some beats, and higher, drums apart."""
    drums = ("kick", "snare", "hat", "tom")
    return [
        note._replace(
            beat=note.beat + beats,
            pitch=note.pitch if note.instrument in drums else note.pitch + semitones,
        )
        for note in notes
    ]


def timed(
    notes: Iterable[Note], beat_frames: float, rate_hz: int, start_frame: float = 0.0
) -> list[Played]:
    """Return notes at a steady tempo, the first beat at `start_frame`."""
    return [
        Played(
            start_frame + note.beat * beat_frames,
            note.instrument,
            note.pitch,
            note.beats * beat_frames / rate_hz,
            note.velocity,
            note.pan,
        )
        for note in notes
    ]
