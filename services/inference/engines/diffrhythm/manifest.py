"""What the engines of this family are and can do; imported without what they need to run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from musicgen.engine.base import Manifest

VERSION = "0.1.0"

OPTIONS: Mapping[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "steps": {
            "type": "integer",
            "title": "Steps",
            "description": "How often the noise is refined. More is slower, and closer.",
            "minimum": 1,
            "maximum": 200,
            "default": 31,
        },
        "guidance": {
            "type": "number",
            "title": "Guidance",
            "description": "How closely words and style are followed; 0 is twice as fast.",
            "minimum": 0,
            "maximum": 10,
            "default": 4.0,
        },
        "solver": {
            "type": "string",
            "title": "Solver",
            "description": "Midpoint takes two looks a step, and needs fewer steps.",
            "enum": ["euler", "midpoint"],
            "default": "euler",
        },
        "sway": {
            "type": "number",
            "title": "Sway",
            "description": "Below 0, more of the steps are taken early: for few steps.",
            "minimum": -1,
            "maximum": 1,
            "default": 0.0,
        },
    },
}

TINY_MANIFEST = Manifest(
    name="diffrhythm-tiny",
    display_name="DiffRhythm (tiny)",
    version=VERSION,
    description=(
        "The DiffRhythm engine with a tiny network that nobody trained: it makes noise from "
        "lyrics in seconds, on any processor, and shows that everything works."
    ),
    license="Apache-2.0",
    sample_rate_hz=44_100,
    channels=2,
    min_duration_s=4.0,
    max_duration_s=95.0,
    default_duration_s=12.0,
    supports_lyrics=True,
    options_schema=OPTIONS,
)
