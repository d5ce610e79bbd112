"""The process that holds one engine.

    python -m musicgen.engine.host my.package:MyEngine --socket /run/short/engine.sock

The first line of standard input is the token that every call must carry. The host ends at
once when its standard input closes: that is how it learns that its parent has died.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ctypes
import importlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import grpc

from musicgen.api.engine.v1 import engine_service_pb2_grpc
from musicgen.engine import determinism
from musicgen.engine.base import Engine
from musicgen.engine.servicer import EngineServicer
from musicgen.engine.worker import EngineWorker
from musicgen.rpc import log, telemetry, tracing
from musicgen.rpc.interceptors import InFlight, StudioInterceptor
from musicgen.rpc.limits import MAX_MESSAGE_BYTES

MAX_TOKEN_BYTES = 1024
DRAIN_S = 0.5
_STDIN = 0
_PR_SET_PDEATHSIG = 1


def serve(engine_factory: Callable[[], Engine], socket: Path, token: str) -> None:
    """Make the engine, then serve it on a Unix socket until SIGTERM or SIGINT, which end
    the process: an engine that ignores its cancellation must not hold that up."""
    worker = EngineWorker(engine_factory())
    asyncio.run(_serve(worker, socket, token))


def load_engine(reference: str) -> Callable[[], Engine]:
    """Import "module:Class". Raises ValueError if that is no Engine."""
    module_name, _, class_name = reference.partition(":")
    found = getattr(importlib.import_module(module_name), class_name, None)
    if not (isinstance(found, type) and issubclass(found, Engine)):
        raise ValueError(f"{reference!r} is not a subclass of musicgen.engine.base.Engine")
    return found


async def _serve(worker: EngineWorker, socket: Path, token: str) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    server = grpc.aio.server(
        interceptors=[StudioInterceptor(InFlight())],
        options=[("grpc.max_receive_message_length", MAX_MESSAGE_BYTES)],
    )
    engine_service_pb2_grpc.add_EngineServiceServicer_to_server(
        EngineServicer(worker, token), server
    )
    server.add_insecure_port(f"unix:{socket}")
    await server.start()
    log.get().info("engine ready", engine=worker.manifest.name, version=worker.manifest.version)
    await stop.wait()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(server.stop(DRAIN_S), 2 * DRAIN_S)
    tracing.flush()
    sys.stderr.flush()
    os._exit(0)


def _read_token() -> str:
    """Read the first line, byte by byte: what follows belongs to the watcher."""
    line = bytearray()
    while not line.endswith(b"\n") and len(line) <= MAX_TOKEN_BYTES:
        if not (byte := os.read(_STDIN, 1)):
            break
        line += byte
    return line.decode("ascii", "replace").strip() if line.endswith(b"\n") else ""


def _end_with_parent(socket: Path) -> None:
    """End this process when the parent has died, whatever the engine is doing."""
    if sys.platform == "linux":
        # The thread below needs the interpreter's lock, which a hanging engine may hold.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    def watch() -> None:
        with contextlib.suppress(OSError):
            while os.read(_STDIN, 4096):
                pass
        with contextlib.suppress(OSError):
            socket.unlink()
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()


def main() -> None:
    """Run as a program."""
    parser = argparse.ArgumentParser(prog="musicgen.engine.host", description=__doc__)
    parser.add_argument("engine", help='"module:Class" of a subclass of Engine')
    parser.add_argument("--socket", type=Path, required=True, help="Unix socket to serve on")
    arguments = parser.parse_args()
    telemetry.start("engine-host", log_level=os.environ.get("MUSICGEN_LOG_LEVEL", "INFO"))
    if not (token := _read_token()):
        parser.error("standard input has no token in its first line")
    _end_with_parent(arguments.socket)
    determinism.pin()
    serve(load_engine(arguments.engine), arguments.socket, token)


if __name__ == "__main__":
    main()
