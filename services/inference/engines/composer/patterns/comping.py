"""Chords and pads: how a voicing is laid into the bar."""

from __future__ import annotations

import numpy as np

from services.inference.engines.composer.patterns.metric import fitted
from services.inference.engines.composer.score import Event, Scene, Span
from services.inference.engines.composer.streams import pick

_RHYTHMS: dict[str, tuple[str, ...]] = {
    "lofi": ("X.....o.....x...", "X......x....o...", "X.........x...o."),
    "stabs": ("X..x..x...x..x..", "..x..x..x.....x.", "X..x..X....x..x."),
    "offbeat": ("..X...X...X...X.", "..X...X.x.X...X."),
    "pushes": ("X.....X.....x...", "X..X..X...X.x...", "X.....x...X....."),
    "charleston": ("X.....x.........", "......X.....x...", "X.....x.....o..."),
    "jazz": ("..X...........x.", "X.....x.......X.", "......x...X....."),
    "strum": ("X...x.x..x.xx.x.", "X...x.xx.xx.x.x.", "X..xx.x..x.xx.xx"),
    "bossa": ("X..x..x...x..x..", "..x..x..X..x..x.", "X..x...x..x..x.."),
    "power": ("X.x.x.x.X.x.x.x.", "X..X..X.X..X..X.", "X.......X.x.x.x."),
    "skank": ("..X...X...X...X.", "..X...X...X.x.X."),
    "montuno": ("X.xx.x.xX.xx.x.x", "x.Xx.Xx.x.Xx.Xx."),
    "scratch": ("..xx.xX..xx.x.X.", "X.xx..x.x.xx..x.", "..x.xxX...xxx.X."),
    "ostinato": ("XoxoXoxoXoxoXoxo", "XooxooxoXooxooxo", "X.xoX.xoX.xoX.xo"),
}
_LEVELS = {"X": 1.0, "x": 0.78, "o": 0.55}
_STACCATO = {
    "stabs": 0.3,
    "offbeat": 0.4,
    "ostinato": 0.2,
    "power": 0.85,
    "skank": 0.22,
    "montuno": 0.4,
    "scratch": 0.16,
}


COMPINGS = (*_RHYTHMS, "block", "swell", "rolled", "broken", "fingerpick")
"""Every style of comping."""


def write_chords(scene: Scene) -> list[Event]:
    """Write the chords part in the plan's comping style, calmer where little happens."""
    style = scene.plan.styles["comping"]
    calm = scene.section.energy < 0.38 or scene.section.kind == "break"
    if calm and style not in ("broken", "fingerpick", "swell", "rolled"):
        style = "block"
    if style == "block":
        return [e for span in scene.spans for e in _block(scene, span, 0.97, 0.0)]
    if style == "swell":
        return [e for span in scene.spans for e in _block(scene, span, 1.02, 0.0)]
    if style == "rolled":
        return [e for span in scene.spans for e in _block(scene, span, 0.96, 0.045)]
    if style in ("broken", "fingerpick"):
        return _broken(scene, wide=style == "broken")
    return _rhythm(scene, style)


def _block(scene: Scene, span: Span, share: float, roll_beats: float) -> list[Event]:
    level = 0.5 + 0.35 * scene.section.energy
    return [
        Event(span.start_beat + i * roll_beats, span.beats * share - i * roll_beats, pitch, level)
        for i, pitch in enumerate(span.voicing)
    ]


