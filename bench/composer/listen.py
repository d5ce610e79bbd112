"""Renders prompts into one HTML page that a person can open and play: `make listen`.

    python -m bench.composer.listen --out listen.html [--duration 30] [--seeds 1,2] [--stems]

A row a prompt, a column a seed, with everything that the bench measures beside each player. A
few prompts are also made as loops, which the browser plays round and round.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import soundfile

from bench.composer import judge, page, seams
from bench.composer.keys import NAMES, key, relative
from bench.composer.measures import Floats, Measures, measure, tempo_bpm
from bench.composer.midifile import read_score
from bench.composer.musicnn import Heard, hear, weights
from bench.composer.packages import Unavailable
from bench.composer.pictures import spectrogram, waveform
from bench.composer.pieces import RATE_HZ, generate, pool, strokes
from musicgen.audio.codecs import AudioWriter, Format
from musicgen.engine.base import Generation, Parameters

PROMPTS = (
    "warm lofi hip hop, 82 bpm, rainy night",
    "deep house, 122 bpm, A minor, late night",
    "driving techno, 132 bpm, dark",
    "ambient drone for sleep, slow, D major",
    "epic cinematic strings, hopeful, building",
    "synthwave night drive, 100 bpm",
    "hard trap, 140 bpm, F minor",
    "boom bap hip hop, 90 bpm, dusty",
    "jazz trio, medium swing, Bb major",
    "bossa nova, gentle guitar",
    "solo piano, calm, 3/4",
    "acoustic folk, morning, happy",
    "rock, energetic, E minor, 130 bpm",
    "drum and bass, 174 bpm",
    "chiptune adventure, fast",
    "meditation, singing bowls, rain",
)
LOOPED = (1, 0, 8, 12)
"""Which of PROMPTS are made as loops, too."""
_LOOP_S = 16.0


@dataclass(frozen=True, slots=True)
class Order:
    """What to make for the page."""

    prompt: str
    seed: int
    duration_s: float
    loop: bool = False
    stems: bool = False
    judged: bool = False


@dataclass(frozen=True, slots=True)
class Take:
    """A piece that was made, measured, and encoded for the page."""

    order: Order
    made: Generation
    facts: Measures
    key_heard: str
    bpm_heard: float
    speed: float
    heard: Heard | None
    seam: seams.Seam | None
    audio: dict[str, bytes]
    """"Mix" and, if wanted, each stem's name → MP3."""
    pictures: dict[str, bytes]

    @property
    def plan(self) -> dict[str, Any]:
        """The composer's plan."""
        return dict(self.made.decisions["plan"])

    @property
    def key_agrees(self) -> bool:
        """Whether the key heard has the plan's notes, or its tonic and third."""
        tonic, mode = self.plan["tonic"], self.plan["mode"]
        below = {"major": 0, "minor": 9, "dorian": 2, "phrygian": 4, "lydian": 5, "mixolydian": 7}
        same_notes = f"{NAMES[(tonic - below[mode]) % 12]} major"
        third = "minor" if mode in ("minor", "dorian", "phrygian") else "major"
        home = f"{NAMES[tonic]} {third}"
        return self.key_heard in (same_notes, relative(same_notes), home, relative(home))


def make(order: Order) -> Take:
    """Render one piece, measure it and encode it."""
    options = {"loop": order.loop, "stems": order.stems}
    wanted = Parameters(order.prompt, "", order.duration_s, order.seed, options)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made, samples, spent_s = generate(wanted, folder)
        score = read_score(folder / "score.mid")
        stems = {file.label: folder / file.name for file in made.files if file.role == "stem"}
        parts = {"Mix": samples} | {label: _read(path) for label, path in stems.items()}
        audio = {label: _mp3(part, folder / "encoded.mp3") for label, part in parts.items()}
    bpm, hits = made.tempo_bpm or 100.0, strokes(score)
    beats, bars = seams.beats_a_bar(score.metre), int(made.decisions["plan"]["bars"])
    seam = None
    if order.loop:
        seam = seams.assess(
            order.prompt, order.seed, samples, bars=bars, beats=beats, bpm=bpm, hits=hits
        )
    return Take(
        order,
        made,
        measure(samples, RATE_HZ, hits),
        key(samples, RATE_HZ)[0],
        tempo_bpm(samples, RATE_HZ, bpm, 3 if score.metre in ("6/8", "9/8", "12/8") else 2),
        len(samples) / RATE_HZ / spent_s,
        hear(samples, RATE_HZ) if order.judged else None,
        seam,
        audio,
        {"Waveform": waveform(samples), "Spectrogram": spectrogram(samples, RATE_HZ)},
    )


def _read(path: Path) -> Floats:
    samples: Floats = soundfile.read(path, dtype="float64")[0]
    return samples


def _mp3(samples: Floats, path: Path) -> bytes:
    with AudioWriter(path, Format.MP3, RATE_HZ, 2) as writer:
        writer.write(samples.astype("float32"))
    return path.read_bytes()


def orders(chosen: argparse.Namespace) -> Iterator[Order]:
    """Yield what to make: each prompt with each seed, then the loops."""
    for prompt in PROMPTS:
        for seed in chosen.seeds:
            yield Order(prompt, seed, chosen.duration, stems=chosen.stems, judged=chosen.judged)
    for number in LOOPED:
        yield Order(PROMPTS[number], chosen.seeds[0], _LOOP_S, loop=True)


def judged(takes: list[Take]) -> tuple[judge.Verdict | None, dict[int, str]]:
    """Judge the takes; return the verdict and, by a take's id, what it sounds like."""
    heard = [take for take in takes if take.heard and take.plan["family"] in judge.FAMILY_OF]
    if not heard:
        return None, {}
    pieces = [
        judge.Judged(take.plan["family"], take.order.prompt, take.heard)
        for take in heard
        if take.heard
    ]
    verdict = judge.judge(pieces)
    return verdict, {id(take): name for take, name in zip(heard, verdict.coarse, strict=True)}


def main() -> None:
    """Read the arguments and write the page."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.composer.listen",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, default=Path("listen.html"))
    parser.add_argument("--duration", type=float, default=30.0, help="seconds a piece (30)")
    parser.add_argument("--seeds", type=_numbers, default=[1, 2], help="a column each (1,2)")
    parser.add_argument("--stems", action="store_true", help="also each part alone: a large page")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    chosen = parser.parse_args()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    chosen.judged = True
    try:
        weights()
    except Unavailable as problem:
        print(f"No judge: {problem}", file=sys.stderr)
        chosen.judged = False
    takes = []
    with pool(chosen.jobs) as workers:
        for take in workers.map(make, orders(chosen)):
            order = take.order
            kind = "loop" if order.loop else f"seed {order.seed}"
            print(f"{order.prompt} · {kind}", file=sys.stderr, flush=True)
            takes.append(take)
    verdict, names = judged(takes)
    chosen.out.write_text(page.write(takes, verdict, names), encoding="utf-8")
    print(chosen.out)


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


if __name__ == "__main__":
    main()
