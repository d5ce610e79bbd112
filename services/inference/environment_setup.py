"""Environments of engines as the service sees them: how they stand, and work on them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Mapping

from musicgen.claims import ClaimGuard
from musicgen.engine.threaded import ThreadedWork
from musicgen.errors import InvalidField
from musicgen.progress import Progress
from services.inference.engine_process import EngineProcess
from services.inference.environments.environments import (
    Action,
    Environments,
    Report,
    State,
    Status,
)
from services.inference.environments.families import FAMILIES


class EnvironmentSetup:
    """All environments of the service, and the engines whose hosts run in them."""

    def __init__(self, environments: Environments, engines: Mapping[str, EngineProcess]) -> None:
        self._environments = environments
        self._engines = engines
        self._claims = ClaimGuard()

    async def status(self, engine: str) -> Status | None:
        """Return how an engine's environment stands; None if it needs none of its own.
        Raises ModelNotFound for an engine that there isn't."""
        if name := self._environment_of(engine):
            return await asyncio.to_thread(self._environments.status, name)
        if engine in self._engines:
            return None
        return await asyncio.to_thread(self._environments.status, engine)

    async def run(
        self, job_id: str, fence: int, engine: str, action: Action
    ) -> AsyncGenerator[Progress, None]:
        """Make, repair or remove an environment on behalf of a job: yield progress until that
        is done. Closing the iterator stops the work.

        Raises ClaimLost, ModelInUse if a host in it works, InvalidField for an engine that
        needs none, and what `Environments.setup` raises.
        """
        if fence < 1:
            raise InvalidField("fence must be 1 or more.", fields={"fence": "must be 1 or more"})
        name = self._environment_of(engine) or engine
        if name == engine and engine in self._engines and engine not in FAMILIES:
            rule = "must be an engine with an environment of its own"
            raise InvalidField(f"spec.engine {rule}.", fields={"spec.engine": rule})

        def work(report: Report) -> None:
            self._environments.setup(name, report, action)

        async with self._claims.hold(job_id, fence):
            status = await asyncio.to_thread(self._environments.status, name)
            if action != "make" or status.state is State.OUTDATED:
                for process in self._engines.values():
                    if process.entry.environment == name:
                        await process.unload()
            thread: ThreadedWork[Progress, None] = ThreadedWork(work)
            async with contextlib.aclosing(thread.run()) as steps:
                async for step in steps:
                    yield step

    def _environment_of(self, engine: str) -> str:
        process = self._engines.get(engine)
        return process.entry.environment if process else ""
