"""One generation from request to stored track."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from musicgen.artifacts import ArtifactStore, StoredFile
from musicgen.audio.codecs import Format, Properties
from musicgen.claims import ClaimGuard
from musicgen.engine.base import Generation, Manifest, Parameters, Report
from musicgen.engine.client import Made
from musicgen.engine.threaded import ThreadedWork
from musicgen.engine.validation import validate
from musicgen.engine.waiting import to_the_end
from musicgen.errors import InvalidField, ModelNotFound
from musicgen.progress import Progress
from services.inference import recipe
from services.inference.encoder import Encoded, check_mix, encode
from services.inference.engine_process import EngineProcess
from services.inference.scratch import Scratch

HOST_SHARE = 0.95
"""Share of the whole that the engine's work is; encoding is the rest (a minute of FLAC
takes about 0.2 s, of MP3 about 3 s)."""


@dataclass(frozen=True, slots=True)
class Order:
    """What one claim of a job asks for. `at` is the path of the spec in the request."""

    job_id: str
    fence: int
    engine: str
    parameters: Parameters
    format: Format
    at: str = "spec"


@dataclass(frozen=True, slots=True)
class Produced:
    """A track, stored."""

    stored: StoredFile
    format: Format
    properties: Properties
    made: Generation
    recipe: Mapping[str, Any]


class Generator:
    """Runs orders; as many at once as there are engines."""

    def __init__(
        self, engines: Mapping[str, EngineProcess], store: ArtifactStore, scratch: Scratch
    ) -> None:
        self._engines = engines
        self._store = store
        self._scratch = scratch
        self._claims = ClaimGuard()

    async def run(self, order: Order) -> AsyncGenerator[Progress | Produced, None]:
        """Yield progress, then the stored track. Closing the iterator cancels.

        Raises ModelNotFound, the InvalidRequests of `validate`, ClaimLost, EngineCrashed,
        GenerationTimeout, DiskFull, OutOfMemory, and what else the engine raises.
        """
        engine = self._engine(order.engine)
        key = f"{self._store.job_prefix(order.job_id, order.fence)}/mix.{order.format.extension}"
        self._check_claim(order, key)
        manifest = await engine.manifest()
        validate(order.parameters, manifest, at=f"{order.at}.parameters")
        async with self._claims.hold(order.job_id, order.fence):
            folder = await asyncio.to_thread(self._scratch.make)
            try:
                making = self._make(order, engine, manifest, folder, key)
                async with contextlib.aclosing(making):
                    async for event in making:
                        yield event
            finally:
                await to_the_end(asyncio.to_thread(self._scratch.remove, folder))

    async def _make(
        self, order: Order, engine: EngineProcess, manifest: Manifest, folder: Path, key: str
    ) -> AsyncGenerator[Progress | Produced, None]:
        parameters, course = order.parameters, _Course()
        made: Made | None = None
        async with contextlib.aclosing(engine.generate(parameters, folder)) as events:
            async for event in events:
                if isinstance(event, Made):
                    made = event
                else:
                    yield course.at(event, 0.0, HOST_SHARE)
        if made is None:
            raise RuntimeError("an engine's stream ends with a result or an error")
        generation, mix = made.generation, folder / made.mix_name

        def finish(report: Report) -> tuple[Encoded, StoredFile]:
            facts = check_mix(mix, manifest, generation, parameters.duration_s)
            encoded = encode(mix, facts, order.format, report)
            with self._store.writing(key) as temporary:
                encoded.path.replace(temporary)
            return encoded, StoredFile(key, encoded.sha256, encoded.size_bytes)

        finishing = ThreadedWork(finish)
        async with contextlib.aclosing(finishing.run()) as steps:
            async for step in steps:
                yield course.at(step, HOST_SHARE, 1.0)
        encoded, stored = finishing.result
        made_recipe = recipe.build(manifest, parameters, generation, encoded)
        yield Produced(stored, order.format, encoded.properties, generation, made_recipe)

    def _engine(self, name: str) -> EngineProcess:
        if name not in self._engines:
            available = ", ".join(sorted(self._engines))
            raise ModelNotFound(
                f"There is no engine called {name[:100]!r}; there are: {available}.",
                metadata={"engine": name[:100], "available": available},
            )
        return self._engines[name]

    def _check_claim(self, order: Order, key: str) -> None:
        if order.fence < 1:
            raise InvalidField("fence must be 1 or more.", fields={"fence": "must be 1 or more"})
        try:
            self._store.path(key)
        except InvalidField as error:
            raise InvalidField(
                "job_id is not an id.", fields={"job_id": "letters, digits, '.', '_', '-' only"}
            ) from error


class _Course:
    """Fits the progress of the parts into that of the whole, which never falls: a host
    may be anybody's program."""

    def __init__(self) -> None:
        self._fraction = 0.0

    def at(self, progress: Progress, start: float, end: float) -> Progress:
        within = min(max(0.0, progress.fraction), 1.0)  # in this order NaN becomes 0
        self._fraction = max(self._fraction, start + within * (end - start))
        steps = max(progress.steps, 1)
        return dataclasses.replace(
            progress,
            fraction=self._fraction,
            steps=steps,
            step=min(max(progress.step, 0), steps),
        )
