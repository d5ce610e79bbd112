"""Models as the service sees them: on the disk, in an engine's memory, and work on them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from musicgen.claims import ClaimGuard
from musicgen.engine import hardware
from musicgen.errors import (
    EnvironmentMissing,
    InvalidField,
    ModelInUse,
    ModelLoading,
    OutOfMemory,
    StudioError,
)
from musicgen.progress import Progress
from musicgen.rpc import log
from services.inference.engine_process import EngineProcess
from services.inference.models.manager import ModelManager, Status
from services.inference.models.model import Model
from services.inference.models.process import Work, run


@dataclass(frozen=True, slots=True)
class Shown:
    """A model and how it stands. `needs` are all that are installed with it. `memory` is
    "loaded", "loading" or ""."""

    model: Model
    needs: tuple[str, ...]
    status: Status
    licence_accepted: bool
    memory: str
    detail: str


class ModelShelf:
    """All models of the service."""

    def __init__(
        self,
        manager: ModelManager,
        engines: Mapping[str, EngineProcess],
        models_file: Path | None = None,
    ) -> None:
        self._manager = manager
        self._engines = engines
        self._models_file = models_file
        self._claims = ClaimGuard()
        self._loading: dict[str, asyncio.Task[None]] = {}
        self._faults: dict[str, str] = {}
        """Why a model could not be loaded, by name."""

    async def list(self, engine: str = "") -> Sequence[Shown]:
        """Return the models, those that are chosen by themselves first."""
        models = [m for m in self._manager.catalogue if engine in ("", m.engine)]
        models.sort(key=lambda model: (model.engine, not model.variant))
        return [await self.show(model.name) for model in models]

    async def show(self, name: str) -> Shown:
        """Return how a model stands. Raises ModelNotFound."""
        model = self._manager.catalogue.get(name)
        status = await asyncio.to_thread(self._manager.status, name)
        accepted = await asyncio.to_thread(self._manager.licence_accepted, name)
        memory, detail = "", status.detail or self._faults.get(name, "")
        if name in self._loading:
            memory = "loading"
        elif (engine := self._engines.get(model.engine)) and name in await engine.loaded_models():
            memory = "loaded"
        needs = tuple(need.name for need in self._manager.catalogue.with_needs(name)[:-1])
        return Shown(model, needs, status, accepted, memory, detail)

    async def accept(self, name: str, licence_id: str) -> Shown:
        """Accept a licence. Raises ModelNotFound, InvalidField."""
        await asyncio.to_thread(self._manager.accept, name, licence_id)
        return await self.show(name)

    async def remove(self, name: str) -> Shown:
        """Remove a model; one that is in memory is unloaded first. Raises ModelNotFound,
        ModelInUse, ModelLoading."""
        model = self._manager.catalogue.get(name)
        self._check_not_loading(name)
        engine = self._engines.get(model.engine)
        if engine is not None and engine.host_pid is not None:
            await self.unload(name)
        await asyncio.to_thread(self._manager.remove, name)
        self._faults.pop(name, None)
        return await self.show(name)

    async def load(self, name: str) -> Shown:
        """Begin to load a model. Raises ModelNotFound, ModelNotInstalled, ModelInUse,
        ModelLoading while another one of its engine is loaded, OutOfMemory for one that this
        machine can't hold, EnvironmentMissing if this service has no such engine."""
        model = self._manager.catalogue.get(name)
        await asyncio.to_thread(self._manager.folder, name)
        await asyncio.to_thread(_check_memory, model)
        engine = self._engine(model)
        if name not in self._loading:
            self._check_not_loading(*self._loading_for(model.engine))
            if engine.busy:
                raise ModelInUse(
                    f"The engine {model.engine} is working; {model.display_name} can't be "
                    "loaded now.",
                    metadata={"model": name, "engine": model.engine},
                )
            self._faults.pop(name, None)
            task = asyncio.create_task(self._load(engine, name))
            self._loading[name] = task
            task.add_done_callback(lambda _: self._loading.pop(name, None))
        return await self.show(name)

    def _loading_for(self, engine: str) -> Sequence[str]:
        return [m for m in self._loading if self._manager.catalogue.get(m).engine == engine]

    def _check_not_loading(self, *names: str) -> None:
        for name in names:
            if name in self._loading:
                model = self._manager.catalogue.get(name)
                raise ModelLoading(
                    f"{model.display_name} is being loaded.",
                    metadata={"model": name, "engine": model.engine},
                )

    async def _load(self, engine: EngineProcess, name: str) -> None:
        try:
            await engine.load(name)
        except StudioError as error:
            self._faults[name] = f"It could not be loaded: {error.message}"
            log.get().warning("model not loaded", model=name, why=error.message)

    async def unload(self, name: str) -> Shown:
        """End the engine's host, which holds the model. Raises ModelNotFound, ModelInUse."""
        model = self._manager.catalogue.get(name)
        if task := self._loading.get(name):
            task.cancel()
            await asyncio.wait([task])
        if engine := self._engines.get(model.engine):
            await engine.unload()
        return await self.show(name)

    def _engine(self, model: Model) -> EngineProcess:
        engine = self._engines.get(model.engine)
        if engine is None:
            raise EnvironmentMissing(
                f"There is no engine {model.engine} here, which {model.display_name} is for.",
                metadata={"engine": model.engine},
            )
        return engine

    async def work(self, job_id: str, fence: int, work: Work) -> AsyncGenerator[Progress, None]:
        """Install or verify on behalf of a job: yield progress until that is done. Closing
        the iterator ends it at once. Raises ClaimLost, ModelLoading, and what the work
        raised."""
        if fence < 1:
            raise InvalidField("fence must be 1 or more.", fields={"fence": "must be 1 or more"})
        self._manager.catalogue.get(work.model)
        self._check_not_loading(work.model)
        async with self._claims.hold(job_id, fence):
            running = run(work, self._manager.root, self._models_file)
            async with contextlib.aclosing(running) as steps:
                async for step in steps:
                    yield step

    async def close(self) -> None:
        """Stop loading."""
        tasks = list(self._loading.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _check_memory(model: Model) -> None:
    """Raise OutOfMemory for a model that all memory of this machine together can't hold; with
    less than a model needs at once its engine makes do. Blocks: cards are asked only if it
    matters."""
    total_bytes = hardware.look_at_processor().memory_bytes
    if not total_bytes or model.memory_bytes <= total_bytes:
        return
    total_bytes += sum(card.memory_bytes for card in hardware.look().cards)
    if model.memory_bytes > total_bytes:
        needed, there = (f"{size / 1e9:,.1f} GB" for size in (model.memory_bytes, total_bytes))
        raise OutOfMemory(
            f"{model.display_name} needs {needed} of memory; this machine has {there}.",
            remedy="Choose a smaller model.",
            metadata={
                "model": model.name,
                "needed_bytes": str(model.memory_bytes),
                "memory_bytes": str(total_bytes),
            },
        )
