"""What a track's recipe says of its plan, in a few lines for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_PARTS = ("drums", "bass", "chords", "pad", "arp", "lead")
_WORDS = ("moods", "instruments", "textures")


def plan_facts(recipe: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield names and values: what was understood of the prompt, what was ignored, and the
    plan's form, band and chords. Nothing for a recipe that says nothing of them."""
    decisions = _mapping(recipe.get("decisions"))
    yield "understood", ", ".join(_understood(_mapping(decisions.get("understood"))))
    yield "ignored", ", ".join(map(str, _list(decisions.get("ignored"))))
    plan = _mapping(decisions.get("plan"))
    if "sections" not in plan:
        return
    sections = [_mapping(section) for section in _list(plan["sections"])]
    bars = sum(_number(section.get("bars")) for section in sections)
    form = " ".join(
        f"{section.get('kind', '?')}·{_number(section.get('bars')):g}" for section in sections
    )
    yield "form", f"{bars:g} bars of {plan.get('metre', '?')}: {form}"
    parts = _mapping(plan.get("parts"))
    seats = [part for part in _PARTS if part in parts]
    yield "band", ", ".join(f"{part} {_plain(parts[part])}" for part in seats)
    loops = sorted(_mapping(plan.get("progressions")).items())
    chords = {loop: _list(_mapping(told).get("chords")) for loop, told in loops}
    yield "chords", "; ".join(f"{loop}: {' '.join(map(str, chords[loop]))}" for loop in chords)


def _understood(heard: Mapping[str, Any]) -> Iterator[str]:
    if "tempo_bpm" in heard:
        yield f"{_number(heard['tempo_bpm']):g} bpm"
    yield from map(_plain, _mapping(heard.get("genres")))
    for name in _WORDS:
        yield from map(_plain, _list(heard.get(name)))
    for name in _list(heard.get("without")):
        yield f"no {_plain(name)}"
    for name in ("mode", "metre", "era", "curve"):
        if isinstance(heard.get(name), str):
            yield _plain(heard[name])


def _plain(name: object) -> str:
    return str(name).replace("_", " ")


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _number(value: object) -> float:
    return value if isinstance(value, int | float) else 0.0
