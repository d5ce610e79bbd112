"""Makes whole songs with a model of the true size: `python -m bench.diffrhythm.song`.

The model is published with synthetic weights (3 GB in build/bench), imported, loaded, and asked
for songs as a host asks an engine, from the words to the mix. On a card all of it is measured; on a
processor, where a song takes up to an hour, a few steps tell memory and time, and `--steps 31`
makes it whole. The floor is what the FLOPs of the steps that were made would take at this device's
own rate of matrix products.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import time
from pathlib import Path

import torch

from bench.diffrhythm.__main__ import product_rate
from musicgen.engine import devices
from musicgen.engine.base import Parameters
from musicgen.progress import Progress
from services.inference.engines.diffrhythm import engine as diffrhythm
from services.inference.engines.diffrhythm.checkpoints import frames_of
from services.inference.engines.diffrhythm.config import VARIANTS, VaeConfig
from services.inference.engines.diffrhythm.publication import publish
from services.inference.engines.diffrhythm.rungs import ladder
from services.inference.models.catalogue import load_catalogue
from services.inference.models.manager import ModelManager

FOLDER = Path("build/bench/diffrhythm")
LYRICS = "Hello from the other side of town\nthe rain is falling and the lights are on\n" * 6


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--variant", choices=["v1.2-base", "v1.2-full"], default="v1.2-base")
    parser.add_argument("--seconds", type=float, default=95.0)
    parser.add_argument("--steps", type=int, default=0, help="31 on a card, else 2")
    parser.add_argument("--precision", choices=["auto", "full", "half"], default="auto")
    parser.add_argument("--repeats", type=int, default=0, help="3 on a card, else 1")
    parser.add_argument("--memory", type=float, help="as if so many GB were there: another rung")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    device = devices.selected()
    on_card = device.kind != "cpu"
    steps, repeats = asked.steps or (31 if on_card else 2), asked.repeats or (3 if on_card else 1)
    if not on_card:
        print("No GPU: figures are of this processor.", flush=True)
    if asked.memory:
        there_bytes = int(asked.memory * 1e9)
        setattr(diffrhythm, "available_bytes", lambda _: there_bytes)  # noqa: B010  # for mypy
    models = _installed(asked.variant)
    engine = _Engine()
    started_s = time.perf_counter()
    engine.load(models, lambda _: None)
    figures: dict[str, object] = {
        "device": device.name,
        "steps": steps,
        "loading, s": round(time.perf_counter() - started_s, 1),
    }
    options = {"steps": steps, "precision": asked.precision, "model": models}
    parameters = Parameters("warm indie rock", LYRICS, asked.seconds, 7, options)
    for number in range(repeats):
        figures[f"song {number + 1}, s"] = _song(engine, parameters, figures)
    frames = frames_of(asked.seconds)
    flop = 2 * steps * (2.2123e9 * frames + 131_072 * frames**2) + 5.042e9 * frames
    compute = ladder(device, asked.precision)[0].precision.compute
    rate = product_rate(compute, torch.device(device.torch_name))
    figures["floor, s"] = round(flop / rate, 2)
    figures["peak memory of the process, GB"] = round(
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2
    )
    if device.kind in ("cuda", "rocm"):
        figures["peak memory of the card, GB"] = round(torch.cuda.max_memory_allocated() / 1e9, 2)
    for key, value in figures.items():
        print(f"{key:32} {value}")
    if asked.json:
        print(json.dumps(figures, indent=2))


class _Engine(diffrhythm.DiffRhythmTiny):
    """The tiny engine's catalogue, with all of the processor's cores."""

    def threads(self) -> int:
        return super(diffrhythm.DiffRhythmTiny, self).threads()


def _song(
    engine: diffrhythm.DiffRhythmTiny, asked: Parameters, figures: dict[str, object]
) -> float:
    stages: dict[str, float] = {}
    last = ("reading", time.perf_counter())

    def report(event: object) -> None:
        nonlocal last
        if isinstance(event, Progress) and event.stage != last[0]:
            now = time.perf_counter()
            stages[last[0]] = stages.get(last[0], 0.0) + now - last[1]
            last = (event.stage, now)

    started_s = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        figures["rung"] = engine.generate(asked, Path(scratch), report).rung
    ended_s = time.perf_counter()
    stages[last[0]] = stages.get(last[0], 0.0) + ended_s - last[1]
    figures["of that"] = ", ".join(f"{name} {spent_s:.2f}" for name, spent_s in stages.items())
    return round(ended_s - started_s, 2)


def _installed(variant: str) -> str:
    """Publish and import the model unless that was done before; return its name."""
    hub, data = FOLDER / variant / "hub", (FOLDER / variant / "data").resolve()
    name = "diffrhythm-tiny-published"
    catalogue = hub / "models.json"
    if not catalogue.exists():
        print("Writing a model of the true size (a minute or two)…", flush=True)
        publish(hub, VARIANTS[variant], VaeConfig(), variant=variant)
    os.environ["MUSICGEN_DATA_ROOT"] = str(data)
    os.environ["MUSICGEN_MODELS_FILE"] = str(catalogue.resolve())
    manager = ModelManager(data / "models", load_catalogue(catalogue))
    manager.install(name, lambda _: None, accept_licence=True, folder=hub.resolve())
    return name


if __name__ == "__main__":
    main()
