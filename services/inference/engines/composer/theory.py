"""Pitch names, scales and metres: the facts of music that every layer shares."""

from __future__ import annotations

from dataclasses import dataclass

PITCH_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
"""One spelling for each pitch class, 0 being C."""

SCALES: dict[str, tuple[int, ...]] = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
}
"""Semitones above the tonic of the seven steps of each mode."""

_LETTERS = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}


@dataclass(frozen=True, slots=True)
class Metre:
    """A bar: `beats` felt pulses of `division` grid steps each."""

    name: str
    beats: int
    division: int

    @property
    def steps(self) -> int:
        """Grid steps in a bar."""
        return self.beats * self.division


METRES = {
    "4/4": Metre("4/4", 4, 4),
    "3/4": Metre("3/4", 3, 4),
    "6/8": Metre("6/8", 2, 6),
}


def pitch_class(letter: str, accidental: str = "") -> int:
    """Return 0–11 for a letter a–g and "", "#", "b", "sharp" or "flat"."""
    shift = {"": 0, "#": 1, "♯": 1, "sharp": 1, "b": -1, "♭": -1, "flat": -1}[accidental.lower()]
    return (_LETTERS[letter.lower()] + shift) % 12


def is_dark(mode: str) -> bool:
    """Whether the mode has a minor third."""
    return SCALES[mode][2] == 3


def key_label(tonic: int, mode: str) -> str:
    """Name a key: "A minor", "F# dorian"."""
    return f"{spelling(tonic, dark=is_dark(mode))} {mode}"


def spelling(tonic: int, *, dark: bool) -> str:
    """Name a pitch class as the root of a minor or a major chord is usually written."""
    if tonic == 1 and not dark:
        return "Db"
    return "G#" if tonic == 8 and dark else PITCH_NAMES[tonic]


def scale_pitch(tonic: int, mode: str, step: int, octave: int = 4) -> int:
    """MIDI pitch of a scale step; 0 is the tonic in `octave`, 7 the one above."""
    octaves, degree = divmod(step, 7)
    return 12 * (octave + 1 + octaves) + tonic + SCALES[mode][degree]


def frequency_hz(pitch: float) -> float:
    """Frequency of a MIDI pitch in equal temperament, A4 = 440 Hz."""
    return float(440.0 * 2.0 ** ((pitch - 69) / 12))
