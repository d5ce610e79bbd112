"""Channels to the studio's services."""

from __future__ import annotations

import grpc

from musicgen.rpc.limits import MAX_MESSAGE_BYTES


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
            # A Unix socket has no host name, and "localhost" is what proxies accept.
            ("grpc.default_authority", "localhost"),
            # A studio is on this machine or in this network; a web proxy set in the
            # environment would only be in the way.
            ("grpc.enable_http_proxy", 0),
        ),
    )
