"""The file that says an environment is complete, and what it was made for."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from musicgen.artifacts import publish

FILE = "studio-environment.json"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Marker:
    """What an environment was made for, and what is in it. Written last, so that only what
    passed its smoke run has one."""

    family: str
    lock_sha256: str
    python: str
    platform: str
    build: str
    packages: Mapping[str, str]
    size_bytes: int
    format: int = FORMAT


def write(folder: Path, marker: Marker) -> None:
    """Write the marker of an environment, durably. Raises OSError."""
    temporary = folder / f".{FILE}.{os.getpid()}"
    temporary.write_text(json.dumps(asdict(marker), indent=1) + "\n", encoding="utf-8")
    publish(temporary, folder / FILE)


def read(folder: Path) -> Marker | None:
    """Return the marker of an environment, or None if it has none that can be read."""
    try:
        values = json.loads((folder / FILE).read_text(encoding="utf-8"))
        marker = Marker(**values)
    except (OSError, ValueError, TypeError):
        return None
    texts = (marker.family, marker.lock_sha256, marker.python, marker.platform, marker.build)
    fits = all(isinstance(text, str) for text in texts) and isinstance(marker.packages, dict)
    fits = fits and isinstance(marker.size_bytes, int)
    return marker if fits and marker.format == FORMAT else None


def remove(folder: Path) -> None:
    """Take the marker away: the environment doesn't count as ready any more."""
    (folder / FILE).unlink(missing_ok=True)
