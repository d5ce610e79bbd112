"""The parts of the service, put together from its settings."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping

from musicgen.api.inference.v1.inference_service_pb2_grpc import (
    add_InferenceServiceServicer_to_server,
)
from musicgen.api.inference.v1.model_service_pb2_grpc import add_ModelServiceServicer_to_server
from musicgen.artifacts import ArtifactStore
from musicgen.rpc.server import RpcServer
from musicgen.settings import SettingsError
from services.inference import metrics
from services.inference.devices.listing import Devices
from services.inference.engine_process import EngineProcess, State
from services.inference.environment_setup import EnvironmentSetup
from services.inference.environments.environments import Environments
from services.inference.generator import Generator
from services.inference.model_servicer import ModelServicer
from services.inference.model_shelf import ModelShelf
from services.inference.models.catalogue import load_catalogue
from services.inference.models.locate import models_root
from services.inference.models.manager import ModelManager
from services.inference.registry import load_registry
from services.inference.scratch import Scratch
from services.inference.servicer import InferenceServicer
from services.inference.settings import Settings

SERVICES = [
    "musicgen.api.inference.v1.InferenceService",
    "musicgen.api.inference.v1.ModelService",
]


class InferenceService:
    """One server with its engines. Make it in a running event loop."""

    def __init__(self, settings: Settings) -> None:
        """Raises SettingsError for engines or models that can't be, OSError for a data folder
        that can't be written."""
        self._settings = settings
        environments = Environments(settings.data_root)
        self.engines = {
            name: EngineProcess(
                entry,
                runtime_dir=settings.runtime_dir,
                start_timeout_s=settings.engine_start_timeout_s,
                stall_timeout_s=settings.stall_timeout_s,
            )
            for name, entry in load_registry(settings.engines_file, environments).items()
        }
        _tell_states(self.engines)
        if unknown := set(settings.prewarmed) - set(self.engines):
            raise SettingsError(f"MUSICGEN_PREWARM names unknown engines: {sorted(unknown)}")
        self._scratch = Scratch(settings.data_root)
        store = ArtifactStore(settings.data_root)
        generator = Generator(self.engines, store, self._scratch)
        root = models_root(settings.data_root, settings.models_root)
        manager = ModelManager(root.resolve(), load_catalogue(settings.models_file))
        self._shelf = ModelShelf(manager, self.engines, settings.models_file)
        self.server = RpcServer(SERVICES, self._check)
        setup = EnvironmentSetup(environments, self.engines)
        add_InferenceServiceServicer_to_server(
            InferenceServicer(self.engines, generator, setup, Devices(settings.data_root), store),
            self.server.grpc,
        )
        add_ModelServiceServicer_to_server(ModelServicer(self._shelf), self.server.grpc)

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
            await self._shelf.close()
            await asyncio.gather(*(engine.stop() for engine in self.engines.values()))
            await asyncio.to_thread(self._scratch.close)


def _tell_states(engines: Mapping[str, EngineProcess]) -> None:
    """Have the metrics ask the engines, whenever somebody reads them."""
    for name, engine in engines.items():
        for state in State:

            def is_so(engine: EngineProcess = engine, state: State = state) -> float:
                return float(engine.state is state)

            metrics.ENGINE_STATE.labels(name, state.value).set_function(is_so)


async def _warm(engine: EngineProcess) -> None:
    # A failed start is logged and shown by ListEngines; the service lives on.
    with contextlib.suppress(Exception):
        await engine.start()
