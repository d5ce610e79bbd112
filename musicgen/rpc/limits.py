"""Limits that servers and clients share."""

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
"""Largest gRPC message, either way. Audio travels over HTTP."""