def _rhythm(scene: Scene, style: str) -> list[Event]:
    metre = scene.plan.bar
    rng = scene.rng
    choices = _RHYTHMS[style]
    main, other = pick(rng, choices), pick(rng, choices)
    if metre.name == "3/4" and style not in ("strum", "ostinato", "power"):
        main = other = "X...x.......x..."  # a waltz
    level = 0.5 + 0.4 * scene.section.energy
    strummed = style == "strum"
    events: list[Event] = []
    for bar in range(scene.section.bars):
        rhythm = fitted(other if bar % 4 == 3 else main, metre, dense=style == "ostinato")
        if scene.section.repeat and bar % 2 and rng.random() < 0.35:
            rhythm = _pushed(rhythm, rng)
        marks = [(step, mark) for step, mark in enumerate(rhythm) if mark != "."]
        for index, (step, mark) in enumerate(marks):
            beat = bar * metre.beats + step * scene.step
            span = scene.span_at(beat)
            following = marks[index + 1][0] if index + 1 < len(marks) else metre.steps
            length = (following - step) * scene.step * 0.96
            if style in _STACCATO:
                length = min(length, _STACCATO[style])
            up = strummed and step % metre.division == metre.division // 2
            pitches = _strings(span, style)
            for i, pitch in enumerate(reversed(pitches) if up else pitches):
                if up and i > 2:
                    continue
                delay = (0.018 if strummed else 0.0) * i
                velocity = level * _LEVELS[mark] * (0.8 if up else 1.0)
                events.append(Event(beat + delay, length, pitch, velocity))
    return events


def _pushed(rhythm: str, rng: np.random.Generator) -> str:
    """Move one hit of a bar half a pulse earlier, where there is room."""
    places = [i for i, m in enumerate(rhythm) if i > 1 and m != "." and rhythm[i - 2 : i] == ".."]
    if not places:
        return rhythm
    place = pick(rng, places)
    return rhythm[: place - 2] + rhythm[place] + "." + "." + rhythm[place + 1 :]


def _strings(span: Span, style: str) -> tuple[int, ...]:
    root = 40 + (span.chord.root - 40) % 12
    if style == "power":
        return root, root + 7, root + 12
    if style == "strum":
        return (root, *span.voicing)
    if style == "ostinato":
        return span.voicing[:3]
    return span.voicing


def _broken(scene: Scene, *, wide: bool) -> list[Event]:
    """Broken chords: the hand walks through the voicing in eighths and comes back."""
    level = 0.4 + 0.35 * scene.section.energy
    half = 2 * scene.step
    order = pick(
        scene.rng, ((0, 2, 3, 2, 4, 2, 3, 2), (0, 2, 3, 4, 3, 2, 3, 2), (0, 3, 2, 4, 3, 2, 4, 3))
    )
    turned = (*order[:4], *order[:3:-1])
    events: list[Event] = []
    for number, span in enumerate(scene.spans):
        if number % 4 == 3 or (scene.section.repeat and scene.rng.random() < 0.3):
            order, turned = turned, order
        root = (36 if wide else 40) + (span.chord.root - (36 if wide else 40)) % 12
        fifth = root + (span.chord.pitch_classes[2] - span.chord.root) % 12
        tones = (root, fifth, *span.voicing[:4])
        count = max(1, int(span.beats / half + 1e-9))
        for i in range(count):
            position = order[i % len(order)]
            pitch = tones[min(position, len(tones) - 1)]
            ring = min(span.beats - i * half, 2.5)
            accent = 1.0 if i % len(order) == 0 else 0.78
            events.append(Event(span.start_beat + i * half, ring, pitch, level * accent))
    return events


def write_pad(scene: Scene) -> list[Event]:
    """Write long chords. A second pad section opens upwards by an octave's top voice."""
    level = 0.45 + 0.3 * scene.section.energy
    events: list[Event] = []
    for span in scene.spans:
        pitches = list(span.voicing[:4])
        if scene.section.kind == "B" or scene.section.repeat % 2:
            pitches[0] += 12
        # A swell: the middle of a phrase is a little stronger than its ends.
        place = (span.start_beat / scene.beats) % 1.0
        swell = level * (0.9 + 0.4 * place * (1.0 - place))
        events += [Event(span.start_beat, span.beats * 1.01, pitch, swell) for pitch in pitches]
        if scene.section.repeat and span.beats >= 2 and scene.rng.random() < 0.4:
            top = pitches[-1] + 12 if pitches[-1] < 74 else pitches[-1]
            half = span.beats / 2
            events.append(Event(span.start_beat + half, half, top, 0.7 * swell))
    return events
