"""A library on a real channel that resolves references, and how to serve anything."""

# ruff: noqa: ARG002, N802  # the contract's names and signatures
from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from musicgen.api.audio.v1 import audio_pb2
from musicgen.api.library.v1 import library_service_pb2, library_service_pb2_grpc
from musicgen.errors import TrackNotFound, UploadNotFound
from musicgen.rpc.server import RpcServer

NAME = "musicgen.api.library.v1.LibraryService"
RATE_HZ = 44_100


class FakeLibrary(library_service_pb2_grpc.LibraryServiceServicer):
    """Holds what is in `held`, by track or upload id; at first a track "t" of a minute."""

    def __init__(self) -> None:
        self.held: dict[str, audio_pb2.ProducedTrack] = {}
        self.asked: list[str] = []
        self.hold("t", "library/t/audio.flac", 60 * RATE_HZ, title="Rain")

    def hold(self, name: str, key: str, frames: int, **facts: Any) -> audio_pb2.ProducedTrack:
        """Hold audio of so many frames; `facts` are of the track."""
        track = audio_pb2.ProducedTrack(**facts)
        track.artifact.key = key
        track.artifact.audio.sample_rate_hz = RATE_HZ
        track.artifact.audio.duration_frames = frames
        self.held[name] = track
        return track

    async def ResolveAudio(
        self, request: library_service_pb2.ResolveAudioRequest, context: Any
    ) -> library_service_pb2.ResolveAudioResponse:
        """See the contract."""
        which = request.audio.WhichOneof("source")
        name = getattr(request.audio, which or "track_id")
        self.asked.append(name)
        if name not in self.held:
            kind = UploadNotFound if which == "upload_id" else TrackNotFound
            raise kind(f"There is no {name}.")
        return library_service_pb2.ResolveAudioResponse(track=self.held[name])

    def serving(self, address: str) -> AbstractAsyncContextManager[None]:
        """Serve it at an address."""
        add = library_service_pb2_grpc.add_LibraryServiceServicer_to_server
        return serving(NAME, address, add, self)


def fake_library() -> FakeLibrary:
    """Return one."""
    return FakeLibrary()  # type: ignore[abstract]  # its other methods are not called


@asynccontextmanager
async def serving(name: str, address: str, add: Any, servicer: Any) -> AsyncIterator[None]:
    """Serve a service at an address."""

    async def check() -> str:
        return ""

    server = RpcServer([name], check)
    add(servicer, server.grpc)
    task = asyncio.create_task(server.run(address))
    yield
    server.draining.set()
    await task
