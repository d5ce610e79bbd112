"""Measures DiffRhythm at its true size: `python -m bench.diffrhythm`.

Weights are random, which costs the same as trained ones. Each evaluation of the network stands
between two measurements of this machine's matrix products, of the shape that it mostly has;
the share is what the FLOPs would take at that rate against what they took. The autoencoder is
decoded in turn by ours and as it is written down. A song at the true size is 62 evaluations
and its decoding: that is computed here; `python -m bench.diffrhythm.song` makes songs.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import time
from collections.abc import Callable

import torch
from torch import nn

from bench.diffrhythm import plain
from musicgen.engine.hardware import look_at_processor
from services.inference.engines.diffrhythm.config import (
    LATENT_DIM,
    STYLE_DIM,
    SYMBOLS,
    VARIANTS,
    VaeConfig,
)
from services.inference.engines.diffrhythm.dit import Conditions, DiT
from services.inference.engines.diffrhythm.precision import FULL, Precision
from services.inference.engines.diffrhythm.vae.oobleck import Decoder
from services.inference.engines.diffrhythm.vae.streaming import decode_stream

FRAMES = 2_048
EVALUATIONS = 62
"""Of a song: 31 steps, each with and without conditions."""

PUBLISHED_FLOP = 2.2123e9 * FRAMES + 131_072 * FRAMES**2
"""Of one evaluation that computes everything anew, text and all: 5.08 TFLOP."""

DECODED_FRAMES = 160


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    figures: dict[str, object] = {}
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.type == "cpu":
        print("No GPU: figures are of this processor.", flush=True)
    for name, (precision, stored) in ways(device).items():
        for key, value in network(device, precision, stored, asked.repeats).items():
            figures[f"{name}: {key}"] = value
            print(f"{name:14} {key:34} {value}", flush=True)
    for key, value in autoencoder(asked.repeats).items():
        figures[f"autoencoder: {key}"] = value
        print(f"vae            {key:34} {value}", flush=True)
    figures["peak memory, GB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"peak memory {figures['peak memory, GB']:.2f} GB")
    if asked.json:
        print(json.dumps(figures, indent=2))


def ways(device: torch.device) -> dict[str, tuple[Precision, torch.dtype]]:
    """Return numbers to compute in that this device computes fast, and to store weights in: on
    the upper rungs of the ladder the same, below in half precision."""
    found = {"fp32": (FULL, torch.float32), "fp32 of fp16": (FULL, torch.float16)}
    if device.type == "cuda" or look_at_processor().half == "bf16":
        half = torch.float16 if device.type == "cuda" else torch.bfloat16
        found["half"] = (Precision(half, torch.float32), half)
    return found


def network(
    device: torch.device, precision: Precision, stored: torch.dtype, repeats: int
) -> dict[str, object]:
    """Return what an evaluation takes."""
    config = VARIANTS["v1.2-base"]
    with torch.device("meta"):
        dit = DiT(config)
    dit = dit.to_empty(device=device).requires_grad_(False)
    for parameter in dit.transformer_blocks.parameters():
        parameter.data = parameter.data.to(stored)
    for name, parameter in dit.named_parameters():
        parameter.data.fill_(1) if "norm" in name else parameter.data.normal_(0, 0.02)
    dit.use(precision)
    asked = Conditions(
        torch.randint(0, SYMBOLS, (1, FRAMES), device=device),
        torch.randn(1, STYLE_DIM, device=device),
        torch.zeros(1, FRAMES, LATENT_DIM, device=device),
        torch.zeros(1, device=device),
        torch.tensor([1 / 3], device=device),
    )
    x, now = torch.randn(1, FRAMES, LATENT_DIM, device=device), torch.tensor([0.5], device=device)
    branch_s = taken(lambda: dit.branch(asked), device)
    branch = dit.branch(asked)
    walls, shares, rates = [], [], []
    for _ in range(repeats):
        before = product_rate(precision.compute, device)
        wall_s = taken(lambda: dit(x, now, branch), device)
        rate = statistics.mean([before, product_rate(precision.compute, device)])
        walls.append(wall_s)
        rates.append(rate)
        shares.append(PUBLISHED_FLOP / rate / wall_s)
    evaluation_s = statistics.median(walls)
    return {
        "one evaluation, s": round(evaluation_s, 2),
        "matrix products, TFLOP/s": round(statistics.median(rates) / 1e12, 3),
        "share of that rate (goal 0.9)": round(statistics.median(shares), 3),
        "conditions, once a branch, s": round(branch_s, 2),
        "a song's evaluations, min (computed)": round(EVALUATIONS * evaluation_s / 60, 1),
    }


def autoencoder(repeats: int) -> dict[str, object]:
    """Return what decoding takes, beside the plain way."""
    decoder = Decoder(VaeConfig()).requires_grad_(False)
    for parameter in decoder.parameters():
        if parameter.dim() == 3:
            parameter.data.normal_(0, 0.7 / parameter[0].numel() ** 0.5)
    latents = torch.randn(1, LATENT_DIM, DECODED_FRAMES)
    device = torch.device("cpu")
    ratios, ours_s = [], []
    for _ in range(repeats):
        plain_s = taken(lambda: plain.decode(decoder, latents), device)
        own_s = taken(lambda: list(decode_stream(decoder, latents)), device)
        ratios.append(plain_s / own_s)
        ours_s.append(own_s)
    audio = torch.cat(list(decode_stream(decoder, latents)), dim=1)
    written = plain.decode(decoder, latents)[0]
    return {
        "a latent, ms": round(1_000 * statistics.median(ours_s) / DECODED_FRAMES, 1),
        "times as fast as plain (goal 1.6)": round(statistics.median(ratios), 2),
        "off by, of the peak": f"{float((audio - written).abs().max() / written.abs().max()):.1e}",
        "a song, min (computed)": round(
            statistics.median(ours_s) / DECODED_FRAMES * FRAMES / 60, 1
        ),
    }


def product_rate(dtype: torch.dtype, device: torch.device) -> float:
    """Return FLOP/s of a product of the shape that most of the network's have."""
    x = torch.randn(FRAMES, 2_048, device=device).to(dtype)
    weight = torch.randn(8_192, 2_048, device=device).to(dtype)
    best_s = min(taken(lambda: nn.functional.linear(x, weight), device) for _ in range(5))
    return 2 * FRAMES * 2_048 * 8_192 / best_s


def taken(work: Callable[[], object], device: torch.device) -> float:
    """Return the seconds that something takes."""
    started_s = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started_s


if __name__ == "__main__":
    main()
