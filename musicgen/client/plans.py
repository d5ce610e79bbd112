"""The plan of a piece, as the composer writes it: where it lies, and what may vary.

The studio judges a plan; here it is only found and measured. Which layers may vary, and what a
variation is called, the page knows too; frontend/src/testing/variation-cases.json holds both
to the same.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.json_format import MessageToDict

from musicgen.api.inference.v1 import inference_service_pb2
from musicgen.api.library.v1 import track_pb2
from musicgen.errors import InvalidField, ModelNotFound

COMPOSER = "composer"
"""The engine whose plans these are."""

DECIDED_BY_THE_PLAN = frozenset({"plan", "form", "title"})
"""Layers whose seeds change nothing where a plan is given."""

KEPT_BY_DEFAULT = frozenset({"sound"})
"""Layers that another piece of the same kind keeps, unless they are named."""

_FRAMES_PER_SECOND = 44_100
_MAX_TITLE = 200
_VARIED = re.compile(r" \((?:new |another take)[^()]*\)$")
_PARTS = frozenset({"drums", "bass", "chords", "pad", "arp", "lead"})
_NO_LAYERS_REMEDY = "Update the studio: its composer lists no layers that fit this piece."
_NAMES = {
    "harmony": "harmony",
    "drums": "drums",
    "bass": "bass",
    "chords": "chords",
    "pad": "pad",
    "arp": "arpeggio",
    "lead": "melody",
    "sound": "sounds",
    "room": "room",
    "texture": "background",
}
"""What people call the layers, in the order in which they are told."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, and what the piece was made from besides."""

    plan: Mapping[str, Any]
    prompt: str = ""
    seed: int | None = None
    duration_s: float | None = None
    """The length that was asked for; None if nobody says."""
    stems: bool = False


def plan_of(track: track_pb2.Track) -> Planned:
    """Return the plan of a track of the composer. Raises InvalidField if it has none."""
    recipe: dict[str, Any] = MessageToDict(track.recipe)
    decisions, options = recipe.get("decisions"), recipe.get("options")
    plan = decisions.get("plan") if isinstance(decisions, dict) else None
    if recipe.get("engine") != COMPOSER or not isinstance(plan, dict) or "seed" not in recipe:
        raise InvalidField(
            f"Track {track.track_id} has no plan.",
            remedy="Only tracks that the composer made have one; loops and other engines' don't.",
            fields={"track": "must be a track of the composer"},
        )
    asked_s = recipe.get("duration_seconds")
    return Planned(
        plan,
        prompt=str(recipe.get("prompt", "")),
        seed=int(recipe["seed"]),
        duration_s=float(asked_s) if isinstance(asked_s, int | float) and asked_s > 0 else None,
        stems=isinstance(options, dict) and options.get("stems") is True,
    )


def read_plan(told: Any) -> Planned:
    """Return what a file tells: plan.json as the composer writes it, or a plan alone.
    Raises InvalidField if that is neither."""
    plan = told.get("plan", told) if isinstance(told, dict) else None
    if not isinstance(plan, dict) or "sections" not in plan:
        raise InvalidField(
            "That is no plan.",
            remedy="Give a plan.json of the composer, or the recipe.decisions.plan of a track: "
            "`musicgen tracks show TRACK --json`.",
            fields={"plan": "must be an object with sections"},
        )
    texts = (told.get("prompt"), plan.get("title"), "a plan")
    return Planned(
        plan,
        prompt=next(text for text in texts if isinstance(text, str) and text.strip()),
        seed=_seed(told.get("seed")),
        duration_s=length_s(plan),
    )


def _seed(told: Any) -> int | None:
    """Return the seed that a file tells. Raises InvalidField: another one would be drawn."""
    if told is None:
        return None
    if isinstance(told, bool) or not isinstance(told, int | float) or told != told // 1:
        raise InvalidField(
            "The seed of the plan is no whole number.",
            remedy="Correct it in the file, or leave it out there and give --seed.",
            fields={"seed": "must be a whole number"},
        )
    return int(told)


