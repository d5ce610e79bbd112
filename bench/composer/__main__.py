"""Renders every family with random tempo, key and seed, and prints what came out.

    python -m bench.composer [--families lofi,house] [--each 6] [--json]

Asked for: bpm within 1 % as detected, the length to the frame, the key or its relative,
-14 LUFS ± 0.3, true peak ≤ -1 dBTP. Speed is seconds of audio per CPU-second, in one
process, with the imports already done.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import soundfile

from bench.composer.measures import NAMES, key, measure, relative, tempo_bpm
from musicgen.engine.base import MIX_FILE, Parameters
from services.inference.engines.composer.engine import Composer
from services.inference.engines.composer.profiles import PROFILES

RATE_HZ = 44_100


def one(family: str, chance: random.Random) -> dict[str, Any]:
    """Render one piece of a family and measure it."""
    profile = PROFILES[family]
    low, high = profile.tempo_bpm
    bpm, tonic = chance.randint(int(low), int(high)), chance.choice(NAMES)
    mode = chance.choice(("major", "minor"))
    seconds = chance.choice((30.0, 45.5, 60.0, 90.0))
    prompt = f"{profile.label}, {bpm} bpm, {tonic} {mode}"
    with tempfile.TemporaryDirectory() as folder:
        cpu_s = time.process_time()
        made = Composer().generate(
            Parameters(prompt, "", seconds, chance.getrandbits(32), {"genre": family}),
            Path(folder),
            lambda _: None,
        )
        cpu_s = time.process_time() - cpu_s
        samples, _ = soundfile.read(Path(folder) / MIX_FILE, dtype="float64")
    asked, found = f"{tonic} {mode}", key(samples, RATE_HZ)[0]
    facts = measure(samples, RATE_HZ)
    return {
        "family": family,
        "bpm_exact": made.tempo_bpm == bpm,
        "bpm_heard": abs(tempo_bpm(samples, RATE_HZ, bpm) / bpm - 1) <= 0.01,
        "length": len(samples) == round(seconds * RATE_HZ),
        "key": found in (asked, relative(asked)),
        "loudness_lufs": facts.loudness_lufs,
        "true_peak_dbtp": facts.true_peak_dbtp,
        "clipped": facts.clipped,
        "side_mid_db": facts.side_mid_db,
        "side_mid_low_db": facts.side_mid_low_db,
        "rolloff_hz": facts.rolloff_hz,
        "speed": seconds / cpu_s,
    }


def row(family: str, pieces: list[dict[str, Any]]) -> str:
    """Describe a family's pieces in a line."""

    def share(name: str) -> str:
        return f"{sum(piece[name] for piece in pieces)}/{len(pieces)}"

    def middle(name: str) -> float:
        return float(statistics.median(piece[name] for piece in pieces))

    loudness = [piece["loudness_lufs"] for piece in pieces]
    return (
        f"{family:12} {share('bpm_heard'):>6} {share('length'):>6} {share('key'):>6} "
        f"{min(loudness):7.2f}…{max(loudness):6.2f} "
        f"{max(piece['true_peak_dbtp'] for piece in pieces):6.2f} "
        f"{sum(piece['clipped'] for piece in pieces):4} {middle('side_mid_db'):6.1f} "
        f"{max(piece['side_mid_low_db'] for piece in pieces):6.1f} "
        f"{middle('rolloff_hz') / 1000:6.1f} {middle('speed'):6.1f}"
    )


def main() -> None:
    """Read the arguments, render, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--families", default=",".join(PROFILES))
    parser.add_argument("--each", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    pieces: list[dict[str, Any]] = []
    if not arguments.json:
        print(
            "family          bpm length    key  LUFS min…max   dBTP clip  S/M dB  <120 Hz "
            "roll kHz  speed"
        )
    for family in arguments.families.split(","):
        # Each family has its own chance, so that leaving one out changes no other.
        chance = random.Random(f"{arguments.seed} {family}")  # noqa: S311 - a bench's draw
        group = [one(family, chance) for _ in range(arguments.each)]
        pieces += group
        if not arguments.json:
            print(row(family, group), flush=True)
    print(json.dumps(pieces) if arguments.json else row("all", pieces))


if __name__ == "__main__":
    main()
