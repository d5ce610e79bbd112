"""A small studio in a thread of its own: gRPC and HTTP on loopback."""

# ruff: noqa: N802, ARG002  # the contract's names and signatures
from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

import grpc

from musicgen.api.engine.v1 import engine_pb2
from musicgen.api.inference.v1 import inference_service_pb2, inference_service_pb2_grpc
from musicgen.api.jobs.v1 import job_service_pb2_grpc, queue_service_pb2_grpc
from musicgen.api.library.v1 import (
    library_service_pb2,
    library_service_pb2_grpc,
    track_pb2,
)
from musicgen.api.system.v1 import system_service_pb2, system_service_pb2_grpc
from musicgen.client.address import Endpoint
from musicgen.errors import EditConflict, ModelNotFound, TrackNotFound
from musicgen.rpc.interceptors import InFlight, StudioInterceptor
from musicgen.rpc.server import OPTIONS
from tests.contract.client.scripted_http import ScriptedHttp
from tests.contract.client.scripted_jobs import Context, Faults
from tests.contract.client.scripted_queue import ScriptedQueueing, ScriptedQueues

Result = TypeVar("Result")


SEVERITIES = ("note", "warning", "error")
LAYERS = ("plan", "harmony", "form", "drums", "bass", "lead", "sound", "texture", "title")


class ScriptedLibrary(library_service_pb2_grpc.LibraryServiceServicer):
    """A library of whatever tracks are asked for, and of three to list."""

    def __init__(self) -> None:
        self.tracks: dict[str, track_pb2.Track] = {}
        for number in (1, 2, 3):
            self._get(f"track{number}")

    async def GetTrack(
        self, request: library_service_pb2.GetTrackRequest, context: Context
    ) -> library_service_pb2.GetTrackResponse:
        """See the contract."""
        return library_service_pb2.GetTrackResponse(track=self._get(request.track_id))

    async def ListTracks(
        self, request: library_service_pb2.ListTracksRequest, context: Context
    ) -> library_service_pb2.ListTracksResponse:
        """See the contract."""
        found = [track for track in self.tracks.values() if request.query in track.title]
        start = int(request.page_token or 0)
        end = start + 2
        return library_service_pb2.ListTracksResponse(
            tracks=found[start:end], next_page_token=str(end) if end < len(found) else ""
        )

    async def UpdateTrack(
        self, request: library_service_pb2.UpdateTrackRequest, context: Context
    ) -> library_service_pb2.UpdateTrackResponse:
        """See the contract."""
        track = self._get(request.track.track_id)
        if request.track.etag not in {"", track.etag}:
            raise EditConflict("Somebody else edited it.")
        request.update_mask.MergeMessage(
            request.track, track, replace_message_field=True, replace_repeated_field=True
        )
        if "year" in request.update_mask.paths and not request.track.HasField("year"):
            track.ClearField("year")
        track.etag += "+"
        return library_service_pb2.UpdateTrackResponse(track=track)

    async def DeleteTrack(
        self, request: library_service_pb2.DeleteTrackRequest, context: Context
    ) -> library_service_pb2.DeleteTrackResponse:
        """See the contract."""
        self._get(request.track_id)
        del self.tracks[request.track_id]
        return library_service_pb2.DeleteTrackResponse()

    def _get(self, track_id: str) -> track_pb2.Track:
        if not track_id.startswith("track"):
            raise TrackNotFound(f"There is no track {track_id}.")
        if track_id not in self.tracks:
            track = track_pb2.Track(
                track_id=track_id, title=f"Night {track_id}", year=2024, etag="1", tempo_bpm=82
            )
            track.musical_key = "A minor"
            track.audio.sample_rate_hz, track.audio.channels = 44_100, 2
            track.audio.duration_frames = 60 * 44_100
            track.recipe.update({"prompt": "rain \x1b[31m"})
            self.tracks[track_id] = track
        return self.tracks[track_id]


