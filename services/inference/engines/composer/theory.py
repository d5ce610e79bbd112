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
    """A bar on a grid: `beats` of the tempo, each of `division` steps.

    The beat is a quarter, or a dotted quarter in compound metres. `pulses` are the lengths
    in steps of what the foot taps; `groups` say how many pulses make each accent.
    """

    name: str
    beats: float
    division: int
    pulses: tuple[int, ...]
    groups: tuple[int, ...]

    @property
    def steps(self) -> int:
        """Grid steps in a bar."""
        return sum(self.pulses)

    @property
    def is_even(self) -> bool:
        """Whether the bar is a whole number of plain quarters, so that it can swing."""
        return self.division == 4 and self.beats == int(self.beats)

    @property
    def pulse_starts(self) -> tuple[int, ...]:
        """Step at which each pulse begins."""
        return tuple(sum(self.pulses[:i]) for i in range(len(self.pulses)))


def _threes_last(count: int) -> tuple[int, ...]:
    """Divide `count` into twos, with a three at the end where it is odd."""
    if count < 4:
        return (count,)
    return (2,) * (count // 2 - count % 2) + (3,) * (count % 2)


def make_metre(upper: int, lower: int) -> Metre:
    """Build any metre: 6/8, 9/8 and 12/8 are compound, 7/8 is 2+2+3, 5/4 is 3+2."""
    name = f"{upper}/{lower}"
    if lower == 8 and upper % 3 == 0:
        beats = upper // 3
        return Metre(name, float(beats), 6, (6,) * beats, _threes_last(beats))
    if lower in (8, 16):
        size = 16 // lower
        pulses = tuple(size * units for units in _threes_last(upper))
        return Metre(name, upper * 4.0 / lower, 4, pulses, _threes_last(len(pulses)))
    quarters = upper * 4 // lower
    groups = (3, 2) if quarters == 5 else (3, 3) if quarters == 6 else _threes_last(quarters)
    return Metre(name, float(quarters), 4, (4,) * quarters, groups)


METRES = {
    f"{upper}/{lower}": make_metre(upper, lower)
    for lower, uppers in (
        (4, (4, 3, 2, 5, 6, 7, 8, 9, 10, 11, 12, 13)),
        (8, (6, 3, 5, 7, 9, 10, 11, 12, 13, 14, 15)),
        (2, (2, 3, 4)),
        (16, (5, 7, 9, 11, 13, 15)),
    )
    for upper in uppers
}
"""Every metre by its name, the common ones of each kind first."""


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
