"""A small HTTP/1.1 client on plain sockets, for gRPC-Web and REST: it can be slow, stop
reading and break off, as browsers do."""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
from collections.abc import AsyncIterator
from typing import Any

_TRAILERS = 0x80
_BUFFER_BYTES = 1 << 16


class Refused(Exception):
    """The studio answered that it won't, or it broke off. `code` is a gRPC status's name."""

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class Reply:
    """An answer whose body is read as it comes."""

    def __init__(self, status: int, headers: dict[str, str], reader: asyncio.StreamReader) -> None:
        self.status = status
        self.headers = headers
        self._reader = reader

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the body. Raises OSError or EOFError if it breaks off."""
        if self.headers.get("transfer-encoding") != "chunked":
            yield await self._reader.readexactly(int(self.headers.get("content-length", "0")))
            return
        while size := int(await self._reader.readline() or b"x", 16):
            yield await self._reader.readexactly(size)
            await self._reader.readexactly(2)

    async def messages(self) -> AsyncIterator[bytes]:
        """Yield the messages of a gRPC-Web answer. Raises Refused for any end but OK."""
        if self.status != 200 or "grpc-status" in self.headers:
            _check(self.headers | {"grpc-status": self.headers.get("grpc-status", "14")})
        data = b""
        async for piece in self.pieces():
            data += piece
            while len(data) >= 5 and len(data) >= 5 + (size := struct.unpack(">I", data[1:5])[0]):
                kind, body, data = data[0], data[5 : 5 + size], data[5 + size :]
                if kind & _TRAILERS:
                    _check(_fields(body))
                    return
                yield body
        raise Refused("UNAVAILABLE", "the answer has no end")


@contextlib.asynccontextmanager
async def request(
    port: int, method: str, path: str, body: bytes, content_type: str
) -> AsyncIterator[Reply]:
    """Send a request and give the answer. Raises Refused if nobody answers."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=_BUFFER_BYTES)
    except OSError as error:
        raise Refused("UNAVAILABLE", str(error)) from error
    try:
        writer.write(
            f"{method} {path} HTTP/1.1\r\nhost: localhost:{port}\r\n"
            f"content-type: {content_type}\r\naccept: {content_type}\r\nx-grpc-web: 1\r\n"
            f"content-length: {len(body)}\r\n\r\n".encode()
            + body
        )
        await writer.drain()
        head = await reader.readuntil(b"\r\n\r\n")
        line, _, rest = head.partition(b"\r\n")
        yield Reply(int(line.split()[1]), _fields(rest), reader)
    except (OSError, EOFError, ValueError) as error:
        raise Refused("UNAVAILABLE", repr(error)) from error
    finally:
        writer.transport.abort()


def grpc_web(port: int, path: str, message: bytes) -> contextlib.AbstractAsyncContextManager[Reply]:
    """Call a method of gRPC-Web."""
    frame = b"\0" + struct.pack(">I", len(message)) + message
    return request(port, "POST", path, frame, "application/grpc-web+proto")


async def rest(port: int, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Call a method of REST. Raises Refused."""
    data = json.dumps(body).encode() if body else b""
    async with request(port, method, path, data, "application/json") as reply:
        text = b"".join([piece async for piece in reply.pieces()])
        try:
            answer: dict[str, Any] = json.loads(text)
        except ValueError as error:
            raise Refused("UNAVAILABLE", f"HTTP {reply.status}") from error
    if reply.status != 200:
        raise Refused(_CODES.get(int(answer.get("code", 14)), "UNKNOWN"), text.decode()[:200])
    return answer


def _fields(block: bytes) -> dict[str, str]:
    pairs = (line.partition(":") for line in block.decode("latin-1").split("\r\n") if line)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _check(fields: dict[str, str]) -> None:
    if fields.get("grpc-status", "0") != "0":
        code = _CODES.get(int(fields["grpc-status"]), "UNKNOWN")
        raise Refused(code, fields.get("grpc-message", ""))


_CODES = {
    1: "CANCELLED", 3: "INVALID_ARGUMENT", 4: "DEADLINE_EXCEEDED", 5: "NOT_FOUND",
    7: "PERMISSION_DENIED", 8: "RESOURCE_EXHAUSTED", 9: "FAILED_PRECONDITION", 10: "ABORTED",
    11: "OUT_OF_RANGE", 12: "UNIMPLEMENTED", 13: "INTERNAL", 14: "UNAVAILABLE", 15: "DATA_LOSS",
}  # fmt: skip
