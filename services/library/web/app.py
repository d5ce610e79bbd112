"""The routes of the HTTP side."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from musicgen.artifacts import ArtifactStore
from musicgen.audio.codecs import Format
from musicgen.errors import ArtifactNotFound, EditConflict, StudioError, TrackNotFound
from services.library import files
from services.library.file_names import attachment, beside_name
from services.library.library import Library
from services.library.uploads import State, Uploads
from services.library.waveforms import Waveforms
from services.library.web.errors import (
    Recorder,
    error_response,
    on_http_exception,
    on_studio_error,
)
from services.library.web.frontend import Frontend
from services.library.web.ranges import chunk_of
from services.library.web.responses import IMMUTABLE, REVALIDATE, file_response

_MEDIA_TYPES = {f".{format.extension}": format.media_type for format in Format} | {
    ".json": "application/json"
}
_CLIENT_GONE = 499


class Routes:
    """The handlers, and what they serve from."""

    def __init__(
        self, store: ArtifactStore, library: Library, waveforms: Waveforms, uploads: Uploads
    ) -> None:
        self._store = store
        self._library = library
        self._waveforms = waveforms
        self._uploads = uploads

    async def audio(self, request: Request) -> Response:
        """GET /v1/tracks/{track_id}/audio, with Range."""
        track_id = request.path_params["track_id"]
        track, path = await asyncio.to_thread(self._library.audio, track_id)
        return await file_response(
            request,
            path,
            media_type=track.format.media_type,
            cache=REVALIDATE,
            missing=TrackNotFound(f"Track {track_id} was deleted meanwhile."),
        )

    async def peaks(self, request: Request) -> Response:
        """GET /v1/tracks/{track_id}/peaks."""
        track_id = request.path_params["track_id"]
        path = await self._waveforms.path(track_id)
        return await file_response(
            request,
            path,
            media_type="application/json",
            cache=REVALIDATE,
            missing=TrackNotFound(f"Track {track_id} was deleted meanwhile."),
        )

    async def file(self, request: Request) -> Response:
        """GET /v1/tracks/{track_id}/files/{name} as a download, with Range."""
        track_id, name = request.path_params["track_id"], request.path_params["name"]
        track, file, path = await asyncio.to_thread(self._library.file, track_id, name)
        saved = beside_name(track.title, file.label, path.suffix.removeprefix("."))
        return await file_response(
            request,
            path,
            media_type=file.media_type,
            cache=REVALIDATE,  # the file stays, but the title is in its name
            headers={"content-disposition": attachment(saved)},
            missing=TrackNotFound(f"Track {track_id} was deleted meanwhile."),
        )

    async def artifact(self, request: Request) -> Response:
        """GET /v1/artifacts/{job_id}/{fence}/{name}?name=… as a download."""
        parts = request.path_params
        key = f"artifacts/{parts['job_id']}/{parts['fence']}/{parts['name']}"
        path = await asyncio.to_thread(self._artifact, key)
        name = request.query_params.get("name") or path.name
        return await file_response(
            request,
            path,
            media_type=_MEDIA_TYPES.get(path.suffix, "application/octet-stream"),
            cache=IMMUTABLE,
            headers={"content-disposition": attachment(name)},
        )

    async def upload(self, request: Request) -> Response:
        """PUT /v1/uploads/{upload_id}: a chunk, the whole, or a question for the offset."""
        upload_id = request.path_params["upload_id"]
        chunk = chunk_of(
            request.headers.get("content-range"), request.headers.get("content-length")
        )
        try:
            if chunk is None:
                return _progress_response(await self._uploads.state(upload_id))
            state = await self._uploads.receive(upload_id, chunk, _body(request))
        except ClientDisconnect:
            return Response(status_code=_CLIENT_GONE)  # nobody reads it; the log shows it
        except EditConflict as error:
            offset = int(error.metadata["offset"])
            return error_response(error, headers=_received(offset))
        return _progress_response(state)

    def _artifact(self, key: str) -> Path:
        try:
            path = self._store.existing(key)
        except StudioError as error:
            raise ArtifactNotFound(f"There is no artifact {key[:200]}.") from error
        if not files.is_contained(path, self._store.root / "artifacts"):
            raise ArtifactNotFound(f"There is no artifact {key}.")
        return path


def build_app(routes: Routes, frontend: Frontend) -> Starlette:
    """Assemble the application."""
    return Starlette(
        routes=[
            Route("/v1/tracks/{track_id}/audio", routes.audio, methods=["GET", "HEAD"]),
            Route("/v1/tracks/{track_id}/peaks", routes.peaks, methods=["GET", "HEAD"]),
            Route("/v1/tracks/{track_id}/files/{name}", routes.file, methods=["GET", "HEAD"]),
            Route("/v1/uploads/{upload_id}", routes.upload, methods=["PUT"]),
            Route(
                "/v1/artifacts/{job_id}/{fence}/{name}", routes.artifact, methods=["GET", "HEAD"]
            ),
            Route("/{path:path}", frontend.__call__, methods=["GET", "HEAD"]),
        ],
        middleware=[Middleware(Recorder)],
        exception_handlers={StudioError: on_studio_error, HTTPException: on_http_exception},
    )


async def _body(request: Request) -> AsyncIterator[bytes]:
    async for piece in request.stream():
        yield piece


def _progress_response(state: State) -> Response:
    if state.finished:
        content = {"upload_id": state.upload_id, "size_bytes": state.size_bytes}
        return JSONResponse(content, status_code=201, headers={"cache-control": "no-store"})
    headers = {"cache-control": "no-store", **_received(state.size_bytes)}
    return Response(status_code=308, headers=headers)


def _received(offset: int) -> dict[str, str]:
    """Say which bytes have arrived; without the header, none have."""
    return {"range": f"bytes=0-{offset - 1}"} if offset else {}
