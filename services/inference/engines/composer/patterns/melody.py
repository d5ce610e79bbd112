"""Melody: a motif that is stated, answered, developed and brought to rest."""

from __future__ import annotations

from services.inference.engines.composer.patterns.motif import (
    MOTIF_BARS,
    Motif,
    Tone,
    augmented,
    cadenced,
    embellished,
    fragmented,
    invent,
    inverted,
)
from services.inference.engines.composer.plan import Plan
from services.inference.engines.composer.score import Event, Scene
from services.inference.engines.composer.streams import Streams
from services.inference.engines.composer.theory import SCALES

_CENTRES = {
    "brass": 62, "violin": 72, "trumpet": 67, "sax": 63, "clarinet": 67, "flute": 76, "bells": 79,
    "kalimba": 74, "lead_guitar": 67, "choir": 67,
}  # fmt: skip
_PERIOD = 4
"""Motifs in a period: statement, answer, development, cadence."""

_REACH = 9
"""How far from its centre, in semitones, the melody goes before it turns back."""


class Melodist:
    """Writes the lead. Holds the motifs, so that they return in every section."""

    def __init__(self, plan: Plan, streams: Streams) -> None:
        density = plan.profile.melody_density * (0.75 + 0.5 * plan.energy)
        self._plan = plan
        self._metre = plan.bar
        main = invent(plan.bar, density, streams.layer("lead", "motif", "A"))
        answer = invent(plan.bar, density * 1.15, streams.layer("lead", "motif", "B"))
        bridge = invent(plan.bar, density * 0.8, streams.layer("lead", "motif", "C"))
        # The chorus keeps the verse's first bar upside down, so the two are kin.
        half = plan.bar.steps
        kin = inverted([tone for tone in main.tones if tone.step < half])
        rest = [tone for tone in answer.tones if tone.step >= half]
        chorus = Motif((*kin, *rest), main.steps) if kin or rest else answer
        self._motifs = {"A": main, "B": chorus, "C": bridge}
        centre = _CENTRES.get(plan.parts.get("lead", ""), 70)
        self._centre = centre + round(2 * plan.brightness)

    def write(self, scene: Scene) -> list[Event]:
        """Write the melody of a section, period by period."""
        kind, repeat = scene.section.kind, scene.section.repeat
        motif = self._motifs[{"B": "B", "C": "C", "break": "C"}.get(kind, "A")]
        lift = {"B": 3, "C": -2}.get(kind, 0) + (2 if repeat % 2 and kind in ("A", "B") else 0)
        sparse = self._plan.profile.melody_density < 0.2
        events: list[Event] = []
        for start_bar in range(0, scene.section.bars, MOTIF_BARS):
            turn = start_bar // MOTIF_BARS
            ends = start_bar + 2 * MOTIF_BARS > scene.section.bars
            if sparse and turn % 2 and not ends and scene.rng.random() < 0.5:
                continue
            tones, shift = self._told(motif, scene, turn, ends=ends)
            if kind in ("intro", "outro", "break"):
                tones = [t for t in tones if t.accent > 0.7] or tones[:1]
            limit = (scene.section.bars - start_bar) * self._metre.steps
            tones = [t for t in tones if t.step < limit]
            rests = 0.0 if ends or turn % _PERIOD == _PERIOD - 1 else self._breath(turn)
            start_beat = start_bar * self._metre.beats
            goal = self._goal(scene, turn, ends=ends)
            events += self._phrase(
                scene, tones, start_beat, lift=lift + shift, goal=goal, rests=rests
            )
        return events

    def _told(self, motif: Motif, scene: Scene, turn: int, *, ends: bool) -> tuple[list[Tone], int]:
        """Return the motif as it is told this time, and how far it is moved in semitones."""
        rng, repeat = scene.rng, scene.section.repeat
        tones = list(motif.tones)
        place = turn % _PERIOD
        if turn == 0:
            return tones, 0
        if place == _PERIOD - 1 or ends:
            if repeat:
                tones = embellished(tones, rng)
            return cadenced(tones, self._metre), -1
        if place == 0:
            return embellished(tones, rng), 0
        if place == 1:
            shift = (2, -2, 3, 0)[int(rng.integers(4))]  # a sequence: the same, elsewhere
            return (embellished(tones, rng) if repeat or shift == 0 else tones), shift
        ways = (
            fragmented(tones, motif.steps, 1),
            fragmented(tones, motif.steps, -1),
            inverted(tones),
            augmented(tones, motif.steps),
        )
        return ways[(int(rng.integers(2)) + 2 * (repeat % 2)) % len(ways)], 2

    def _breath(self, turn: int) -> float:
        """How many beats of silence end a phrase: a singer breathes."""
        return (0.5 if turn % 2 == 0 else 1.0) * self._metre.beats / 4.0

    def _goal(self, scene: Scene, turn: int, *, ends: bool) -> tuple[int, ...] | None:
        """Pitch classes on which the phrase comes to rest, None for any tone of the chord."""
        scale, tonic = SCALES[self._plan.mode], self._plan.tonic
        if ends and scene.next_kind in ("", "outro"):
            return (tonic,)
        if turn % _PERIOD == _PERIOD - 1:
            return (tonic, (tonic + scale[2]) % 12, (tonic + scale[4]) % 12)
        return None

    def _phrase(
        self,
        scene: Scene,
        tones: list[Tone],
        start_beat: float,
        *,
        lift: int,
        goal: tuple[int, ...] | None,
        rests: float,
    ) -> list[Event]:
        level = 0.56 + 0.34 * scene.section.energy
        end = min(start_beat + MOTIF_BARS * self._metre.beats, scene.beats)
        centre = self._centre + lift
        pitch = float(centre)
        events: list[Event] = []
        for index, tone in enumerate(tones):
            beat = start_beat + tone.step * scene.step
            last = index == len(tones) - 1
            following = end - rests if last else start_beat + tones[index + 1].step * scene.step
            gap = max(scene.step, following - beat)
            strong = tone.step % self._metre.steps in self._metre.pulse_starts or gap >= 1.0
            pitch = self._move(pitch, tone.move)
            if abs(pitch - centre) > _REACH:
                pitch += 0.5 * (centre - pitch)
            if last or strong or index == 0:
                # A phrase comes to rest on the triad; on the way sevenths are welcome.
                allowed = scene.span_at(beat).chord.pitch_classes[: 3 if last else 4]
                if last and goal:
                    allowed = tuple(set(allowed) & set(goal)) or allowed
                sung = _nearest(pitch, allowed)
            else:
                sung = _nearest(pitch, tuple(self._scale()))
            pitch = float(sung)
            length = min(gap * 0.92, 3.0 if last else 2.0)
            velocity = level * tone.accent * _arch(index, len(tones))
            events.append(Event(beat, max(length, scene.step * 0.6), sung, min(1.0, velocity)))
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


def _arch(index: int, count: int) -> float:
    """Louder towards the middle of a phrase, softer at its end."""
    place = index / max(1, count - 1)
    return 0.9 + 0.52 * place * (1.0 - place) - 0.04 * place


def _nearest(pitch: float, classes: tuple[int, ...]) -> int:
    """Return the pitch of one of the classes that lies nearest."""
    near = (p for p in range(round(pitch) - 7, round(pitch) + 8) if p % 12 in classes)
    return min(near, key=lambda p: (abs(p - pitch), p))
