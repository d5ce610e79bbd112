"""The built frontend: its page at every address of the app, its assets for ever."""

from __future__ import annotations

import asyncio
import mimetypes
import re
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response

from musicgen.errors import RouteNotFound
from services.library import files
from services.library.web.responses import IMMUTABLE, file_response

_SEGMENT = re.compile(r"[A-Za-z0-9_@][A-Za-z0-9_@.-]{0,127}")
_HASHED = re.compile(r"assets/.*[.-][A-Za-z0-9_-]{8,}\.[a-z0-9]+")
_SECURITY = {
    # 'unsafe-inline' for styles only: React sets style attributes while it renders.
    "content-security-policy": (
        "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; media-src 'self' blob:; font-src 'self' data:; "
        "connect-src 'self'; worker-src 'self' blob:; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
}
_NOT_BUILT = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>MusicGen Local</title>
<meta name="viewport" content="width=device-width">
<style>body{font:1.1rem/1.6 system-ui,sans-serif;max-width:36rem;margin:15vh auto;padding:0 1rem}
code{background:#8883;padding:.1em .4em;border-radius:.3em}</style></head>
<body><h1>The studio runs</h1>
<p>Only its web page is not built yet. Run <code>make setup</code> in the project's folder,
then load this page again.</p>
<p>The command line works already: <code>musicgen generate "rainy night lofi"</code></p>
</body></html>
"""


class Frontend:
    """Serves the folder that the frontend's build made. The folder may appear later."""

    def __init__(self, root: Path | None) -> None:
        self._root = root

    async def __call__(self, request: Request) -> Response:
        """Answer with a file of the build, or with the app's page for its own addresses."""
        asked = request.path_params["path"]
        path = await asyncio.to_thread(self._find, asked)
        if path is None:
            return HTMLResponse(
                _NOT_BUILT, status_code=503, headers={**_SECURITY, "cache-control": "no-store"}
            )
        if path.name == "index.html":
            # Its name stays while what it refers to changes.
            return FileResponse(
                path, media_type="text/html", headers={**_SECURITY, "cache-control": "no-cache"}
            )
        media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        cache = IMMUTABLE if _HASHED.fullmatch(asked) else "no-cache"
        return await file_response(
            request, path, media_type=media_type, cache=cache, headers=_SECURITY
        )

    def _find(self, asked: str) -> Path | None:
        """Return the file for a path, or None if there is no build. Raises RouteNotFound."""
        segments = asked.split("/") if asked else []
        if segments and segments[0] == "v1":
            raise RouteNotFound(f"Nothing is at /{asked[:100]}.")
        if self._root is None or not (self._root / "index.html").is_file():
            return None
        if all(_SEGMENT.fullmatch(segment) for segment in segments):
            path = self._root.joinpath(*segments)
            if files.is_contained(path, self._root):
                return path
        if segments and ("." in segments[-1] or segments[0] == "assets"):
            raise RouteNotFound(f"Nothing is at /{asked[:100]}.")
        return self._root / "index.html"
