"""Bass lines: each style is a rhythm and a way of choosing tones of the chord."""

from __future__ import annotations

from services.inference.engines.composer.patterns.metric import fitted
from services.inference.engines.composer.score import Event, Scene, Span
from services.inference.engines.composer.streams import pick
from services.inference.engines.composer.theory import SCALES

LOWEST = 33
"""A1, or the first root at or above it: what small speakers still play."""

_RHYTHMS: dict[str, tuple[str, ...]] = {
    "roots": ("R.......r.......", "R.........r.f..."),
    "laidback": ("R.....r...f...a.", "R......r..R..o..", "R..r....f....ra."),
    "funk": ("R..r..o.r..R.fa.", "R.r..o..r.R...a."),
    "offbeat": ("..R...R...R...o.", "..R...R...R...R."),
    "house_roll": ("..R..RoR..R..R.f", "..RR..R...RR..o."),
    "rumble": (".rRr.rRr.rRr.rRr", "..Rr..Rr..Rr..Rr"),
    "eighths": ("R.r.r.r.R.r.r.r.", "R.r.r.r.R.r.f.a."),
    "gallop": ("R.rrR.rrR.rrR.rr", "R.rrR.rrR.orR.rr"),
    "pushed": ("R.....R...R...f.", "R..R..R...r.o.a."),
    "root_fifth": ("R.......f.......", "R.......f.....a."),
    "octaves": ("R.o.R.o.R.o.R.o.", "R.oRo.R.R.oRo.f."),
    "reese": ("R.........R.....", "R.....r...R...f.", "R..............."),
    "dnb_roll": ("R..r..R...r.R.r.", "R.R...r.R..r..f."),
    "bossa": ("R.....f.f.....R.", "R.....f.f.....a."),
    "one_drop": ("R.....r.f...r...", "..R...r.R..f..o.", "R..r....f.r...a."),
    "tumbao": ("R.....f.....R...", "R.....f.....a...", "R..f..f.....R..."),
    "eight08": ("R......R..R.....", "R.........R..o..", "R.....R........."),
}
"""Style → bars: R root, r softer root, f fifth, o octave, a approach to the next chord."""


BASSES = (*_RHYTHMS, "pedal", "walking")
"""Every style of bass."""


def write_bass(scene: Scene) -> list[Event]:
    """Write the bass of a section."""
    style = scene.plan.styles["bass"]
    if style == "pedal":
        return _pedal(scene)
    if style == "walking":
        return _walking(scene)
    metre = scene.plan.bar
    choices = _RHYTHMS[style]
    main, other = pick(scene.rng, choices), pick(scene.rng, choices)
    level = 0.6 + 0.35 * scene.section.energy
    steady = (
        "offbeat",
        "rumble",
        "eighths",
        "gallop",
        "octaves",
        "reese",
        "dnb_roll",
        "bossa",
        "tumbao",
    )
    calm = scene.section.kind in ("intro", "break", "outro") and style not in steady
    events: list[Event] = []
    for bar in range(scene.section.bars):
        rhythm = _RHYTHMS["roots"][0] if calm else other if bar % 4 == 3 else main
        if not calm and (bar % 4 == 3 or bar == scene.section.bars - 1):
            rhythm = _with_approach(rhythm, scene)
        elif scene.section.repeat and not calm and scene.rng.random() < 0.3:
            rhythm = _with_octave(rhythm, scene)
        marks = [(s, mark) for s, mark in enumerate(fitted(rhythm, metre)) if mark != "."]
        for index, (step, mark) in enumerate(marks):
            beat = bar * metre.beats + step * scene.step
            following = marks[index + 1][0] if index + 1 < len(marks) else metre.steps
            span = scene.span_at(beat)
            gap = (following - step) * scene.step
            length = gap * (0.95 if style in _LEGATO else 0.7)
            velocity = level * (1.0 if mark == "R" else 0.82)
            events.append(Event(beat, length, _tone(scene, span, mark, beat), velocity))
    return events


_LEGATO = ("eight08", "roots", "laidback", "reese", "bossa", "one_drop", "tumbao")


def _with_approach(rhythm: str, scene: Scene) -> str:
    """Let the bar end on a step into the next chord, sometimes with a run."""
    if scene.rng.random() < 0.35:
        return rhythm[:12] + ("r.fa" if rhythm[10:12] == ".." else "..fa")
    return rhythm[:14] + "a." if scene.rng.random() < 0.7 else rhythm


def _with_octave(rhythm: str, scene: Scene) -> str:
    """Lift one soft note of the bar by an octave."""
    soft = [step for step, mark in enumerate(rhythm) if mark == "r"]
    if not soft:
        return rhythm
    step = pick(scene.rng, soft)
    return rhythm[:step] + "o" + rhythm[step + 1 :]


def root_pitch(span: Span) -> int:
    """Return the chord's root in the bass's octave."""
    return LOWEST + (span.chord.root - LOWEST) % 12


def _tone(scene: Scene, span: Span, mark: str, beat: float) -> int:
    root = root_pitch(span)
    if mark == "f":
        fifth = root + (span.chord.pitch_classes[2] - span.chord.root) % 12
        return fifth if fifth <= LOWEST + 14 else fifth - 12
    if mark == "o":
        return root + 12
    if mark == "a":
        coming = scene.span_at(min(beat + 1.0, scene.beats - 0.01))
        return _step_towards(scene, root_pitch(coming), root)
    return root


def _step_towards(scene: Scene, goal: int, origin: int) -> int:
    """Return the scale tone next to `goal`, from the side of `origin`."""
    scale = {(scene.plan.tonic + step) % 12 for step in SCALES[scene.plan.mode]}
    direction = -1 if origin <= goal else 1
    for distance in (1, 2, 3):
        if (goal + direction * distance) % 12 in scale:
            return goal + direction * distance
    return goal


def _pedal(scene: Scene) -> list[Event]:
    level = 0.55 + 0.35 * scene.section.energy
    return [
        Event(span.start_beat, span.beats * 0.98, root_pitch(span), level) for span in scene.spans
    ]


def _walking(scene: Scene) -> list[Event]:
    """Quarter notes: root, chord or scale tones on the way, a step into the next root."""
    rng = scene.rng
    level = 0.62 + 0.25 * scene.section.energy
    events: list[Event] = []
    pitch = root_pitch(scene.spans[0])
    grid = scene.plan.bar
    beats = [
        bar * grid.beats + start * scene.step
        for bar in range(scene.section.bars)
        for start in grid.pulse_starts
    ]
    for index, beat in enumerate(beats):
        following = beats[index + 1] if index + 1 < len(beats) else scene.beats
        span = scene.span_at(beat)
        last = following >= span.start_beat + span.beats - 1e-9
        if beat <= span.start_beat + 1e-9:
            pitch = root_pitch(span)
        elif last and following < scene.beats:
            pitch = _step_towards(scene, root_pitch(scene.span_at(following)), pitch)
        else:
            tones = [
                root_pitch(span) + (tone - span.chord.root) % 12
                for tone in span.chord.pitch_classes[:4]
            ]
            tones = [tone - 12 if tone > LOWEST + 17 else tone for tone in tones]
            near = [tone for tone in tones if tone != pitch and abs(tone - pitch) <= 7]
            pitch = pick(rng, near or tones)
        length = 0.92 * (following - beat)
        events.append(Event(beat, length, pitch, level * (1.0 if index % 2 else 0.93)))
        if rng.random() < 0.12 * (0.5 + scene.section.energy) and not last:
            events.append(Event(beat + 0.5, 0.3, pitch, level * 0.55))
    return events
