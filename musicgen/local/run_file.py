"""One studio per data root, and where others find it."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from types import TracebackType
from typing import IO

from musicgen.home import RUN_FILE, Running

_LOCK_FILE = "run.lock"


class RunLock:
    """The right to run the studio of a data root. The kernel gives it back when the
    process ends, however it ends."""

    def __init__(self, root: Path, file: IO[str]) -> None:
        self._root = root
        self._file = file

    @classmethod
    def take(cls, root: Path) -> RunLock | None:
        """Return the lock, or None if another launcher holds it."""
        file = (root / _LOCK_FILE).open("a", encoding="ascii")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return None
        (root / RUN_FILE).unlink(missing_ok=True)  # of one that was killed
        return cls(root, file)

    def announce(self, port: int) -> Running:
        """Say where the studio is; to be called once it works."""
        running = Running(
            url=f"http://127.0.0.1:{port}", address=f"127.0.0.1:{port}", pid=os.getpid()
        )
        said = {"url": running.url, "address": running.address, "pid": running.pid}
        temporary = self._root / f".{RUN_FILE}.part"
        temporary.write_text(json.dumps(said), encoding="utf-8")
        temporary.replace(self._root / RUN_FILE)
        return running

    def __enter__(self) -> RunLock:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take back what was announced, and release the lock."""
        (self._root / RUN_FILE).unlink(missing_ok=True)
        self._file.close()
