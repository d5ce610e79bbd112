"""What the engines of this family are and can do; imported without what they need to run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from musicgen.engine.base import Manifest

VERSION = "0.2.0"

DRAFT_STEPS = 12
"""On networks with random weights a draft is 5 to 6 % (relative rms of the latents) off 31 steps,
which themselves are 3 % off infinitely many."""

OPTIONS: Mapping[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "model": {
            "type": "string",
            "title": "Model",
            "description": "One of the installed models; empty: the one that fits the length.",
            "maxLength": 64,
            "default": "",
        },
        "draft": {
            "type": "boolean",
            "title": "Draft",
            "description": "12 steps at most: 2.6 times as fast, to hear whether it is worth it.",
            "default": False,
        },
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
        "guidance_until": {
            "type": "number",
            "title": "Guidance until",
            "description": "Which share of the way is guided; steps after it take half as long.",
            "minimum": 0,
            "maximum": 1,
            "default": 1.0,
        },
        "precision": {
            "type": "string",
            "title": "Precision",
            "description": "Half is several times faster where the hardware computes it.",
            "enum": ["auto", "full", "half"],
            "default": "auto",
        },
        "style": {
            "type": "array",
            "title": "Style",
            "description": "512 numbers of unit length that MuQ-MuLan made, instead of a prompt.",
            "items": {"type": "number"},
            "minItems": 512,
            "maxItems": 512,
        },
    },
}

MANIFEST = Manifest(
    name="diffrhythm",
    display_name="DiffRhythm",
    version=VERSION,
    description=(
        "Whole songs with singing from lyrics in English or Chinese and a style, up to 285 "
        "seconds long. Slow without a graphics card: a song of 95 seconds takes from a few "
        "minutes to an hour."
    ),
    license="Apache-2.0",
    sample_rate_hz=44_100,
    channels=2,
    min_duration_s=10.0,
    max_duration_s=285.0,
    default_duration_s=95.0,
    supports_lyrics=True,
    options_schema=OPTIONS,
    supports_style_audio=True,
    supports_edit=True,
    checks_lyrics=True,
)

TINY_MANIFEST = dataclasses.replace(
    MANIFEST,
    name="diffrhythm-tiny",
    display_name="DiffRhythm (tiny)",
    description=(
        "The DiffRhythm engine with a tiny network that nobody trained: it makes noise from "
        "lyrics in seconds, on any processor, and shows that everything works."
    ),
    min_duration_s=4.0,
    max_duration_s=95.0,
    default_duration_s=12.0,
)
