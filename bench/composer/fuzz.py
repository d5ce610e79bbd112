"""Odd prompts by the thousand: each is read, planned and written; some are played too.

    python -m bench.composer.fuzz [--prompts 10000] [--played 100] [--seed 1]

The prompts are those of the tests, from another seed: known words, numbers, signs, scripts, code.
Of those that are played the audio must be finite, as long as asked for, and not silent.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

from musicgen.engine.base import MIX_FILE, Parameters
from services.inference.engines.composer.compose import compose
from services.inference.engines.composer.engine import Composer
from services.inference.engines.composer.options import read_options
from services.inference.engines.composer.plan import SAMPLE_RATE_HZ, make_plan
from services.inference.engines.composer.prompt import understand
from services.inference.engines.composer.streams import Streams
from tests.unit.composer.test_fuzz import prompts

_SECONDS = 5.0


def written(prompt: str, number: int) -> float:
    """Read, plan and write a prompt; return the seconds it took. Raises what goes wrong."""
    begun_s = time.perf_counter()
    streams = Streams(number, prompt)
    options = read_options({"loop": number % 3 == 0})
    plan = make_plan(prompt, understand(prompt), options, 20.0, streams)
    score = compose(plan, streams)
    if not score.note_count():
        raise ValueError(f"no note was written for {prompt!r}")
    return time.perf_counter() - begun_s


def played(prompt: str, number: int) -> None:
    """Play a prompt. Raises ValueError where the audio is none."""
    with tempfile.TemporaryDirectory() as folder:
        wanted = Parameters(prompt if prompt.strip() else "x", "", _SECONDS, number, {})
        Composer().generate(wanted, Path(folder), lambda _: None)
        samples, _ = soundfile.read(Path(folder) / MIX_FILE)
    level = float(np.sqrt(np.mean(samples**2)))
    if len(samples) != round(_SECONDS * SAMPLE_RATE_HZ) or not 0.01 < level < 0.5:
        raise ValueError(f"{len(samples)} frames at {level:.4f} for {prompt!r}")


def main() -> None:
    """Read the arguments and try."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompts", type=int, default=10_000)
    parser.add_argument("--played", type=int, default=100)
    parser.add_argument("--seed", type=int, default=7)
    chosen = parser.parse_args()
    odd = prompts(chosen.prompts, chosen.seed)
    slowest_s = max(written(prompt, number) for number, prompt in enumerate(odd))
    print(f"{len(odd)} odd prompts written, none failed; the slowest took {slowest_s:.2f} s")
    for number, prompt in enumerate(odd[: chosen.played]):
        played(prompt, number)
    print(f"{min(chosen.played, len(odd))} of them played, none silent, cut or broken")


if __name__ == "__main__":
    main()
