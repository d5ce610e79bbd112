"""Where a studio on this machine keeps its data, and where it says how to reach it."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

RUN_FILE = "run.json"
"""In the data root while a studio runs: {"url", "address", "pid"}."""


def data_root(environ: Mapping[str, str]) -> Path:
    """Return the one folder that holds the studio's state: $MUSICGEN_HOME, or the place
    that the platform keeps for an application's data. It may not exist yet."""
    if chosen := environ.get("MUSICGEN_HOME"):
        return Path(chosen).expanduser().absolute()
    home = Path(environ.get("HOME") or Path.home())
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "musicgen"
    return Path(environ.get("XDG_DATA_HOME") or home / ".local" / "share") / "musicgen"


@dataclass(frozen=True, slots=True)
class Running:
    """A studio that said it runs. `address` is "host:port", for gRPC; `url` is the
    same place for HTTP, such as "http://127.0.0.1:8400"; `pid` is its launcher."""

    url: str
    address: str
    pid: int


def read_run_file(root: Path) -> Running | None:
    """Return what the studio of `root` said of itself, or None if it said nothing.
    It may have died since: only a call tells."""
    try:
        said = json.loads((root / RUN_FILE).read_text(encoding="utf-8"))
        return Running(str(said["url"]).rstrip("/"), str(said["address"]), int(said["pid"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
