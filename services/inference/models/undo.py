"""A full disk leaves everything as it was."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

from musicgen.errors import DiskFull
from services.inference.models.cache import FULL_ERRNOS, Repository


class Undo:
    """Takes back what an install added, if it ends with a full disk: nothing else on this
    machine can work then. After anything else what was fetched stays, to go on from."""

    def __init__(self, repositories: Sequence[Repository]) -> None:
        self._repositories = repositories
        self._before: dict[Path, int | None] = {}

    def __enter__(self) -> Undo:
        return self

    def remember(self, path: Path) -> None:
        """Keep how large a file is now, or that it is not there."""
        there = path.is_symlink() or path.exists()
        self._before.setdefault(path, path.lstat().st_size if there else None)

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        full = isinstance(error, DiskFull) or (
            isinstance(error, OSError) and error.errno in FULL_ERRNOS
        )
        if not full:
            return
        for path, size_bytes in self._before.items():
            with contextlib.suppress(OSError):
                if size_bytes is None:
                    path.unlink(missing_ok=True)
                elif path.suffix == ".part":
                    os.truncate(path, size_bytes)
        for repository in self._repositories:
            repository.remove_empty_folders()
