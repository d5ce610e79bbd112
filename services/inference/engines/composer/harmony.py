"""Chords: a small functional grammar, idiomatic loops, and voice leading."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.inference.engines.composer.clarity import key_margin
from services.inference.engines.composer.profiles import Profile
from services.inference.engines.composer.streams import Streams, pick, weighted
from services.inference.engines.composer.theory import SCALES, is_dark, spelling

CHORDS_PER_LOOP = 4
_DRAWS = 12
_PLAIN = 0.06
"""By how much a key must fit its chords better than any other one."""

_PHRASES = ("T S T D", "T T S D", "T S D T", "T M S D", "T D S S", "T M S S", "T S S D")
"""Sequences of functions: tonic, mediant, subdominant, dominant."""

_BRIGHT: dict[str, dict[int, float]] = {
    "T": {0: 4, 5: 2},
    "M": {5: 3, 2: 2},
    "S": {3: 4, 1: 2},
    "D": {4: 1},
}
_DARK: dict[str, dict[int, float]] = {
    "T": {0: 4, 5: 1, 2: 1},
    "M": {5: 3, 2: 3},
    "S": {3: 3, 5: 2},
    "D": {4: 2, 6: 3},
}
_MODAL: dict[str, dict[str, dict[int, float]]] = {
    "dorian": {"S": {3: 5, 1: 1}, "D": {6: 2, 4: 1}},
    "phrygian": {"S": {1: 4, 3: 1}, "D": {1: 2, 6: 2}},
    "lydian": {"S": {1: 4, 3: 0.2}, "D": {4: 2, 1: 2}},
    "mixolydian": {"S": {3: 3}, "D": {6: 3, 4: 1}},
}
"""What gives each mode its colour."""


@dataclass(frozen=True, slots=True)
class Chord:
    """`pitch_classes` are root, third, fifth and so on, 0–11."""

    degree: int
    pitch_classes: tuple[int, ...]

    @property
    def root(self) -> int:
        """Pitch class of the root."""
        return self.pitch_classes[0]


@dataclass(frozen=True, slots=True)
class Progression:
    """A loop of chords: scale degrees (0 is the tonic), and which are major by force."""

    degrees: tuple[int, ...]
    raised: tuple[bool, ...]
    tones: int

    def chords(self, tonic: int, mode: str) -> list[Chord]:
        """Spell the chords in a key."""
        return [
            spell(degree, tonic, mode, self.tones, raised=raised)
            for degree, raised in zip(self.degrees, self.raised, strict=True)
        ]

    def names(self, tonic: int, mode: str) -> list[str]:
        """Name the chords: "Am7", "F#"."""
        return [chord_name(chord) for chord in self.chords(tonic, mode)]


def spell(degree: int, tonic: int, mode: str, tones: int, *, raised: bool = False) -> Chord:
    """Stack thirds of the scale on a degree. `raised` makes the third major."""
    scale = SCALES[mode]
    classes = [(tonic + scale[(degree + 2 * i) % 7]) % 12 for i in range(tones)]
    if raised:
        classes[1] = (classes[0] + 4) % 12
    if tones > 4 and (classes[4] - classes[0]) % 12 == 1:
        classes.pop()  # a minor ninth grates
    if tones > 3 and (classes[2] - classes[0]) % 12 == 6 and not raised:
        classes = classes[:4]
    return Chord(degree, tuple(classes))


def chord_name(chord: Chord) -> str:
    """Name a chord by its intervals."""
    intervals = [(pitch - chord.root) % 12 for pitch in chord.pitch_classes]
    minor, diminished = intervals[1] == 3, intervals[2] == 6
    name = spelling(chord.root, dark=minor) + (
        "dim" if diminished and minor else "m" if minor else ""
    )
    if len(intervals) > 3:
        number = "9" if len(intervals) > 4 else "7"
        name += ("maj" if intervals[3] == 11 else "") + number
    return name


def choose_progressions(profile: Profile, mode: str, streams: Streams) -> dict[str, Progression]:
    """Choose chords for the kinds of section. All begin on the tonic, so the key is plain.

    `LOOP_OF_KIND` says which section takes which.
    """
    verse = _progression(profile, mode, streams.layer("harmony", "A"))
    chorus = verse
    rng = streams.layer("harmony", "B")
    for _ in range(4):
        chorus = _progression(profile, mode, rng)
        if chorus.degrees != verse.degrees:
            break
    bridge = _progression(profile, mode, streams.layer("harmony", "C"))
    return {"A": verse, "B": chorus, "C": bridge}


LOOP_OF_KIND = {
    "intro": "A", "A": "A", "build": "A", "B": "B", "C": "C", "break": "C", "outro": "A",
}  # fmt: skip
"""Kind of section → the progression it plays."""


def develop(
    progression: Progression, count: int, mode: str, repeat: int, rng: np.random.Generator
) -> list[tuple[int, bool]]:
    """Return `count` chords (degree, raised): the loop, developed so that the key is plain.

    Every second time round closes on the tonic; the last chord of a section leads on; a
    section heard before may exchange a chord for its neighbour a third away.
    """
    size = len(progression.degrees)
    chords: list[tuple[int, bool]] = []
    for turn in range(math.ceil(count / size)):
        loop = list(zip(progression.degrees, progression.raised, strict=True))
        if (repeat or turn >= 2) and rng.random() < 0.6:
            place = int(rng.integers(1, size - 1))
            degree = loop[place][0]
            other = (degree + (5 if rng.random() < 0.5 else 2)) % 7
            if other != 0:
                loop[place] = (_avoid_diminished(other, mode), False)
        closes = turn % 2 == 1
        if closes and turn * size + size < count:
            loop[-2:] = [(_leading(mode, rng), False), (0, False)]
        chords += loop
    chords = chords[:count]
    if count >= size:
        raised = mode == "minor" and any(progression.raised)
        chords[-1] = (4, True) if raised else (_leading(mode, rng), False)
    return chords


def _leading(mode: str, rng: np.random.Generator) -> int:
    """A chord that wants to go to the tonic, in the colour of the mode."""
    usual = {"major": (4, 4, 3), "minor": (4, 4, 6), "dorian": (3, 4), "phrygian": (1, 6),
             "lydian": (4, 1), "mixolydian": (6, 3)}  # fmt: skip
    return pick(rng, usual[mode])


def _progression(profile: Profile, mode: str, rng: np.random.Generator) -> Progression:
    """Draw progressions until one tells its key plainly; else take the plainest drawn."""
    best: tuple[float, Progression] | None = None
    for _ in range(_DRAWS):
        drawn = _drawn(profile, mode, rng)
        once, dark = drawn.chords(0, mode), is_dark(mode)
        # What is heard: the loop, and the loop closing on the tonic.
        heard = [chord.pitch_classes for chord in (*once, *once[:2], once[0])]
        margin = key_margin(heard, 0, minor=dark)
        if margin > _PLAIN:
            return drawn
        if best is None or margin > best[0]:
            best = margin, drawn
    assert best is not None  # noqa: S101  # at least one is drawn
    return best[1]


def _drawn(profile: Profile, mode: str, rng: np.random.Generator) -> Progression:
    if profile.loops and rng.random() >= profile.grammar:
        degrees = tuple(int(step) - 1 for step in pick(rng, profile.loops).split())
        degrees = tuple(_avoid_diminished(degree, mode) for degree in degrees)
    else:
        table = {**(_DARK if is_dark(mode) else _BRIGHT), **_MODAL.get(mode, {})}
        functions = pick(rng, _PHRASES).split()
        degrees = (0, *(weighted(rng, table[function]) for function in functions[1:]))
        degrees = tuple(_avoid_diminished(degree, mode) for degree in degrees)
    minor_dominant = _third(4, mode) == 3
    raised = tuple(
        degree == 4
        and minor_dominant
        and i == len(degrees) - 1
        and bool(rng.random() < profile.leading_tone)
        for i, degree in enumerate(degrees)
    )
    return Progression(degrees, raised, profile.chord_tones)


def _third(degree: int, mode: str) -> int:
    scale = SCALES[mode]
    return (scale[(degree + 2) % 7] - scale[degree]) % 12


def _avoid_diminished(degree: int, mode: str) -> int:
    """Replace a diminished triad by the chord a third above or below it."""
    scale = SCALES[mode]
    if (scale[(degree + 4) % 7] - scale[degree]) % 12 != 6:
        return degree
    return {1: 3, 6: 4}.get(degree, (degree + 5) % 7)


def lead_voices(
    chords: Sequence[Chord], *, low: int, high: int, voices: int
) -> list[tuple[int, ...]]:
    """Voice chords so that each voice moves little. MIDI pitches within low–high, rising."""
    found: list[tuple[int, ...]] = []
    middle = (low + high) / 2
    previous: tuple[int, ...] | None = None
    for chord in chords:
        classes = _reduce(chord, voices)
        best: tuple[float, tuple[int, ...]] | None = None
        for voicing in _voicings(classes, low, high):
            cost = 0.25 * abs(sum(voicing) / len(voicing) - middle)
            cost += sum(2.0 for a, b in itertools.pairwise(voicing) if b - a < 2)
            cost += 0.6 * max(0, voicing[-1] - voicing[0] - 16)
            if previous is not None:
                cost += sum(min(abs(pitch - old) for old in previous) for pitch in voicing)
                cost += 0.6 * abs(voicing[-1] - previous[-1])
            if best is None or cost < best[0]:
                best = cost, voicing
        assert best is not None  # noqa: S101  # the range holds more than an octave
        previous = best[1]
        found.append(previous)
    return found


def _reduce(chord: Chord, voices: int) -> list[int]:
    """Keep the tones that matter: third and seventh before ninth, root and fifth."""
    classes = list(chord.pitch_classes)
    if len(classes) > voices:
        order = (
            [1, 3, 4, 0, 2] if len(classes) > 4 else [1, 3, 0, 2] if len(classes) > 3 else [0, 1, 2]
        )
        classes = [classes[i] for i in sorted(order[:voices])]
    return classes


def _voicings(classes: Sequence[int], low: int, high: int) -> list[tuple[int, ...]]:
    """Close and open positions of the tones between low and high, inclusive."""
    found = []
    for bottom in range(low, high - 6):
        if bottom % 12 not in classes:
            continue
        first = list(classes).index(bottom % 12)
        rest = sorted(
            bottom + ((pitch - bottom) % 12) for i, pitch in enumerate(classes) if i != first
        )
        close = (bottom, *rest)
        if close[-1] <= high:
            found.append(close)
        if len(close) > 3 and close[1] + 12 <= high:
            found.append(tuple(sorted((close[0], *close[2:], close[1] + 12))))
    return found or [tuple(sorted(low + (pitch - low) % 12 for pitch in classes))]
