"""Keeps the data root from growing for ever: what no track needs goes after a while."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from musicgen.artifacts import PREVIEW_PREFIX

PREVIEWS_KEEP_S = 3600.0
"""Previews may still be in somebody's player when their job has ended."""


class Sweeper:
    """Removes old files of workers (exports that were downloaded or not, previews, output of
    claims that never committed, checkpoints of jobs that made no track) and old finished
    uploads. Tracks are not touched."""

    def __init__(self, root: Path, keep_s: float) -> None:
        self._folders = (root / "artifacts", root / "uploads")
        self._keep_s = keep_s

    def sweep(self, now_s: float | None = None) -> int:
        """Remove files last written more than `keep_s` ago, and the previews of a claim
        when the last of them is PREVIEWS_KEEP_S old, if that is sooner; returns how many."""
        now_s = time.time() if now_s is None else now_s
        removed = 0
        for folder in self._folders:
            # Children come before their parents, so that emptied folders go too.
            for path in sorted(folder.rglob("*"), reverse=True):
                with contextlib.suppress(OSError):  # in use again, or gone already
                    if not self._is_old(path, now_s):
                        continue
                    if path.is_dir() and not path.is_symlink():
                        path.rmdir()
                    else:
                        path.unlink()
                        removed += 1
        return removed

    def _is_old(self, path: Path, now_s: float) -> bool:
        if not path.name.startswith(PREVIEW_PREFIX):
            return path.lstat().st_mtime < now_s - self._keep_s
        # The first is played as long as the piece is being made, which may take hours.
        together = path.parent.glob(f"{PREVIEW_PREFIX}*")
        newest_s = max((each.lstat().st_mtime for each in together), default=0.0)
        return newest_s < now_s - min(PREVIEWS_KEEP_S, self._keep_s)
