"""Renders hours of a loop into every format, and measures: `python -m bench.looper.renders`.

Each render is set beside the disk (dd of as many bytes, in the same run), ffmpeg's
`-stream_loop -c copy`, and a re-encode of five minutes, scaled. Then the file is read by every
tool that is installed, and its last cycle is laid beside its second. One file lies on the disk
at a time; 10 h of WAV need 6.4 GB.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import soundfile

from bench.composer.packages import FOLDER
from bench.looper import reading
from bench.looper.composition import STYLES, compose, timed
from bench.looper.finders import ROOT
from bench.looper.instruments import play
from bench.looper.usage import Usage, run

RATE_HZ = 44_100
PERIOD = 3_175_201
"""Frames, 72 s: a prime, which no codec's frame divides."""
START = 5 * RATE_HZ + 17
_BARS = 36
_SCALED_S = 300.0
"""So much is encoded anew, and the time scaled."""
_TIMEOUT_S = 3 * 3600.0
ENCODERS = {
    "wav": ["-c:a", "pcm_s16le", "-rf64", "auto"],
    "flac": ["-c:a", "flac"],
    "mp3": ["-c:a", "libmp3lame", "-b:a", "192k"],
    "opus": ["-c:a", "libopus", "-b:a", "128k"],
    "m4a": ["-c:a", "aac", "-b:a", "192k"],
    "ogg": ["-c:a", "libvorbis", "-q:a", "6"],
}
"""By format, how ffmpeg is told to encode."""


@dataclass(slots=True)
class Render:
    """What was measured of one format."""

    format: str
    seconds: float
    size_bytes: int = 0
    ours: Usage | None = None
    disk: Usage | None = None
    copy: Usage | None = None
    """By ffmpeg, without encoding."""
    encode_wall_s: float | None = None
    """Of all of it; scaled from five minutes."""
    checks: list[reading.Check] = field(default_factory=list)
    drift: reading.Drift | None = None
    fault: str = ""


def source(path: Path) -> None:
    """Write an intro and two cycles of 72 s."""
    chance = np.random.default_rng(72)
    notes, key = compose(chance, _BARS, 4, STYLES["orch"])
    intro, _ = compose(chance, 2, 4, STYLES["orch"].without_lead(), key)
    beat = PERIOD / (_BARS * 4)
    cycle = [note._replace(frame=round(note.frame)) for note in timed(notes, beat, RATE_HZ)]
    twice = cycle + [note._replace(frame=note.frame + PERIOD) for note in cycle]
    body = play(twice, 2 * PERIOD, RATE_HZ)[: 2 * PERIOD]
    body[:PERIOD] = body[PERIOD:]  # the first one has what rings on, too
    head = play(timed(intro, beat, RATE_HZ), START, RATE_HZ)[:START]
    samples = np.concatenate([head, body])
    soundfile.write(path, samples * (0.8 / np.abs(samples).max()), RATE_HZ, subtype="PCM_16")


