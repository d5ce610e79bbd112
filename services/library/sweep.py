"""Keeps the data root from growing for ever: what no track needs goes after a while."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path


class Sweeper:
    """Removes old files of workers (exports that were downloaded or not, output of claims
    that never committed) and old finished uploads. Tracks are not touched."""

    def __init__(self, root: Path, keep_s: float) -> None:
        self._folders = (root / "artifacts", root / "uploads")
        self._keep_s = keep_s

    def sweep(self, now_s: float | None = None) -> int:
        """Remove files last written more than `keep_s` ago; returns how many."""
        before_s = (time.time() if now_s is None else now_s) - self._keep_s
        removed = 0
        for folder in self._folders:
            # Children come before their parents, so that emptied folders go too.
            for path in sorted(folder.rglob("*"), reverse=True):
                with contextlib.suppress(OSError):  # in use again, or gone already
                    if path.lstat().st_mtime >= before_s:
                        continue
                    if path.is_dir() and not path.is_symlink():
                        path.rmdir()
                    else:
                        path.unlink()
                        removed += 1
        return removed
