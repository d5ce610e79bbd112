"""The parts of the service, put together from its settings."""

from __future__ import annotations

import asyncio
import contextlib

from musicgen.api.inference.v1.inference_service_pb2_grpc import (
    add_InferenceServiceServicer_to_server,
)
from musicgen.artifacts import ArtifactStore
from musicgen.rpc.server import RpcServer
from musicgen.settings import SettingsError
from services.inference.engine_process import EngineProcess
from services.inference.generator import Generator
from services.inference.registry import load_registry
from services.inference.scratch import Scratch
from services.inference.servicer import InferenceServicer
from services.inference.settings import Settings

SERVICE = "musicgen.api.inference.v1.InferenceService"


class InferenceService:
    """One server with its engines. Make it in a running event loop."""

    def __init__(self, settings: Settings) -> None:
        """Raises SettingsError for engines that can't be, OSError for a data folder that
        can't be written."""
        self._settings = settings
        self.engines = {
            name: EngineProcess(
                entry,
                runtime_dir=settings.runtime_dir,
                start_timeout_s=settings.engine_start_timeout_s,
                stall_timeout_s=settings.stall_timeout_s,
            )
            for name, entry in load_registry(settings.engines_file).items()
        }
        if unknown := set(settings.prewarmed) - set(self.engines):
            raise SettingsError(f"MUSICGEN_PREWARM names unknown engines: {sorted(unknown)}")
        self._scratch = Scratch(settings.data_root)
        generator = Generator(self.engines, ArtifactStore(settings.data_root), self._scratch)
        self.server = RpcServer([SERVICE], self._check)
        add_InferenceServiceServicer_to_server(
            InferenceServicer(self.engines, generator), self.server.grpc
        )

    async def _check(self) -> str:
        return await asyncio.to_thread(self._scratch.probe)

    async def run(self) -> None:
        """Serve until told to stop; then end the engines."""
        warming = [
            asyncio.create_task(_warm(self.engines[name])) for name in self._settings.prewarmed
        ]
        try:
            await self.server.run(self._settings.address)
        finally:
            for task in warming:
                task.cancel()
            await asyncio.gather(*warming, return_exceptions=True)
            await asyncio.gather(*(engine.stop() for engine in self.engines.values()))
            await asyncio.to_thread(self._scratch.close)


async def _warm(engine: EngineProcess) -> None:
    # A failed start is logged and shown by ListEngines; the service lives on.
    with contextlib.suppress(Exception):
        await engine.start()
