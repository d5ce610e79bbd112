"""What a plan may say, as JSON Schema: for the page, for clients, and for reading one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from services.inference.engines.composer.form import ENERGY
from services.inference.engines.composer.options import MAX_SEED, TEXTURES
from services.inference.engines.composer.patterns.arp import ARPS
from services.inference.engines.composer.patterns.bass import BASSES
from services.inference.engines.composer.patterns.comping import COMPINGS
from services.inference.engines.composer.patterns.grooves import GROOVES
from services.inference.engines.composer.plan import SAMPLE_RATE_HZ
from services.inference.engines.composer.profiles import PARTS, PROFILES
from services.inference.engines.composer.quantities import MAX_TEMPO_BPM, MIN_TEMPO_BPM
from services.inference.engines.composer.streams import LAYERS
from services.inference.engines.composer.synth.drums import KITS
from services.inference.engines.composer.synth.instruments import NAMES
from services.inference.engines.composer.theory import METRES, PITCH_NAMES, SCALES

STYLES: dict[str, tuple[str, Iterable[str]]] = {
    "groove": ("drums", GROOVES), "bass": ("bass", BASSES), "comping": ("chords", COMPINGS),
    "arp": ("arp", ARPS),
}  # fmt: skip
"""Style → the part that has it, and the patterns it can be."""

TOLD = frozenset({"key", "bars", "duration_s"})
"""Written for the reader, not read back: they follow from the rest."""

_OPTIONAL = frozenset({"accent", "loop", "curve", "words", "seeds"}) | TOLD
_CURVES = ("", "rising", "falling", "arch", "steady")
_MAX_TEXT = 200


def _number(low: float, high: float) -> dict[str, Any]:
    return {"type": "number", "minimum": low, "maximum": high}


def _whole(low: int, high: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": low, "maximum": high}


def _one_of(names: Iterable[str]) -> dict[str, Any]:
    return {"type": "string", "enum": list(names)}


def _object(properties: Mapping[str, Any], optional: Iterable[str] = ()) -> dict[str, Any]:
    needed = [name for name in properties if name not in set(optional)]
    return {
        "type": "object", "properties": dict(properties), "required": needed,
        "additionalProperties": False,
    }  # fmt: skip


_PARTS_LIST: dict[str, Any] = {"type": "array", "items": _one_of(PARTS), "maxItems": len(PARTS)}
_TEXT: dict[str, Any] = {"type": "string", "maxLength": _MAX_TEXT}

SCHEMA: dict[str, Any] = {
    **_object(
        {
            "title": _TEXT,
            "family": _one_of(PROFILES),
            "accent": _one_of(("", *PROFILES)),
            "tempo_bpm": _number(MIN_TEMPO_BPM, MAX_TEMPO_BPM),
            "tonic": _whole(0, len(PITCH_NAMES) - 1),
            "mode": _one_of(SCALES),
            "metre": _one_of(METRES),
            "swing": _number(0, 0.6),
            "energy": _number(0, 1),
            "valence": _number(-1, 1),
            "brightness": _number(-1, 1),
            "parts": {
                **_object(
                    {
                        part: _one_of(sorted(KITS) if part == "drums" else sorted(NAMES))
                        for part in PARTS
                    },
                    PARTS,
                ),
                "minProperties": 1,
            },
            "styles": _object(
                {name: _one_of(sorted(names)) for name, (_, names) in STYLES.items()}, STYLES
            ),
            "texture": _one_of(("", *TEXTURES[:-1])),
            "ring_frames": _whole(-20 * SAMPLE_RATE_HZ, 60 * SAMPLE_RATE_HZ),
            "sections": {
                "type": "array",
                "minItems": 1,
                "maxItems": 400,
                "items": _object(
                    {
                        "kind": _one_of(ENERGY),
                        "bars": _whole(1, 1000),
                        "energy": _number(0, 1),
                        "parts": _PARTS_LIST,
                        "late": _PARTS_LIST,
                        "rest_beats": _number(0, 64),
                        "start_bar": {},
                        "repeat": {},
                    },
                    ("late", "rest_beats", "start_bar", "repeat"),
                ),
            },
            "progressions": _object(
                {
                    kind: _object(
                        {
                            "degrees": {
                                "type": "array",
                                "items": _whole(1, 7),
                                "minItems": 3,
                                "maxItems": 16,
                            },
                            "raised": {"type": "array", "items": {"type": "boolean"}},
                            "tones": _whole(3, 5),
                            "chords": {},
                        },
                        ("chords",),
                    )
                    for kind in ("A", "B", "C")
                }
            ),
            "bars_per_chord": _number(0.25, 8),
            "loop": {"type": "boolean"},
            "curve": _one_of(_CURVES),
            "words": _TEXT,
            "seeds": _object({layer: _whole(0, MAX_SEED) for layer in LAYERS}, LAYERS),
            **{name: {} for name in sorted(TOLD)},
        },
        _OPTIONAL,
    ),
    "title": "Plan",
    "description": (
        "A plan as an earlier piece's recipe has it, edited or not. It wins over the prompt and"
        " the length; tempo_bpm, key, mode, texture and seeds win over it."
    ),
}
"""JSON Schema (draft 2020-12) of a plan. What depends on more than one field, such as a part of
a section that the plan has not, only `plan_from_json` tells."""
