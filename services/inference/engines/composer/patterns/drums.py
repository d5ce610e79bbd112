"""Drums: grooves on a grid, variations, ghost notes and fills."""

from __future__ import annotations

from services.inference.engines.composer.patterns.grooves import GROOVES
from services.inference.engines.composer.patterns.metric import fitted
from services.inference.engines.composer.score import Event, Scene
from services.inference.engines.composer.theory import Metre

_LEVELS = {"X": 1.0, "x": 0.74, "o": 0.48, "?": 0.3}
_GHOST_CHANCE = 0.35

_LOUD_ONLY = {"open_hat", "ride", "clap", "tom", "shaker"}
_DENSE = {"hat", "ride", "shaker", "brush", "rim"}


def write_drums(scene: Scene) -> list[Event]:
    """Write the groove with a thinner or fuller kit by energy, and fills at phrase ends."""
    plan, section = scene.plan, scene.section
    groove = _thinned(_grid(GROOVES[plan.styles["groove"]], plan.bar), scene)
    groove = _varied(groove, scene)
    # Every second bar moves one soft kick, so that two bars make a phrase.
    moves_kick = scene.rng.random() < 0.4
    events: list[Event] = []
    for bar in range(section.bars):
        fill_from = _fill_start(scene, bar)
        if section.kind == "build":
            events += _build_bar(scene, groove, bar)
            continue
        events += _groove_bar(scene, groove, bar, fill_from, moves_kick=moves_kick and bar % 2 == 1)
        if plan.styles["groove"] in ("trap", "drill"):
            events += _hat_rolls(scene, bar)
        if fill_from < plan.bar.steps:
            events += _fill(scene, bar, fill_from, groove)
    # At the start of a loop a crash would tell each time that it begins again.
    starts_loop = plan.loop and section.start_bar == 0
    if section.kind in ("B", "A", "C") and section.energy > 0.5 and not starts_loop:
        events.append(Event(0.0, 4.0, 0, 0.5 + 0.4 * section.energy, "crash"))
    return events


def _varied(groove: dict[str, str], scene: Scene) -> dict[str, str]:
    """Change a groove a little for each time its section comes back, and for the chorus."""
    changed = dict(groove)
    for _ in range(min(3, scene.section.repeat) + (scene.section.kind == "B")):
        sound = ("kick", "snare", "hat", "rim")[int(scene.rng.integers(4))]
        pattern = changed.get(sound)
        if not pattern or pattern.count(".") < 2:
            continue
        free = [
            step
            for step, mark in enumerate(pattern)
            if mark == "." and step not in scene.plan.bar.pulse_starts
        ]
        if free:
            step = free[int(scene.rng.integers(len(free)))]
            mark = "?" if sound == "snare" else "o"
            changed[sound] = pattern[:step] + mark + pattern[step + 1 :]
    return changed


def _build_bar(scene: Scene, groove: dict[str, str], bar: int) -> list[Event]:
    """A bar of a build: kicks on the pulses, a roll that doubles as the drop comes near."""
    metre, bars = scene.plan.bar, scene.section.bars
    roll = next((s for s in ("snare", "clap", "tom", "rim") if s in groove), "rim")
    place = bar / max(1, bars)
    every = 4 if place < 0.5 else 2 if place < 0.75 else 1
    events = []
    for step in range(metre.steps):
        rise = (bar + step / metre.steps) / bars
        if step in metre.pulse_starts and place < 0.75:
            events.append(_hit(scene, bar, step, 0.8, "kick"))
        if step % every == 0:
            events.append(_hit(scene, bar, step, 0.2 + 0.55 * rise, roll))
        if "hat" in groove and step % 2 == 0:
            events.append(_hit(scene, bar, step, 0.35 + 0.2 * rise, "hat"))
    return events


