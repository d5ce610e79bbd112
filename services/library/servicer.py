"""LibraryService on the wire: translates, and leaves the work to the domain."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import grpc

from musicgen.api.library.v1 import library_service_pb2 as pb
from musicgen.api.library.v1 import library_service_pb2_grpc
from musicgen.artifacts import ArtifactStore
from musicgen.audio.codecs import Format
from musicgen.claims import ClaimGuard
from musicgen.errors import InvalidField
from musicgen.progress import Progress
from musicgen.rpc.convert_audio import format_from_proto
from musicgen.rpc.convert_progress import progress_to_proto
from musicgen.rpc.work import during
from services.library import convert
from services.library.export import Exported, Exporter
from services.library.library import Library
from services.library.resolve import Resolved, Resolver
from services.library.waveforms import Waveforms

_JOB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")

Context = grpc.aio.ServicerContext[Any, Any]


class LibraryServicer(library_service_pb2_grpc.LibraryServiceServicer):
    """Serves one library."""

    def __init__(
        self,
        store: ArtifactStore,
        library: Library,
        resolver: Resolver,
        exporter: Exporter,
        waveforms: Waveforms,
    ) -> None:
        self._store = store
        self._library = library
        self._resolver = resolver
        self._exporter = exporter
        self._waveforms = waveforms
        self._claims = ClaimGuard()

    async def RegisterTrack(
        self, request: pb.RegisterTrackRequest, context: Context
    ) -> pb.RegisterTrackResponse:
        """Make an artifact a track."""
        self._check_job(request.job_id, 1)
        if request.output_index < 0:
            raise InvalidField(
                "output_index is negative.", fields={"output_index": "must be 0 or more"}
            )
        produced = convert.produced_from_proto(request.track)
        track = await asyncio.to_thread(
            self._library.register, request.job_id, request.output_index, produced
        )
        await asyncio.to_thread(self._library.discard_artifacts, request.job_id, produced)
        # Made already, unless the track is long.
        self._waveforms.begin(track.track_id)
        return pb.RegisterTrackResponse(track=convert.track_to_proto(track))

    async def ListTracks(
        self, request: pb.ListTracksRequest, context: Context
    ) -> pb.ListTracksResponse:
        """List tracks, newest first."""
        page = await asyncio.to_thread(
            self._library.page, request.query, request.page_size, request.page_token
        )
        return pb.ListTracksResponse(
            tracks=[convert.track_to_proto(track) for track in page.tracks],
            next_page_token=page.next_token,
        )

    async def GetTrack(self, request: pb.GetTrackRequest, context: Context) -> pb.GetTrackResponse:
        """Get one track."""
        track = await asyncio.to_thread(self._library.get, request.track_id)
        return pb.GetTrackResponse(track=convert.track_to_proto(track))

    async def UpdateTrack(
        self, request: pb.UpdateTrackRequest, context: Context
    ) -> pb.UpdateTrackResponse:
        """Edit a track."""
        track = await asyncio.to_thread(
            self._library.update,
            request.track.track_id,
            convert.edit_from_proto(request.track),
            list(request.update_mask.paths),
            request.track.etag,
        )
        return pb.UpdateTrackResponse(track=convert.track_to_proto(track))

    async def DeleteTrack(
        self, request: pb.DeleteTrackRequest, context: Context
    ) -> pb.DeleteTrackResponse:
        """Move a track to the trash."""
        await asyncio.to_thread(self._library.delete, request.track_id)
        return pb.DeleteTrackResponse()

    async def ResolveAudio(
        self, request: pb.ResolveAudioRequest, context: Context
    ) -> pb.ResolveAudioResponse:
        """Resolve a reference to the bytes it stands for."""
        resolved = await asyncio.to_thread(self._resolve, request)
        return pb.ResolveAudioResponse(track=convert.resolved_to_proto(resolved))

    async def ExportTrack(
        self, request: pb.ExportTrackRequest, context: Context
    ) -> AsyncIterator[pb.ExportTrackResponse]:
        """Encode a track with its tags embedded."""
        self._check_job(request.job_id, request.fence)
        format = format_from_proto(request.spec.format)
        prefix = self._store.job_prefix(request.job_id, request.fence)
        async for event in during(context, self._export(request, prefix, format)):
            if isinstance(event, Progress):
                yield pb.ExportTrackResponse(progress=progress_to_proto(event))
            else:
                yield pb.ExportTrackResponse(result=convert.exported_to_proto(event))

    async def _export(
        self, request: pb.ExportTrackRequest, prefix: str, format: Format
    ) -> AsyncGenerator[Progress | Exported, None]:
        async with (
            self._claims.hold(request.job_id, request.fence),
            contextlib.aclosing(
                self._exporter.export(prefix, request.spec.track_id, format)
            ) as events,
        ):
            async for event in events:
                yield event

    @staticmethod
    def _check_job(job_id: str, fence: int) -> None:
        """Raise InvalidField unless these make a key of the artifact store."""
        if fence < 1:
            raise InvalidField("The fence is not 1 or more.", fields={"fence": "must be 1 or more"})
        if not _JOB_ID.fullmatch(job_id):
            raise InvalidField(
                f"{job_id[:100]!r} is no job id.",
                fields={"job_id": "must be up to 128 letters, digits, '.', '_' and '-'"},
            )

    def _resolve(self, request: pb.ResolveAudioRequest) -> Resolved:
        match request.audio.WhichOneof("source"):
            case "track_id":
                return self._resolver.track(request.audio.track_id)
            case "artifact_key":
                return self._resolver.artifact(request.audio.artifact_key)
            case "upload_id":
                return self._resolver.upload(request.audio.upload_id)
        raise InvalidField("No audio is named.", fields={"audio": "one source must be set"})
