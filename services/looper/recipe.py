"""What is said about a rendered loop: its title, and how to make it again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy
import soundfile

import musicgen
from services.looper.loops import SeamReport
from services.looper.work import Order, Rendered

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
    *, source: Mapping[str, Any], order: Order, rendered: Rendered, shape: Mapping[str, Any]
) -> dict[str, Any]:
    """Return plain JSON that makes the same loop again from the same source.

    `source` describes what was looped, its own recipe within (of the last GENERATIONS,
    where loops were made of loops); `shape` is what was asked for, by the contract's names.
    """
    candidate, seam, timeline = rendered.candidate, rendered.seam, rendered.timeline
    return {
        "kind": "loop",
        "source": _with_recent(source, GENERATIONS),
        "points": {
            "start_frame": candidate.cycle.start_frame,
            "end_frame": candidate.cycle.end_frame,
            "from": order.points_from,
        },
        "measured": {
            "score": candidate.score,
            "likeness_before": candidate.likeness_before,
            "likeness_after": candidate.likeness_after,
            "waveform_correlation": candidate.waveform_correlation,
            "loudness_step_db": candidate.loudness_step_db,
            "timing_spread_ms": candidate.timing_spread_ms,
            "click_risk": candidate.click_risk,
            "period_frames": candidate.period_frames,
        },
        "seam": {
            **seam_facts(seam.report),
            "crossfade_frames": seam.zone.frames,
            "crossfade_at": "start" if seam.zone.at_start else "end",
        },
        "asked": dict(shape),
        "length_seconds": timeline.length_frames / timeline.sample_rate_hz,
        "length_frames": timeline.length_frames,
        "intro_frames": timeline.head.frames,
        "whole_cycles": timeline.whole_cycles,
        "fade_frames": timeline.fade_frames,
        "outro_frames": timeline.ending_frames if timeline.outro else 0,
        "method": rendered.written.rendered.method,
        "format": order.format.extension,
        "versions": {
            "musicgen": musicgen.__version__,
            "numpy": np.__version__,
            "scipy": scipy.__version__,
            "libsndfile": soundfile.__libsndfile_version__,
        },
    }


def seam_facts(report: SeamReport) -> dict[str, Any]:
    """Return a seam report as plain JSON."""
    return {
        "transition": report.transition.value,
        "crossfade_ms": report.crossfade_ms,
        "discontinuity_ratio": report.discontinuity_ratio,
        "flux_percentile": report.flux_percentile,
        "beat_error_ms": report.beat_error_ms,
        "loudness_step_db": report.loudness_step_db,
        "clean": report.clean,
        "faults": list(report.faults),
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
