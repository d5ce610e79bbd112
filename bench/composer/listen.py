"""Renders prompts into one HTML page that a person can open and play: `make listen`.

python -m bench.composer.listen --out listen.html [--duration 30] [--seeds 1,2]
"""

from __future__ import annotations

import argparse
import base64
import html
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import soundfile

from bench.composer.measures import key, measure
from bench.composer.pictures import spectrogram, waveform
from musicgen.audio.codecs import AudioWriter, Format
from musicgen.engine.base import MIX_FILE, Parameters
from services.inference.engines.composer.engine import Composer

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
STYLE = """
body{font:16px/1.5 system-ui,sans-serif;background:#0b0d14;color:#e8e6df;margin:2rem auto;
max-width:760px;padding:0 1rem}h2{margin:2.5rem 0 .2rem;font-size:1.1rem}img{width:100%;
display:block;margin-top:.4rem;border-radius:4px}audio{width:100%;margin-top:.4rem}
p{margin:.2rem 0;color:#a8a599;font-size:.9rem}
"""


def pieces(prompts: tuple[str, ...], seeds: list[int], duration_s: float) -> Iterator[str]:
    """Yield a section of HTML for each prompt and seed."""
    for prompt in prompts:
        for seed in seeds:
            print(f"{prompt} · seed {seed}", file=sys.stderr, flush=True)
            yield section(prompt, seed, duration_s)


def section(prompt: str, seed: int, duration_s: float) -> str:
    """Render one piece and describe it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cpu_s = time.process_time()
        made = Composer().generate(
            Parameters(prompt, "", duration_s, seed, {}), folder, lambda _: None
        )
        cpu_s = time.process_time() - cpu_s
        samples, rate_hz = soundfile.read(folder / MIX_FILE, dtype="float64")
        with AudioWriter(folder / "mix.mp3", Format.MP3, rate_hz, 2) as writer:
            writer.write(samples.astype("float32"))
        audio = _data("audio/mpeg", (folder / "mix.mp3").read_bytes())
    facts = measure(samples, rate_hz)
    words = (
        f"{made.genre} · {made.tempo_bpm:g} bpm · {made.musical_key} (heard as "
        f"{key(samples, rate_hz)[0]}) · seed {seed}<br>{facts.loudness_lufs:.2f} LUFS · "
        f"{facts.true_peak_dbtp:.2f} dBTP · side/mid {facts.side_mid_db:.1f} dB, "
        f"{facts.side_mid_low_db:.1f} dB under 120 Hz · 99 % below "
        f"{facts.rolloff_hz / 1000:.1f} kHz · {duration_s / cpu_s:.0f} × real time"
    )
    pictures = "".join(
        f'<img alt="{kind} of {html.escape(prompt)}" src="{_data("image/png", picture)}">'
        for kind, picture in (
            ("waveform", waveform(samples)),
            ("spectrogram", spectrogram(samples, rate_hz)),
        )
    )
    return (
        f"<section><h2>{html.escape(made.title)}</h2><p>“{html.escape(prompt)}”</p><p>{words}</p>"
        f'<audio controls preload="none" src="{audio}"></audio>{pictures}</section>'
    )


def _data(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def main() -> None:
    """Read the arguments and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("listen.html"))
    parser.add_argument("--duration", type=float, default=30.0)
    parser.add_argument("--seeds", default="1")
    arguments = parser.parse_args()
    seeds = [int(seed) for seed in arguments.seeds.split(",")]
    with arguments.out.open("w", encoding="utf-8") as page:
        page.write(
            '<!doctype html><html lang="en"><meta charset="utf-8"><title>The composer</title>'
            '<meta name="viewport" content="width=device-width">'
            f"<style>{STYLE}</style><h1>The composer</h1>"
        )
        page.writelines(pieces(PROMPTS, seeds, arguments.duration))
        page.write("</html>\n")
    print(arguments.out)


if __name__ == "__main__":
    main()
