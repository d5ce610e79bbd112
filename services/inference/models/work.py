"""One piece of model work in a process of its own: `python -m services.inference.models.work`.

A request as one line of JSON on standard input; on standard output lines of JSON, each with
"progress", then one with "done" or "error". Whoever waits ends it by killing it, which is safe
at any moment; it ends with its parent too.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from musicgen.errors import Internal, StudioError
from musicgen.progress import Progress
from services.inference.models.catalogue import load_catalogue
from services.inference.models.manager import ModelManager

INTERVAL_S = 0.1
"""Progress of the same stage that comes faster is not told."""
_STDIN = 0


class _Teller:
    """Writes lines; progress not too often."""

    def __init__(self) -> None:
        self._told_s = float("-inf")
        self._at = ("", "", 0)

    def progress(self, progress: Progress) -> None:
        """Tell how far the work has come."""
        at, now_s = (progress.stage, progress.detail, progress.step), time.monotonic()
        if at == self._at and now_s - self._told_s < INTERVAL_S:
            return
        self._at, self._told_s = at, now_s
        self.line({"progress": dataclasses.asdict(progress)})

    @staticmethod
    def line(said: dict[str, Any]) -> None:
        """Tell anything."""
        print(json.dumps(said), flush=True)


def run(request: dict[str, Any], teller: _Teller) -> None:
    """Do what is asked. Raises a StudioError."""
    models_file = Path(request["models_file"]) if request["models_file"] else None
    manager = ModelManager(Path(request["root"]), load_catalogue(models_file))
    match request["action"]:
        case "install":
            manager.install(
                request["model"],
                teller.progress,
                accept_licence=request["accept_licence"],
                folder=Path(request["folder"]) if request["folder"] else None,
            )
        case "verify":
            manager.verify(request["model"], teller.progress)
        case action:
            raise ValueError(f"{action!r} is no work on models")


def _end_with_parent() -> None:
    def watch() -> None:
        with contextlib.suppress(OSError):
            while os.read(_STDIN, 4096):
                pass
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def main() -> None:
    """Run as a program."""
    request, teller = json.loads(_first_line()), _Teller()
    _end_with_parent()
    try:
        run(request, teller)
    except StudioError as error:
        teller.line({"error": _described(error)})
    except OSError as error:
        fault = Internal(f"The models' folder can't be used: {error.strerror or error}.")
        teller.line({"error": _described(fault)})
    else:
        teller.line({"done": True})
    # Not by returning: the thread above still reads.
    sys.stdout.flush()
    os._exit(0)


def _first_line() -> bytes:
    """Read byte by byte: what follows belongs to the watcher."""
    line = bytearray()
    while not line.endswith(b"\n") and (byte := os.read(_STDIN, 1)):
        line += byte
    return bytes(line)


def _described(error: StudioError) -> dict[str, Any]:
    return {
        "reason": error.reason,
        "message": error.message,
        "remedy": error.remedy,
        "metadata": error.metadata,
        "fields": error.fields,
    }


if __name__ == "__main__":
    main()