def _thinned(groove: dict[str, str], scene: Scene) -> dict[str, str]:
    """Leave the loud metal out of sections that lead in or out."""
    if scene.section.kind in ("A", "B", "C") or scene.section.energy >= 0.55:
        return groove
    return {sound: steps for sound, steps in groove.items() if sound not in _LOUD_ONLY} or groove


def _fill_start(scene: Scene, bar: int) -> int:
    """Return the step at which this bar's fill begins, or the bar's end for none."""
    metre = scene.plan.bar
    last = bar == scene.section.bars - 1
    if scene.plan.loop and scene.section.start_bar + bar == scene.plan.bars - 1:
        return metre.steps  # the seam is a bar line like any other
    phrase_end = last or (bar % 4 == 3 and scene.rng.random() < 0.7)
    if not phrase_end or scene.section.energy <= 0.3 or scene.plan.profile.form == "drift":
        return metre.steps
    pulses = 2 if last and scene.section.energy > 0.6 and len(metre.pulses) > 2 else 1
    return metre.pulse_starts[-pulses]


def _groove_bar(
    scene: Scene, groove: dict[str, str], bar: int, fill_from: int, *, moves_kick: bool
) -> list[Event]:
    metre, energy = scene.plan.bar, scene.section.energy
    holds_back = scene.section.kind in ("intro", "outro") and bar < scene.section.bars // 2
    events = []
    for sound, pattern in groove.items():
        if holds_back and sound == "snare":
            continue
        for place, mark in enumerate(pattern):
            if mark == "." or (place >= fill_from and sound not in ("kick", "ride")):
                continue
            if mark == "?" and scene.rng.random() > _GHOST_CHANCE + 0.3 * energy:
                continue
            moved = moves_kick and sound == "kick" and mark == "x"
            step = (place + 2) % metre.steps if moved else place
            accent = 1.0 if step in metre.pulse_starts else 0.9
            velocity = _LEVELS[mark] * accent * (0.6 + 0.4 * energy)
            events.append(_hit(scene, bar, step, velocity, sound))
    return events


def _hit(scene: Scene, bar: int, step: float, velocity: float, sound: str) -> Event:
    beat = bar * scene.plan.bar.beats + step * scene.step
    return Event(beat, scene.step, 0, min(1.0, velocity), sound)


def _grid(groove: dict[str, str], metre: Metre) -> dict[str, str]:
    """Fit a groove into the metre."""
    return {
        sound: fitted(pattern, metre, dense=sound in _DENSE) for sound, pattern in groove.items()
    }


def _fill(scene: Scene, bar: int, start: int, groove: dict[str, str]) -> list[Event]:
    rng = scene.rng
    steps = scene.plan.bar.steps
    energy = scene.section.energy
    sounds = [s for s in ("snare", "tom", "clap", "rim", "brush") if s in groove] or ["rim"]
    if "snare" in sounds and energy > 0.55 and "tom" not in sounds:
        sounds.append("tom")
    events = []
    for step in range(start, steps):
        if rng.random() < 0.3 + 0.5 * energy or step == start:
            rise = 0.5 + 0.5 * (step - start + 1) / (steps - start)
            sound = sounds[
                min(len(sounds) - 1, int((step - start) * len(sounds) / (steps - start)))
            ]
            events.append(_hit(scene, bar, step, rise * (0.45 + 0.4 * energy), sound))
    return events


def _hat_rolls(scene: Scene, bar: int) -> list[Event]:
    """Short rolls of thirty-seconds or triplets that give trap its shimmer."""
    rng = scene.rng
    if rng.random() > 0.25 + 0.4 * scene.section.energy:
        return []
    steps = scene.plan.bar.steps
    start = int(rng.integers(1, max(2, steps // 2))) * 2
    triplet = rng.random() < 0.4
    spacing, count = (2 / 3, 3) if triplet else (0.5, 4)
    return [
        _hit(scene, bar, start + i * spacing, 0.35 + 0.08 * i, "hat")
        for i in range(count)
        if start + i * spacing < steps
    ]
