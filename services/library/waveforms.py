"""Peaks on demand: made once, by one thread, however many ask."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from musicgen.errors import StudioError, TrackNotFound
from musicgen.rpc import log
from services.library import files, peaks
from services.library.library import Library
from services.library.shelf import PEAKS


class Waveforms:
    """Finds or makes the peaks of tracks."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._stop = files.Stop()
        # One at a time: a ten-hour track keeps a core busy for half a minute.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="peaks")
        self._making: dict[str, asyncio.Task[Path]] = {}

    async def path(self, track_id: str) -> Path:
        """Return the path of a track's peaks.json, made if it is missing.

        Raises TrackNotFound, InvalidAudio, DiskFull, and Cancelled at shutdown.
        """
        if (path := await asyncio.to_thread(self._existing, track_id)) is not None:
            return path
        return await asyncio.shield(self._task(track_id))

    def begin(self, track_id: str) -> None:
        """Make the peaks of a track in the background; a failure is only logged."""
        self._task(track_id).add_done_callback(_log_failure)

    async def close(self) -> None:
        """Stop what is being made."""
        self._stop.set()
        await asyncio.gather(*self._making.values(), return_exceptions=True)
        self._thread.shutdown()

    def _task(self, track_id: str) -> asyncio.Task[Path]:
        task = self._making.get(track_id)
        if task is None:
            task = asyncio.create_task(self._make(track_id))
            self._making[track_id] = task
            task.add_done_callback(lambda _: self._making.pop(track_id, None))
        return task

    async def _make(self, track_id: str) -> Path:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._compute, track_id)

    def _existing(self, track_id: str) -> Path | None:
        path = self._library.shelf.folder(track_id) / PEAKS
        return path if files.is_contained(path, self._library.shelf.root) else None

    def _compute(self, track_id: str) -> Path:
        self._stop.check()
        if path := self._existing(track_id):
            return path
        _, audio = self._library.audio(track_id)
        computed = peaks.compute(audio, self._stop.check)
        path = audio.with_name(PEAKS)
        try:
            with files.full_disk_is_disk_full():
                files.write_text(path, computed.to_json())
        except FileNotFoundError as error:
            raise TrackNotFound(f"Track {track_id} was deleted meanwhile.") from error
        return path


def _log_failure(task: asyncio.Task[Path]) -> None:
    if task.cancelled():
        return
    error = task.exception()
    if isinstance(error, StudioError):
        log.get().info("no peaks", why=str(error))
    elif error:
        log.get().error("defect", exc_info=error)
