"""Wires between the programs and the store: they can be cut at the worst moment."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import services.jobs.store

_SCRIPTS = Path(services.jobs.store.__file__).parents[1] / "lua"
_READ_BYTES = 1 << 18
_NAME_BYTES = 40


class Trap:
    """Waits for the next call of a script of the store on one wire."""

    def __init__(
        self, script: str, on_call: Callable[[], object] | None = None, *, reach: bool = True
    ) -> None:
        """`reach` says whether the store gets the request. Its reply never comes back, and
        the connection breaks. `on_call` is called when the request has been seen (and sent);
        without it the trap counts as sprung when the store has done what it was asked."""
        self.text = b"".join((_SCRIPTS / f"{n}.lua").read_bytes() for n in ("_lib", script))
        self.digest = hashlib.sha1(self.text).hexdigest().encode()  # noqa: S324  # the store's own naming
        self.on_call = on_call
        self.reach = reach
        self.sprung = asyncio.Event()


class Wire:
    """Passes everything on between `near` (where it listens) and the store at `far`."""

    def __init__(self, near: Path, far: Path) -> None:
        self._near = near
        self._far = far
        self._server: asyncio.Server | None = None
        self._trap: Trap | None = None
        self._ends: set[asyncio.StreamWriter] = set()
        self._open = asyncio.Event()
        self._open.set()

    async def start(self) -> None:
        """Listen."""
        self._near.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, self._near, limit=_READ_BYTES)

    async def close(self) -> None:
        """Listen no more and break all connections."""
        if self._server is not None:
            self._server.close()
        self.cut()

    def release(self) -> None:
        """Pass everything on, from now on."""
        self._trap = None
        self._open.set()

    def cut(self) -> None:
        """Break all connections."""
        for end in list(self._ends):
            end.transport.abort()

    @contextlib.contextmanager
    def silent(self) -> Iterator[None]:
        """Pass nothing on while the body runs, and break no connection either."""
        self._open.clear()
        try:
            yield
        finally:
            self._open.set()

    async def trap(self, trap: Trap, limit_s: float) -> bool:
        """Let a trap lie for up to `limit_s`; returns whether it was sprung. Raises OSError
        if the store is away."""
        await self._load(trap.text)
        self._trap = trap
        try:
            await asyncio.wait_for(trap.sprung.wait(), limit_s)
        except TimeoutError:
            return False
        finally:
            self._trap = None
        return True

    async def _load(self, script: bytes) -> None:
        """Make the store know a script: a client's first call would only be told to send it."""
        reader, writer = await asyncio.open_unix_connection(self._far)
        try:
            command = (b"SCRIPT", b"LOAD", script)
            words = b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in command)
            writer.write(b"*%d\r\n%s" % (len(command), words))
            await reader.readline()
        finally:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            store_reader, store_writer = await asyncio.open_unix_connection(
                self._far, limit=_READ_BYTES
            )
        except OSError:
            writer.transport.abort()
            return
        both = {writer, store_writer}
        self._ends |= both
        deaf: list[Trap] = []
        """The trap that this connection is in."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._requests(reader, store_writer, deaf))
                tasks.create_task(self._replies(store_reader, writer, deaf))
        except* (OSError, EOFError):
            pass
        finally:
            self._ends -= both
            for end in both:
                end.transport.abort()

    async def _requests(
        self, reader: asyncio.StreamReader, store: asyncio.StreamWriter, deaf: list[Trap]
    ) -> None:
        tail = b""  # a name may lie across two reads
        while data := await reader.read(_READ_BYTES):
            await self._open.wait()
            trap = self._trap
            if trap is not None and trap.digest in tail + data:
                self._trap = None
                deaf.append(trap)
                if trap.reach:
                    store.write(data)
                if trap.on_call is not None:
                    trap.on_call()
                    trap.sprung.set()
                if not trap.reach:
                    raise EOFError
                continue
            tail = data[-_NAME_BYTES:]
            store.write(data)
            await store.drain()
        raise EOFError

    async def _replies(
        self, store: asyncio.StreamReader, writer: asyncio.StreamWriter, deaf: list[Trap]
    ) -> None:
        while data := await store.read(_READ_BYTES):
            await self._open.wait()
            if deaf:
                if not data.startswith(b"-"):  # it has really been done
                    deaf[0].sprung.set()
                raise EOFError
            writer.write(data)
            await writer.drain()
        raise EOFError
