"""The best offline rivals that the package registries hold, on the same prompts.

Each is installed, pinned, into an environment of its own under build/bench/rivals/, asked in
the way that serves it best, and measured by the same measures and the same judge. A rival that
can't be installed is named with the reason, and left out.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import soundfile
from scipy import signal

from bench.composer.midifile import read_score
from bench.composer.packages import FOLDER, Unavailable, Wheel, fetch, run
from bench.composer.pieces import RATE_HZ, Piece, Wish, assess

_ARK = """
import json, pathlib, sys, time
from ark_audio_agent import compose
for number, wish in enumerate(json.load(open(sys.argv[1]))):
    started_s = time.process_time()
    length = f"{wish['prompt']}, {wish['seconds']:g} seconds long"
    made = compose(wish["prompt"], f"{sys.argv[2]}/{number}", seed=wish["seed"] % 2**31,
                   direction=length, offline=True, make_mp3=False)
    pathlib.Path(sys.argv[2], f"{number}.json").write_text(json.dumps({
        "cpu_s": time.process_time() - started_s, "wav": made.outputs["wav"],
        "midi": made.outputs["midi"]}))
"""
_LATENTSCORE = """
import json, logging, pathlib, sys, time
logging.disable(logging.WARNING)
import latentscore
from latentscore.dx import RenderHooks
for number, wish in enumerate(json.load(open(sys.argv[1]))):
    started_s = time.process_time()
    made = latentscore.render(wish["prompt"], duration=wish["seconds"], hooks=RenderHooks())
    wav = f"{sys.argv[2]}/{number}.wav"
    latentscore.save_wav(wav, made.samples)
    pathlib.Path(sys.argv[2], f"{number}.json").write_text(json.dumps({
        "cpu_s": time.process_time() - started_s, "wav": wav}))
"""


@dataclass(frozen=True, slots=True)
class Rival:
    """One rival: its package, what it needs, and a program that renders wishes."""

    wheel: Wheel
    needs: tuple[str, ...]
    program: str
    """Gets a JSON file of wishes and a folder; writes a JSON of results a wish into it."""
    note: str
    has_seeds: bool = True

    @property
    def name(self) -> str:
        """The package's name."""
        return self.wheel.name


RIVALS = (
    Rival(
        Wheel("ark-audio-agent", "0.1.11", "ark_audio_agent-0.1.11-py3-none-any.whl",
              "93ddc86d71cc304616506e471098877b5bca797474afb25251e12c9e77059ef7", "MIT"),
        ("mido==1.3.3", "numpy==2.4.6", "rich==15.0.0"),
        _ARK,
        "its offline composer; the length is asked for in words, as it has no other way",
    ),
    Rival(
        Wheel("latentscore", "0.1.8", "latentscore-0.1.8-py3-none-any.whl",
              "dd672f345d904c54bed8bc11645e7813995f84d5c7e7cfe4c8c62840d63a6947", "Apache-2.0"),
        ("numpy==2.4.6", "scipy==1.17.1", "soundfile==0.14.0", "pydantic>=2,<3", "rich==15.0.0"),
        _LATENTSCORE,
        "its offline heuristic, as its model comes from a hub; mono, and without a seed",
        has_seeds=False,
    ),
)  # fmt: skip


def install(rival: Rival, folder: Path = FOLDER / "rivals") -> Path:
    """Return the Python of the rival's environment, made if need be. Raises Unavailable."""
    home = (folder / f"{rival.name}-{rival.wheel.version}").resolve()
    python, done = home / "bin" / "python", home / "installed"
    if not done.exists():
        wheel = fetch(rival.wheel)
        trouble = f"{rival.name} can't be installed"
        run([sys.executable, "-m", "venv", "--clear", str(home)], trouble)
        pip = [str(python), "-m", "pip", "install", "--quiet"]
        run([*pip, "--no-deps", str(wheel)], trouble)
        run([*pip, *rival.needs], trouble)
        done.touch()
    return python


def compose(rival: Rival, wishes: Sequence[Wish], folder: Path) -> list[dict[str, object]]:
    """Let a rival render wishes into `folder`, in one process. Raises Unavailable."""
    python = install(rival)
    asked = folder / "wishes.json"
    asked.write_text(json.dumps([asdict(wish) for wish in wishes]), encoding="utf-8")
    run([str(python), "-c", rival.program, str(asked), str(folder)],
        f"{rival.name} failed", cwd=folder, timeout_s=3600)  # fmt: skip
    return [json.loads((folder / f"{n}.json").read_bytes()) for n in range(len(wishes))]


def assess_made(wish: Wish, made: dict[str, object], *, judged: bool) -> Piece:
    """Measure what a rival made, as two channels at the composer's rate."""
    samples, rate_hz = soundfile.read(str(made["wav"]), dtype="float64", always_2d=True)
    if rate_hz != RATE_HZ:
        samples = signal.resample_poly(samples, RATE_HZ, rate_hz, axis=0)
    samples = np.repeat(samples, 2, axis=1) if samples.shape[1] == 1 else samples[:, :2]
    midi = made.get("midi")
    score = read_score(Path(str(midi))) if midi else None
    piece = assess(wish, samples, float(str(made["cpu_s"])), score, judged=judged)
    return replace(piece, metre_told=piece.metre_written)


def chosen(groups: Sequence[Sequence[Wish]]) -> list[Wish]:
    """Choose what the rivals are asked: each family's first two wishes and the first twin."""
    return [wish for group in groups for wish in (*group[:2], *_twin(group))]


def _twin(group: Sequence[Wish]) -> list[Wish]:
    return [wish for wish in group[2:] if wish.prompt == group[0].prompt][:1]


__all__ = ["RIVALS", "Rival", "Unavailable", "assess_made", "chosen", "compose"]
