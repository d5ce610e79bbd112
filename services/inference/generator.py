"""One generation from request to stored track."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import time
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from musicgen.api.engine.v1.engine_service_pb2 import CheckLyricsResponse
from musicgen.artifacts import ArtifactStore, StoredFile
from musicgen.audio.codecs import Format, Properties
from musicgen.claims import ClaimGuard
from musicgen.engine.base import Generation, Manifest, Parameters
from musicgen.engine.client import Made
from musicgen.engine.threaded import ThreadedWork
from musicgen.engine.validation import validate, validate_inputs
from musicgen.engine.waiting import to_the_end
from musicgen.errors import InvalidField, ModelNotFound
from musicgen.progress import Progress
from services.inference import metrics, recipe
from services.inference.checkpoints import Checkpoints, StoredCheckpoint
from services.inference.engine_process import EngineProcess
from services.inference.finishing import Extra, Finished, Finishing, Report
from services.inference.passing import Passing
from services.inference.previews import Previews, StoredPreview
from services.inference.scratch import Scratch

HOST_SHARE = 0.95
"""Share of the whole that the engine's work is; encoding is the rest (a minute of FLAC
takes about 0.2 s, of MP3 about 3 s)."""


@dataclass(frozen=True, slots=True)
class Order:
    """What one claim of a job asks for. `checkpoint` is the key of the one that the parameters
    go on from, "" if there is none. `at` is the path of the spec in the request."""

    job_id: str
    fence: int
    engine: str
    parameters: Parameters
    format: Format
    made_from: Mapping[str, Any] = field(default_factory=dict)
    """What the audio in the parameters is, for the recipe."""
    checkpoint: str = ""
    at: str = "spec"


@dataclass(frozen=True, slots=True)
class Produced:
    """A track, stored, and the files beside it."""

    stored: StoredFile
    format: Format
    properties: Properties
    made: Generation
    recipe: Mapping[str, Any]
    extras: tuple[Extra, ...] = ()


Event = Progress | StoredPreview | StoredCheckpoint | Produced


class Generator:
    """Runs orders; as many at once as there are engines."""

    def __init__(
        self, engines: Mapping[str, EngineProcess], store: ArtifactStore, scratch: Scratch
    ) -> None:
        self._engines = engines
        self._store = store
        self._scratch = scratch
        self._claims = ClaimGuard()

    async def run(self, order: Order) -> AsyncGenerator[Event, None]:
        """Yield progress, previews and checkpoints, then the stored track. Closing the iterator
        cancels.

        Raises ModelNotFound, the InvalidRequests of `validate`, ClaimLost, EngineCrashed,
        GenerationTimeout, DiskFull, OutOfMemory, and what else the engine raises.
        """
        engine = self._engine(order.engine)
        prefix = self._store.job_prefix(order.job_id, order.fence)
        self._check_claim(order, prefix)
        manifest = await engine.manifest()
        validate(order.parameters, manifest, at=f"{order.at}.parameters")
        validate_inputs(
            order.parameters,
            manifest,
            style_at=f"{order.at}.style_audio",
            parts_at=f"{order.at}.edit.regenerate",
        )
        async with self._claims.hold(order.job_id, order.fence):
            folder = await asyncio.to_thread(self._scratch.make)
            try:
                making = self._make(order, engine, manifest, folder, prefix)
                async with contextlib.aclosing(making):
                    async for event in making:
                        yield event
            finally:
                await to_the_end(asyncio.to_thread(self._scratch.remove, folder))

    async def check_lyrics(self, name: str, parameters: Parameters) -> CheckLyricsResponse:
        """Return what of lyrics an engine won't sing. Raises ModelNotFound, InvalidField,
        EnvironmentMissing, EngineCrashed."""
        engine = self._engine(name)
        manifest = await engine.manifest()
        if not manifest.checks_lyrics:
            raise InvalidField(
                f"{manifest.display_name} checks no lyrics.",
                remedy="Choose an engine that does: `musicgen engines` tells what each one can do.",
                fields={"engine": "checks no lyrics"},
            )
        duration_s = parameters.duration_s or manifest.default_duration_s
        parameters = dataclasses.replace(parameters, duration_s=duration_s)
        validate(parameters, manifest)
        return await engine.check_lyrics(parameters)

    async def _make(
        self, order: Order, engine: EngineProcess, manifest: Manifest, folder: Path, prefix: str
    ) -> AsyncGenerator[Event, None]:
        parameters, course, began_s = order.parameters, _Course(), time.monotonic()
        made: Made | None = None
        passing = Passing(
            Previews(self._store, prefix, folder, manifest),
            Checkpoints(self._store, order.job_id, folder, order.checkpoint),
        )
        making = passing.among(engine.generate(parameters, folder))
        async with contextlib.aclosing(making) as events:
            async for event in events:
                if isinstance(event, Made):
                    made = event
                elif isinstance(event, Progress):
                    yield course.at(event, 0.0, HOST_SHARE)
                else:
                    yield event
        if made is None:
            raise RuntimeError("an engine's stream ends with a result or an error")
        left, finishing = made, Finishing(self._store, prefix, order.format)

        def finish(report: Report) -> Finished:
            return finishing.run(left, folder, manifest, parameters.duration_s, report)

        work = ThreadedWork(finish)
        async with contextlib.aclosing(work.run()) as steps:
            async for step in steps:
                yield course.at(step, HOST_SHARE, 1.0)
        finished, mix = work.result, work.result.mix
        metrics.GENERATION_SECONDS.labels(manifest.name).inc(time.monotonic() - began_s)
        metrics.GENERATED_SECONDS.labels(manifest.name).inc(mix.properties.duration_s)
        made_recipe = recipe.build(manifest, parameters, made.generation, mix, order.made_from)
        yield Produced(
            stored=finished.stored,
            format=order.format,
            properties=mix.properties,
            made=at_rate(made.generation, manifest.sample_rate_hz, mix.properties.sample_rate_hz),
            recipe=made_recipe,
            extras=finished.extras,
        )

    def _engine(self, name: str) -> EngineProcess:
        if name not in self._engines:
            available = ", ".join(sorted(self._engines))
            raise ModelNotFound(
                f"There is no engine called {name[:100]!r}; there are: {available}.",
                metadata={"engine": name[:100], "available": available},
            )
        return self._engines[name]

    def _check_claim(self, order: Order, prefix: str) -> None:
        if order.fence < 1:
            raise InvalidField("fence must be 1 or more.", fields={"fence": "must be 1 or more"})
        try:
            self._store.path(prefix)
        except InvalidField as error:
            raise InvalidField(
                "job_id is not an id.", fields={"job_id": "letters, digits, '.', '_', '-' only"}
            ) from error


def at_rate(made: Generation, engine_hz: int, file_hz: int) -> Generation:
    """Return what was made with its loop in frames of the file: Opus knows few rates."""
    if made.loop_frames is None or engine_hz == file_hz:
        return made
    start, end = (round(frame * file_hz / engine_hz) for frame in made.loop_frames)
    return dataclasses.replace(made, loop_frames=(start, end))


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
