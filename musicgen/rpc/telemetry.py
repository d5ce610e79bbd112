"""What a process tells of itself: logs, and if it is told to, metrics and traces."""

from __future__ import annotations

from musicgen.rpc import log, metrics_server, tracing


def start(service: str, *, log_level: str, metrics_address: str = "") -> None:
    """Set up a process, once, before it does anything. Raises SettingsError if metrics can't
    be served at `metrics_address` ("": nowhere)."""
    log.configure(service, log_level)
    metrics_server.start(metrics_address)
    if why := tracing.configure(service):
        log.get().warning("no traces", why=why)
