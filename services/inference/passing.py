"""Passes on what a host tells, and stores what it hands over while it goes on."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator

from musicgen.engine.base import Checkpoint, Preview, Reported
from musicgen.engine.client import Made
from musicgen.engine.waiting import to_the_end
from musicgen.errors import Cancelled, EngineCrashed, StudioError
from musicgen.progress import Progress
from services.inference.checkpoints import Checkpoints, StoredCheckpoint
from services.inference.previews import Previews, StoredPreview

CHECKPOINT_INTERVAL_S = 1.0
"""Of checkpoints that come faster only the newest is stored: each costs a write to the job
store, too."""

Passed = Progress | StoredPreview | StoredCheckpoint | Made


class Passing:
    """The events of one generation on their way."""

    def __init__(
        self,
        previews: Previews,
        checkpoints: Checkpoints,
        *,
        checkpoint_interval_s: float = CHECKPOINT_INTERVAL_S,
    ) -> None:
        self._previews = previews
        self._checkpoints = checkpoints
        self._checkpoint_interval_s = checkpoint_interval_s
        self._newest: Checkpoint | None = None
        self._keeping = asyncio.Lock()
        self._changed = asyncio.Event()
        self._over = asyncio.Event()
        self._stopped = threading.Event()
        self._found: asyncio.Queue[Preview | Made | None] = asyncio.Queue()
        self._passed: asyncio.Queue[Passed | None] = asyncio.Queue()

    async def among(
        self, events: AsyncGenerator[Reported | Made, None]
    ) -> AsyncGenerator[Passed, None]:
        """Yield progress as it comes, each preview and the newest checkpoint once they are
        stored, and last what was made. Storing holds up no progress. `events` is closed at the
        end.

        Raises EngineCrashed for files that aren't what was promised, DiskFull, and what
        `events` raises.
        """
        tasks = [
            asyncio.create_task(work)
            for work in (self._read(events), self._keep_previews(), self._keep_checkpoints())
        ]
        for task in tasks:
            task.add_done_callback(lambda _: self._passed.put_nowait(None))
        try:
            for _ in tasks:
                while (event := await self._passed.get()) is not None:
                    yield event
                for task in tasks:
                    if task.done():
                        task.result()  # raises what it ended with
        finally:
            self._stopped.set()
            for task in tasks:
                task.cancel()
            await to_the_end(asyncio.gather(*tasks, return_exceptions=True))

    async def _read(self, events: AsyncGenerator[Reported | Made, None]) -> None:
        try:
            async with contextlib.aclosing(events):
                async for event in events:
                    if isinstance(event, Progress):
                        self._passed.put_nowait(event)
                    elif isinstance(event, Checkpoint):
                        await self._replace(event)
                    else:
                        self._found.put_nowait(event)
        except StudioError:
            # What the host left before it died is what the next attempt needs most.
            with contextlib.suppress(EngineCrashed):
                await self._keep_newest()
            raise
        finally:
            self._over.set()
            self._changed.set()
        self._found.put_nowait(None)

    async def _replace(self, checkpoint: Checkpoint) -> None:
        before, self._newest = self._newest, checkpoint
        self._changed.set()
        if before is not None:
            await asyncio.to_thread(self._checkpoints.discard, before)

    async def _keep_previews(self) -> None:
        while (event := await self._found.get()) is not None:
            if isinstance(event, Preview):
                # A thread can't be interrupted, and what it works on must not go meanwhile.
                kept = await to_the_end(asyncio.to_thread(self._previews.keep, event, self._tick))
                self._passed.put_nowait(kept)
            else:
                self._passed.put_nowait(event)

    async def _keep_checkpoints(self) -> None:
        """One that still waits when all is made is of no use any more."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            if self._over.is_set():
                return
            await self._keep_newest()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._checkpoint_interval_s):
                    await self._over.wait()

    async def _keep_newest(self) -> None:
        async with self._keeping:
            newest, self._newest = self._newest, None
            if newest is None:
                return
            kept = await to_the_end(asyncio.to_thread(self._checkpoints.keep, newest))
            if kept is not None:
                self._passed.put_nowait(kept)

    def _tick(self) -> None:
        if self._stopped.is_set():
            raise Cancelled("The work was cancelled.")
