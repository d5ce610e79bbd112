"""The services behind the gateway under test: small, real gRPC servers and a real HTTP
server, run as `python -m tests.contract.gateway.backend FOLDER`."""

# ruff: noqa: ARG002, D102, N802  # names and signatures are the contract's
# mypy: disable-error-code="abstract"
# The methods that are left out answer UNIMPLEMENTED.

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from musicgen.api.engine.v1 import engine_pb2
from musicgen.api.inference.v1 import inference_service_pb2, inference_service_pb2_grpc
from musicgen.api.jobs.v1 import job_event_pb2, job_pb2, job_service_pb2, job_service_pb2_grpc
from musicgen.api.library.v1 import library_service_pb2, library_service_pb2_grpc, track_pb2
from musicgen.api.system.v1 import system_service_pb2, system_service_pb2_grpc
from musicgen.errors import InvalidPrompt, JobNotFound, WatchCursorCompacted
from musicgen.rpc.server import RpcServer

WATCH_INTERVAL_S = 0.25
Context = grpc.aio.ServicerContext[Any, Any]


class Jobs(job_service_pb2_grpc.JobServiceServicer):
    """Echoes what it is asked, refuses an empty prompt, and watches for a while."""

    async def CreateJob(
        self, request: job_service_pb2.CreateJobRequest, context: Context
    ) -> job_service_pb2.CreateJobResponse:
        if not request.spec.generate.parameters.prompt:
            raise InvalidPrompt("The prompt is empty.", fields={"spec.generate": "say something"})
        job = job_pb2.Job(job_id="made", state=job_pb2.Job.STATE_QUEUED, spec=request.spec)
        return job_service_pb2.CreateJobResponse(job=job)

    async def GetJob(
        self, request: job_service_pb2.GetJobRequest, context: Context
    ) -> job_service_pb2.GetJobResponse:
        if request.job_id == "missing":
            raise JobNotFound("There is no job missing.")
        return job_service_pb2.GetJobResponse(job=job_pb2.Job(job_id=request.job_id, rev=3))

    async def ListJobs(
        self, request: job_service_pb2.ListJobsRequest, context: Context
    ) -> job_service_pb2.ListJobsResponse:
        jobs = [job_pb2.Job(job_id=f"job{i}") for i in range(request.page_size)]
        return job_service_pb2.ListJobsResponse(jobs=jobs)

    async def CancelJob(
        self, request: job_service_pb2.CancelJobRequest, context: Context
    ) -> job_service_pb2.CancelJobResponse:
        job = job_pb2.Job(job_id=request.job_id, state=job_pb2.Job.STATE_CANCELLING)
        return job_service_pb2.CancelJobResponse(job=job)

    async def DeleteJob(
        self, request: job_service_pb2.DeleteJobRequest, context: Context
    ) -> job_service_pb2.DeleteJobResponse:
        return job_service_pb2.DeleteJobResponse()

    async def WatchJobs(
        self, request: job_service_pb2.WatchJobsRequest, context: Context
    ) -> AsyncIterator[job_service_pb2.WatchJobsResponse]:
        if request.cursor == "old":
            raise WatchCursorCompacted("The cursor is too old.")
        job = job_pb2.Job(job_id="a")
        job.previews.add(start_frame=44_100).artifact.key = "artifacts/a/1/preview-1.flac"
        snapshot = job_event_pb2.JobsSnapshot(jobs=[job], complete=True)
        yield job_service_pb2.WatchJobsResponse(cursor="0", snapshot=snapshot)
        for number in range(1, 5):
            await asyncio.sleep(WATCH_INTERVAL_S)
            yield job_service_pb2.WatchJobsResponse(
                cursor=str(number), bookmark=job_event_pb2.Bookmark()
            )


class System(system_service_pb2_grpc.SystemServiceServicer):
    """Serves."""

    async def GetHealth(
        self, request: system_service_pb2.GetHealthRequest, context: Context
    ) -> system_service_pb2.GetHealthResponse:
        part = system_service_pb2.Component(name="looper", serving=False, detail="gone")
        return system_service_pb2.GetHealthResponse(
            status=system_service_pb2.GetHealthResponse.STATUS_DEGRADED, components=[part]
        )


