"""The fake engine under two names, so that long pieces and short ones have hosts apart.

python -m musicgen.engine.host tests.chaos.engine:Quick --socket PATH
"""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

from musicgen.testing.fake_engine import MANIFEST, FakeEngine

QUEUES = ("generate.quick", "generate.slow")


class Quick(FakeEngine):
    """For short pieces, and for poison, which takes the process with it."""

    manifest = dataclasses.replace(MANIFEST, name="quick", display_name="Quick")


class Slow(FakeEngine):
    """For pieces that take seconds."""

    manifest = dataclasses.replace(MANIFEST, name="slow", display_name="Slow")


def write_registry(path: Path) -> Path:
    """Write the file that registers them with inference, and return its path."""
    engines = [_entry(Quick), _entry(Slow)]
    path.write_text(json.dumps({"engines": engines}), encoding="utf-8")
    return path


def _entry(engine: type[FakeEngine]) -> dict[str, Any]:
    reference = f"{engine.__module__}:{engine.__name__}"
    return {
        "command": [sys.executable, "-m", "musicgen.engine.host", reference],
        "manifest": dataclasses.asdict(engine.manifest),
    }
