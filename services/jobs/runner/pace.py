"""When a worker writes to the store: progress at most so often, a beat at least so often."""

from __future__ import annotations

from musicgen.api.progress.v1 import progress_pb2

PROGRESS_INTERVAL_S = 0.25
"""With appendfsync every write waits for the disk: four a second is enough to see."""


class Pace:
    """Holds back progress that comes too fast; the newest replaces the one held."""

    def __init__(self, beat_s: float, now_s: float) -> None:
        self._beat_s = beat_s
        self._written_s = now_s
        self._progress_s = float("-inf")
        self._held: progress_pb2.Progress | None = None

    def hold(self, progress: progress_pb2.Progress) -> None:
        """Keep `progress` until it may be written."""
        self._held = progress

    def wait_s(self, now_s: float) -> float:
        """Return how long until something must be written."""
        beat = self._written_s + self._beat_s - now_s
        progress = self._progress_s + PROGRESS_INTERVAL_S - now_s if self._held else beat
        return max(0.0, min(beat, progress))

    def take(self, now_s: float) -> bytes:
        """Return the progress to write now, b"" for a bare beat."""
        self._written_s = now_s
        if self._held is None:
            return b""
        self._progress_s, held = now_s, self._held
        self._held = None
        return held.SerializeToString()
