"""A model hub on this machine: real HTTP, with the hub's routes, and faults on demand.

    with LoopbackHub() as hub:
        hub.add("me/model", {"weights.bin": data})
        hub.files["me/model", "weights.bin"].cut_after_bytes = [1 << 20]
        ...  # with HF_ENDPOINT=hub.url
        assert hub.sent_bytes("me/model", "weights.bin") == len(data)

Large files are answered with a redirect to another host name, as a hub does. As a program it
serves a folder: `python -m musicgen.testing.loopback_hub FOLDER --port 8500`, where files lie as
FOLDER/ORG/NAME/PATH; `--rate` makes it slow.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import re
import signal
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self
from urllib.parse import unquote, urlsplit

LFS_FROM_BYTES = 1 << 16
CHUNK_BYTES = 1 << 16
TOKEN = "hf_loopback"  # noqa: S105  # opens nothing but this
_RANGE = re.compile(r"bytes=(\d+)-")


@dataclass
class HubFile:
    """A file, what was sent of it, and what goes wrong with it. Lists of faults are used up
    from the front, one an answer."""

    data: bytes
    lfs: bool
    sent_bytes: int = 0
    cut_after_bytes: list[int] = field(default_factory=list)
    answer_status: list[int] = field(default_factory=list)
    flip_byte_at: list[int] = field(default_factory=list)
    ignores_range: bool = False
    bytes_per_second: float = 0.0
    """0: as fast as it goes."""

    @property
    def etag(self) -> str:
        """What the bytes hash to, as a hub says it."""
        if self.lfs:
            return hashlib.sha256(self.data).hexdigest()
        head = b"blob %d\0" % len(self.data)
        return hashlib.sha1(head + self.data, usedforsecurity=False).hexdigest()


class LoopbackHub:
    """Repositories in memory, served on 127.0.0.1 until `close`, or the end of `with`."""

    def __init__(self, port: int = 0) -> None:
        self.files: dict[tuple[str, str], HubFile] = {}
        self.commits: dict[str, str] = {}
        self.gated: set[str] = set()
        self.requests: list[str] = []
        """Method and path of each, in order."""
        self.token_was_leaked = False
        """Whether the other host, which large files come from, was sent the token."""
        hub = self

        class Handler(_Handler):
            serves = hub

        class Server(ThreadingHTTPServer):
            daemon_threads = True

        self._server = Server(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """What HF_ENDPOINT is to be."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def git_url(self) -> str:
        """What MUSICGEN_GIT_ENDPOINT is to be: the same files, without a hub around them."""
        return f"{self.url}/git"

    def add(self, repository: str, files: Mapping[str, bytes], *, gated: bool = False) -> str:
        """Add a repository of one commit, or put another in its place; return the commit."""
        for path, data in files.items():
            self.files[repository, path] = HubFile(data, lfs=len(data) >= LFS_FROM_BYTES)
        names = b"".join(path.encode() + data[:64] for path, data in sorted(files.items()))
        commit = hashlib.sha1(repository.encode() + names, usedforsecurity=False).hexdigest()
        self.commits[repository] = commit
        if gated:
            self.gated.add(repository)
        return commit

    def add_folder(self, folder: Path) -> None:
        """Add all that lies in a folder as ORG/NAME/PATH."""
        for repository in sorted(folder.glob("*/*")):
            paths = [path for path in sorted(repository.rglob("*")) if path.is_file()]
            name = repository.relative_to(folder).as_posix()
            self.add(name, {p.relative_to(repository).as_posix(): p.read_bytes() for p in paths})

    def sent_bytes(self, repository: str, path: str) -> int:
        """Return how many bytes of a file were sent in all answers together."""
        return self.files[repository, path].sent_bytes

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    serves: ClassVar[LoopbackHub]
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        """Keep little on the way: what was sent is to be what arrived, about."""
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, CHUNK_BYTES)
        super().setup()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:  # http.server's name
        """Answer without a body."""
        self._route()

    def do_GET(self) -> None:  # http.server's name
        """Answer with a body."""
        self._route()

    def _route(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.serves.requests.append(f"{self.command} {path}")
        with contextlib.suppress(ConnectionError, TimeoutError):
            if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/(revision|tree)/([^/]+)", path):
                self._api(found[1], found[2], found[3])
            elif found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
                self._resolve(found[1], found[2], found[3])
            elif found := re.fullmatch(r"/lfs/([^/]+/[^/]+)/(.+)", path):
                leaked = self.headers.get("authorization")
                self.serves.token_was_leaked |= leaked is not None
                self._send_file(self.serves.files.get((found[1], found[2])))
            elif found := re.fullmatch(r"/git/([^/]+/[^/]+)/([^/]+)/(.+)", path):
                self._send_file(self.serves.files.get((found[1], found[3])))
            else:
                self._refuse(HTTPStatus.NOT_FOUND)

    def _known(self, repository: str, revision: str) -> bool:
        """Whether this may be seen; else it has been refused."""
        commit = self.serves.commits.get(repository)
        if commit is None:
            self._refuse(HTTPStatus.UNAUTHORIZED, "RepoNotFound")
        elif revision not in ("main", commit):
            self._refuse(HTTPStatus.NOT_FOUND, "RevisionNotFound")
        elif repository in self.serves.gated and not self._has_token():
            self._refuse(HTTPStatus.UNAUTHORIZED, "GatedRepo")
        else:
            return True
        return False

    def _has_token(self) -> bool:
        return self.headers.get("authorization") == f"Bearer {TOKEN}"

    def _api(self, repository: str, what: str, revision: str) -> None:
        if not self._known(repository, revision):
            return
        listed = {p: f for (name, p), f in self.serves.files.items() if name == repository}
        commit = self.serves.commits[repository]
        body: object = {
            "id": repository,
            "sha": commit,
            "siblings": [{"rfilename": path} for path in listed],
        }
        if what == "tree":
            body = [
                {
                    "type": "file",
                    "path": path,
                    "size": len(file.data),
                    "oid": file.etag,
                    **({"lfs": {"oid": file.etag, "size": len(file.data)}} if file.lfs else {}),
                }
                for path, file in listed.items()
            ]
        self._send(HTTPStatus.OK, json.dumps(body).encode(), {"content-type": "application/json"})

    def _resolve(self, repository: str, revision: str, path: str) -> None:
        if not self._known(repository, revision):
            return
        file = self.serves.files.get((repository, path))
        if file is None:
            self._refuse(HTTPStatus.NOT_FOUND, "EntryNotFound")
            return
        headers = {"x-repo-commit": self.serves.commits[repository]}
        if not file.lfs:
            self._send_file(file, {**headers, "etag": f'"{file.etag}"'})
            return
        # Another host name, as of a content network: tokens must not be sent there.
        where = f"http://localhost:{self.serves.port}/lfs/{repository}/{path}"
        headers |= {"x-linked-etag": f'"{file.etag}"', "x-linked-size": str(len(file.data))}
        self._send(HTTPStatus.FOUND, b"", {**headers, "location": where})

    def _send_file(self, file: HubFile | None, headers: Mapping[str, str] | None = None) -> None:
        if file is None:
            self._refuse(HTTPStatus.NOT_FOUND)
            return
        if self.command == "GET" and file.answer_status:
            self._refuse(HTTPStatus(file.answer_status.pop(0)))
            return
        asked = _RANGE.fullmatch(self.headers.get("range", ""))
        start = int(asked[1]) if asked and not file.ignores_range else 0
        size_bytes = len(file.data)
        told = {**(headers or {}), "accept-ranges": "bytes"}
        if start >= size_bytes > 0:
            self._send(
                HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
                b"",
                {**told, "content-range": f"bytes */{size_bytes}"},
            )
            return
        status = HTTPStatus.PARTIAL_CONTENT if start else HTTPStatus.OK
        if start:
            told["content-range"] = f"bytes {start}-{size_bytes - 1}/{size_bytes}"
        self.send_response(status)
        for name, value in {**told, "content-length": str(size_bytes - start)}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self._send_bytes(file, start)

    def _send_bytes(self, file: HubFile, start: int) -> None:
        data = file.data
        if file.flip_byte_at:
            at = file.flip_byte_at.pop(0)
            data = data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]
        end = len(data)
        cut = file.cut_after_bytes.pop(0) if file.cut_after_bytes else end
        for begins in range(start, min(end, start + cut), CHUNK_BYTES):
            chunk = data[begins : min(begins + CHUNK_BYTES, start + cut)]
            self.wfile.write(chunk)
            file.sent_bytes += len(chunk)
            if file.bytes_per_second:
                time.sleep(len(chunk) / file.bytes_per_second)
        if start + cut < end:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

    def _send(self, status: HTTPStatus, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _refuse(self, status: HTTPStatus, code: str = "") -> None:
        self._send(status, b"", {"x-error-code": code} if code else {})


def main() -> None:
    """Serve a folder until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="musicgen.testing.loopback_hub", description=__doc__)
    parser.add_argument("folder", type=Path, help="files as ORG/NAME/PATH")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--rate", type=float, default=0.0, help="bytes a second")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with LoopbackHub(arguments.port) as hub:
        hub.add_folder(arguments.folder)
        for file in hub.files.values():
            file.bytes_per_second = arguments.rate
        print(hub.url, flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()


if __name__ == "__main__":
    main()
