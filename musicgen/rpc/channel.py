"""Channels to the studio's services."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import grpc

from musicgen.rpc import tracing
from musicgen.rpc.limits import MAX_MESSAGE_BYTES

Continuation = Callable[[grpc.aio.ClientCallDetails, Any], Awaitable[Any]]


def connect(address: str) -> grpc.aio.Channel:
    """Open a channel to "unix:/path" or "host:port". Reconnects within a second, so
    that a restarted service is found again at once."""
    return grpc.aio.insecure_channel(
        address,
        options=(
            ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.min_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 1_000),
            # A process that is frozen, or behind a cable that was pulled, is noticed while
            # calls are open; servers allow a ping every 10 s.
            ("grpc.keepalive_time_ms", 15_000),
            ("grpc.keepalive_timeout_ms", 10_000),
            ("grpc.http2.ping_timeout_ms", 10_000),
            # A Unix socket has no host name, and "localhost" is what proxies accept.
            ("grpc.default_authority", "localhost"),
            # A studio is on this machine or in this network; a web proxy set in the
            # environment would only be in the way.
            ("grpc.enable_http_proxy", 0),
        ),
        interceptors=(_TracedUnary(), _TracedStream()) if tracing.is_on() else None,
    )


def _traced(details: grpc.aio.ClientCallDetails) -> grpc.aio.ClientCallDetails:
    """Add the trace that the caller is in."""
    if not (traceparent := tracing.current_traceparent()):
        return details
    metadata = grpc.aio.Metadata(*(details.metadata or ()), (tracing.HEADER, traceparent))
    return grpc.aio.ClientCallDetails(
        details.method, details.timeout, metadata, details.credentials, details.wait_for_ready
    )


class _TracedUnary(grpc.aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(
        self, continuation: Continuation, client_call_details: Any, request: Any
    ) -> Any:
        return await continuation(_traced(client_call_details), request)


class _TracedStream(grpc.aio.UnaryStreamClientInterceptor):
    async def intercept_unary_stream(
        self, continuation: Continuation, client_call_details: Any, request: Any
    ) -> Any:
        return await continuation(_traced(client_call_details), request)
