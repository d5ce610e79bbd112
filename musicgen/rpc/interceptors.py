"""The one server interceptor: errors to status, logs with the job id, metrics, traces, drain."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import Any, cast

import grpc
import structlog
from google.protobuf.message import DecodeError
from grpc_status import rpc_status

from musicgen.errors import Internal, MalformedMessage, StudioError
from musicgen.rpc import log, metrics, tracing
from musicgen.rpc.status import to_status

# What grpc.aio hands over; its stubs describe the synchronous API.
Decoder = Callable[[bytes], Any]
UnaryBehavior = Callable[..., Awaitable[Any]]
StreamBehavior = Callable[..., AsyncGenerator[Any, None]]

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_QUIET = ("/grpc.health.", "/grpc.reflection.")


class InFlight:
    """The calls now running and when their deadlines end; asked when draining."""

    def __init__(self) -> None:
        self._ends: dict[object, float | None] = {}

    @contextmanager
    def track(self, time_remaining_s: float | None) -> Iterator[None]:
        """Count a call in for as long as the body runs."""
        key = object()
        self._ends[key] = None if time_remaining_s is None else time.monotonic() + time_remaining_s
        try:
            yield
        finally:
            del self._ends[key]

    def longest_s(self, limit_s: float) -> float:
        """Return how long the last call can still take, at most `limit_s`."""
        now = time.monotonic()
        left = [limit_s if end is None else end - now for end in self._ends.values()]
        return min(limit_s, max(left, default=0.0))


class _Malformed:
    """Stands in for a request that could not be decoded: grpc.aio would answer such a
    request by itself, without reason or remedy, before any interceptor runs."""


def _tolerant(deserialize: Decoder) -> Decoder:
    def decode(data: bytes) -> Any:
        try:
            return deserialize(data)
        except (DecodeError, ValueError):
            return _Malformed()

    return decode


class StudioInterceptor(grpc.aio.ServerInterceptor):
    """Wraps every handler of a server."""

    def __init__(self, in_flight: InFlight) -> None:
        self._in_flight = in_flight

    async def intercept_service(
        self,
        continuation: Callable[
            [grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]
        ],
        details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Return the handler for a call, wrapped."""
        handler = await continuation(details)
        if handler is None or details.method.startswith(_QUIET):
            return handler
        if handler.request_streaming:
            raise TypeError(f"{details.method}: the studio's contract has no request streams")
        deserialize = _tolerant(cast("Decoder", handler.request_deserializer))
        if handler.response_streaming:
            return grpc.unary_stream_rpc_method_handler(
                self._stream(details.method, cast("StreamBehavior", handler.unary_stream)),
                deserialize,
                handler.response_serializer,
            )
        return grpc.unary_unary_rpc_method_handler(
            self._unary(details.method, cast("UnaryBehavior", handler.unary_unary)),
            deserialize,
            handler.response_serializer,
        )

    def _unary(self, method: str, inner: UnaryBehavior) -> UnaryBehavior:
        async def handle(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            with (
                self._in_flight.track(context.time_remaining()),
                _observed(method, request, context) as end,
            ):
                try:
                    return await inner(_decoded(request), context)
                except BaseException as error:
                    await _abort(error, context, end)

        return handle

    def _stream(self, method: str, inner: StreamBehavior) -> StreamBehavior:
        async def handle(
            request: Any, context: grpc.aio.ServicerContext[Any, Any]
        ) -> AsyncGenerator[Any, None]:
            with (
                self._in_flight.track(context.time_remaining()),
                _observed(method, request, context) as end,
            ):
                try:
                    # Closed at once, not when it is collected: handlers clean up there.
                    async with aclosing(inner(_decoded(request), context)) as responses:
                        async for response in responses:
                            yield response
                except GeneratorExit:
                    raise
                except BaseException as error:
                    await _abort(error, context, end)

        return handle


def _decoded(request: Any) -> Any:
    if isinstance(request, _Malformed):
        raise MalformedMessage("The request is no valid message.")
    return request


class _Call:
    """What is known of a call at its end."""

    code = "OK"
    reason = ""


@contextmanager
def _observed(
    method: str, request: Any, context: grpc.aio.ServicerContext[Any, Any]
) -> Iterator[_Call]:
    service, _, name = method.lstrip("/").partition("/")
    call = _Call()
    started = time.perf_counter()
    bound = {"rpc": name}
    if job_id := getattr(request, "job_id", ""):
        bound["job_id"] = job_id
    metrics.IN_FLIGHT.labels(service, name).inc()
    with (
        structlog.contextvars.bound_contextvars(**bound),
        tracing.server_span(
            method, context.invocation_metadata() or (), job_id if _ID.fullmatch(job_id) else ""
        ) as span,
    ):
        try:
            yield call
        finally:
            if call.code not in ("OK", "CANCELLED"):
                span.fail(call.code)
            seconds = time.perf_counter() - started
            metrics.IN_FLIGHT.labels(service, name).dec()
            metrics.HANDLED.labels(service, name, call.code).inc()
            metrics.SECONDS.labels(service, name).observe(seconds)
            log.get().info(
                "rpc", code=call.code, reason=call.reason or None, seconds=round(seconds, 6)
            )


async def _abort(
    error: BaseException, context: grpc.aio.ServicerContext[Any, Any], call: _Call
) -> None:
    """End the call with the status of `error`. The cause of a defect is logged, and
    only that it happened is sent."""
    if isinstance(error, asyncio.CancelledError):
        call.code = "CANCELLED"
        raise error
    if isinstance(error, grpc.aio.AbortError) or not isinstance(error, Exception):
        raise error
    if not isinstance(error, StudioError):
        log.get().error("defect", exc_info=error)
        error = Internal("The service failed in an unexpected way.")
    call.code, call.reason = error.code, error.reason
    await context.abort_with_status(rpc_status.to_status(to_status(error)))
