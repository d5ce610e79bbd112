"""Asks loop finders for their points: ours, and PyMusicLooper in an environment of its own."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import soundfile

from bench.composer import packages
from bench.composer.packages import FOLDER, Unavailable
from bench.looper.answers import Answer
from bench.looper.usage import Usage, run

ROOT = Path(__file__).resolve().parents[2]
RIVAL = "pymusiclooper", "3.6.0"
_NEEDS = ("librosa==0.11.0", "numba==0.68.1", "numpy==2.4.6", "scipy==1.17.1",
          "soundfile==0.14.0", "soxr==1.1.0")  # fmt: skip
"""Pinned, too, as they decide how fast and how right it is."""
_TIMEOUT_S = 3600.0

# Runs in the rival's environment, once for all files: libraries are loaded and compiled once.
_RIVAL_PROGRAM = """
import json, sys, time, warnings
warnings.simplefilter("ignore")
from pymusiclooper.core import MusicLooper
told = []
for path in json.load(open(sys.argv[1])):
    started_s, clock_s = time.process_time(), time.monotonic()
    try:
        pairs = MusicLooper(path).find_loop_pairs()
        top = [[int(p.loop_start), int(p.loop_end), float(p.score)] for p in pairs[:10]]
        error = ""
    except Exception as problem:
        top, error = [], "" if type(problem).__name__ == "LoopNotFoundError" else repr(problem)
    told.append({"track": path, "found": bool(top), "top": top, "error": error,
                 "cpu_s": time.process_time() - started_s, "wall_s": time.monotonic() - clock_s})
    json.dump(told, open(sys.argv[2], "w"))
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    """What a finder said of files, and what it used for all of them."""

    answers: list[Answer]
    usage: Usage | None = None
    told: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    """As the finder said it."""


def whole_files(files: Sequence[Path]) -> Asked:
    """Answer as somebody who repeats the whole file."""
    return Asked([
        Answer(file.stem, found=True, top=((0.0, float(soundfile.info(file).frames)),))
        for file in files
    ])  # fmt: skip


def find_command(files: Sequence[Path], cycles: Path | None = None) -> list[str]:
    """Return how our finder is called."""
    command = [sys.executable, "-m", "services.looper", "find", *map(str, files), "--json"]
    return command + (["--cycles-dir", str(cycles)] if cycles else [])


def ours(files: Sequence[Path], cycles: Path | None = None) -> Asked:
    """Ask our finder, in one process. Where that fails, each file is asked alone."""
    out, complaints, usage = run(find_command(files, cycles), _TIMEOUT_S, cwd=ROOT)
    try:
        told = json.loads(out)
        return Asked([Answer.read(one) for one in told], usage, told)
    except ValueError:
        if len(files) == 1:
            lines = complaints.strip().splitlines() or [f"status {usage.status}, no answer"]
            return Asked([Answer(files[0].stem, error=lines[-1])], usage)
    alone = [ours([file], cycles) for file in files]
    return Asked(
        [answer for one in alone for answer in one.answers], None,
        [told for one in alone for told in one.told],
    )  # fmt: skip


def rival_python() -> Path:
    """Return the Python of the rival's environment, made if need be. Raises Unavailable."""
    name, version = RIVAL
    home = (FOLDER / "looper" / f"{name}-{version}").resolve()
    python, done = home / "bin" / "python", home / "installed"
    if not done.exists():
        trouble = f"{name} can't be installed"
        packages.run([sys.executable, "-m", "venv", "--clear", str(home)], trouble)
        pip = [str(python), "-m", "pip", "install", "--quiet"]
        packages.run([*pip, f"{name}=={version}", *_NEEDS], trouble)
        done.touch()
    return python


def rival(files: Sequence[Path], scratch: Path) -> Asked:
    """Ask PyMusicLooper through its Python interface. Raises Unavailable."""
    python = rival_python()
    asked, told = scratch / "asked.json", scratch / "told.json"
    asked.write_text(json.dumps([str(file.resolve()) for file in files]), encoding="utf-8")
    command = [str(python), "-c", _RIVAL_PROGRAM, str(asked), str(told)]
    _, complaints, usage = run(command, _TIMEOUT_S, cwd=scratch)
    if not told.exists():
        lines = complaints.strip().splitlines() or ["no reason given"]
        raise Unavailable(f"PyMusicLooper failed: {lines[-1]}")
    answers = json.loads(told.read_bytes())
    return Asked([Answer.read(one) for one in answers], usage, answers)


def rival_command(file: Path) -> list[str]:
    """Return how PyMusicLooper's own command prints its points. Raises Unavailable."""
    command = str(rival_python().parent / RIVAL[0])
    return [command, "export-points", "--path", str(file), "--export-to", "stdout",
            "--alt-export-top", "10"]  # fmt: skip


def crossfaded(answers: Sequence[Answer]) -> list[Answer]:
    """Return the same points with a crossfade laid over the join."""
    return [dataclasses.replace(one, crossfaded=True, cycle=None) for one in answers]
