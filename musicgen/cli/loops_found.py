"""Cycles that were found, as people and scripts read them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from musicgen.api.looper.v1 import loop_pb2
from musicgen.cli.output import print_table


def loops_to_json(analysis: loop_pb2.LoopAnalysis) -> list[dict[str, Any]]:
    """Describe the candidates of an analysis, best first; README.md lists the keys."""
    rate = analysis.sample_rate_hz or 1
    return [
        _candidate(rank, found, rate) for rank, found in enumerate(analysis.candidates, start=1)
    ]


def _candidate(rank: int, found: loop_pb2.LoopCandidate, rate: int) -> dict[str, Any]:
    start, end = found.points.start_frame, found.points.end_frame
    return {
        "rank": rank,
        "start_frame": start,
        "end_frame": end,
        "length_frames": end - start,
        "start_s": start / rate,
        "end_s": end / rate,
        "length_s": (end - start) / rate,
        "period_frames": found.period_frames,
        "kind": type(found).Kind.Name(found.kind).removeprefix("KIND_").lower(),
        "score": found.score,
        "likeness_before": found.likeness_before,
        "likeness_after": found.likeness_after,
        "waveform_correlation": found.waveform_correlation,
        "loudness_step_db": found.loudness_step_db,
        "timing_spread_ms": found.timing_spread_ms,
        "click_risk": found.click_risk,
        "tempo_bpm": found.tempo_bpm if found.HasField("tempo_bpm") else None,
        "beats": found.beats or None,
        "bars": found.bars or None,
        "partial": found.partial,
        "seam_path": f"/v1/{found.seam.key}" if found.HasField("seam") else None,
    }


def print_loops(loops: Sequence[dict[str, Any]]) -> None:
    """Print candidates: a table that fits into 80 columns with the notes below it, or lines
    of tab-separated values."""
    rows = [_cells(loop) for loop in loops]
    if not sys.stdout.isatty():
        print_table((), rows, stretch=0, empty="")
        return
    headings = ("#", "TIME", "FRAMES", "LENGTH", "BARS", "SCORE", "TIMING", "CLICK")
    narrow = [(rank, f"{start}–{end}", *rest) for rank, start, end, *rest, _ in rows]
    print_table(headings, narrow, stretch=len(headings) - 1, empty="Nothing is found.")
    for rank, *_, note in rows:
        if note:
            print(f"{rank}  {note}")


def _cells(loop: dict[str, Any]) -> tuple[str, ...]:
    return (
        str(loop["rank"]),
        exact_clock(loop["start_s"]),
        exact_clock(loop["end_s"]),
        f"{loop['start_frame']}:{loop['end_frame']}",
        f"{loop['length_s']:.2f} s",
        bars_of(loop),
        f"{loop['score']:.2f}",
        f"{loop['timing_spread_ms']:.1f} ms",
        f"{loop['click_risk']:.1f}",
        note_of(loop),
    )


def bars_of(loop: dict[str, Any]) -> str:
    """Return the length in bars, else in beats, else nothing."""
    for count, unit in ((loop["bars"], "bar"), (loop["beats"], "beat")):
        if count:
            return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
    return ""


def note_of(loop: dict[str, Any]) -> str:
    """Return what one should know before choosing it."""
    notes = {
        "own": "the track's own",
        "whole_file": "the whole file",
        "tail": "rings into its start (--fold-tail)",
    }
    parts = [notes.get(loop["kind"], ""), "skips music" if loop["partial"] else ""]
    return ", ".join(part for part in parts if part)


def points_options(loop: dict[str, Any]) -> str:
    """Return the options of `musicgen loop` that choose it."""
    points = f"--points {loop['start_frame']}:{loop['end_frame']}"
    return f"{points} --fold-tail" if loop["kind"] == "tail" else points


def exact_clock(seconds: float) -> str:
    """Return a place in audio to the millisecond, as 1:02.345."""
    minutes, rest_ms = divmod(round(seconds * 1000), 60_000)
    return f"{minutes}:{rest_ms // 1000:02}.{rest_ms % 1000:03}"
