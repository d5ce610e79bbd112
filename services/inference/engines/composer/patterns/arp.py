"""Arpeggios: figures that climb through the chord."""

from __future__ import annotations

from services.inference.engines.composer.score import Event, Scene
from services.inference.engines.composer.streams import pick

ARPS = ("up", "updown", "pulse", "random", "sparse")
"""Every style of arpeggio."""


def write_arp(scene: Scene) -> list[Event]:
    """Write the arpeggio of a section: faster and denser with energy."""
    style = scene.plan.styles["arp"]
    rng = scene.rng
    if style == "sparse":
        return _sparse(scene)
    fast = scene.section.energy > 0.55
    length = scene.step if fast else 2 * scene.step
    level = 0.42 + 0.35 * scene.section.energy
    mask = pick(rng, ("1111", "1110", "1101", "11111011"))
    events: list[Event] = []
    phrase = 4.0 * scene.plan.bar.beats
    if scene.section.repeat % 2:
        mask = mask[1:] + mask[0]
    count = int(scene.beats / length + 1e-9)
    for i in range(count):
        beat = i * length
        if mask[i % len(mask)] == "0":
            continue
        span = scene.span_at(beat)
        tones = [*span.voicing, span.voicing[0] + 12, span.voicing[1] + 12]
        if style == "up":
            tone = tones[i % len(tones)]
        elif style == "updown":
            ring = [*tones, *tones[-2:0:-1]]
            tone = ring[i % len(ring)]
        elif style == "pulse":
            tone = tones[0] + (12 if i % 8 == 6 else 0)
        else:
            tone = pick(rng, tones)
        accent = 1.0 if i % 4 == 0 else 0.78
        shape = 0.9 + 0.2 * ((beat / phrase) % 1.0)
        events.append(Event(beat, length * 0.85, tone + 12, min(1.0, level * accent * shape)))
    return events


def _sparse(scene: Scene) -> list[Event]:
    """Single bright notes here and there, as if by chance."""
    rng = scene.rng
    level = 0.4 + 0.3 * scene.section.energy
    events: list[Event] = []
    beat = 0.0
    while beat < scene.beats:
        span = scene.span_at(beat)
        if rng.random() < 0.55 + 0.3 * scene.section.energy:
            pitch = pick(rng, span.voicing) + 12 * int(rng.integers(1, 3))
            events.append(Event(beat, 2.0, min(pitch, 96), level * (0.7 + 0.3 * rng.random())))
        beat += float(pick(rng, (1.0, 1.0, 1.5, 2.0)))
    return events
