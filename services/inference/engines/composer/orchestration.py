"""Who plays: the instrument of each part, and the parts of each section."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from services.inference.engines.composer.form import Section, curve_factor
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
    "fretless_bass": ("bass",),
    "slap_bass": ("bass",),
    "church_organ": ("pad", "chords"),
    "accordion": ("lead", "chords"),
    "harmonica": ("lead",),
    "steel_guitar": ("chords", "arp", "lead"),
    "jazz_guitar": ("chords", "lead"),
    "banjo": ("arp", "chords", "lead"),
    "sitar": ("lead", "arp"),
    "koto": ("arp", "lead"),
    "harpsichord": ("chords", "arp", "lead"),
    "celesta": ("arp", "lead"),
    "glockenspiel": ("lead", "arp"),
    "music_box": ("arp", "lead"),
    "xylophone": ("arp", "lead"),
    "steel_drums": ("lead", "arp"),
    "pizzicato": ("arp", "chords"),
    "cello": ("lead", "pad"),
    "voice": ("pad", "lead"),
    "french_horn": ("lead", "pad"),
    "trombone": ("lead",),
    "muted_trumpet": ("lead",),
    "oboe": ("lead",),
    "pan_flute": ("lead",),
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
    form: list[Section], parts: dict[str, str], plan: Feel, streams: Streams
) -> list[Section]:
    """Say who plays in each section: layers enter one by one, and leave in the break."""
    core = [part for part in ("chords", "arp", "pad", "lead", "bass", "drums") if part in parts]
    bars = sum(section.bars for section in form)
    cast: list[Section] = []
    for index, section in enumerate(form):
        rng = streams.layer("form", index)
        place = (section.start_bar + section.bars / 2) / bars
        resting, late = _resting(core, section, len(form), rng)
        if plan.curve in ("rising", "falling") and len(form) > 1:
            resting, late = _on_the_curve(core, plan.curve, index / (len(form) - 1)), set()
        factor = curve_factor(plan.curve, place, section.energy)
        level = min(1.0, max(0.03, section.energy * factor * (0.55 + 0.6 * plan.energy)))
        following = form[index + 1].kind if index + 1 < len(form) else ""
        cast.append(
            dataclasses.replace(
                section,
                parts=tuple(part for part in PARTS if part in core and part not in resting),
                late=tuple(part for part in PARTS if part in late and part not in resting),
                rest_beats=_rest_beats(section, following, plan, rng),
                energy=round(level, 3),
            )
        )
    return cast


@dataclasses.dataclass(frozen=True, slots=True)
class Feel:
    """What the cast of sections depends on besides the parts."""

    energy: float
    curve: str
    form: str
    bar_beats: float


def _rest_beats(section: Section, following: str, feel: Feel, rng: np.random.Generator) -> float:
    """How long drums and bass stop before a chorus."""
    chance = 0.7 if section.kind == "build" else 0.35
    drawn, long = rng.random(2)
    if following != "B" or section.kind == "B" or feel.form == "drift" or section.bars < 2:
        return 0.0
    if drawn >= chance or feel.energy < 0.35:
        return 0.0
    return feel.bar_beats / 2 if long < 0.4 else feel.bar_beats / 4


def _on_the_curve(core: Sequence[str], curve: str, place: float) -> set[str]:
    """Return who rests while the piece grows (or shrinks) part by part."""
    order = [part for part in ("pad", "chords", "bass", "arp", "drums", "lead") if part in core]
    grown = place if curve == "rising" else 1.0 - place
    playing = max(1, round(len(order) * (0.35 + 0.75 * grown)))
    return set(order[playing:])


def _resting(
    core: Sequence[str], section: Section, count: int, rng: np.random.Generator
) -> tuple[set[str], set[str]]:
    """Return the parts that rest in a section, and those that enter in its middle.

    At least one part always plays, from the first bar on.
    """
    first, second = (bool(chance < 0.55) for chance in rng.random(2))
    if count == 1 or len(core) == 1:
        return set(), set()
    if len(core) <= 3:
        resting = {"intro": {"lead"}, "break": {core[-1]}}.get(section.kind, set())
        late: set[str] = set()
    elif section.kind == "A":
        resting, late = _verse(core, section, first=first, second=second)
    else:
        resting, late = _SECTION_CASTS.get(section.kind, _EVERYBODY)[2 * first + second]
        late = late if section.bars >= 8 or section.kind == "intro" else set()
    if not set(core) - resting - late:
        return set(), set()
    return resting, late & set(core)


_Cast = tuple[set[str], set[str]]
_EVERYBODY: tuple[_Cast, ...] = ((set(), set()),) * 4
_SECTION_CASTS: dict[str, tuple[_Cast, ...]] = {
    "intro": (
        ({"lead"}, {"drums"}),
        ({"lead"}, {"bass", "drums"}),
        ({"lead", "drums"}, {"bass"}),
        ({"lead", "arp"}, {"drums"}),
    ),
    "build": (
        ({"bass", "pad"}, set()),
        ({"bass", "lead"}, set()),
        ({"bass"}, {"arp"}),
        ({"bass", "lead"}, {"pad"}),
    ),
    "C": (
        (set(), {"lead"}),
        ({"arp"}, {"lead"}),
        ({"pad"}, set()),
        ({"arp"}, {"drums"}),
    ),
    "break": (
        ({"drums", "arp"}, set()),
        ({"drums", "bass"}, set()),
        ({"drums"}, {"bass"}),
        ({"drums", "lead"}, {"arp"}),
    ),
    "outro": (
        ({"lead"}, set()),
        ({"lead", "arp"}, set()),
        ({"lead"}, set()),
        ({"arp"}, set()),
    ),
}
"""Kind of section → four ways of who rests and who enters in its middle."""


def _verse(core: Sequence[str], section: Section, *, first: bool, second: bool) -> _Cast:
    """A first verse holds a colour back; a later one lets the melody wait now and then."""
    colours = [part for part in ("arp", "pad") if part in core]
    long = section.bars >= 8
    if colours and section.repeat == 0:
        held = {colours[first % len(colours)]}
        return (set(), held) if long else (held, set())
    return set(), {"lead"} if long and section.repeat and second else set()
