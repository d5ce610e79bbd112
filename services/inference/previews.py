"""Previews: stretches of a piece that are stored while the rest is still being made."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

from musicgen.artifacts import PREVIEW_PREFIX, ArtifactStore, StoredFile
from musicgen.audio.codecs import Format, Properties
from musicgen.engine.base import Manifest, Preview
from musicgen.engine.client import Made
from musicgen.engine.waiting import to_the_end
from musicgen.errors import Cancelled, EngineCrashed
from musicgen.progress import Progress
from services.inference.encoder import check_preview, encode

FORMAT = Format.FLAC


@dataclass(frozen=True, slots=True)
class StoredPreview:
    """A stretch that can be heard; it begins at `start_frame` of the piece."""

    stored: StoredFile
    properties: Properties
    start_frame: int


class Previews:
    """The previews of one generation: checked, encoded and stored, one after the other."""

    def __init__(self, store: ArtifactStore, prefix: str, folder: Path, manifest: Manifest) -> None:
        """`prefix` is the claim's, `folder` the scratch folder of its host."""
        self._store = store
        self._prefix = prefix
        self._folder = folder
        self._manifest = manifest
        self._count = 0
        self._end_frame = 0
        self._stopped = threading.Event()
        self._found: asyncio.Queue[Preview | Made | None] = asyncio.Queue()
        self._passed: asyncio.Queue[Progress | StoredPreview | Made | None] = asyncio.Queue()

    async def among(
        self, events: AsyncGenerator[Progress | Preview | Made, None]
    ) -> AsyncGenerator[Progress | StoredPreview | Made, None]:
        """Yield progress as it comes, each preview once it is stored, and last what was
        made. Storing holds up no progress. `events` is closed at the end.

        Raises EngineCrashed for a preview that isn't what was promised, DiskFull, and what
        `events` raises.
        """
        tasks = [asyncio.create_task(self._read(events)), asyncio.create_task(self._store_all())]
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

    async def _read(self, events: AsyncGenerator[Progress | Preview | Made, None]) -> None:
        async with contextlib.aclosing(events):
            async for event in events:
                if isinstance(event, Progress):
                    self._passed.put_nowait(event)
                else:
                    self._found.put_nowait(event)
        self._found.put_nowait(None)

    async def _store_all(self) -> None:
        while (event := await self._found.get()) is not None:
            if isinstance(event, Preview):
                # A thread can't be interrupted, and what it works on must not go meanwhile.
                stored = await to_the_end(asyncio.to_thread(self._store_one, event))
                self._passed.put_nowait(stored)
            else:
                self._passed.put_nowait(event)

    def _store_one(self, preview: Preview) -> StoredPreview:
        """Store one and remove what the host left of it. Blocks."""
        self._tick()
        source = self._folder / preview.name
        facts = check_preview(source, self._manifest)
        if preview.start_frame != self._end_frame:
            raise EngineCrashed(
                f"The engine's {preview.name} begins at frame {preview.start_frame}; "
                f"frame {self._end_frame} comes next."
            )
        key = f"{self._prefix}/{PREVIEW_PREFIX}{self._count}.{FORMAT.extension}"
        with self._store.writing(key) as temporary:
            encoded = encode(source, facts, FORMAT, temporary, self._tick)
        source.unlink(missing_ok=True)
        self._count += 1
        self._end_frame += facts.duration_frames
        stored = StoredFile(key, encoded.sha256, encoded.size_bytes)
        return StoredPreview(stored, encoded.properties, preview.start_frame)

    def _tick(self) -> None:
        if self._stopped.is_set():
            raise Cancelled("The work was cancelled.")
