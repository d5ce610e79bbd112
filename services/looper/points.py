"""Loop points for other programs: JSON, CSV, Audacity's labels, a cue sheet."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Sequence
from typing import Any

from services.looper.loops import Candidate

CUE_FRAMES_A_SECOND = 75
CSV_COLUMNS = (
    *("rank", "start_frame", "end_frame", "start_s", "end_s", "length_s"),
    *("beats", "bars", "score", "kind"),
)


def as_json(candidate: Candidate) -> dict[str, Any]:
    """Return a candidate as plain JSON, by the contract's names."""
    facts = dataclasses.asdict(candidate)
    del facts["cycle"]
    return {
        "start_frame": candidate.cycle.start_frame,
        "end_frame": candidate.cycle.end_frame,
        **facts,
        "kind": candidate.kind.value,
    }


def files(
    title: str, candidates: Sequence[Candidate], sample_rate_hz: int, duration_frames: int
) -> dict[str, str]:
    """Return the text of each file by its extension: json, csv, txt (Audacity) and cue."""
    return {
        "json": _json(title, candidates, sample_rate_hz, duration_frames),
        "csv": _csv(candidates, sample_rate_hz),
        "txt": _labels(candidates, sample_rate_hz),
        "cue": _cue(title, candidates[0], sample_rate_hz),
    }


def _json(
    title: str, candidates: Sequence[Candidate], sample_rate_hz: int, duration_frames: int
) -> str:
    facts = {
        "title": title,
        "sample_rate_hz": sample_rate_hz,
        "duration_frames": duration_frames,
        "loops": [as_json(candidate) for candidate in candidates],
    }
    return json.dumps(facts, indent=2, ensure_ascii=False) + "\n"


def _csv(candidates: Sequence[Candidate], sample_rate_hz: int) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(CSV_COLUMNS)
    for rank, candidate in enumerate(candidates, 1):
        cycle = candidate.cycle
        times = (cycle.start_frame, cycle.end_frame, cycle.period_frames)
        writer.writerow(
            [
                rank,
                cycle.start_frame,
                cycle.end_frame,
                *(f"{frame / sample_rate_hz:.6f}" for frame in times),
                candidate.beats,
                candidate.bars,
                f"{candidate.score:.4f}",
                candidate.kind.value,
            ]
        )
    return text.getvalue()


def _labels(candidates: Sequence[Candidate], sample_rate_hz: int) -> str:
    return "".join(
        f"{candidate.cycle.start_frame / sample_rate_hz:.6f}"
        f"\t{candidate.cycle.end_frame / sample_rate_hz:.6f}\tloop {rank}\n"
        for rank, candidate in enumerate(candidates, 1)
    )


def _cue(title: str, candidate: Candidate, sample_rate_hz: int) -> str:
    """A track begins at the start of the piece, of the loop, and of what follows it."""
    name = "".join(letter for letter in title if letter.isprintable()).replace('"', "'")
    cycle = candidate.cycle
    parts = [("Intro", 0)] if cycle.start_frame else []
    parts += [("Loop", cycle.start_frame), ("After the loop", cycle.end_frame)]
    lines = [f'TITLE "{name}"', f'FILE "{name}" WAVE']
    for number, (part, frame) in enumerate(parts, 1):
        lines += [f"  TRACK {number:02d} AUDIO", f'    TITLE "{part}"']
        lines.append(f"    INDEX 01 {_cue_time(frame / sample_rate_hz)}")
    return "\n".join(lines) + "\n"


def _cue_time(seconds: float) -> str:
    total = round(seconds * CUE_FRAMES_A_SECOND)
    minutes, rest = divmod(total, 60 * CUE_FRAMES_A_SECOND)
    return f"{minutes:02d}:{rest // CUE_FRAMES_A_SECOND:02d}:{rest % CUE_FRAMES_A_SECOND:02d}"
