"""The studio as a program sees it."""

from __future__ import annotations

import functools
import uuid
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from google.protobuf import field_mask_pb2

from musicgen.api.audio.v1 import audio_pb2
from musicgen.api.inference.v1 import inference_service_pb2, inference_service_pb2_grpc
from musicgen.api.jobs.v1 import job_pb2
from musicgen.api.library.v1 import library_service_pb2, library_service_pb2_grpc, track_pb2
from musicgen.api.system.v1 import system_service_pb2, system_service_pb2_grpc
from musicgen.client import specs
from musicgen.client.connection import PAGE_SIZE
from musicgen.client.models import Models
from musicgen.client.queueing import Queueing
from musicgen.client.sendable import checked_text
from musicgen.client.transfer import OnBytes, Transfers

CHECK_DEADLINE_S = 30.0
"""An engine that is to check lyrics may have to start for it."""


class Studio(Queueing):
    """A connection to a studio.

        async with Studio() as studio:
            job = await studio.run(specs.generate("calm piano", duration_s=60, seed=7))
            track = await studio.get_track(job.result.track_ids[0])

    Every method raises a StudioError. What can safely be repeated is tried again while
    the studio is UNAVAILABLE, a few times within about two seconds.
    """

    @functools.cached_property
    def models(self) -> Models:
        """What it has to make music with."""
        return Models(self._channel, self._call)

    @functools.cached_property
    def _inference(self) -> inference_service_pb2_grpc.InferenceServiceAsyncStub:
        return inference_service_pb2_grpc.InferenceServiceStub(self._channel)

    @functools.cached_property
    def _library(self) -> library_service_pb2_grpc.LibraryServiceAsyncStub:
        return library_service_pb2_grpc.LibraryServiceStub(self._channel)

    @functools.cached_property
    def _system(self) -> system_service_pb2_grpc.SystemServiceAsyncStub:
        return system_service_pb2_grpc.SystemServiceStub(self._channel)

    @functools.cached_property
    def _transfers(self) -> Transfers:
        return Transfers(self.endpoint.url, self._backoff, self._headers)

    # ---- engines, tracks, health ----------------------------------------------------

    async def list_engines(self) -> list[inference_service_pb2.Engine]:
        """List the engines and whether each can take work."""
        response = await self._call(
            self._inference.ListEngines,
            inference_service_pb2.ListEnginesRequest(),
        )
        return list(response.engines)

    async def check_lyrics(
        self,
        lyrics: str,
        engine: str,
        *,
        duration_s: float | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> inference_service_pb2.CheckLyricsResponse:
        """Ask an engine which lines of lyrics it would not sing as they stand in a piece of
        this length (default: its own), and why. Nothing is made. Raises ModelNotFound,
        InvalidField from an engine that checks none, InvalidLyrics, EnvironmentMissing."""
        request = inference_service_pb2.CheckLyricsRequest(
            engine=checked_text("engine", engine),
            parameters=specs.parameters("", duration_s=duration_s, lyrics=lyrics, options=options),
        )
        return await self._call(self._inference.CheckLyrics, request, deadline_s=CHECK_DEADLINE_S)

    async def list_tracks(self, query: str = "") -> AsyncIterator[track_pb2.Track]:
        """Go through the library, newest first; `query` holds words to be found."""
        request = library_service_pb2.ListTracksRequest(
            page_size=PAGE_SIZE, query=checked_text("query", query)
        )
        while True:
            page = await self._call(self._library.ListTracks, request)
            for track in page.tracks:
                yield track
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def get_track(self, track_id: str) -> track_pb2.Track:
        """Get one track. Raises TrackNotFound."""
        request = library_service_pb2.GetTrackRequest(track_id=checked_text("track_id", track_id))
        return (await self._call(self._library.GetTrack, request)).track

    async def update_track(
        self, track_id: str, changes: Mapping[str, Any], *, etag: str = ""
    ) -> track_pb2.Track:
        """Edit a track: `changes` maps title, artist, album, genre, year or tags to the
        new value; None or an empty one clears. With `etag` (of the track as read)
        raises EditConflict if somebody else edited it meanwhile. Raises InvalidField."""
        track = track_pb2.Track(track_id=checked_text("track_id", track_id), etag=etag)
        for field, value in changes.items():
            if field == "tags":
                track.tags.extend(checked_text("tags", tag) for tag in value or ())
            elif value is not None:
                text = checked_text(field, value) if isinstance(value, str) else value
                setattr(track, field, text)
        request = library_service_pb2.UpdateTrackRequest(
            track=track, update_mask=field_mask_pb2.FieldMask(paths=list(changes))
        )
        response = await self._call(self._library.UpdateTrack, request, attempts=1)
        return response.track

    async def delete_track(self, track_id: str) -> None:
        """Move a track to the library's trash folder. Raises TrackNotFound."""
        request = library_service_pb2.DeleteTrackRequest(
            track_id=checked_text("track_id", track_id)
        )
        await self._call(self._library.DeleteTrack, request, attempts=1)

    async def health(self) -> system_service_pb2.GetHealthResponse:
        """Ask every part of the studio for its health."""
        return await self._call(
            self._system.GetHealth,
            system_service_pb2.GetHealthRequest(),
        )

    # ---- bytes ----------------------------------------------------------------------

    async def download(
        self, download: job_pb2.Download, sink: BinaryIO, on_bytes: OnBytes | None = None
    ) -> None:
        """Write a file that a job made to `sink`. Goes on where a connection broke off,
        and raises ChecksumMismatch if the bytes are not those that the job made."""
        await self._transfers.download(
            download.path,
            sink,
            size_bytes=download.artifact.size_bytes,
            sha256=download.artifact.sha256,
            on_bytes=on_bytes,
        )

    async def download_file(
        self, file: track_pb2.TrackFile, sink: BinaryIO, on_bytes: OnBytes | None = None
    ) -> None:
        """Write a file beside a track's audio (one of `Track.files`) to `sink`, as
        `download` does."""
        await self._transfers.download(
            file.path, sink, size_bytes=file.size_bytes, sha256=file.sha256, on_bytes=on_bytes
        )

    async def download_artifact(
        self, artifact: audio_pb2.Artifact, sink: BinaryIO, on_bytes: OnBytes | None = None
    ) -> None:
        """Write a file that a job left, such as the seam of a loop that was found, to
        `sink`, as `download` does."""
        await self._transfers.download(
            f"/v1/{artifact.key}",
            sink,
            size_bytes=artifact.size_bytes,
            sha256=artifact.sha256,
            on_bytes=on_bytes,
        )

    async def upload(self, file: Path, on_bytes: OnBytes | None = None) -> audio_pb2.AudioRef:
        """Send an audio file to the studio and return the reference to it. Goes on
        where a connection broke off."""
        upload_id = str(uuid.uuid4())
        await self._transfers.upload(f"/v1/uploads/{upload_id}", file, on_bytes=on_bytes)
        return audio_pb2.AudioRef(upload_id=upload_id)