def length_s(plan: Mapping[str, Any]) -> float | None:
    """Return how long the piece of a plan is: its bars, and what rings out after them.
    None if the plan doesn't say, or says what can't be."""
    try:
        upper, lower = (int(number) for number in str(plan["metre"]).split("/"))
        beats = upper / 3 if lower == 8 and upper % 3 == 0 else upper * 4 / lower
        bars = sum(section["bars"] for section in plan["sections"])
        seconds = bars * beats * 60 / plan["tempo_bpm"]
        seconds += plan["ring_frames"] / _FRAMES_PER_SECOND
    except (ArithmeticError, KeyError, TypeError, ValueError):
        return None
    return round(seconds, 3) if math.isfinite(seconds) and seconds > 0 else None


def layers_of(engines: Iterable[inference_service_pb2.Engine]) -> dict[str, str]:
    """Return the layers that the composer of a studio can make anew under a plan, and what
    each decides. Raises ModelNotFound if the studio has no composer."""
    manifest = next(
        (engine.manifest for engine in engines if engine.manifest.name == COMPOSER), None
    )
    if manifest is None:
        raise ModelNotFound(
            "This studio has no composer.", remedy="`musicgen engines` lists what it has."
        )
    schema: Any = MessageToDict(manifest.options_schema)
    for name in ("properties", "seeds", "properties"):
        schema = schema.get(name) if isinstance(schema, dict) else None
    layers: dict[str, Any] = schema if isinstance(schema, dict) else {}
    order = list(_NAMES)

    def place(name: str) -> tuple[int, str]:
        return (order.index(name) if name in order else len(order)), name

    return {
        name: str(layers[name].get("description", "")) if isinstance(layers[name], dict) else ""
        for name in sorted(layers, key=place)
        if name not in DECIDED_BY_THE_PLAN
    }


def sounding_layers(known: Iterable[str], plan: Mapping[str, Any]) -> list[str]:
    """Return those of the layers that sound in a piece of this plan: a new seed for another
    one would change nothing."""
    parts = plan.get("parts")
    playing = parts if isinstance(parts, Mapping) else {}

    def sounds(layer: str) -> bool:
        if layer == "texture":
            return bool(plan.get("texture"))
        return layer not in _PARTS or layer in playing

    return [layer for layer in known if sounds(layer)]


def chosen_layers(
    known: Mapping[str, str], wanted: Sequence[str], plan: Mapping[str, Any]
) -> list[str]:
    """Return the layers of a piece of this plan to make anew, in the order of `known`: those
    wanted, else all that sound but the sounds themselves. Raises InvalidField for one that
    there isn't, or that doesn't sound in the piece, and if there is nothing to make anew."""
    sounding = sounding_layers(known, plan)
    choice = ", ".join(sounding)
    for layer in wanted:
        if layer in sounding:
            continue
        raise InvalidField(
            f"The piece has no {_NAMES.get(layer, layer)} that could vary."
            if layer in known
            else f"There is no layer {layer!r} that could vary.",
            remedy=f"Choose from {choice}." if choice else _NO_LAYERS_REMEDY,
            fields={"layer": f"must be one of {choice}" if choice else "can't vary here"},
        )
    layers = [
        layer for layer in sounding if (layer in wanted if wanted else layer not in KEPT_BY_DEFAULT)
    ]
    if not layers:
        raise InvalidField(
            "Nothing of the piece could vary.",
            remedy=f"Name a layer: {choice}." if choice else _NO_LAYERS_REMEDY,
            fields={"layer": "must be named" if choice else "can't vary here"},
        )
    return layers


def variation_title(title: str, layers: Collection[str], number: int | None = None) -> str:
    """Return "Rainy Night (new melody 2)"; a variation of one gets no second suffix."""
    names = ", ".join(_NAMES.get(layer, layer) for layer in layers)
    said = f"new {names}" if len(layers) <= 3 else "another take"
    suffix = f" ({said}{'' if number is None else f' {number}'})"
    return _VARIED.sub("", title)[: _MAX_TITLE - len(suffix)].rstrip() + suffix
