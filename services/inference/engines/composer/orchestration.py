"""Who plays: the instrument of each part, and the parts of each section."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from services.inference.engines.composer.form import Section
from services.inference.engines.composer.options import Options
from services.inference.engines.composer.profiles import PARTS, PROFILES, Profile
from services.inference.engines.composer.prompt import Understanding
from services.inference.engines.composer.streams import Streams, pick

PREFERRED_PARTS: dict[str, tuple[str, ...]] = {
    "piano": ("chords", "lead", "arp"),
    "electric_piano": ("chords", "lead"),
    "organ": ("chords", "pad"),
    "acoustic_guitar": ("chords", "arp", "lead"),
    "electric_guitar": ("chords", "arp", "lead"),
    "distorted_guitar": ("chords",),
    "harp": ("arp", "chords"),
    "kalimba": ("lead", "arp"),
    "bells": ("lead", "arp"),
    "vibraphone": ("lead", "chords"),
    "marimba": ("arp", "lead"),
    "strings": ("pad", "chords"),
    "violin": ("lead",),
    "choir": ("pad", "chords"),
    "brass": ("lead", "pad"),
    "trumpet": ("lead",),
    "sax": ("lead",),
    "clarinet": ("lead",),
    "flute": ("lead",),
    "warm_pad": ("pad", "chords"),
    "glass_pad": ("pad", "chords"),
    "saw_lead": ("lead", "arp"),
    "supersaw": ("chords", "pad"),
    "synth_pluck": ("arp", "lead"),
    "square_lead": ("lead", "arp"),
    "sub_bass": ("bass",),
    "synth_bass": ("bass",),
    "upright_bass": ("bass",),
    "electric_bass": ("bass",),
}
"""Instrument that can be asked for → the parts it suits, best first."""

_FALLBACKS = {
    "bass": ("electric_bass", "soft_bass"),
    "chords": ("electric_piano", "warm_pad"),
    "pad": ("warm_pad", "strings"),
    "arp": ("synth_pluck", "harp"),
    "lead": ("bells", "flute"),
}


def choose_parts(
    profile: Profile, heard: Understanding, options: Options, accent: str, streams: Streams
) -> dict[str, str]:
    """Map each part that plays to its instrument. Never empty.

    Asked instruments come first, the family fills up, what must not play is left out.
    """
    rng = streams.layer("plan", "instruments")
    wanted = (*options.instruments, *(i for i in heard.instruments if i not in options.without))
    asked = tuple(dict.fromkeys(wanted))
    banned = frozenset({*options.without, *heard.without} - set(options.instruments))
    if heard.solo and not options.instruments and asked:
        return _solo(asked[0], banned)
    seats = _seats(asked, banned)
    choices = {part: list(items) for part, items in profile.instruments.items()}
    if accent and "lead" in choices and (leads := PROFILES[accent].instruments.get("lead")):
        choices["lead"] = list(leads)  # "jazzy house": the second family lends its lead
    for part in heard.with_parts:
        kit = profile.kit or (PROFILES[accent].kit if accent else "") or "acoustic"
        choices.setdefault(part, [kit] if part == "drums" else list(_FALLBACKS[part]))
    for part in PARTS:
        drawn = pick(rng, choices[part]) if part in choices else ""
        if part in seats or not drawn or part in banned:
            continue
        order = [drawn, *choices[part], *_FALLBACKS.get(part, ())]
        if free := [item for item in order if item not in banned | set(seats.values())]:
            seats[part] = free[0]
    if not seats:
        left = [item for item in ("piano", "warm_pad", "bells") if item not in banned]
        seats = {"chords": (left or ["warm_pad"])[0]}
    return {part: seats[part] for part in PARTS if part in seats}


def _solo(instrument: str, banned: frozenset[str]) -> dict[str, str]:
    """One player: two hands where the instrument has chords, else a line."""
    roles = PREFERRED_PARTS[instrument]
    if "chords" not in roles and "arp" not in roles:
        return {roles[0]: instrument}
    hands = [part for part in ("bass", "chords", "lead") if part not in banned]
    return dict.fromkeys(hands or ["chords"], instrument)


def _seats(asked: tuple[str, ...], banned: frozenset[str]) -> dict[str, str]:
    """Give each asked instrument the best part that is still free."""
    seats: dict[str, str] = {}
    for instrument in asked:
        order = (*PREFERRED_PARTS[instrument], "lead", "arp", "pad", "chords")
        free = [part for part in order if part not in seats and part not in banned]
        if free:
            seats[free[0]] = instrument
    return seats


def cast_sections(
    form: list[Section], parts: dict[str, str], energy: float, streams: Streams
) -> list[Section]:
    """Say who plays in each section: layers enter one by one, and leave in the break."""
    core = [part for part in ("chords", "arp", "pad", "lead", "bass", "drums") if part in parts]
    cast: list[Section] = []
    for index, section in enumerate(form):
        absent = _resting(core, section, len(form), streams.layer("cast", index))
        ordered = tuple(part for part in PARTS if part in core and part not in absent)
        level = round(min(1.0, section.energy * (0.55 + 0.6 * energy)), 3)
        cast.append(dataclasses.replace(section, parts=ordered, energy=level))
    return cast


def _resting(
    core: Sequence[str], section: Section, count: int, rng: np.random.Generator
) -> set[str]:
    """Return the parts that rest in a section; at least one part always plays."""
    first, second = rng.random(2)
    if count == 1 or len(core) == 1 or section.kind == "B":
        return set()
    if len(core) <= 3:
        resting = {"intro": {"lead"}, "break": {core[-1]}}.get(section.kind, set())
    elif section.kind == "intro":
        resting = {"lead", "bass"} if first < 0.65 else {"lead"}
        resting |= {"drums"} if second < 0.65 else set()
    elif section.kind == "A":
        colours = [part for part in ("arp", "pad") if part in core]
        resting = {colours[int(first * len(colours))]} if colours and section.repeat == 0 else set()
    elif section.kind == "break":
        resting = {"drums", "bass" if first < 0.5 else "arp"}
    else:
        resting = {"lead", "arp"} if first < 0.5 else {"lead"}
    return resting if set(core) - resting else set()
