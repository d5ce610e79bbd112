"""The parts' logs: bounded in size and number."""

from __future__ import annotations

import shutil
from pathlib import Path

KEPT = 3
MAX_BYTES = 16 * 1024 * 1024
_TAIL_BYTES = 16 * 1024


def rotate(log: Path) -> None:
    """Begin a new log: `jobs.log` becomes `jobs.1.log` and so on, the oldest goes."""
    if not log.exists() or log.stat().st_size == 0:
        return
    _make_room(log)
    log.replace(_numbered(log, 1))


def bound(log: Path, max_bytes: int = MAX_BYTES) -> None:
    """Do the same to a log that is being written, once it is too large. Its writer
    appends, so that emptying the file under it is safe."""
    if not log.exists() or log.stat().st_size <= max_bytes:
        return
    _make_room(log)
    shutil.copyfile(log, _numbered(log, 1))
    with log.open("r+b") as file:
        file.truncate()


def tail(log: Path, lines: int = 12) -> list[str]:
    """Return the last lines of a log; none if there is no log."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            text = file.read().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return []
    return text.splitlines()[-lines:]


def _make_room(log: Path) -> None:
    for number in range(KEPT, 1, -1):
        older = _numbered(log, number - 1)
        if older.exists():
            older.replace(_numbered(log, number))


def _numbered(log: Path, number: int) -> Path:
    return log.with_suffix(f".{number}{log.suffix}")