class Library(library_service_pb2_grpc.LibraryServiceServicer):
    """Echoes an edit, with the mask that arrived as the album."""

    async def UpdateTrack(
        self, request: library_service_pb2.UpdateTrackRequest, context: Context
    ) -> library_service_pb2.UpdateTrackResponse:
        track = track_pb2.Track()
        track.CopyFrom(request.track)
        track.album = ",".join(request.update_mask.paths)
        return library_service_pb2.UpdateTrackResponse(track=track)

    async def RegisterTrack(
        self, request: library_service_pb2.RegisterTrackRequest, context: Context
    ) -> library_service_pb2.RegisterTrackResponse:
        return library_service_pb2.RegisterTrackResponse(track=track_pb2.Track(track_id="leak"))


class Inference(inference_service_pb2_grpc.InferenceServiceServicer):
    """Has one engine."""

    async def ListEngines(
        self, request: inference_service_pb2.ListEnginesRequest, context: Context
    ) -> inference_service_pb2.ListEnginesResponse:
        manifest = engine_pb2.EngineManifest(name="composer")
        return inference_service_pb2.ListEnginesResponse(
            engines=[inference_service_pb2.Engine(manifest=manifest)]
        )


def http_app(folder: Path) -> Starlette:
    """Return the library's HTTP side, as small as it can be."""
    audio = folder / "audio.bin"
    audio.write_bytes(bytes(range(256)) * 400)

    async def page(_: Request) -> Response:
        return PlainTextResponse("<html>" + "studio " * 1000, media_type="text/html")

    async def serve_audio(_: Request) -> Response:
        return FileResponse(audio, media_type="audio/flac")

    async def peaks(_: Request) -> Response:
        return JSONResponse({"peaks": [[-1, 1]] * 2000})

    async def upload(request: Request) -> Response:
        size_bytes = 0
        async for chunk in request.stream():
            size_bytes += len(chunk)
        return JSONResponse({"size_bytes": size_bytes})

    async def first_bytes(request: Request) -> Response:
        async for chunk in request.stream():
            if chunk:  # answer before the upload has ended: nothing in between may wait for it
                return JSONResponse({"first": len(chunk)})
        return JSONResponse({"first": 0})

    return Starlette(
        routes=[
            Route("/", page),
            Route("/v1/tracks/{track_id}/audio", serve_audio),
            Route("/v1/tracks/{track_id}/peaks", peaks),
            Route("/v1/tracks/{track_id}/files/{name}", peaks),
            Route("/v1/uploads/first", first_bytes, methods=["PUT"]),
            Route("/v1/uploads/{upload_id}", upload, methods=["PUT"]),
        ]
    )


async def main(folder: Path) -> None:
    """Serve until killed."""

    async def works() -> str:
        return ""

    jobs = RpcServer(["musicgen.api.jobs.v1.JobService"], works)
    job_service_pb2_grpc.add_JobServiceServicer_to_server(Jobs(), jobs.grpc)
    system_service_pb2_grpc.add_SystemServiceServicer_to_server(System(), jobs.grpc)
    library = RpcServer(["musicgen.api.library.v1.LibraryService"], works)
    library_service_pb2_grpc.add_LibraryServiceServicer_to_server(Library(), library.grpc)
    inference = RpcServer(["musicgen.api.inference.v1.InferenceService"], works)
    inference_service_pb2_grpc.add_InferenceServiceServicer_to_server(Inference(), inference.grpc)
    http = uvicorn.Server(
        uvicorn.Config(http_app(folder), uds=str(folder / "library-http.sock"), log_level="warning")
    )
    await asyncio.gather(
        jobs.run(f"unix:{folder}/jobs.sock"),
        library.run(f"unix:{folder}/library.sock"),
        inference.run(f"unix:{folder}/inference.sock"),
        http.serve(),
    )


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
