"""Errors of the HTTP side: google.rpc.Status as JSON, and every request on record."""

from __future__ import annotations

import time
from collections.abc import Mapping

from google.protobuf import json_format
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from musicgen.errors import (
    DiskFull,
    Internal,
    InvalidField,
    MessageTooLarge,
    RouteNotFound,
    StudioError,
)
from musicgen.rpc import log
from musicgen.rpc.status import to_status

_BY_CODE = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ABORTED": 409,
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499,
    "INTERNAL": 500,
    "DATA_LOSS": 500,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}


def http_code_of(error: StudioError) -> int:
    """Return the HTTP status code of an error."""
    if isinstance(error, MessageTooLarge):
        return 413
    if isinstance(error, DiskFull):
        return 507
    return _BY_CODE[error.code]


def error_response(
    error: StudioError, *, code: int | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """Answer with an error; `code` where HTTP has a more exact one."""
    content = json_format.MessageToDict(to_status(error), preserving_proto_field_name=True)
    return JSONResponse(
        content,
        status_code=code or http_code_of(error),
        headers={"cache-control": "no-store", **(headers or {})},
    )


async def on_studio_error(_request: Request, error: Exception) -> Response:
    """Exception handler for StudioError."""
    if not isinstance(error, StudioError):
        raise error
    return error_response(error)


async def on_http_exception(request: Request, error: Exception) -> Response:
    """Exception handler for what the framework refuses: no route, wrong method."""
    if not isinstance(error, HTTPException):
        raise error
    path = request.url.path[:100]
    if error.status_code == 404:
        return error_response(RouteNotFound(f"Nothing is at {path}."))
    refusal = InvalidField(
        f"{request.method} {path}: {error.detail}.",
        remedy="Check the method and the path.",
    )
    return error_response(refusal, code=error.status_code, headers=error.headers)


class Recorder:
    """Logs every request, and answers a defect with a status instead of a torn
    connection."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        code = 0
        started_s = time.perf_counter()

        async def observed(message: Message) -> None:
            nonlocal code
            if message["type"] == "http.response.start":
                code = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, observed)
        except Exception as error:  # the outermost place: nothing may die of it
            log.get().error("defect", path=scope["path"], exc_info=error)
            if code:
                raise  # too late for an answer: the connection must break
            answer = error_response(Internal("The service failed in an unexpected way."))
            await answer(scope, receive, observed)
        finally:
            seconds = round(time.perf_counter() - started_s, 6)
            log.get().info(
                "http", method=scope["method"], path=scope["path"], code=code, seconds=seconds
            )