def measure(form: str, seconds: float, piece: Path, folder: Path) -> Render:
    """Render into one format, and measure."""
    found, out = Render(form, seconds), folder / f"long.{form}"
    points = ["--start", str(START), "--end", str(START + PERIOD), "--length", f"{seconds:g}"]
    command = [sys.executable, "-m", "services.looper", "render", str(piece), *points]
    _, complaints, found.ours = run([*command, "--out", str(out)], _TIMEOUT_S, ROOT)
    if found.ours.status or not out.exists():
        lines = complaints.strip().splitlines() or ["no file"]
        found.fault = lines[-1]
        return found
    found.size_bytes = out.stat().st_size
    found.checks = reading.checks(out, seconds)
    found.drift = reading.drift(out, START / RATE_HZ, PERIOD / RATE_HZ, seconds)
    out.unlink()
    megabytes = -(-found.size_bytes // 2**20)
    zeros = ["dd", "if=/dev/zero", f"of={out}", "bs=1M", f"count={megabytes}", "conv=fsync"]
    found.disk = run(zeros, _TIMEOUT_S)[2]
    out.unlink()
    if shutil.which("ffmpeg"):
        _by_ffmpeg(found, piece, folder)
    return found


def _by_ffmpeg(found: Render, piece: Path, folder: Path) -> None:
    ffmpeg = ["ffmpeg", "-v", "error", "-y", "-nostdin"]
    encoder = ENCODERS[found.format]
    cycle, plain = folder / f"cycle.{found.format}", folder / "cycle.wav"
    long = folder / f"copied.{found.format}"
    samples, _ = soundfile.read(piece, start=START, stop=START + PERIOD)
    soundfile.write(plain, samples, RATE_HZ)
    if cycle != plain:
        run([*ffmpeg, "-i", str(plain), *encoder, str(cycle)], _TIMEOUT_S)
    repeat = [*ffmpeg, "-stream_loop", "-1", "-i"]
    copied = run([*repeat, str(cycle), "-c", "copy", "-t", f"{found.seconds:g}", str(long)],
                 _TIMEOUT_S)[2]  # fmt: skip
    found.copy = None if copied.status else copied
    part_s = min(_SCALED_S, found.seconds)
    encoded = run([*repeat, str(plain), "-t", f"{part_s:g}", *encoder, str(long)], _TIMEOUT_S)[2]
    if not encoded.status:
        found.encode_wall_s = encoded.wall_s * found.seconds / part_s
    for path in (cycle, plain, long):
        path.unlink(missing_ok=True)


HEAD = (
    f"{'':6} {'MB':>6} {'wall s':>7} {'CPU s':>7} {'MiB':>6} {'dd s':>7} {'x dd':>6}"
    f" {'copy s':>7} {'encode s':>9}* {'x faster':>9}  drift of the last cycle"
)


def row(one: Render) -> str:
    """Describe a render in a line."""
    if one.fault or not one.ours or not one.disk:
        return f"{one.format:6} {one.fault}"
    copy = f"{one.copy.wall_s:.1f}" if one.copy else "–"
    encode = f"{one.encode_wall_s:.0f}" if one.encode_wall_s else "–"
    gain = f"{one.encode_wall_s / one.ours.wall_s:.0f}" if one.encode_wall_s else "–"
    drift = ""
    if one.drift:
        drift = f"{one.drift.lag_frames} frames, SNR {one.drift.snr_db:.0f} dB"
    return (
        f"{one.format:6} {one.size_bytes / 1e6:6.0f} {one.ours.wall_s:7.1f} {one.ours.cpu_s:7.1f}"
        f" {one.ours.peak_mib:6.0f} {one.disk.wall_s:7.1f}"
        f" {one.ours.wall_s / one.disk.wall_s:6.2f} {copy:>7} {encode:>9}  {gain:>9}  {drift}"
    )


def main() -> int:
    """Read the arguments, render, print; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hours", type=float, default=10.0)
    parser.add_argument("--formats", type=lambda text: text.split(","), default=list(ENCODERS))
    chosen = parser.parse_args()
    unknown = sorted(set(chosen.formats) - set(ENCODERS))
    if unknown:
        parser.error(f"no such format: {', '.join(unknown)}; there are {', '.join(ENCODERS)}")
    results = FOLDER / "looper"
    results.mkdir(parents=True, exist_ok=True)
    print(f"{chosen.hours:g} h of a loop of {PERIOD:,} frames", HEAD, sep="\n", flush=True)
    found = []
    with tempfile.TemporaryDirectory(dir=results) as name:
        piece = Path(name, "piece.wav")
        source(piece)
        for form in chosen.formats:
            one = measure(form, chosen.hours * 3600, piece, Path(name))
            found.append(one)
            print(row(one), flush=True)
            for check in one.checks:
                print(f"       {'ok   ' if check.holds else 'FAILS'} {check.tool:12} {check.told}")
    print(f"* {_SCALED_S:g} s encoded by ffmpeg, and scaled")
    told = [asdict(one) for one in found]
    (results / "renders.json").write_text(json.dumps(told, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
