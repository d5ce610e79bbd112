"""Uvicorn beside the gRPC server: the same loop, no signal handlers of its own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from musicgen.rpc import log

_UNIX = "unix:"
_DRAIN_LIMIT_S = 5
# A proxy keeps idle connections longer than uvicorn's five seconds, and would now and
# then use one in the moment that it is closed.
_KEEP_ALIVE_S = 4000


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the process's own handlers."""
        yield


def bind(address: str) -> socket.socket:
    """Listen on "unix:/path" (a socket left there by a dead process is replaced) or
    "host:port". Raises OSError or ValueError."""
    if address.startswith(_UNIX):
        path = Path(address.removeprefix(_UNIX))
        if path.exists() and stat.S_ISSOCK(path.stat().st_mode):
            path.unlink()
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        path.chmod(0o600)
    else:
        host, _, port = address.rpartition(":")
        listener = socket.create_server((host.strip("[]"), int(port)), reuse_port=False)
    listener.listen(128)
    listener.setblocking(False)
    return listener


async def serve(app: ASGIApp, listener: socket.socket, draining: asyncio.Event) -> None:
    """Serve until `draining` is set, then let the requests that run come to their end."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_DRAIN_LIMIT_S,
    )
    server = _Server(config)

    async def end() -> None:
        await draining.wait()
        server.should_exit = True

    ending = asyncio.create_task(end())
    log.get().info("serving http", address=str(listener.getsockname()))
    try:
        await server.serve(sockets=[listener])
    finally:
        ending.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await ending
        listener.close()
