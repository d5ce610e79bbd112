from __future__ import annotations

from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from musicgen.errors import (
    DiskFull,
    MessageTooLarge,
    QueueFull,
    StudioError,
    TrackNotFound,
    by_reason,
)
from services.library.web.errors import Recorder, http_code_of

pytestmark = pytest.mark.unit


async def answered(app: Any) -> list[Message]:
    """What a client is sent by an app behind the recorder."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/x", "headers": []}
    await Recorder(app)(scope, receive, send)
    return sent


async def test_a_defect_is_answered() -> None:
    """A bug ends with 500 and INTERNAL, without its cause."""

    async def broken(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise KeyError("a secret of the inside")

    start, body = await answered(broken)
    assert start["status"] == 500
    assert b"INTERNAL" in body["body"]
    assert b"secret" not in body["body"]


async def test_a_defect_in_the_middle_breaks_the_connection() -> None:
    """Once bytes are sent, an error must not look like their end."""

    async def broken(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise KeyError("late")

    with pytest.raises(KeyError):
        await answered(broken)


def test_every_error_has_an_http_code() -> None:
    """The whole tree maps; what HTTP tells apart more finely is told apart."""

    def tree(root: type[StudioError]) -> list[type[StudioError]]:
        return [root, *(kind for child in root.__subclasses__() for kind in tree(child))]

    assert all(400 <= http_code_of(kind("x")) < 600 for kind in tree(StudioError))
    codes = {DiskFull: 507, MessageTooLarge: 413, QueueFull: 429, TrackNotFound: 404}
    assert {kind: http_code_of(kind("x")) for kind in codes} == codes
    assert by_reason("TRACK_NOT_FOUND") is TrackNotFound
