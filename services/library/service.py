"""The whole service: the domain, its gRPC side and its HTTP side, started and ended together."""

from __future__ import annotations

import asyncio
import contextlib

from musicgen.api.library.v1 import library_service_pb2_grpc
from musicgen.artifacts import ArtifactStore
from musicgen.rpc import log
from musicgen.rpc.server import RpcServer
from services.library.export import Exporter
from services.library.library import Library
from services.library.resolve import Resolver
from services.library.servicer import LibraryServicer
from services.library.settings import Settings
from services.library.sweep import Sweeper
from services.library.uploads import Uploads
from services.library.waveforms import Waveforms
from services.library.web.app import Routes, build_app
from services.library.web.frontend import Frontend
from services.library.web.server import bind, serve

_SERVICE = "musicgen.api.library.v1.LibraryService"
_SWEEP_INTERVAL_S = 3600.0


class LibraryService:
    """One library on one data root; only one may run on it at a time."""

    def __init__(self, settings: Settings) -> None:
        """Assemble the parts; needs a running loop, touches no file yet."""
        self._settings = settings
        store = ArtifactStore(settings.data_root)
        self._library = Library(store)
        self._waveforms = Waveforms(self._library)
        self._exporter = Exporter(store, self._library)
        self._uploads = Uploads(store, largest_bytes=settings.max_upload_bytes)
        self._sweeper = Sweeper(store.root, settings.artifacts_keep_s)
        resolver = Resolver(store, self._library)
        self.server = RpcServer([_SERVICE], self._check)
        library_service_pb2_grpc.add_LibraryServiceServicer_to_server(
            LibraryServicer(store, self._library, resolver, self._exporter, self._waveforms),
            self.server.grpc,
        )
        routes = Routes(store, self._library, self._waveforms, self._uploads)
        self._app = build_app(routes, Frontend(settings.web_root))

    async def run(self) -> None:
        """Serve until SIGTERM, SIGINT or `server.draining`."""
        try:
            await asyncio.to_thread(self._library.open)
        except Exception as error:  # whatever it is: health says so, and tries again
            log.get().error("library can't be opened", why=str(error))
        draining = self.server.draining
        listener = bind(self._settings.http_address)
        web = asyncio.create_task(serve(self._app, listener, draining))
        # A library without its HTTP side is none: let it be started again.
        web.add_done_callback(lambda _: draining.set())
        sweeping = asyncio.create_task(self._sweep())
        try:
            await self.server.run(self._settings.address)
        finally:
            draining.set()
            sweeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sweeping
            await self._waveforms.close()
            await web
            self._exporter.close()
            self._library.close()

    async def _check(self) -> str:
        try:
            return await asyncio.to_thread(self._library.why_unusable)
        except Exception as error:  # a check that fails must not end the checking
            log.get().error("defect", exc_info=error)
            return "the health check failed"

    async def _sweep(self) -> None:
        """Remove partial uploads that nobody goes on with, and old files of no track."""
        while True:
            with contextlib.suppress(OSError):
                stale = await asyncio.to_thread(self._uploads.remove_stale)
                old = await asyncio.to_thread(self._sweeper.sweep)
                if stale or old:
                    log.get().info("swept", partial_uploads=stale, old_files=old)
            await asyncio.sleep(_SWEEP_INTERVAL_S)
