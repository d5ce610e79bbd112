"""From the plan to the score: asks each pattern maker for its part, section by section."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from services.inference.engines.composer.crew import Alive
from services.inference.engines.composer.harmony import lead_voices, spell
from services.inference.engines.composer.patterns.arp import write_arp
from services.inference.engines.composer.patterns.bass import write_bass
from services.inference.engines.composer.patterns.comping import write_chords, write_pad
from services.inference.engines.composer.patterns.drums import write_drums
from services.inference.engines.composer.patterns.melody import Melodist
from services.inference.engines.composer.plan import Plan
from services.inference.engines.composer.score import (
    Clock,
    Event,
    Note,
    Scene,
    Score,
    section_spans,
    to_notes,
)
from services.inference.engines.composer.streams import Streams
from services.inference.engines.composer.synth.drums import TRANSITION_FRAMES

_WRITERS: dict[str, Callable[[Scene], list[Event]]] = {
    "drums": write_drums,
    "bass": write_bass,
    "chords": write_chords,
    "pad": write_pad,
    "arp": write_arp,
}


def compose(plan: Plan, streams: Streams, alive: Alive = lambda: None) -> Score:
    """Write the whole score; a piece that is no loop ends on a last chord that rings out."""
    clock = Clock(plan)
    melodist = Melodist(plan, streams)
    score = Score()
    for index, section in enumerate(plan.sections):
        name = (section.kind, section.repeat)
        spans = section_spans(plan, section, streams.layer("harmony", "section", *name))
        following = _next_kind(plan, index)
        written: dict[str, list[Note]] = {}
        for part in section.parts:
            alive()
            rng = streams.layer(part, "score", *name)
            scene = Scene(plan, section, spans, rng, following)
            events = melodist.write(scene) if part == "lead" else _WRITERS[part](scene)
            events = _with_gaps(events, scene, part)
            if index == 0 and plan.loop:
                events = _unannounced(events)
            elif index == 0 and part == "chords":
                events = _from_the_start(events, scene)
            hand = streams.layer(part, "hand", index)
            written[part] = to_notes(events, plan, section, clock, hand)
        last = index == len(plan.sections) - 1
        if following == "B" and section.kind != "B" and "drums" in plan.parts and not last:
            end = clock.frame(section.start_bar + section.bars, 0.0)
            written.setdefault("drums", []).extend(_transition(plan, end))
        score.sections.append(written)
    if not plan.loop:
        for part, notes in _ending(plan, clock).items():
            score.sections[-1].setdefault(part, []).extend(notes)
    return score


def _next_kind(plan: Plan, index: int) -> str:
    if index + 1 < len(plan.sections):
        return plan.sections[index + 1].kind
    return plan.sections[0].kind if plan.loop else ""


def _with_gaps(events: list[Event], scene: Scene, part: str) -> list[Event]:
    """Leave out what a part that enters late, or rests before a chorus, does not play."""
    section, bar_beats = scene.section, scene.plan.bar.beats
    start = (section.bars // 2) * bar_beats if part in section.late else 0.0
    stop = scene.beats
    if part in ("drums", "bass"):
        stop -= min(section.rest_beats, scene.beats / 2)
    kept = (
        [
            event
            if event.beat + event.beats <= stop
            else dataclasses.replace(event, beats=min(event.beats, stop - event.beat))
            for event in events
            if start - 1e-9 <= event.beat < stop - 1e-9
        ]
        if start or stop < scene.beats
        else events
    )
    return kept or events[:1]


def _from_the_start(events: list[Event], scene: Scene) -> list[Event]:
    """Let the first chord sound on the first beat, whatever the rhythm: no silent start."""
    if any(event.beat < 0.1 for event in events):
        return events
    first = min((event.beat for event in events), default=scene.plan.bar.beats)
    chord = scene.spans[0].voicing
    return [*(Event(0.0, first * 0.9, pitch, 0.55) for pitch in chord), *events]


_SEAM_TOUCH = 0.72


def _unannounced(events: list[Event]) -> list[Event]:
    """Play the first beat of a loop more softly: nothing tells that it begins again."""
    return [
        dataclasses.replace(event, velocity=_SEAM_TOUCH * event.velocity)
        if event.beat < 0.1
        else event
        for event in events
    ]


def _transition(plan: Plan, end: int) -> list[Note]:
    """A rising sound that ends where the chorus begins."""
    sound = plan.profile.transition
    if not sound or plan.energy < 0.4:
        return []
    start = max(0, end - TRANSITION_FRAMES)
    return [Note(start, end - start, 0, 0.5 + 0.4 * plan.energy, sound)]


def _ending(plan: Plan, clock: Clock) -> dict[str, list[Note]]:
    """The tonic chord on the downbeat after the last bar, for every part that played."""
    start = clock.frame(plan.bars, 0.0)
    held = max(2048, plan.duration_frames - start)
    tones = max(3, min(4, plan.profile.chord_tones))
    chord = spell(0, plan.tonic, plan.mode, tones)
    voicing = lead_voices([chord], low=53, high=77, voices=4)[0]
    if plan.profile.form != "drift" and plan.profile.chord_tones <= 4:
        voicing = (voicing[0] - 12, *voicing)  # a wide last chord
    root = 36 + (chord.root - 36) % 12
    level = 0.45 + 0.35 * plan.energy
    notes: dict[str, list[Note]] = {}
    if "drums" in plan.parts:
        hits = ("kick", "crash") if plan.energy > 0.45 else ("kick",)
        notes["drums"] = [Note(start, held, 0, level, hit) for hit in hits]
    if "bass" in plan.parts:
        notes["bass"] = [Note(start, held, root, level)]
    if "chords" in plan.parts:
        # Slightly spread from below, as a hand would.
        notes["chords"] = [
            Note(start + i * 900, held, pitch, level) for i, pitch in enumerate(voicing)
        ]
    if "pad" in plan.parts:
        notes["pad"] = [Note(start, held, pitch, level * 0.8) for pitch in voicing[:3]]
    if "lead" in plan.parts and "chords" not in plan.parts:
        notes["lead"] = [Note(start, held, 60 + (chord.root - 60) % 12, level)]
    if "arp" in plan.parts and "chords" not in plan.parts:
        notes["arp"] = [Note(start, held, 72 + chord.root % 12, level)]
    return notes