class ScriptedInference(inference_service_pb2_grpc.InferenceServiceServicer):
    """One engine, and "singer", which only checks lyrics: each word in them that is one of
    `SEVERITIES` is found to be that."""

    def __init__(self) -> None:
        self.checked: list[inference_service_pb2.CheckLyricsRequest] = []

    async def ListEngines(
        self, request: inference_service_pb2.ListEnginesRequest, context: Context
    ) -> inference_service_pb2.ListEnginesResponse:
        """See the contract."""
        engine = inference_service_pb2.Engine(state=inference_service_pb2.Engine.STATE_READY)
        engine.manifest.name, engine.manifest.license = "composer", "Apache-2.0"
        engine.manifest.min_duration_seconds, engine.manifest.max_duration_seconds = 5, 600
        layers = {name: {"description": f"Decides {name}."} for name in LAYERS}
        seeds: Any = {"type": "object", "properties": layers}
        engine.manifest.options_schema.update(
            {"properties": {"tempo_bpm": {"type": "number"}, "seeds": seeds}}
        )
        return inference_service_pb2.ListEnginesResponse(engines=[engine])

    async def CheckLyrics(
        self, request: inference_service_pb2.CheckLyricsRequest, context: Context
    ) -> inference_service_pb2.CheckLyricsResponse:
        """See the contract."""
        self.checked.append(request)
        if request.engine != "singer":
            raise ModelNotFound(f"There is no engine {request.engine!r}.")
        answer = inference_service_pb2.CheckLyricsResponse()
        lines = request.parameters.lyrics.splitlines()
        for number, line in enumerate(lines, 1):
            if line in SEVERITIES:
                severity = engine_pb2.LyricsFinding.Severity.Value(f"SEVERITY_{line.upper()}")
                answer.findings.add(
                    line=number,
                    severity=severity,
                    code=f"is_{line}",
                    message=f"It is a {line} \x1b[31m.",
                    remedy="Sing it.",
                )
        answer.timed_lyrics = "\n".join(f"[00:{n:02}.00]{line}" for n, line in enumerate(lines))
        return answer


class ScriptedSystem(system_service_pb2_grpc.SystemServiceServicer):
    """Says what it is told to."""

    detail = ""
    api_key = ""

    async def GetHealth(
        self, request: system_service_pb2.GetHealthRequest, context: Context
    ) -> system_service_pb2.GetHealthResponse:
        """See the contract."""
        if self.api_key and ("x-api-key", self.api_key) not in (
            context.invocation_metadata() or ()
        ):
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "")  # as a gateway does
        answer = system_service_pb2.GetHealthResponse
        return answer(
            status=answer.STATUS_DEGRADED if self.detail else answer.STATUS_SERVING,
            version="0.1.0",
            components=[
                system_service_pb2.Component(
                    name="looper", serving=not self.detail, detail=self.detail
                )
            ],
        )


class ScriptedStudio:
    """The whole of it. Use as a context manager."""

    def __init__(self) -> None:
        self.http = ScriptedHttp()
        self.faults = Faults()
        self.library = ScriptedLibrary()  # type: ignore[abstract]  # clients call no more
        self.inference = ScriptedInference()  # type: ignore[abstract]  # the same
        self.system = ScriptedSystem()
        self.jobs: ScriptedQueueing
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._server: grpc.aio.Server | None = None

    @property
    def endpoint(self) -> Endpoint:
        """Where it is."""
        return Endpoint(f"127.0.0.1:{self.port}", self.http.url)

    def __enter__(self) -> ScriptedStudio:
        self._thread.start()
        self.http.thread.start()
        self.run(self._prepare())
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.run(self.jobs.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self.http.shutdown()
        self.http.server_close()
        self.http.thread.join()

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run `work` in the studio's event loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    def start(self) -> None:
        """Listen; again on the same port after `stop`."""
        self.run(self._start())

    def stop(self) -> None:
        """End all calls and listen no more; the jobs go on."""
        self.run(self._stop())

    async def _prepare(self) -> None:
        self.jobs = ScriptedQueueing(self.faults, self.http.made)

    async def _start(self) -> None:
        server = grpc.aio.server(
            interceptors=[StudioInterceptor(InFlight())], options=list(OPTIONS)
        )
        job_service_pb2_grpc.add_JobServiceServicer_to_server(self.jobs, server)
        queue_service_pb2_grpc.add_QueueServiceServicer_to_server(ScriptedQueues(self.jobs), server)
        library_service_pb2_grpc.add_LibraryServiceServicer_to_server(self.library, server)
        inference_service_pb2_grpc.add_InferenceServiceServicer_to_server(self.inference, server)
        system_service_pb2_grpc.add_SystemServiceServicer_to_server(self.system, server)
        self.port = server.add_insecure_port(f"127.0.0.1:{self.port}")
        await server.start()
        self._server = server

    async def _stop(self) -> None:
        if self._server:
            await self._server.stop(0)
            self._server = None
