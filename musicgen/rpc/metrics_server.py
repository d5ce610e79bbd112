"""The process's metrics over HTTP, for Prometheus: on a thread of its own that sleeps until
it is asked."""

from __future__ import annotations

import contextlib
import re
import socket
import socketserver
import stat
import sys
import threading
import time
from pathlib import Path
from typing import Any

from prometheus_client import MetricsHandler, disable_created_metrics

from musicgen.settings import SettingsError

_UNIX = "unix:"
_ACCEPT_RETRY_S = 0.2
_HOST_PORT = re.compile(r"(?P<host>\[[0-9a-fA-F:]+\]|[^/:\s\[\]]+):(?P<port>\d{1,5})")


class _Handler(MetricsHandler):
    timeout = 10.0
    """Seconds that a silent client keeps its thread."""


class _Threading(socketserver.ThreadingMixIn):
    daemon_threads = True

    def get_request(self) -> Any:
        """Accept; where that fails (no file is left to open) not at once again."""
        try:
            return super().get_request()  # type: ignore[misc]  # the server's
        except OSError:
            time.sleep(_ACCEPT_RETRY_S)
            raise

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):  # those are clients that went away
            super().handle_error(request, client_address)  # type: ignore[misc]  # the server's


class _OverTcp(_Threading, socketserver.TCPServer):
    allow_reuse_address = True

    def __init__(self, host: str, port: int) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Handler)


class _OverUnix(_Threading, socketserver.UnixStreamServer):
    def __init__(self, path: Path) -> None:
        with contextlib.suppress(FileNotFoundError):
            if stat.S_ISSOCK(path.lstat().st_mode):
                path.unlink()  # of a process that died
        super().__init__(str(path), _Handler)
        path.chmod(0o600)


class MetricsServer:
    """Serves from its construction until `close`, or as long as the process lives.

    `address` is "unix:/path" or "host:port". Raises ValueError if it is neither, OSError if
    it can't be listened on.
    """

    def __init__(self, address: str) -> None:
        self._server = _listen(address)
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="metrics", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        # Not serve_forever, which wakes up twice a second to see whether it should end.
        while not self._closing:
            self._server.handle_request()

    def close(self) -> None:
        """Stop listening."""
        self._closing = True
        with socket.socket(self._server.address_family) as waker, contextlib.suppress(OSError):
            waker.connect(self._server.server_address)
        self._thread.join()
        self._server.server_close()


def start(address: str) -> MetricsServer | None:
    """Serve where the setting MUSICGEN_METRICS_ADDRESS says; nowhere if it is empty. Raises
    SettingsError."""
    if not address:
        return None
    # When each counter began would double what is told.
    disable_created_metrics()  # type: ignore[no-untyped-call]  # it has no annotations
    try:
        return MetricsServer(address)
    except ValueError as error:
        raise SettingsError(f"MUSICGEN_METRICS_ADDRESS={address!r}: {error}") from error
    except OSError as error:
        raise SettingsError(
            f"MUSICGEN_METRICS_ADDRESS={address!r}: can't listen there "
            f"({error.strerror or error}); give another address, or none"
        ) from error


def _listen(address: str) -> _OverTcp | _OverUnix:
    if address.startswith(_UNIX + "/"):
        return _OverUnix(Path(address.removeprefix(_UNIX)))
    if (match := _HOST_PORT.fullmatch(address)) is None or int(match["port"]) > 65_535:
        raise ValueError('expected "unix:/path" or "host:port"')
    return _OverTcp(match["host"].strip("[]"), int(match["port"]))
