"""Writing test signals to files, and running the parts that report progress."""

from __future__ import annotations

from pathlib import Path

from musicgen.audio.codecs import AudioReader, AudioWriter, Format
from musicgen.progress import Progress
from services.looper.loops import Candidate
from services.looper.work import find_loops
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


def best_loop(path: Path) -> Candidate:
    """Return the finder's first choice."""
    return find_loops(path, 5, ignore)[0]
