"""The life of one engine host, from its start to its last breath."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
import signal
import tempfile
from collections.abc import Sequence
from pathlib import Path

from musicgen.engine.base import Manifest
from musicgen.engine.client import EngineClient
from musicgen.errors import EngineCrashed, StudioError

SOCKET_POLL_S = 0.01
TERMINATE_WAIT_S = 2.0
EXIT_WAIT_S = 1.0
"""How long a broken connection waits for the exit code that explains it."""

_STDERR = 2


class HostProcess:
    """A running host: `await HostProcess.start(...)`. Its group holds whatever it starts."""

    def __init__(
        self, process: asyncio.subprocess.Process, folder: Path, client: EngineClient
    ) -> None:
        self._process = process
        self._folder = folder
        self.client = client
        self.manifest: Manifest

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @classmethod
    async def start(
        cls, command: Sequence[str], *, runtime_dir: Path | None, timeout_s: float
    ) -> HostProcess:
        """Start a host and wait until it answers. Raises EngineCrashed if it doesn't."""
        token = secrets.token_hex(32)
        try:
            folder = await asyncio.to_thread(_private_folder, runtime_dir)
        except OSError as error:
            raise EngineCrashed(f"The engine's socket can't be made: {error}.") from error
        socket = folder / "e.sock"
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                "--socket",
                str(socket),
                stdin=asyncio.subprocess.PIPE,
                stdout=_STDERR,  # an engine's chatter belongs into the log
                # Ctrl-C in a terminal is for the service, which then ends its hosts in order.
                start_new_session=True,
            )
        except OSError as error:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
            raise EngineCrashed(f"The engine can't be started: {error}.") from error
        host = cls(process, folder, EngineClient(socket, token))
        try:
            async with asyncio.timeout(timeout_s):
                await host._greet(token, socket)
                host.manifest = await host.describe(timeout_s)
        except BaseException as error:
            if isinstance(error, StudioError | ConnectionError):
                await host.wait(EXIT_WAIT_S)
            ended = host.how_it_ended()
            await host.close()
            if isinstance(error, TimeoutError):
                text = f"The engine was not up within {timeout_s:g} s."
                raise EngineCrashed(text) from error
            if isinstance(error, StudioError | ConnectionError):
                text = f"The engine did not start: {ended or error}."
                raise EngineCrashed(text) from error
            raise
        return host

    async def _greet(self, token: str, socket: Path) -> None:
        """Hand the token over; return when the socket is there or the process is not."""
        stdin = self._process.stdin
        if stdin is None:
            raise RuntimeError("the host was started without standard input")
        stdin.write(f"{token}\n".encode())
        await stdin.drain()
        # A socket appears without a signal; the process is asked beside it.
        while not socket.exists():  # noqa: ASYNC240  # one stat every 10 ms, while starting
            if self._process.returncode is not None:
                raise EngineCrashed("it ended before it listened")
            await asyncio.sleep(SOCKET_POLL_S)

    async def describe(self, timeout_s: float) -> Manifest:
        """Ask the host for its manifest, which it gives once it is idle. Raises EngineCrashed
        if it ended, GenerationTimeout."""
        describing = asyncio.ensure_future(self.client.describe(timeout_s))
        ending = asyncio.ensure_future(self._process.wait())
        try:
            await asyncio.wait({describing, ending}, return_when=asyncio.FIRST_COMPLETED)
            if ending.done():
                raise EngineCrashed("it ended before it answered")
            return await describing
        finally:
            describing.cancel()
            ending.cancel()
            # Whatever it ends with now, closed channel or cancelled, is of no interest.
            await asyncio.gather(describing, ending, return_exceptions=True)

    async def wait(self, limit_s: float | None = None) -> None:
        """Wait until the process has ended, at most `limit_s`."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), limit_s)

    def how_it_ended(self) -> str:
        """Describe the exit for people; "" while the process lives."""
        code = self._process.returncode
        if code is None:
            return ""
        if code < 0:
            return f"it was killed by {signal.Signals(-code).name}"
        return f"it exited with code {code}"

    def kill(self) -> None:
        """End the process and all that it started, now."""
        self._signal(signal.SIGKILL)

    async def terminate(self) -> None:
        """Ask the process to end; kill it if it doesn't within TERMINATE_WAIT_S."""
        self._signal(signal.SIGTERM)
        await self.wait(TERMINATE_WAIT_S)

    async def close(self) -> None:
        """Kill what is left, and remove the socket and the connection."""
        self.kill()
        await self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
        await self.client.close()
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    def _signal(self, number: signal.Signals) -> None:
        # The group is empty once the host and its children are gone.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)


def _private_folder(parent: Path | None) -> Path:
    """Return a new folder, 0700, with a path short enough for a Unix socket."""
    if parent is not None:
        parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix="mg-", dir=parent))
