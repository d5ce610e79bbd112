"""Writing test signals to files, and running the parts that report progress."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from musicgen.artifacts import ArtifactStore
from musicgen.audio.codecs import AudioReader, AudioWriter, Format
from musicgen.progress import Progress, ProgressMeter, Stage
from services.looper.analysis.features import Features, extract
from services.looper.analysis.finder import Wanted
from services.looper.loops import Candidate, Cycle
from services.looper.rendering.planning import Shape
from services.looper.work import Found, Order, find_loops
from tests.unit.looper.signals import Signal


def write(path: Path, signal: Signal, rate_hz: int = 44_100, format: Format = Format.WAV) -> Path:
    """Write a signal and return the path."""
    with AudioWriter(path, format, rate_hz, signal.shape[1]) as writer:
        writer.write(signal)
    return path


def read(path: Path) -> Signal:
    """Read a whole file."""
    with AudioReader(path) as reader:
        return reader.read(reader.properties.duration_frames)


def ignore(progress: Progress) -> None:
    """Be a Report that nobody looks at."""


def found(path: Path, wanted: Wanted | None = None) -> Found:
    """Return what the finder finds."""
    return find_loops(path, wanted or Wanted(), ignore)


def best_loop(path: Path) -> Candidate:
    """Return the finder's first choice."""
    return found(path, Wanted(limit=1)).candidates[0]


def described(path: Path) -> Features:
    """Return the features of a file."""
    with AudioReader(path) as reader:
        stage = Stage("analysing", max(1, int(reader.properties.duration_s)), 1.0)
        return extract(reader, ProgressMeter([stage]), ignore)


def order(
    source: Path,
    cycle: Cycle | None,
    *,
    length_s: float | None = None,
    cycles: int | None = None,
    format: Format = Format.WAV,
    **more: Any,
) -> Order:
    """Order a render of given points, or of the best cycle: two cycles, unless told."""
    if length_s is None and cycles is None:
        cycles = 2
    shape = {name: more.pop(name) for name in ("skip_intro", "ending", "fade_s") if name in more}
    return Order(
        source=source,
        cycle=cycle,
        points_from="request" if cycle else "found",
        points_field="spec.points",
        shape=Shape(length_s, cycles, **shape),
        crossfade_ms=more.pop("crossfade_ms", None),
        format=format,
        **more,
    )


def empty_store(folder: Path) -> ArtifactStore:
    """Make a store in a folder for tests."""
    (folder / "store").mkdir()
    return ArtifactStore(folder / "store")
