"""A running library, and a plain HTTP client for Unix sockets."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import shutil
import socket
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from musicgen.api.audio.v1 import audio_pb2
from musicgen.api.library.v1 import library_service_pb2 as pb
from musicgen.api.library.v1 import library_service_pb2_grpc, track_pb2
from musicgen.artifacts import ArtifactStore
from musicgen.audio.codecs import Format
from musicgen.rpc.channel import connect
from services.library.service import LibraryService
from services.library.settings import Settings
from tests.unit.library.sounds import attached, produced


class UnixConnection(http.client.HTTPConnection):
    """An HTTP connection over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=20)
        self._path = path

    def connect(self) -> None:
        """Open the socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect(str(self._path))


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole HTTP response; header names in lower case."""

    code: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Parse the body."""
        return json.loads(self.body)

    @property
    def reason(self) -> str:
        """The ErrorInfo's reason."""
        return str(self.json()["details"][0]["reason"])


class Studio:
    """The library under test, from outside."""

    def __init__(self, folder: Path, channel: grpc.aio.Channel) -> None:
        self.folder = folder
        self.channel = channel
        self.store = ArtifactStore(folder / "data")
        self.stub = library_service_pb2_grpc.LibraryServiceStub(channel)

    async def http(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """Send one request."""

        def send() -> Answer:
            with contextlib.closing(UnixConnection(self.folder / "http.sock")) as connection:
                connection.request(method, path, body=body, headers=dict(headers or {}))
                response = connection.getresponse()
                names = {name.lower(): value for name, value in response.getheaders()}
                return Answer(response.status, names, response.read())

        return await asyncio.to_thread(send)

    def request(
        self,
        job_id: str = "job-1",
        *,
        format: Format = Format.FLAC,
        frames: int = 50_017,
        files: bool = False,
        **more: Any,
    ) -> pb.RegisterTrackRequest:
        """A finished artifact, ready to be registered; with a score and stems if asked."""
        made = produced(self.store, job_id, format=format, frames=frames, **more)
        message = audio_pb2.ProducedTrack(
            artifact=audio_pb2.Artifact(key=made.artifact_key, sha256=made.sha256),
            title=made.title,
            genre=made.genre,
            tempo_bpm=made.tempo_bpm,
            musical_key=made.musical_key,
            parent_track_id="b" * 16,
        )
        message.recipe.update(made.recipe or {})
        if made.loop_points:
            message.loop_points.start_frame = made.loop_points.start_frame
            message.loop_points.end_frame = made.loop_points.end_frame
        for one in attached(self.store, job_id) if files else ():
            artifact = audio_pb2.Artifact(
                key=one.artifact_key, sha256=one.sha256, media_type=one.media_type
            )
            message.attachments.add(artifact=artifact, name=one.name, label=one.label)
        return pb.RegisterTrackRequest(job_id=job_id, track=message)

    async def register(self, job_id: str = "job-1", **more: Any) -> track_pb2.Track:
        """Register a new track; a copy of its artifact is kept as artifacts/kept/1/…."""
        request = self.request(job_id, **more)
        made = self.store.path(request.track.artifact.key)
        kept = self.store.path(f"artifacts/kept/1/{made.name}")
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(made, kept)
        return (await self.stub.RegisterTrack(request)).track


@contextlib.asynccontextmanager
async def running(folder: Path, **settings: Any) -> AsyncIterator[Studio]:
    """Run the real service in this loop, on sockets in `folder`."""
    service = LibraryService(
        Settings(
            address=f"unix:{folder}/grpc.sock",
            http_address=f"unix:{folder}/http.sock",
            data_root=folder / "data",
            **settings,
        )
    )
    task = asyncio.create_task(service.run())
    channel = connect(f"unix:{folder}/grpc.sock")
    try:
        await asyncio.wait_for(channel.channel_ready(), 20)
        yield Studio(folder, channel)
    finally:
        await channel.close()
        service.server.draining.set()
        await asyncio.wait_for(task, 20)
