"""What is said about a rendered loop: its title, and how to make it again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy
import soundfile

import musicgen
from services.looper.loops import Candidate, SeamReport
from services.looper.render import END_FADE_S, Plan

UNTITLED = "Untitled"
MAX_TITLE_CHARACTERS = 200
GENERATIONS = 8
"""Loops of loops of loops whose recipes are kept inside each other; messages can't be
nested without end."""

_LOOP_SUFFIX = re.compile(r"(?: \(loop [^()]*\))+$")


def title(source_title: str, length_s: float) -> str:
    """Return "<source> (loop 1 h)"; a loop of a loop gets no second suffix."""
    suffix = f" (loop {human_length(length_s)})"
    base = _LOOP_SUFFIX.sub("", source_title.strip()) or UNTITLED
    return base[: MAX_TITLE_CHARACTERS - len(suffix)].rstrip() + suffix


def human_length(length_s: float) -> str:
    """Return a length as people say it: "1 h 30 min", "90 s" as "1 min 30 s"."""
    minutes, seconds = divmod(round(length_s, 3), 60)
    hours, minutes = divmod(int(minutes), 60)
    parts = [
        f"{value:g} {unit}"
        for value, unit in ((hours, "h"), (minutes, "min"), (round(seconds, 3), "s"))
        if value
    ]
    return " ".join(parts)


def recipe(
    *,
    source: Mapping[str, Any],
    points_from: str,
    candidate: Candidate,
    seam: SeamReport,
    plan: Plan,
    length_s: float,
    crossfade_asked_ms: float,
) -> dict[str, Any]:
    """Return plain JSON that makes the same loop again from the same source.

    `source` describes what was looped, its own recipe within (of the last GENERATIONS,
    where loops were made of loops); `points_from` is "request", "source" or "found".
    """
    return {
        "kind": "loop",
        "source": _with_recent(source, GENERATIONS),
        "points": {
            "start_frame": candidate.cycle.start_frame,
            "end_frame": candidate.cycle.end_frame,
            "from": points_from,
        },
        "measured": {
            "score": candidate.score,
            "spectral_similarity": candidate.spectral_similarity,
            "waveform_correlation": candidate.waveform_correlation,
            "loudness_step_db": candidate.loudness_step_db,
        },
        "seam": {
            "crossfade_ms": seam.crossfade_ms,
            "crossfade_frames": plan.zone.frames,
            "crossfade_at": "start" if plan.zone.at_start else "end",
            "discontinuity_ratio": seam.discontinuity_ratio,
            "loudness_step_db": seam.loudness_step_db,
            "clean": seam.clean,
        },
        "length_seconds": length_s,
        "length_frames": plan.length_frames,
        "crossfade_ms": crossfade_asked_ms,
        "end_fade_ms": END_FADE_S * 1000,
        "format": plan.format.extension,
        "versions": {
            "musicgen": musicgen.__version__,
            "numpy": np.__version__,
            "scipy": scipy.__version__,
            "libsndfile": soundfile.__libsndfile_version__,
        },
    }


def _with_recent(source: Mapping[str, Any], generations: int) -> dict[str, Any]:
    """Return a source whose recipes end after so many generations."""
    made = source.get("recipe")
    if not isinstance(made, Mapping) or not isinstance(made.get("source"), Mapping):
        return dict(source)
    if not generations:
        return {**source, "recipe": {"left_out": "too many loops of loops"}}
    older = _with_recent(made["source"], generations - 1)
    return {**source, "recipe": {**made, "source": older}}
