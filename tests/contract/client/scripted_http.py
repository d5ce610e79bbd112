"""The HTTP side of a small studio: downloads with Range, resumable uploads, and faults."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from google.protobuf import json_format

from musicgen.errors import ArtifactNotFound, MessageTooLarge, ServiceUnavailable, StudioError
from musicgen.rpc.status import to_status


@dataclass
class HttpFaults:
    """What goes wrong."""

    break_downloads_at: list[int] = field(default_factory=list)
    """Each download in turn breaks off after so many bytes of its body."""
    break_uploads_at: list[int] = field(default_factory=list)
    unavailable: int = 0
    """So many requests are answered 503."""
    largest_upload_bytes: int = 1 << 30
    new_etag_each_time: bool = False
    pause_s: float = 0.0
    """How long a download waits in its middle."""


class ScriptedHttp(ThreadingHTTPServer):
    """Serves `made` (bytes by path) and keeps `uploads` (bytes by upload id)."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.made: dict[str, bytes] = {}
        self.uploads: dict[str, bytearray] = {}
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.faults = HttpFaults()
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ScriptedHttp

    def log_message(self, format: str, *args: Any) -> None:
        """Be quiet."""

    def do_GET(self) -> None:
        faults, content = self.server.faults, self.server.made.get(self.path)
        self._record()
        if self._unavailable():
            return
        if content is None:
            self._refuse(404, ArtifactNotFound("There is no such artifact."))
            return
        etag = f'"{len(self.server.requests) if faults.new_etag_each_time else 1}"'
        start = 0
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if asked and self.headers.get("If-Range") == etag:
            start = int(asked[1])
        self.send_response(206 if start else 200)
        self.send_header("ETag", etag)
        self.send_header("Content-Length", str(len(content) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        body = content[start:]
        if faults.break_downloads_at:
            body = body[: faults.break_downloads_at.pop(0)]
            self.close_connection = True
        self.wfile.write(body[: len(body) // 2])
        self.wfile.flush()
        threading.Event().wait(faults.pause_s)
        self.wfile.write(body[len(body) // 2 :])

    def do_PUT(self) -> None:
        self._record()
        upload_id = self.path.rsplit("/", 1)[1]
        asked = re.fullmatch(r"bytes (?:(\d+)-(\d+)|\*)/(\d+)", self.headers["Content-Range"])
        assert asked
        kept = self.server.uploads.setdefault(upload_id, bytearray())
        length, total = int(self.headers["Content-Length"]), int(asked[3])
        if total > self.server.faults.largest_upload_bytes:
            self.close_connection = True
            self._refuse(413, MessageTooLarge("The upload is too large."))
            return
        if self._unavailable():
            return
        if length and int(asked[1]) == len(kept):
            if self.server.faults.break_uploads_at:
                kept += self.rfile.read(self.server.faults.break_uploads_at.pop(0))
                self.close_connection = True
                return
            kept += self.rfile.read(length)
        if len(kept) == total:
            self._answer(201, {"upload_id": upload_id, "size_bytes": total})
        else:
            self.send_response(308)
            if kept:
                self.send_header("Range", f"bytes=0-{len(kept) - 1}")
            self.send_header("Content-Length", "0")
            self.end_headers()

    def _record(self) -> None:
        self.server.requests.append((self.command, self.path, dict(self.headers.items())))

    def _unavailable(self) -> bool:
        if self.server.faults.unavailable:
            self.server.faults.unavailable -= 1
            self.close_connection = True
            self._refuse(503, ServiceUnavailable("Not now."))
            return True
        return False

    def _refuse(self, code: int, error: StudioError) -> None:
        self._answer(code, json_format.MessageToDict(to_status(error)))

    def _answer(self, code: int, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
