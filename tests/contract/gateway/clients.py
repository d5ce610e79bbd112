"""The smallest clients that speak REST and gRPC-Web, from the standard library."""

from __future__ import annotations

import base64
import http.client
import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message
from google.rpc import status_pb2

TIMEOUT_S = 15.0


@dataclass(frozen=True)
class Answer:
    """An HTTP response, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def reason(self) -> str:
        """The reason in the error's ErrorInfo."""
        return str(self.info["reason"])

    @property
    def info(self) -> Any:
        """The error's ErrorInfo."""
        kind = "type.googleapis.com/google.rpc.ErrorInfo"
        return next(detail for detail in self.json["details"] if detail["@type"] == kind)


def call(
    port: int,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Send one HTTP/1.1 request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        kind = {"content-type": "application/json"} if body else {}
        connection.request(method, path, body, {**kind, **(headers or {})})
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, found, response.read())
    finally:
        connection.close()


@dataclass(frozen=True)
class GrpcWeb:
    """What a gRPC-Web call ended with."""

    messages: list[bytes]
    trailers: Mapping[str, str]
    headers: Mapping[str, str]

    @property
    def status(self) -> int:
        """The gRPC status code."""
        return int(self.trailers["grpc-status"])

    @property
    def details(self) -> status_pb2.Status:
        """The status with its details."""
        text = self.trailers["grpc-status-details-bin"]
        return status_pb2.Status.FromString(base64.b64decode(text + "=" * (-len(text) % 4)))


def grpc_web_frames(
    port: int, path: str, request: Message | bytes, origin: str | None = None
) -> Iterator[tuple[int, bytes, Mapping[str, str]]]:
    """Yield (flags, payload, headers) of each frame as it arrives."""
    payload = request if isinstance(request, bytes) else request.SerializeToString()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        headers = {
            "content-type": "application/grpc-web+proto",
            "x-grpc-web": "1",
            **({"origin": origin} if origin else {}),
        }
        connection.request("POST", path, struct.pack(">BI", 0, len(payload)) + payload, headers)
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        assert response.status == 200, (response.status, response.read())
        if "grpc-status" in found:  # an error without a body has its trailers in front
            yield 0x80, "\r\n".join(f"{k}: {v}" for k, v in found.items()).encode(), found
        while head := response.read(5):
            flags, length = struct.unpack(">BI", head)
            yield flags, response.read(length), found
    finally:
        connection.close()


def grpc_web(port: int, path: str, request: Message | bytes, origin: str | None = None) -> GrpcWeb:
    """Make one gRPC-Web call and wait for its end."""
    messages: list[bytes] = []
    trailers: dict[str, str] = {}
    headers: Mapping[str, str] = {}
    for flags, payload, found in grpc_web_frames(port, path, request, origin):
        headers = found
        if flags & 0x80:
            lines = (line.partition(":") for line in payload.decode().split("\r\n") if line)
            trailers |= {name.strip().lower(): value.strip() for name, _, value in lines}
        else:
            messages.append(payload)
    return GrpcWeb(messages, trailers, headers)
