"""Uploads that can be resumed: chunks are appended to a partial file, which gets its
name when it is whole.

    uploads/.partials/<upload_id>.part    what has arrived
    uploads/<upload_id>                   finished
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakValueDictionary

from musicgen.artifacts import ArtifactStore, publish
from musicgen.errors import (
    ClaimLost,
    DiskFull,
    EditConflict,
    InvalidField,
    MessageTooLarge,
)
from services.library import files
from services.library.resolve import upload_id_of

PARTIAL_LIFE_S = 24 * 3600.0
_WRITE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Chunk:
    """Which bytes of the upload a request carries: [start_byte, end_byte) of
    `total_bytes`; the latter two are None where the client can't know them yet."""

    start_byte: int
    end_byte: int | None
    total_bytes: int | None


@dataclass(frozen=True, slots=True)
class State:
    """How far an upload has come."""

    upload_id: str
    size_bytes: int
    finished: bool


class _Writer:
    """The request that may write to an upload now; a newer one takes over."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.owner: object = None


class Uploads:
    """All uploads of an artifact store."""

    def __init__(self, store: ArtifactStore, *, largest_bytes: int) -> None:
        self._store = store
        self._largest_bytes = largest_bytes
        self._partials = store.path("uploads") / ".partials"
        self._writers: WeakValueDictionary[str, _Writer] = WeakValueDictionary()

    async def state(self, upload_id: str) -> State:
        """Return how many bytes have arrived: 0 for an upload that is not known."""
        return await asyncio.to_thread(self._state, upload_id_of(upload_id))

    async def receive(self, upload_id: str, chunk: Chunk, data: AsyncIterator[bytes]) -> State:
        """Append a chunk. What arrives before a connection breaks is kept.

        A request without a range (`start_byte` 0, no end) starts over. Raises
        InvalidField, MessageTooLarge, DiskFull, EditConflict (with `offset` in its
        metadata) if the chunk doesn't begin where the upload ends, and ClaimLost if a
        newer request for the same upload took over.
        """
        upload_id = upload_id_of(upload_id)
        self._check_size(chunk.total_bytes or chunk.end_byte or 0)
        writer = self._writers.setdefault(upload_id, _Writer())
        me = writer.owner = object()
        async with writer.lock:  # a block of a former request may just be written
            _check_owner(writer, me, upload_id)
            state = await asyncio.to_thread(self._begin, upload_id, chunk)
        if state.finished:
            return state
        offset = state.size_bytes
        waiting = bytearray()

        async def flush() -> None:
            nonlocal offset
            async with writer.lock:
                _check_owner(writer, me, upload_id)
                await asyncio.to_thread(self._append, upload_id, offset, bytes(waiting))
            offset += len(waiting)
            waiting.clear()

        try:
            async for piece in data:
                waiting += piece
                arrived = offset + len(waiting)
                self._check_size(arrived)
                if chunk.end_byte is not None and arrived > chunk.end_byte:
                    del waiting[chunk.end_byte - offset :]
                    raise InvalidField(
                        "The body is longer than its Content-Range says.",
                        fields={"content-range": "must match the body"},
                    )
                if len(waiting) >= _WRITE_BYTES:
                    await flush()
        finally:
            # Also when the connection broke: the client goes on from here.
            if waiting and writer.owner is me:
                await flush()
        _check_owner(writer, me, upload_id)
        # A body without a range is the whole upload; a range says where the end is, or
        # that the client doesn't know it yet.
        whole = offset if chunk.end_byte is None else None
        if offset != (whole if chunk.total_bytes is None else chunk.total_bytes):
            return State(upload_id, offset, finished=False)
        async with writer.lock:
            _check_owner(writer, me, upload_id)
            return await asyncio.to_thread(self._finish, upload_id, offset)

    def remove_stale(self, now_s: float | None = None) -> int:
        """Remove partial files that nobody has written to for a day; returns how many."""
        oldest_s = (time.time() if now_s is None else now_s) - PARTIAL_LIFE_S
        removed = 0
        for partial in self._partials.glob("*.part"):
            with contextlib.suppress(FileNotFoundError):
                if partial.lstat().st_mtime < oldest_s:
                    partial.unlink()
                    removed += 1
        return removed

    def _check_size(self, size_bytes: int) -> None:
        if size_bytes > self._largest_bytes:
            raise MessageTooLarge(
                f"The upload is larger than {self._largest_bytes:,} bytes.",
                remedy="Upload a shorter or compressed file, or raise MUSICGEN_MAX_UPLOAD_BYTES.",
                metadata={"limit_bytes": str(self._largest_bytes)},
            )

    def _partial(self, upload_id: str) -> Path:
        return self._partials / f"{upload_id}.part"

    def _state(self, upload_id: str) -> State:
        final = self._store.path(f"uploads/{upload_id}")
        if files.is_contained(final, self._store.root / "uploads"):
            return State(upload_id, final.stat().st_size, finished=True)
        try:
            return State(upload_id, self._partial(upload_id).lstat().st_size, finished=False)
        except FileNotFoundError:
            return State(upload_id, 0, finished=False)

    def _begin(self, upload_id: str, chunk: Chunk) -> State:
        state = self._state(upload_id)
        if state.finished:
            if chunk.total_bytes not in (None, state.size_bytes):
                raise EditConflict(
                    f"Upload {upload_id} is finished, with another size.",
                    remedy="Use a new UUID for another file.",
                    metadata={"offset": str(state.size_bytes)},
                )
            return state
        restart = chunk.start_byte == 0 and chunk.end_byte is None
        if not restart and chunk.start_byte != state.size_bytes:
            raise EditConflict(
                f"Upload {upload_id} ends at byte {state.size_bytes}, "
                f"and the chunk begins at {chunk.start_byte}.",
                remedy="Go on at the byte that the metadata's offset names.",
                metadata={"offset": str(state.size_bytes)},
            )
        self._partials.mkdir(parents=True, exist_ok=True)
        if restart:
            self._partial(upload_id).unlink(missing_ok=True)
            state = State(upload_id, 0, finished=False)
        expected = chunk.total_bytes or chunk.end_byte or 0
        files.require_space(self._partials, max(0, expected - state.size_bytes))
        return state

    def _append(self, upload_id: str, offset: int, data: bytes) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW
        descriptor = os.open(self._partial(upload_id), flags, 0o600)
        try:
            view = memoryview(data)
            while view:
                count = os.pwrite(descriptor, view, offset)
                view, offset = view[count:], offset + count
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise DiskFull("No space is left for the upload; what arrived is kept.") from error
            raise
        finally:
            os.close(descriptor)

    def _finish(self, upload_id: str, size_bytes: int) -> State:
        if size_bytes == 0:
            raise InvalidField("The upload is empty.", fields={"body": "must not be empty"})
        with files.full_disk_is_disk_full():
            publish(self._partial(upload_id), self._store.path(f"uploads/{upload_id}"))
        return State(upload_id, size_bytes, finished=True)


def _check_owner(writer: _Writer, me: object, upload_id: str) -> None:
    if writer.owner is not me:
        raise ClaimLost(f"A newer request for upload {upload_id} took over.")
