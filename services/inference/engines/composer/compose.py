"""From the plan to the score: asks each pattern maker for its part, section by section."""

from __future__ import annotations

from collections.abc import Callable

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


def compose(plan: Plan, streams: Streams) -> Score:
    """Write the whole score, with a last chord that rings out after the last bar."""
    clock = Clock(plan)
    melodist = Melodist(plan, streams)
    score = Score()
    for index, section in enumerate(plan.sections):
        spans = section_spans(plan, section)
        following = plan.sections[index + 1].kind if index + 1 < len(plan.sections) else ""
        written: dict[str, list[Note]] = {}
        for part in section.parts:
            scene = Scene(
                plan,
                section,
                spans,
                streams.layer("score", part, section.kind, section.repeat),
                following,
            )
            events = melodist.write(scene) if part == "lead" else _WRITERS[part](scene)
            if index == 0 and part == "chords":
                events = _from_the_start(events, scene)
            hand = streams.layer("hand", part, index)
            written[part] = to_notes(events, plan, section, clock, hand)
        if following == "B" and section.kind != "B" and "drums" in plan.parts:
            end = clock.frame(section.start_bar + section.bars, 0.0)
            written.setdefault("drums", []).extend(_transition(plan, end))
        score.sections.append(written)
    for part, notes in _ending(plan, clock).items():
        score.sections[-1].setdefault(part, []).extend(notes)
    return score


def _from_the_start(events: list[Event], scene: Scene) -> list[Event]:
    """Let the first chord sound on the first beat, whatever the rhythm: no silent start."""
    if any(event.beat < 0.1 for event in events):
        return events
    first = min((event.beat for event in events), default=scene.plan.bar.beats)
    chord = scene.spans[0].voicing
    return [*(Event(0.0, first * 0.9, pitch, 0.55) for pitch in chord), *events]


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
