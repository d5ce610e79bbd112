"""Drums: grooves on a grid, variations, ghost notes and fills."""

from __future__ import annotations

from services.inference.engines.composer.patterns.grooves import GROOVES
from services.inference.engines.composer.score import Event, Scene

_LEVELS = {"X": 1.0, "x": 0.74, "o": 0.48, "?": 0.3}
_GHOST_CHANCE = 0.35

_LOUD_ONLY = {"open_hat", "ride", "clap", "tom", "shaker"}


def write_drums(scene: Scene) -> list[Event]:
    """Write the groove with a thinner or fuller kit by energy, and fills at phrase ends."""
    plan, section = scene.plan, scene.section
    groove = _thinned(_grid(GROOVES[plan.styles["groove"]], plan.bar.name), scene)
    # Every second bar moves one soft kick, so that two bars make a phrase.
    moves_kick = scene.rng.random() < 0.4
    events: list[Event] = []
    for bar in range(section.bars):
        fill_from = _fill_start(scene, bar)
        events += _groove_bar(scene, groove, bar, fill_from, moves_kick=moves_kick and bar % 2 == 1)
        if plan.styles["groove"] in ("trap", "drill"):
            events += _hat_rolls(scene, bar)
        if fill_from < plan.bar.steps:
            events += _fill(scene, bar, fill_from, groove)
    if section.kind in ("B", "A") and section.energy > 0.5:
        events.append(Event(0.0, 4.0, 0, 0.5 + 0.4 * section.energy, "crash"))
    return events


def _thinned(groove: dict[str, str], scene: Scene) -> dict[str, str]:
    """Leave the loud metal out of sections that lead in or out."""
    if scene.section.kind in ("A", "B") or scene.section.energy >= 0.55:
        return groove
    return {sound: steps for sound, steps in groove.items() if sound not in _LOUD_ONLY} or groove


def _fill_start(scene: Scene, bar: int) -> int:
    """Return the step at which this bar's fill begins, or the bar's end for none."""
    metre = scene.plan.bar
    last = bar == scene.section.bars - 1
    if not (bar % 4 == 3 or last) or not scene.next_kind or scene.section.energy <= 0.3:
        return metre.steps
    return metre.steps - metre.division * (2 if last and scene.section.energy > 0.6 else 1)


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
            accent = 1.0 if step % metre.division == 0 else 0.9
            velocity = _LEVELS[mark] * accent * (0.6 + 0.4 * energy)
            events.append(_hit(scene, bar, step, velocity, sound))
    return events


def _hit(scene: Scene, bar: int, step: float, velocity: float, sound: str) -> Event:
    beat = bar * scene.plan.bar.beats + step * scene.step
    return Event(beat, scene.step, 0, min(1.0, velocity), sound)


def _grid(groove: dict[str, str], metre: str) -> dict[str, str]:
    """Fit sixteen steps into the metre: bars of three and of two dotted beats."""
    if metre == "4/4":
        return groove
    low, high, top = ("kick", *_roles(groove))
    if metre == "3/4":
        return {low: "X.......o...", high: "....x...x...", top: "x.o.x.o.x.o."}
    return {low: "X.......?...", high: "......X.....", top: "x.o.o.x.o.o."}


def _roles(groove: dict[str, str]) -> tuple[str, str]:
    backbeat = next((s for s in ("snare", "clap", "rim", "tom", "brush") if s in groove), "rim")
    pulse = next((s for s in ("hat", "ride", "shaker", "brush") if s in groove), "shaker")
    return backbeat, pulse


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
    start = int(rng.integers(1, steps // 2)) * 2
    triplet = rng.random() < 0.4
    spacing, count = (2 / 3, 3) if triplet else (0.5, 4)
    return [
        _hit(scene, bar, start + i * spacing, 0.35 + 0.08 * i, "hat")
        for i in range(count)
        if start + i * spacing < steps
    ]
