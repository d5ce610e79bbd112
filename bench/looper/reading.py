"""Reads long files with the tools that are installed, and looks whether they agree."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import soundfile

from bench.looper.hearing import wave_lag
from bench.looper.instruments import Floats

_BLOCK = 65_536
_WINDOW_S = 2.0
_REACH_S = 0.1
"""A lag up to this is found."""
_PLACES = (0.02, 0.5, 0.95)
"""Within a cycle."""


_PADDED = {"mp3": 3 * 1152, "opus": 312}
"""Frames of delay and padding that ffprobe and sox count; those of lame and opusenc, too."""


@dataclass(frozen=True, slots=True)
class Check:
    """What a tool says of a file."""

    tool: str
    told: str
    holds: bool


@dataclass(frozen=True, slots=True)
class Drift:
    """How the last whole cycle differs from the second one."""

    lag_frames: int
    """The greatest at three places of the cycle."""
    snr_db: float
    """The least there, once the lag is taken out."""
    frames: int
    """That could be decoded in all."""


def _run(*command: str) -> tuple[int, str, str] | None:
    """Return a tool's status, what it printed and complained; None if it isn't installed."""
    if not shutil.which(command[0]):
        return None
    done = subprocess.run(command, capture_output=True, text=True, check=False, errors="replace")  # noqa: S603 - the bench's own words
    return done.returncode, done.stdout, done.stderr


def checks(path: Path, seconds: float) -> list[Check]:
    """Ask every tool that knows the format for faults and for its length in frames."""
    form = path.suffix[1:]
    rate_hz = 48_000 if form == "opus" else 44_100
    expected = round(seconds * rate_hz)
    found = list(_lengths(path, form, rate_hz, expected))
    if form == "flac" and (tested := _run("flac", "-t", "-s", str(path))):
        found.append(Check("flac -t", tested[2].strip()[-80:] or "no fault", not tested[0]))
    if form == "opus" and (told := _run("opusinfo", str(path))):
        warnings = [line for line in (told[1] + told[2]).splitlines() if "WARN" in line.upper()]
        length = re.search(r"Playback length: (.*)", told[1])
        text = (length.group(1) if length else "no length") + "".join(warnings[:1])
        found.append(Check("opusinfo", text, not told[0] and not warnings))
    if form == "mp3" and shutil.which("mpg123"):
        frames = _counted(["mpg123", "-q", "-s", "-e", "s16", str(path)])
        found.append(_length("mpg123", frames, expected))
    if form == "m4a" and shutil.which("ffmpeg"):
        frames = _counted(_decoder(path))
        found.append(_length("ffmpeg", frames, expected))
    return found


def _length(tool: str, frames: int, expected: int, padded: int = 0) -> Check:
    """Compare a length; a tool may count an encoder's delay and padding, `padded` at most."""
    more = frames - expected
    text = f"{more:+}" + (", with padding" if padded else "") if more else "as asked"
    return Check(tool, f"{frames:,} frames, {text}", 0 <= more <= padded)


def _lengths(path: Path, form: str, rate_hz: int, expected: int) -> Iterator[Check]:
    told = _run("ffprobe", "-v", "error", "-select_streams", "a", "-show_entries",
                "stream=duration_ts,time_base", "-of", "json", str(path))  # fmt: skip
    if told:
        streams = json.loads(told[1] or "{}").get("streams") or [{}]
        ticks, base = streams[0].get("duration_ts", 0), streams[0].get("time_base", "1/1")
        frames = round(Fraction(base) * int(ticks) * rate_hz)
        check = _length("ffprobe", frames, expected, _PADDED.get(form, 0))
        yield Check("ffprobe", check.told + _complaint(told[2]), check.holds and not told[2])
    if form != "m4a":
        try:
            yield _length("libsndfile", soundfile.info(path).frames, expected)
        except soundfile.LibsndfileError as error:
            yield Check("libsndfile", str(error), holds=False)
        told = _run("sox", "--i", "-s", str(path))
        # It knows no Opus where its library is missing; that isn't the file's fault.
        if told and "no handler" not in told[2]:
            yield _length("sox", int(told[1].strip() or 0), expected, _PADDED.get(form, 0))


def _complaint(text: str) -> str:
    return f" ({text.strip().splitlines()[0][:60]})" if text.strip() else ""


def _decoder(path: Path) -> list[str]:
    return ["ffmpeg", "-v", "error", "-nostdin", "-i", str(path), "-f", "s16le", "-ac", "2", "-"]


def _counted(command: list[str]) -> int:
    """Return how many stereo frames of 16 bits a decoder prints."""
    total = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as decoder:  # noqa: S603 - the bench's own words
        assert decoder.stdout  # noqa: S101 - it was asked for
        while block := decoder.stdout.read(2**20):
            total += len(block)
    return total // 4


def _blocks(path: Path) -> Iterator[Floats]:
    """Yield the decoded file [frames, channels], by libsndfile, or by ffmpeg for M4A."""
    if path.suffix != ".m4a":
        with soundfile.SoundFile(path) as file:
            while len(block := file.read(_BLOCK, dtype="float64", always_2d=True)):
                yield block
        return
    with subprocess.Popen(_decoder(path), stdout=subprocess.PIPE) as decoder:  # noqa: S603 - the bench's own words
        assert decoder.stdout  # noqa: S101 - it was asked for
        while block := decoder.stdout.read(4 * _BLOCK):
            yield np.frombuffer(block[: len(block) // 4 * 4], "<i2").reshape(-1, 2) / 32_768


def drift(path: Path, start_s: float, period_s: float, seconds: float) -> Drift | None:
    """Decode a file and compare its last whole cycle with its second.

    None if it holds fewer than four, or can't be decoded to there.
    """
    rate_hz = 48_000 if path.suffix == ".opus" else 44_100
    last = int((seconds - start_s) / period_s) - 1
    if last < 3:
        return None
    size = int(_WINDOW_S * rate_hz)
    wanted = {
        (cycle, place): round((start_s + period_s * (cycle + place)) * rate_hz)
        for cycle in (1, last)
        for place in _PLACES
    }
    windows = {key: np.zeros(size) for key in wanted}
    filled, frame = 0, 0
    for block in _blocks(path):
        for key, first in wanted.items():
            low, high = max(first, frame), min(first + size, frame + len(block))
            if low < high:
                windows[key][low - first : high - first] = block[low - frame : high - frame].mean(1)
                filled += high - low
        frame += len(block)
    if filled < size * len(wanted):
        return None
    lags, ratios = [], []
    for place in _PLACES:
        second, final = windows[1, place], windows[last, place]
        lag = wave_lag(second, final, int(_REACH_S * rate_hz)).frames
        lags.append(lag)
        part = second[size // 4 : -size // 4]
        other = final[size // 4 + lag : size // 4 + lag + len(part)]
        noise = ((part - other) ** 2).sum()
        ratios.append(10 * np.log10((part**2).sum() / max(noise, 1e-12) + 1e-12))
    return Drift(max(lags, key=abs), float(min(ratios)), frame)
