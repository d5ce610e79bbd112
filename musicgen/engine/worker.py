"""One engine at work: one generation at a time, in a thread."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import shutil
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

from musicgen.engine.base import (
    CheckedLyrics,
    Engine,
    Generation,
    Manifest,
    Parameters,
    Report,
    Reported,
)
from musicgen.engine.threaded import ThreadedWork
from musicgen.engine.validation import validate, validate_inputs
from musicgen.errors import DiskFull, InvalidField, OutOfMemory, StudioError

FULL_BYTES = 1 << 20
"""A disk with less than this left is full."""


class EngineWorker:
    """Runs an engine for whoever asks, in the order of asking."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._turn = asyncio.Lock()

    @property
    def manifest(self) -> Manifest:
        """What the engine is."""
        return self._engine.manifest

    async def idle(self) -> None:
        """Wait until no generation is running."""
        async with self._turn:
            pass

    async def loaded_models(self) -> Sequence[str]:
        """Return the names of the models in memory, once no generation runs."""
        async with self._turn:
            return tuple(self._engine.loaded_models())

    async def check_lyrics(self, parameters: Parameters) -> CheckedLyrics:
        """Check lyrics, also while a generation runs. Raises the InvalidRequests of
        `validate`, and what the engine raised."""
        validate(parameters, self.manifest)
        return await asyncio.to_thread(self._engine.check_lyrics, parameters)

    async def load(self, model: str) -> Sequence[str]:
        """Load a model; return the names of those in memory then. A cancelled caller waits
        until the engine has noticed. Raises a StudioError, or whatever the engine raised."""

        def work(report: Report) -> None:
            try:
                self._engine.load(model, report)
            except MemoryError as error:
                raise OutOfMemory("The model does not fit into memory.") from error

        async with self._turn:
            thread = ThreadedWork(work)
            async with contextlib.aclosing(thread.run()) as events:
                async for _ in events:
                    pass
            return tuple(self._engine.loaded_models())

    async def generate(
        self, parameters: Parameters, scratch: Path
    ) -> AsyncGenerator[Reported | Generation, None]:
        """Yield what the engine reports, then what was made. Closing the iterator cancels,
        and waits until the engine has noticed. Raises a StudioError, or whatever the engine
        raised.
        """
        validate(parameters, self.manifest)
        validate_inputs(parameters, self.manifest)
        if not (scratch.is_absolute() and await asyncio.to_thread(scratch.is_dir)):
            raise InvalidField(
                "The scratch directory is not there.",
                fields={"scratch_directory": "must be an absolute path of a folder"},
            )

        def work(report: Report) -> Generation:
            try:
                return self._engine.generate(parameters, scratch, report)
            except StudioError:
                raise
            except Exception as error:
                if shortage := _shortage(error, scratch):
                    raise shortage from error
                raise

        async with self._turn:
            thread = ThreadedWork(work)
            async with contextlib.aclosing(thread.run()) as events:
                async for event in events:
                    yield event
            yield thread.result


def _shortage(error: Exception, scratch: Path) -> StudioError | None:
    """Tell running out of something from a defect. Libraries that write files lose the
    error number, so the disk is asked too."""
    if isinstance(error, MemoryError):
        return OutOfMemory("The engine ran out of memory.")
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull("No space is left for the engine's output.")
    try:
        full = shutil.disk_usage(scratch).free < FULL_BYTES
    except OSError:
        return None
    return DiskFull("No space is left for the engine's output.") if full else None
