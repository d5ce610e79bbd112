"""Motifs: short melodic ideas on the grid, and what can be made of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.inference.engines.composer.theory import Metre

MOTIF_BARS = 2


@dataclass(frozen=True, slots=True)
class Tone:
    """A tone of a motif: where it falls, and how many scale steps from the one before."""

    step: int
    move: int
    accent: float


@dataclass(frozen=True, slots=True)
class Motif:
    """Tones on the grid of MOTIF_BARS bars, the first near a tone of the chord."""

    tones: tuple[Tone, ...]
    steps: int


def invent(metre: Metre, density: float, rng: np.random.Generator) -> Motif:
    """Invent a motif: an onset's chance follows its place in the bar and the density."""
    total = MOTIF_BARS * metre.steps
    tones: list[Tone] = []
    previous = -4
    pickup_rest = int(rng.integers(0, 2)) * metre.division // 2
    leapt = 0
    for step in range(total):
        inside = step % metre.steps
        if step < pickup_rest or step >= total - metre.division // 2:
            continue
        if rng.random() < _chance(metre, inside, density, close=step - previous < 2):
            if leapt:
                # After a leap a melody steps back.
                move, leapt = (-1 if leapt > 0 else 1), 0
            else:
                leap = rng.random() < 0.22
                size = int(rng.integers(2, 5)) if leap else int(rng.integers(0, 3))
                move = size if rng.random() < 0.5 else -size
                leapt = move if leap else 0
            accent = 1.0 if inside in metre.pulse_starts else 0.84
            tones.append(Tone(step, move if tones else 0, accent * (0.9 + 0.1 * rng.random())))
            previous = step
    if not tones:
        tones = [Tone(0, 0, 1.0), Tone(metre.steps, 1, 0.9)]
    return Motif(tuple(tones), total)


def _chance(metre: Metre, inside: int, density: float, *, close: bool) -> float:
    if inside == 0:
        chance = 0.55 + 0.5 * density
    elif inside in metre.pulse_starts:
        chance = 0.25 + 0.7 * density
    elif inside % 2 == 0:
        chance = 0.85 * density
    else:
        chance = 0.22 * density if density > 0.35 else 0.0
    return chance * 0.45 if close else chance


def inverted(tones: Sequence[Tone]) -> list[Tone]:
    """Turn every step upside down."""
    return [dataclasses.replace(tone, move=-tone.move) for tone in tones]


def augmented(tones: Sequence[Tone], steps: int) -> list[Tone]:
    """Stretch the first half over the whole: twice as slow."""
    return [
        dataclasses.replace(tone, step=2 * tone.step) for tone in tones if 2 * tone.step < steps
    ]


def fragmented(tones: Sequence[Tone], steps: int, climb: int) -> list[Tone]:
    """Say the first half twice, the second time `climb` scale steps away."""
    half = steps // 2
    head = _head(tones, half)
    back = -sum(tone.move for tone in head)
    again = [dataclasses.replace(tone, step=tone.step + half) for tone in head]
    again[0] = dataclasses.replace(again[0], move=back + climb)
    return [*head, *again]


def embellished(tones: Sequence[Tone], rng: np.random.Generator) -> list[Tone]:
    """Fill a gap with a passing tone, move an onset: the second telling of the same tale."""
    found = list(tones)
    gaps = [i for i in range(len(found) - 1) if found[i + 1].step - found[i].step >= 4]
    if gaps and rng.random() < 0.8:
        place = gaps[int(rng.integers(len(gaps)))]
        first, second = found[place], found[place + 1]
        middle = (first.step + second.step) // 4 * 2
        turn = 1 if second.move > 0 else -1
        found[place + 1] = dataclasses.replace(second, move=second.move - turn)
        found.insert(place + 1, Tone(middle, turn, 0.72))
    if len(found) > 3 and rng.random() < 0.4:
        found.pop(int(rng.integers(1, len(found) - 1)))
    return found


def cadenced(tones: Sequence[Tone], metre: Metre) -> list[Tone]:
    """Keep the head of the motif, then one long tone on the second bar, then rest."""
    arrival = metre.steps
    return [*_head(tones, arrival), Tone(arrival, 0, 1.0)]


def _head(tones: Sequence[Tone], steps: int) -> list[Tone]:
    """Return the tones before a step; at least one."""
    head = [tone for tone in tones if tone.step < steps]
    return head or [dataclasses.replace(tones[0], step=0)]
