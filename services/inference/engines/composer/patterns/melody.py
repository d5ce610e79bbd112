"""Melody: a motif that is stated, varied, answered, and that comes back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.inference.engines.composer.plan import Plan
from services.inference.engines.composer.score import Event, Scene
from services.inference.engines.composer.streams import Streams
from services.inference.engines.composer.theory import SCALES

MOTIF_BARS = 2
_CENTRES = {
    "brass": 62,
    "violin": 72,
    "trumpet": 67,
    "sax": 63,
    "clarinet": 67,
    "flute": 76,
    "bells": 79,
    "kalimba": 74,
    "lead_guitar": 67,
    "choir": 67,
}


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


class Melodist:
    """Writes the lead. Holds the motifs, so that they return in every section."""

    def __init__(self, plan: Plan, streams: Streams) -> None:
        density = plan.profile.melody_density * (0.75 + 0.5 * plan.energy)
        self._plan = plan
        main = invent(plan, density, streams.layer("motif", "A"))
        answer = invent(plan, density * 1.15, streams.layer("motif", "B"))
        # The chorus keeps the verse's first bar upside down, so the two are kin.
        half = plan.bar.steps
        kin = tuple(Tone(t.step, -t.move, t.accent) for t in main.tones if t.step < half)
        rest = tuple(t for t in answer.tones if t.step >= half)
        self._motifs = {"A": main, "B": Motif(kin + rest, main.steps)}
        centre = _CENTRES.get(plan.parts.get("lead", ""), 70)
        self._centre = centre + round(2 * plan.brightness)

    def write(self, scene: Scene) -> list[Event]:
        """Write the melody of a section: motif, motif varied, motif, cadence."""
        motif = self._motifs["B" if scene.section.kind in ("B", "break") else "A"]
        lift = 3 if scene.section.kind == "B" else 0
        if scene.section.kind == "B" and scene.section.repeat % 2:
            lift = 5
        bar_beats = self._plan.bar.beats
        events: list[Event] = []
        for start_bar in range(0, scene.section.bars, MOTIF_BARS):
            turn = (start_bar // MOTIF_BARS) % 2
            varied = turn == 1
            closing = varied or start_bar + MOTIF_BARS >= scene.section.bars
            tones = list(motif.tones)
            if varied:
                tones = _vary(tones, scene.rng, scene.section.repeat)
            if scene.section.kind in ("intro", "outro", "break"):
                tones = [t for t in tones if t.accent > 0.7] or tones[:1]
            limit = (scene.section.bars - start_bar) * self._plan.bar.steps
            tones = [t for t in tones if t.step < limit]
            events += self._phrase(scene, tones, start_bar * bar_beats, lift, closing=closing)
        return events

    def _phrase(
        self, scene: Scene, tones: list[Tone], start_beat: float, lift: int, *, closing: bool
    ) -> list[Event]:
        division = self._plan.bar.division
        level = 0.58 + 0.35 * scene.section.energy
        end = min(start_beat + MOTIF_BARS * self._plan.bar.beats, float(scene.beats))
        pitch = float(self._centre + lift)
        events: list[Event] = []
        for index, tone in enumerate(tones):
            beat = start_beat + tone.step * scene.step
            following = (
                start_beat + tones[index + 1].step * scene.step if index + 1 < len(tones) else end
            )
            gap = following - beat
            strong = tone.step % division == 0 or gap >= 1.0
            last = closing and index == len(tones) - 1
            pitch = self._move(pitch, tone.move)
            pitch += 0.35 * (self._centre + lift - pitch) if abs(pitch - self._centre) > 8 else 0
            if strong or last or index == 0:
                # A phrase comes to rest on the triad; on the way sevenths are welcome.
                sung = self._nearest_chord_tone(scene, beat, pitch, 3 if last else 4)
            else:
                sung = self._nearest_scale_tone(pitch)
            pitch = float(sung)
            length = min(gap * 0.92, 3.0 if last else 2.0)
            events.append(Event(beat, max(length, scene.step * 0.6), sung, level * tone.accent))
        return events

    def _scale(self) -> set[int]:
        return {(self._plan.tonic + step) % 12 for step in SCALES[self._plan.mode]}

    def _move(self, pitch: float, steps: int) -> float:
        scale = self._scale()
        place = round(pitch)
        direction = 1 if steps > 0 else -1
        for _ in range(abs(steps)):
            place += direction
            while place % 12 not in scale:
                place += direction
        return float(place)

    def _nearest_scale_tone(self, pitch: float) -> int:
        scale = self._scale()
        return min(
            (p for p in range(round(pitch) - 3, round(pitch) + 4) if p % 12 in scale),
            key=lambda p: (abs(p - pitch), p),
        )

    @staticmethod
    def _nearest_chord_tone(scene: Scene, beat: float, pitch: float, tones: int) -> int:
        allowed = scene.span_at(beat).chord.pitch_classes[:tones]
        return min(
            (p for p in range(round(pitch) - 6, round(pitch) + 7) if p % 12 in allowed),
            key=lambda p: (abs(p - pitch), p),
        )


def invent(plan: Plan, density: float, rng: np.random.Generator) -> Motif:
    """Invent a motif: an onset's chance follows its place in the bar and the density."""
    metre = plan.bar
    total = MOTIF_BARS * metre.steps
    tones: list[Tone] = []
    previous = -4
    pickup_rest = int(rng.integers(0, 2)) * metre.division // 2
    for step in range(total):
        inside = step % metre.steps
        if step < pickup_rest or step >= total - metre.division // 2:
            continue
        if inside == 0:
            chance = 0.55 + 0.5 * density
        elif inside % metre.division == 0:
            chance = 0.25 + 0.7 * density
        elif inside % 2 == 0:
            chance = 0.85 * density
        else:
            chance = 0.22 * density if density > 0.35 else 0.0
        if step - previous < 2:
            chance *= 0.45
        if rng.random() < chance:
            leap = rng.random() < 0.2
            size = int(rng.integers(2, 5)) if leap else int(rng.integers(0, 3))
            move = size if rng.random() < 0.5 else -size
            accent = 1.0 if inside % metre.division == 0 else 0.84
            tones.append(Tone(step, move if tones else 0, accent * (0.9 + 0.1 * rng.random())))
            previous = step
    if not tones:
        tones = [Tone(0, 0, 1.0), Tone(metre.steps, 1, 0.9)]
    return Motif(tuple(tones), total)


def _vary(tones: list[Tone], rng: np.random.Generator, repeat: int) -> list[Tone]:
    """Change the tail of the motif; more each time its section comes back."""
    keep = max(1, len(tones) * 2 // 3 - (repeat % 3))
    varied = tones[:keep]
    for tone in tones[keep:]:
        if rng.random() < 0.25:
            continue
        varied.append(Tone(tone.step, int(rng.integers(-2, 3)), tone.accent))
    if repeat and len(varied) > 1 and rng.random() < 0.6:
        first, second = varied[0], varied[1]
        if second.step - first.step >= 4:
            varied.insert(1, Tone(first.step + 2, 1, 0.7))
    return varied
