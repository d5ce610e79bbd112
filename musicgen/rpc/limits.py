"""Limits that servers and clients share."""

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
"""Largest gRPC message, either way. Audio travels over HTTP."""

MAX_METADATA_BYTES = 64 * 1024
"""Headers of one request; the gateway puts a whole URL into one."""
