"""The two jobs on files of the user's, and the facts of them as JSON."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import soundfile

from musicgen.artifacts import publish
from musicgen.audio.codecs import AudioReader
from musicgen.errors import Cancelled, NoLoopFound, StudioError
from services.looper import points, recipe
from services.looper.analysis.finder import Wanted
from services.looper.loops import Candidate, Report
from services.looper.rendering import render as rendering
from services.looper.seam.transition import looped
from services.looper.work import Order, Seam, check_space, find_loops, prepare, rising


def answer(file: Path, wanted: Wanted, cycle_file: Path | None, report: Report) -> dict[str, Any]:
    """Return what was found in a file, or why nothing was; the best cycle goes, as it
    repeats, to `cycle_file`. Raises Cancelled."""
    told: dict[str, Any] = {
        "track": click.format_filename(file.stem),
        "file": click.format_filename(file),
        "found": False,
        "top": [],
    }
    try:
        found = find_loops(file, wanted, report)
    except NoLoopFound as error:
        return told | {"why": error.message, "near_miss": dict(error.metadata)}
    except Cancelled:
        raise
    except StudioError as error:
        return told | {
            "error": {"reason": error.reason, "message": error.message, "remedy": error.remedy}
        }
    best = found.candidates[0]
    told |= {
        "found": True,
        "sample_rate_hz": found.properties.sample_rate_hz,
        "top": [
            [one.cycle.start_frame, one.cycle.end_frame, round(one.score, 4)]
            for one in found.candidates
        ],
        "loops": [points.as_json(candidate) for candidate in found.candidates],
    }
    told["seam"] = recipe.seam_facts(found.seams[0].report)
    if cycle_file:
        _write_cycle(file, best, found.seams[0], cycle_file)
        told["cycle"] = str(cycle_file)
    return told


def _write_cycle(file: Path, candidate: Candidate, seam: Seam, out: Path) -> None:
    with (
        AudioReader(file) as reader,
        _writing(out) as path,
        soundfile.SoundFile(
            path,
            "w",
            reader.properties.sample_rate_hz,
            reader.properties.channels,
            "FLOAT",
            format="WAV",
        ) as cycle,
    ):
        for block in looped(reader, candidate.cycle, seam.zone).blocks():
            cycle.write(block)


def render(order: Order, out: Path, report: Report) -> dict[str, Any]:
    """Render to `out`, complete or not at all, and return the facts. Raises StudioError,
    OSError."""
    report = rising(report)
    with AudioReader(order.source) as reader:
        prepared = prepare(order, reader, report)
        out.parent.mkdir(parents=True, exist_ok=True)
        check_space(order, reader, prepared.timeline, out.parent)
        with _writing(out) as path:
            written = rendering.render(
                prepared.timeline, order.format, path, order.tags,
                meter=prepared.meter, report=report,
            )  # fmt: skip
    region = written.rendered.loop
    return {
        "file": str(out),
        "size_bytes": written.size_bytes,
        "sha256": written.sha256,
        "sample_rate_hz": written.sample_rate_hz,
        "length_frames": written.length_frames,
        "method": written.rendered.method,
        "loop_region": [region.start_frame, region.end_frame] if region else None,
        "whole_cycles": prepared.timeline.whole_cycles,
        "loop": points.as_json(prepared.candidate),
        "seam": recipe.seam_facts(prepared.seam.report),
    }


@contextlib.contextmanager
def _writing(out: Path) -> Iterator[Path]:
    """Write beside `out`; what is not finished leaves nothing."""
    temporary = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        yield temporary
        publish(temporary, out)
    finally:
        temporary.unlink(missing_ok=True)
