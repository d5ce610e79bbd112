"""Clocks that jump: libfaketime between one program and the time of day.

Only the time of day jumps, as when a machine is set right; the monotonic clock does not.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

_LIBRARY = "libfaketime.so.1"


def find_library() -> Path | None:
    """Return libfaketime, of the package `libfaketime` or of the system (`faketime`)."""
    spec = importlib.util.find_spec("libfaketime")
    if spec is not None and spec.origin:
        bundled = Path(spec.origin).parent / "vendor" / "libfaketime" / "src" / _LIBRARY
        if bundled.is_file():
            return bundled
    return next(Path("/usr/lib").glob(f"*/faketime/{_LIBRARY}"), None)


class Clock:
    """The time of day as the programs that carry `environ` see it."""

    def __init__(self, folder: Path, name: str, library: Path) -> None:
        self._file = folder / f"{name}.clock"
        self._library = library
        self.set(0)

    @property
    def environ(self) -> dict[str, str]:
        """What a program must be started with."""
        return {
            "LD_PRELOAD": str(self._library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, offset_s: int) -> None:
        """Let the clock be wrong by so much from within a second on."""
        temporary = self._file.with_suffix(".new")
        temporary.write_text(f"{offset_s:+d}\n", encoding="ascii")
        temporary.replace(self._file)
