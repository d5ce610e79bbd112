"""Files to and from the studio over HTTP, going on where a connection broke off."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import http.client
import re
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote, urlsplit

from musicgen.client.backoff import Backoff
from musicgen.client.refusal import refusal
from musicgen.errors import (
    ChecksumMismatch,
    DownloadFailed,
    InvalidAudio,
    ServiceUnavailable,
    StudioError,
    Unavailable,
)

CHUNK_BYTES = 256 * 1024
SILENCE_S = 30.0
ATTEMPTS_WITHOUT_PROGRESS = 5

OnBytes = Callable[[int, int], None]
"""Is told how many bytes are there, and how many there will be (0 if unknown)."""

_IN_PATHS = "/:?&=%~!$'()*,;@+"
"""Paths come encoded from the studio; only what could break a request is encoded again."""


class Transfers:
    """Moves files; each in a thread of its own, so that an event loop stays free."""

    def __init__(
        self, url: str, backoff: Backoff, headers: Mapping[str, str] | None = None
    ) -> None:
        """`url` is the gateway's, such as "http://127.0.0.1:8400"; `headers` go with every
        request."""
        self._url = url
        self._backoff = backoff
        self._headers = dict(headers or {})

    async def download(
        self,
        path: str,
        sink: BinaryIO,
        *,
        size_bytes: int = 0,
        sha256: str = "",
        on_bytes: OnBytes | None = None,
    ) -> None:
        """Write what is at `path` of the gateway to `sink`, from its start.

        After a broken connection only the rest is fetched, if it is still the same
        file. Raises ChecksumMismatch, DownloadFailed, DiskFull or what the studio said.
        """
        link = _Link(self._url, self._backoff, self._headers)
        download = _Download(path, sink, size_bytes, on_bytes)
        await _in_thread(link, lambda: link.persist(download.attempt, DownloadFailed))
        if sha256 and download.digest.hexdigest() != sha256:
            raise ChecksumMismatch(f"What came from {path} is not what the job made.")

    async def upload(self, path: str, file: Path, *, on_bytes: OnBytes | None = None) -> None:
        """Send `file` to `path` of the gateway. Raises what the studio said."""
        link = _Link(self._url, self._backoff, self._headers)
        upload = _Upload(path, file, on_bytes)
        await _in_thread(link, lambda: link.persist(upload.attempt, ServiceUnavailable))


async def _in_thread(link: _Link, work: Callable[[], None]) -> None:
    running = asyncio.get_running_loop().run_in_executor(None, work)
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        link.abort()
        await asyncio.wait([running])
        raise


class _BrokenOff(Exception):
    """The connection ended early. `progressed` says whether it brought anything."""

    def __init__(self, cause: str, *, progressed: bool) -> None:
        super().__init__(cause)
        self.progressed = progressed


class _Aborted(Exception):
    """The caller stopped waiting."""


class _Link:
    """Opens connections to one host, one at a time, until it is aborted."""

    def __init__(self, url: str, backoff: Backoff, headers: Mapping[str, str]) -> None:
        parts = urlsplit(url)
        self._headers = {**headers, "Connection": "close"}
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._backoff = backoff
        self._aborted = threading.Event()
        self._connection: http.client.HTTPConnection | None = None

    def persist(self, attempt: Callable[[_Link], None], given_up: type[StudioError]) -> None:
        """Call `attempt` until it returns; raise `given_up` after a few in a row that
        brought nothing."""
        failures = 0
        while True:
            try:
                attempt(self)
                return
            except _BrokenOff as broken:
                if self._aborted.is_set():
                    raise _Aborted from broken
                failures = 1 if broken.progressed else failures + 1
                if failures >= ATTEMPTS_WITHOUT_PROGRESS:
                    raise given_up(f"The transfer broke off ({broken}).") from broken
            except Unavailable:  # a part of the studio is starting again
                failures += 1
                if failures >= ATTEMPTS_WITHOUT_PROGRESS:
                    raise
            finally:
                self._close()
            if self._aborted.wait(self._backoff.delay_s(failures)):
                raise _Aborted

    def request(
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        body: Iterable[bytes] | None = None,
    ) -> http.client.HTTPResponse:
        """Send a request on a new connection. Raises _BrokenOff."""
        self._close()
        connection = http.client.HTTPConnection(self._host, self._port, timeout=SILENCE_S)
        self._connection = connection
        if self._aborted.is_set():
            raise _BrokenOff("stopped", progressed=False)
        try:
            # A studio that refuses a file closes while it is still being sent; its
            # answer says why.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.request(
                    method,
                    quote(path, safe=_IN_PATHS),
                    body,
                    headers={**self._headers, **headers},
                )
            return connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise _BrokenOff(str(error) or type(error).__name__, progressed=False) from error

    def abort(self) -> None:
        """End the transfer now; called from another thread."""
        self._aborted.set()
        connection = self._connection
        if connection and connection.sock:
            try:
                connection.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # it had ended by itself

    def _close(self) -> None:
        if self._connection:
            self._connection.close()
            self._connection = None


@dataclass
class _Download:
    """One file on its way here, over as many connections as it takes."""

    path: str
    sink: BinaryIO
    size_bytes: int
    on_bytes: OnBytes | None
    offset: int = 0
    etag: str = ""
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)

    def attempt(self, link: _Link) -> None:
        headers = {"Accept-Encoding": "identity"}
        if self.offset:
            headers["Range"] = f"bytes={self.offset}-"
            if self.etag:
                headers["If-Range"] = self.etag
        response = link.request("GET", self.path, headers)
        if response.status == 200:
            self._start_over()
        elif response.status != 206 or not self._continues(response):
            raise refusal(response)
        self.etag = response.getheader("ETag", "")
        begun_at = self.offset
        total = self.offset + int(response.getheader("Content-Length") or 0)
        while chunk := self._read(response, begun_at):
            self.sink.write(chunk)  # outside of any try: a full disk is no broken connection
            self.digest.update(chunk)
            self.offset += len(chunk)
            if self.on_bytes:
                self.on_bytes(self.offset, total or self.size_bytes)
        if self.offset < max(total, self.size_bytes):
            raise _BrokenOff("the connection ended early", progressed=self.offset > begun_at)

    def _continues(self, response: http.client.HTTPResponse) -> bool:
        return response.getheader("Content-Range", "").startswith(f"bytes {self.offset}-")

    def _start_over(self) -> None:
        if not self.offset:
            return
        if not self.sink.seekable():
            raise DownloadFailed("The file changed while it was sent; start again.")
        self.sink.seek(0)
        self.sink.truncate()
        self.offset, self.digest = 0, hashlib.sha256()

    def _read(self, response: http.client.HTTPResponse, begun_at: int) -> bytes:
        try:
            return response.read(CHUNK_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise _BrokenOff(str(error), progressed=self.offset > begun_at) from error


@dataclass
class _Upload:
    """One file on its way to the studio, over as many connections as it takes."""

    path: str
    file: Path
    on_bytes: OnBytes | None
    offset: int = 0
    begun: bool = False

    def attempt(self, link: _Link) -> None:
        total = self.file.stat().st_size
        if total == 0:
            raise InvalidAudio(f"{self.file.name} is empty.")
        before = self.offset
        # After a broken connection only the studio knows how much of it has arrived.
        if self.begun and self._ask(link, total):
            return
        self.begun = True
        headers = {
            "Content-Range": f"bytes {self.offset}-{total - 1}/{total}",
            "Content-Length": str(total - self.offset),
            "Content-Type": "application/octet-stream",
        }
        try:
            response = link.request("PUT", self.path, headers, self._chunks(total))
        except _BrokenOff as broken:
            raise _BrokenOff(str(broken), progressed=self.offset > before) from broken
        if response.status in {308, 409}:  # it has not all of it, or has more than we knew
            raise _BrokenOff("the studio has another part of it", progressed=False)
        if response.status not in {200, 201}:
            raise refusal(response)

    def _ask(self, link: _Link, total: int) -> bool:
        """Learn how much has arrived; returns whether all of it has."""
        question = {"Content-Range": f"bytes */{total}", "Content-Length": "0"}
        response = link.request("PUT", self.path, question)
        if response.status in {200, 201}:
            return True
        if response.status != 308:
            raise refusal(response)
        received = re.fullmatch(r"bytes=0-(\d+)", response.getheader("Range", ""))
        self.offset = int(received[1]) + 1 if received else 0
        return False

    def _chunks(self, total: int) -> Iterator[bytes]:
        sent = self.offset
        with self.file.open("rb") as file:
            file.seek(sent)
            while sent < total and (chunk := file.read(min(CHUNK_BYTES, total - sent))):
                yield chunk
                sent += len(chunk)
                if self.on_bytes:
                    self.on_bytes(sent, total)
