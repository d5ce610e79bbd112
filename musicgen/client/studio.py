"""The studio as a program sees it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self, TypeVar

import grpc
from google.protobuf import duration_pb2, field_mask_pb2

from musicgen.api.audio.v1 import audio_pb2
from musicgen.api.inference.v1 import inference_service_pb2, inference_service_pb2_grpc
from musicgen.api.jobs.v1 import job_pb2, job_service_pb2, job_service_pb2_grpc
from musicgen.api.library.v1 import library_service_pb2, library_service_pb2_grpc, track_pb2
from musicgen.api.system.v1 import system_service_pb2, system_service_pb2_grpc
from musicgen.client import specs
from musicgen.client.address import (
    API_KEY_HEADER,
    API_KEY_VARIABLE,
    Endpoint,
    find_endpoint,
    parse_endpoint,
)
from musicgen.client.backoff import Backoff
from musicgen.client.explaining import explained
from musicgen.client.models import Models
from musicgen.client.sendable import checked_header, checked_text
from musicgen.client.transfer import OnBytes, Transfers
from musicgen.client.view import TERMINAL_STATES, JobsView, Kind
from musicgen.client.watch import SILENCE_S, Update, follow
from musicgen.errors import Cancelled, JobNotFound, StudioError, Unavailable
from musicgen.rpc.channel import connect
from musicgen.rpc.status import from_error_proto, from_rpc_error

CALL_DEADLINE_S = 15.0
CHECK_DEADLINE_S = 30.0
"""An engine that is to check lyrics may have to start for it."""
CALL_ATTEMPTS = 4
PATIENCE_S = 60.0
PAGE_SIZE = 200

OnJob = Callable[[job_pb2.Job], None]
"""Is told of a job as it now is, each time that it changed."""

Request = TypeVar("Request")
Response = TypeVar("Response")


class Studio:
    """A connection to a studio.

        async with Studio() as studio:
            job = await studio.run(specs.generate("calm piano", duration_s=60, seed=7))
            track = await studio.get_track(job.result.track_ids[0])

    Every method raises a StudioError. What can safely be repeated is tried again while
    the studio is UNAVAILABLE, a few times within about two seconds.
    """

    def __init__(
        self,
        endpoint: Endpoint | str | None = None,
        *,
        backoff: Backoff | None = None,
        silence_s: float = SILENCE_S,
        api_key: str | None = None,
    ) -> None:
        """Name the studio: "host:port", or None for $MUSICGEN_GATEWAY, else the one that
        runs on this machine. Connects with the first call.

        A watch that brings nothing for `silence_s` seconds counts as broken. `api_key`,
        default $MUSICGEN_API_KEY, is for a studio that asks for one.
        """
        if isinstance(endpoint, str):
            endpoint = parse_endpoint(endpoint)
        self.endpoint = endpoint or find_endpoint(None, os.environ)
        self._backoff = backoff or Backoff()
        self._silence_s = silence_s
        self._channel = connect(self.endpoint.address)
        self._jobs = job_service_pb2_grpc.JobServiceStub(self._channel)
        self._inference = inference_service_pb2_grpc.InferenceServiceStub(self._channel)
        self._library = library_service_pb2_grpc.LibraryServiceStub(self._channel)
        self._system = system_service_pb2_grpc.SystemServiceStub(self._channel)
        self.models = Models(self._channel, self._call)
        key = api_key if api_key is not None else os.environ.get(API_KEY_VARIABLE, "")
        self._headers = {API_KEY_HEADER: checked_header("api_key", key)} if key else {}
        self._transfers = Transfers(self.endpoint.url, self._backoff, self._headers)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End all calls and the connection."""
        await self._channel.close()

    # ---- jobs -----------------------------------------------------------------------

    async def create_job(self, spec: job_pb2.JobSpec, request_id: str = "") -> job_pb2.Job:
        """Have a job accepted. With the same `request_id` (a UUID; default a new one)
        the same job comes back, however often this is called."""
        request = job_service_pb2.CreateJobRequest(
            spec=spec, request_id=request_id or str(uuid.uuid4())
        )
        response = await self._call(self._jobs.CreateJob, request)
        return response.job

    async def get_job(self, job_id: str) -> job_pb2.Job:
        """Get one job. Raises JobNotFound."""
        request = job_service_pb2.GetJobRequest(job_id=checked_text("job_id", job_id))
        return (await self._call(self._jobs.GetJob, request)).job

    async def list_jobs(
        self, states: Iterable[job_pb2.Job.State.ValueType] = ()
    ) -> AsyncIterator[job_pb2.Job]:
        """Go through the jobs that are kept, newest first; `states` empty means all."""
        request = job_service_pb2.ListJobsRequest(page_size=PAGE_SIZE)
        request.filter.states.extend(states)
        while True:
            page = await self._call(self._jobs.ListJobs, request)
            for job in page.jobs:
                yield job
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def cancel_job(self, job_id: str) -> job_pb2.Job:
        """Ask a job to stop. Raises JobNotFound, JobAlreadyTerminal."""
        request = job_service_pb2.CancelJobRequest(job_id=checked_text("job_id", job_id))
        response = await self._call(self._jobs.CancelJob, request)
        return response.job

    async def retry_job(self, job_id: str, request_id: str = "") -> job_pb2.Job:
        """Have the work of a failed or cancelled job accepted again, as a new job."""
        request = job_service_pb2.RetryJobRequest(
            job_id=checked_text("job_id", job_id), request_id=request_id or str(uuid.uuid4())
        )
        return (await self._call(self._jobs.RetryJob, request)).job

    async def delete_job(self, job_id: str) -> None:
        """Delete the record of an ended job. Raises JobNotFound, JobNotTerminal."""
        request = job_service_pb2.DeleteJobRequest(job_id=checked_text("job_id", job_id))
        await self._call(self._jobs.DeleteJob, request, attempts=1)

    def watch(
        self, job_ids: Sequence[str] = (), *, min_interval_s: float | None = None
    ) -> AsyncGenerator[Update, None]:
        """Watch jobs (default all) until the caller stops: close it with
        `contextlib.aclosing`. It outlives every disconnect; see `Update`.
        `min_interval_s` (up to 10) asks for at most one progress event a job in it."""
        request = job_service_pb2.WatchJobsRequest()
        request.filter.job_ids.extend(checked_text("job_id", job_id) for job_id in job_ids)
        if min_interval_s is not None:
            interval = duration_pb2.Duration()
            interval.FromNanoseconds(int(min_interval_s * 1e9))
            request.min_interval.CopyFrom(interval)

        def open_call(cursor: str) -> Any:
            request.cursor = cursor
            return self._jobs.WatchJobs(request, metadata=tuple(self._headers.items()))

        return follow(open_call, JobsView(), self._explain, self._backoff, self._silence_s)

    async def wait(
        self,
        job_id: str,
        on_change: OnJob | None = None,
        *,
        on_disconnect: Callable[[StudioError], None] | None = None,
        patience_s: float = PATIENCE_S,
    ) -> job_pb2.Job:
        """Watch a job to its end and return it, SUCCEEDED.

        Raises the error that the job failed with (its metadata has the job_id),
        Cancelled, JobNotFound, or ServiceUnavailable after `patience_s` seconds
        without the studio; the job is not lost by that.
        """
        away_since_s: float | None = None
        async with contextlib.aclosing(self.watch([job_id])) as updates:
            async for update in updates:
                if update.disconnected:
                    away_since_s = away_since_s or time.monotonic()
                    if time.monotonic() - away_since_s > patience_s:
                        raise update.disconnected
                    if on_disconnect:
                        on_disconnect(update.disconnected)
                    continue
                away_since_s = None
                job = update.view.jobs.get(job_id)
                if job is None:
                    if update.synced or any(c.kind is Kind.DELETED for c in update.changes):
                        raise JobNotFound(f"There is no job {job_id}.")
                    continue
                if on_change and update.changes:
                    on_change(job)
                if job.state in TERMINAL_STATES:
                    return _outcome(job)
        raise AssertionError("a watch ends only when its caller stops")

    async def run(
        self,
        spec: job_pb2.JobSpec,
        on_change: OnJob | None = None,
        *,
        patience_s: float = PATIENCE_S,
    ) -> job_pb2.Job:
        """Have a job accepted, watch it to its end and return it: `create_job`, `wait`."""
        job = await self.create_job(spec)
        return await self.wait(job.job_id, on_change, patience_s=patience_s)

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

    # ---- calls ----------------------------------------------------------------------

    async def _call(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[Request, Response],
        request: Request,
        *,
        attempts: int = CALL_ATTEMPTS,
        deadline_s: float = CALL_DEADLINE_S,
    ) -> Response:
        for attempt in range(1, attempts + 1):
            call = method(request, timeout=deadline_s, metadata=tuple(self._headers.items()))
            try:
                return await call
            except grpc.RpcError as caught:
                error = from_rpc_error(caught)
                if not isinstance(error, Unavailable) or attempt == attempts:
                    raise self._explain(caught, deadline_s) from caught
            finally:
                call.cancel()  # a call that is only dropped is never freed
            await asyncio.sleep(error.retry_after_s or self._backoff.delay_s(attempt + 1))
        raise AssertionError("the last attempt returns or raises")

    def _explain(self, caught: grpc.RpcError, deadline_s: float = CALL_DEADLINE_S) -> StudioError:
        return explained(caught, self.endpoint.address, deadline_s)


def _outcome(job: job_pb2.Job) -> job_pb2.Job:
    if job.state == job_pb2.Job.STATE_SUCCEEDED:
        return job
    if job.state == job_pb2.Job.STATE_CANCELLED:
        raise Cancelled("The job was cancelled.", metadata={"job_id": job.job_id})
    error = from_error_proto(job.error)
    error.metadata["job_id"] = job.job_id
    raise error
