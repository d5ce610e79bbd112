"""A connection to a studio, and the calls over it."""

from __future__ import annotations

import asyncio
import os
from types import TracebackType
from typing import Self, TypeVar

import grpc

from musicgen.client.address import (
    API_KEY_HEADER,
    API_KEY_VARIABLE,
    Endpoint,
    find_endpoint,
    parse_endpoint,
)
from musicgen.client.backoff import Backoff
from musicgen.client.explaining import explained
from musicgen.client.sendable import checked_header
from musicgen.client.watch import SILENCE_S
from musicgen.errors import StudioError, Unavailable
from musicgen.rpc.channel import connect
from musicgen.rpc.status import from_rpc_error

CALL_DEADLINE_S = 15.0
CALL_ATTEMPTS = 4
PAGE_SIZE = 200

Request = TypeVar("Request")
Response = TypeVar("Response")


class Connection:
    """The channel to one studio, and how a call is made on it."""

    def __init__(
        self,
        endpoint: Endpoint | str | None = None,
        *,
        backoff: Backoff | None = None,
        silence_s: float = SILENCE_S,
        api_key: str | None = None,
    ) -> None:
        """Name the studio: "host:port", or None for $MUSICGEN_GATEWAY, else the one that
        runs on this machine. Connects with the first call.

        A watch that brings nothing for `silence_s` seconds counts as broken. `api_key`,
        default $MUSICGEN_API_KEY, is for a studio that asks for one.
        """
        if isinstance(endpoint, str):
            endpoint = parse_endpoint(endpoint)
        self.endpoint = endpoint or find_endpoint(None, os.environ)
        self._backoff = backoff or Backoff()
        self._silence_s = silence_s
        self._channel = connect(self.endpoint.address)
        key = api_key if api_key is not None else os.environ.get(API_KEY_VARIABLE, "")
        self._headers = {API_KEY_HEADER: checked_header("api_key", key)} if key else {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End all calls and the connection."""
        await self._channel.close()

    async def _call(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[Request, Response],
        request: Request,
        *,
        attempts: int = CALL_ATTEMPTS,
        deadline_s: float = CALL_DEADLINE_S,
    ) -> Response:
        for attempt in range(1, attempts + 1):
            call = method(request, timeout=deadline_s, metadata=tuple(self._headers.items()))
            try:
                return await call
            except grpc.RpcError as caught:
                error = from_rpc_error(caught)
                if not isinstance(error, Unavailable) or attempt == attempts:
                    raise self._explain(caught, deadline_s) from caught
            finally:
                call.cancel()  # a call that is only dropped is never freed
            await asyncio.sleep(error.retry_after_s or self._backoff.delay_s(attempt + 1))
        raise AssertionError("the last attempt returns or raises")

    def _explain(self, caught: grpc.RpcError, deadline_s: float = CALL_DEADLINE_S) -> StudioError:
        return explained(caught, self.endpoint.address, deadline_s)
