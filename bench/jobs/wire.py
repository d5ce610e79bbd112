"""Just enough of gRPC to read a server stream, over HTTP/2 and as gRPC-Web over HTTP/1.1.

A real client library costs more for each message than the server that is measured, and a
thousand of them on one machine would measure themselves. Nothing here waits: what a socket
has read goes into `feed`.
"""

from __future__ import annotations

import abc
import socket
import struct
from collections.abc import Iterator

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
READ_BYTES = 1 << 18
_DATA, _HEADERS, _RST, _SETTINGS, _PING, _GOAWAY, _WINDOW = 0, 1, 3, 4, 6, 7, 8
_END_STREAM, _END_HEADERS, _ACK = 1, 4, 1
_REPLENISH_BYTES = 1 << 14


class Broken(Exception):
    """The server ended the connection, or said what this client can't read."""


class Connection(abc.ABC):
    """One connection with calls on it. `calls` of them have ended."""

    def __init__(self, address: str) -> None:
        self.socket = _connected(address)
        self.ended = 0

    @abc.abstractmethod
    def call(self, path: str, request: bytes) -> None:
        """Begin a call."""

    @abc.abstractmethod
    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield (call, message) for each message that is complete now. Raises Broken."""

    def read(self) -> Iterator[tuple[int, bytes]]:
        """Yield the messages that the socket has now. Raises Broken."""
        return self.feed(self.receive())

    def receive(self) -> bytes:
        """Return what the socket has now. Raises Broken."""
        data = self.socket.recv(READ_BYTES)
        if not data:
            raise Broken("the connection was closed")
        return data


class Http2(Connection):
    """gRPC over HTTP/2 with prior knowledge; any number of calls."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self._buffer = bytearray()
        self._messages: dict[int, bytearray] = {}
        self._taken: dict[int, int] = {}
        self._next = 1
        self.socket.sendall(PREFACE + _frame(_SETTINGS, 0, 0, b""))

    def call(self, path: str, request: bytes) -> None:
        """Begin a call; they are numbered 1, 3, 5 and so on."""
        stream, self._next = self._next, self._next + 2
        self._messages[stream] = bytearray()
        headers = (
            (":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "localhost"),
            ("te", "trailers"), ("content-type", "application/grpc"),
        )  # fmt: skip
        block = b"".join(b"\0" + _text(name) + _text(value) for name, value in headers)
        self.socket.sendall(
            _frame(_HEADERS, _END_HEADERS, stream, block)
            + _frame(_DATA, _END_STREAM, stream, _message(request))
        )

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield (call, message) for each message that is complete now. Raises Broken."""
        self._buffer += data
        at = 0
        while len(self._buffer) - at >= 9:
            size = int.from_bytes(self._buffer[at : at + 3], "big")
            if len(self._buffer) - at < 9 + size:
                break
            kind, flags, stream = struct.unpack_from(">BBI", self._buffer, at + 3)
            payload = bytes(self._buffer[at + 9 : at + 9 + size])
            at += 9 + size
            yield from self._frame(kind, flags, stream, payload)
        del self._buffer[:at]

    def _frame(
        self, kind: int, flags: int, stream: int, payload: bytes
    ) -> Iterator[tuple[int, bytes]]:
        if kind == _DATA:
            self._replenish(stream, len(payload))
            buffer = self._messages[stream]
            buffer += payload
            for message in _complete(buffer):
                yield stream, message
        elif kind == _SETTINGS and not flags & _ACK:
            self.socket.sendall(_frame(_SETTINGS, _ACK, 0, b""))
        elif kind == _PING and not flags & _ACK:
            self.socket.sendall(_frame(_PING, _ACK, 0, payload))
        elif kind == _GOAWAY:
            raise Broken("the server is going away")
        if kind == _RST or (kind in (_DATA, _HEADERS) and flags & _END_STREAM):
            self.ended += 1

    def _replenish(self, stream: int, size: int) -> None:
        """Let the server send more: of this call, and of all of them."""
        for number in (0, stream):
            taken = self._taken.get(number, 0) + size
            if taken >= _REPLENISH_BYTES:
                self.socket.sendall(_frame(_WINDOW, 0, number, taken.to_bytes(4, "big")))
                taken = 0
            self._taken[number] = taken


class Web(Connection):
    """gRPC-Web over HTTP/1.1, as browsers speak it to the gateway; one call."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self._buffer = bytearray()
        self._body = bytearray()
        self._in_body = False

    def call(self, path: str, request: bytes) -> None:
        """Begin the call, whose number is 1."""
        body = _message(request)
        head = (
            f"POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(body)}\r\n"
            "content-type: application/grpc-web+proto\r\nx-grpc-web: 1\r\n\r\n"
        )
        self.socket.sendall(head.encode() + body)

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield (call, message) for each message that is complete now. Raises Broken."""
        self._buffer += data
        if not self._in_body:
            head, found, rest = bytes(self._buffer).partition(b"\r\n\r\n")
            if not found:
                return
            if not head.startswith(b"HTTP/1.1 200") or b"\r\ngrpc-status: " in head:
                raise Broken(head.decode(errors="replace"))
            self._in_body, self._buffer = True, bytearray(rest)
        while (end := self._buffer.find(b"\r\n")) >= 0:
            size = int(self._buffer[:end], 16)
            if len(self._buffer) < end + size + 4:
                break
            self._body += self._buffer[end + 2 : end + 2 + size]
            del self._buffer[: end + size + 4]
            if size == 0:
                self.ended = 1
        for message in _complete(self._body):
            yield 1, message


def _connected(address: str) -> socket.socket:
    """Connect to "unix:/path" or "host:port"."""
    if address.startswith("unix:"):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(address.removeprefix("unix:"))
        return connection
    host, _, port = address.rpartition(":")
    connection = socket.create_connection((host, int(port)))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _complete(buffer: bytearray) -> Iterator[bytes]:
    """Take the complete messages off `buffer`; a trailer of gRPC-Web is passed over."""
    while len(buffer) >= 5:
        size = int.from_bytes(buffer[1:5], "big")
        if len(buffer) < 5 + size:
            return
        message, trailer = bytes(buffer[5 : 5 + size]), buffer[0] & 0x80
        del buffer[: 5 + size]
        if not trailer:
            yield message


def _message(data: bytes) -> bytes:
    return b"\0" + len(data).to_bytes(4, "big") + data


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + struct.pack(">BBI", kind, flags, stream) + payload


def _text(text: str) -> bytes:
    """Return a string of HPACK, without its codes: up to 126 bytes."""
    data = text.encode()
    return bytes([len(data)]) + data
