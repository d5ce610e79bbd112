"""How each kind of part shows that it works. A probe returns "" or what is wrong."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from musicgen.rpc.channel import connect

Probe = Callable[[], Awaitable[str]]

_TIMEOUT_S = 2.0
_DEGRADED_PATIENCE_S = 5.0


def alive() -> Probe:
    """For a part without a server: it works as long as it runs."""

    async def probe() -> str:
        return ""

    return probe


def grpc_health(address: str) -> Probe:
    """Ask a gRPC server at `address` with grpc.health.v1."""
    socket = Path(address.removeprefix("unix:"))

    async def probe() -> str:
        if address.startswith("unix:") and not socket.exists():  # noqa: ASYNC240  # instant
            return "it does not listen yet"  # to try and fail would mean waiting to try again
        async with connect(address) as channel:
            try:
                answer = await health_pb2_grpc.HealthStub(channel).Check(
                    health_pb2.HealthCheckRequest(), timeout=_TIMEOUT_S, wait_for_ready=True
                )
            except grpc.aio.AioRpcError as error:
                return f"no answer yet ({error.code().name})"
        serving = answer.status == health_pb2.HealthCheckResponse.SERVING
        return "" if serving else "it answers that it can't work"

    return probe


def valkey_ping(socket: Path) -> Probe:
    """Ping a Valkey server."""

    async def probe() -> str:
        try:
            answer = await ask_valkey(socket, "PING")
        except OSError as error:
            return f"no answer yet ({error.strerror or error})"
        return "" if answer.startswith("+PONG") else answer.strip()

    return probe


async def ask_valkey(socket: Path, command: str) -> str:
    """Send one command without arguments that hold spaces. Returns the raw answer.
    Raises OSError if nobody answers."""
    async with asyncio.timeout(_TIMEOUT_S):
        reader, writer = await asyncio.open_unix_connection(str(socket))
        try:
            writer.write(f"{command}\r\n".encode())
            head = await reader.readline()
            if not head.startswith(b"$"):
                return head.decode()
            return (await reader.readexactly(int(head[1:]))).decode()
        except asyncio.IncompleteReadError as error:
            raise ConnectionResetError("it hung up") from error
        finally:
            await _close(writer)


def gateway_health(port: int, api_key: str | None) -> Probe:
    """Ask the studio as a client would: GET /v1/health through the gateway. That a part is
    down is accepted only after a while: services need a moment to find each other."""
    patient_until = float("inf")

    async def probe() -> str:
        nonlocal patient_until
        try:
            health = await studio_health(port, api_key)
        except (OSError, ValueError) as error:
            return f"no answer yet ({error})"
        if health.get("status") == "STATUS_SERVING":
            return ""
        patient_until = min(patient_until, time.monotonic() + _DEGRADED_PATIENCE_S)
        return "some part does not serve" if time.monotonic() < patient_until else ""

    return probe


async def studio_health(port: int, api_key: str | None) -> Mapping[str, object]:
    """Return the studio's answer to GET /v1/health. Raises OSError or ValueError."""
    status, body = await http_get(port, "/v1/health", api_key)
    if status != 200:
        raise ValueError(f"HTTP {status}")
    answer = json.loads(body)
    if not isinstance(answer, dict):
        raise ValueError("not a studio")
    return answer


async def http_get(port: int, path: str, api_key: str | None) -> tuple[int, bytes]:
    """Return status and body of a GET on the loopback interface. Raises OSError if
    nobody answers, ValueError if it is no HTTP."""
    key = f"x-api-key: {api_key}\r\n" if api_key else ""
    async with asyncio.timeout(_TIMEOUT_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(
                f"GET {path} HTTP/1.1\r\nhost: localhost:{port}\r\n{key}"
                "connection: close\r\n\r\n".encode()
            )
            answer = await reader.read()
        finally:
            await _close(writer)
    head, _, body = answer.partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/"):
        raise ValueError("it does not speak HTTP")
    return int(words[1]), body


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
