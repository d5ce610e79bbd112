"""What a finder uses: start-up, pace, memory; and how it answers bad files."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from bench.looper import bad_files
from bench.looper.finders import ROOT
from bench.looper.truth import Truth
from bench.looper.usage import run

BAD_S = 10.0
"""A bad file must be answered within this."""
_TIMEOUT_S = 600.0
_MINUTES = (1.0, 4.0, 10.0)
_RATE_HZ = 44_100

Command = Callable[[Sequence[Path]], list[str]]


@dataclass(frozen=True, slots=True)
class Cost:
    """What a finder uses."""

    start_s: float
    """Of a process that looks at 2 s of sound."""
    pace_s: float
    pace_cpu_s: float
    """A track-minute, wall and CPU; between one minute and ten, so that no start-up counts."""
    peaks: list[tuple[float, float]]
    """Minutes of sound, and the peak memory of a process of its own in MiB."""
    failed: bool
    """The longest wasn't looked at: the figures mean nothing."""


@dataclass(frozen=True, slots=True)
class BadFile:
    """How a bad file was answered."""

    name: str
    status: int
    wall_s: float
    fault: str
    """Why that isn't a clean answer, or ""."""


def measure(command: Command, source: Path) -> Cost:
    """Measure a finder on stretches of a track, the longest made by repeating it."""
    samples, rate_hz = soundfile.read(source, dtype="float32", always_2d=True)
    with tempfile.TemporaryDirectory() as name:
        short = Path(name, "short.wav")
        soundfile.write(short, samples[: 2 * rate_hz], rate_hz)
        run(command([short]), _TIMEOUT_S, ROOT)  # so that the disk's cache holds the program
        start = run(command([short]), _TIMEOUT_S, ROOT)[2]
        used = []
        for minutes in _MINUTES:
            frames = int(minutes * 60 * rate_hz)
            path = Path(name, f"{minutes:g}.wav")
            longer = np.tile(samples, (frames // len(samples) + 1, 1))[:frames]
            soundfile.write(path, longer, rate_hz)
            used.append(run(command([path]), _TIMEOUT_S, ROOT)[2])
    minutes = _MINUTES[-1] - _MINUTES[0]
    return Cost(
        start.wall_s,
        (used[-1].wall_s - used[0].wall_s) / minutes,
        (used[-1].cpu_s - used[0].cpu_s) / minutes,
        [(length, one.peak_mib) for length, one in zip(_MINUTES, used, strict=True)],
        failed=bool(used[-1].status),
    )


def answers_to_bad_files(command: Command) -> list[BadFile]:
    """Give a finder each bad file alone."""
    found = []
    with tempfile.TemporaryDirectory() as name:
        for path in bad_files.write(Path(name)):
            out, complaints, usage = run(command([path]), BAD_S, ROOT)
            fault = _fault(out, complaints, usage.status, timed_out=usage.timed_out)
            found.append(BadFile(path.stem, usage.status, usage.wall_s, fault))
    return found


def _fault(out: str, complaints: str, status: int, *, timed_out: bool) -> str:
    """Say why an answer isn't clean: it says "no loop", or in a line what is wrong."""
    if timed_out:
        return "too slow"
    if status < 0:
        return f"killed by signal {-status}"
    if "Traceback" in complaints:
        return "traceback"
    try:
        answers = json.loads(out)
    except ValueError:
        return "" if status and complaints.strip() else "no answer"
    return "" if isinstance(answers, list) and len(answers) == 1 else "no answer"


def longest(tracks: Sequence[Truth]) -> Truth:
    """Return the longest track, by which cost is measured."""
    return max(tracks, key=lambda one: one.frames / one.sample_rate_hz)
