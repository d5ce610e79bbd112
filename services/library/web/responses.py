"""Files over HTTP: ranges, revalidation, and headers that keep browsers honest."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from musicgen.errors import ArtifactNotFound, InvalidField, StudioError
from services.library.files import signature_of
from services.library.web.errors import error_response
from services.library.web.ranges import Unsatisfiable, satisfiable

REVALIDATE = "private, no-cache"
"""Kept by the browser, but asked about at each use: an edit shows at once."""
IMMUTABLE = "private, max-age=31536000, immutable"

# What is served here is data: it may not be guessed to be a page.
_DATA_HEADERS = {
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "same-site",
}


async def file_response(
    request: Request,
    path: Path,
    *,
    media_type: str,
    cache: str,
    headers: Mapping[str, str] | None = None,
    missing: StudioError | None = None,
) -> Response:
    """Answer with a file: whole, in part (Range, If-Range), or 304 (If-None-Match).

    `missing` is raised if the file is gone by now. A response's `headers` win.
    """
    try:
        status, signature = await asyncio.to_thread(lambda: (path.stat(), signature_of(path)))
    except FileNotFoundError as error:
        raise missing or ArtifactNotFound("The file is gone.") from error
    etag = f'"{signature}"'
    common = {**_DATA_HEADERS, "cache-control": cache, "etag": etag, **(headers or {})}
    if _matches(request.headers.get("if-none-match", ""), etag):
        return Response(status_code=304, headers=common)
    response = FileResponse(path, headers=common, media_type=media_type, stat_result=status)
    if (asked := request.headers.get("range")) is not None:
        if_range = request.headers.get("if-range")
        current = if_range in (None, etag, response.headers["last-modified"])
        wanted = satisfiable(asked, status.st_size) if current else None
        if isinstance(wanted, Unsatisfiable):
            return error_response(
                InvalidField(
                    f"The range lies outside of the {status.st_size} bytes of the file.",
                    fields={"range": f"must lie in 0 to {status.st_size - 1}"},
                ),
                code=416,
                headers={"content-range": f"bytes */{status.st_size}", "accept-ranges": "bytes"},
            )
        _set_range(request, wanted)
    return response


def _set_range(request: Request, wanted: str | None) -> None:
    """Let the framework see a Range header that it can only read in one way."""
    headers = MutableHeaders(scope=request.scope)
    del headers["range"]
    del headers["if-range"]
    if wanted is not None:
        headers["range"] = wanted


def _matches(if_none_match: str, etag: str) -> bool:
    asked = [part.strip().removeprefix("W/") for part in if_none_match.split(",")]
    return etag in asked or asked == ["*"]
