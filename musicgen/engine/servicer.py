"""EngineService over an EngineWorker."""

from __future__ import annotations

import contextlib
import dataclasses
import hmac
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc

from musicgen.api.engine.v1 import engine_service_pb2, engine_service_pb2_grpc
from musicgen.engine.base import MIX_FILE, Checkpoint, Edit, Preview
from musicgen.engine.convert import (
    checked_to_proto,
    checkpoint_to_proto,
    generation_to_proto,
    manifest_to_proto,
    parameters_from_proto,
    parts_from_proto,
    preview_to_proto,
)
from musicgen.engine.determinism import with_runtime
from musicgen.engine.worker import EngineWorker
from musicgen.errors import Unauthenticated
from musicgen.progress import Progress
from musicgen.rpc.convert_progress import progress_to_proto

TOKEN_METADATA = "x-engine-token"  # noqa: S105  # the key's name, not a token


class EngineServicer(engine_service_pb2_grpc.EngineServiceServicer):
    """Answers whoever knows the token."""

    def __init__(self, worker: EngineWorker, token: str) -> None:
        self._worker = worker
        self._token = token.encode()

    async def Describe(
        self,
        request: engine_service_pb2.DescribeRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> engine_service_pb2.DescribeResponse:
        """Answer once no generation runs: a caller that cancelled learns here that the
        engine has stopped."""
        self._authenticate(context)
        return engine_service_pb2.DescribeResponse(
            loaded_models=await self._worker.loaded_models(),
            manifest=manifest_to_proto(self._worker.manifest),
        )

    async def Load(
        self,
        request: engine_service_pb2.LoadRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> engine_service_pb2.LoadResponse:
        """Load a model."""
        self._authenticate(context)
        loaded = await self._worker.load(request.model)
        return engine_service_pb2.LoadResponse(loaded_models=loaded)

    async def CheckLyrics(
        self,
        request: engine_service_pb2.CheckLyricsRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> engine_service_pb2.CheckLyricsResponse:
        """Check lyrics, also while a generation runs."""
        self._authenticate(context)
        parameters = parameters_from_proto(request.parameters)
        return checked_to_proto(await self._worker.check_lyrics(parameters))

    async def Generate(
        self,
        request: engine_service_pb2.GenerateRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> AsyncIterator[engine_service_pb2.GenerateResponse]:
        """Generate one piece; the caller's cancellation closes the worker's iterator."""
        self._authenticate(context)
        parameters = dataclasses.replace(
            parameters_from_proto(request.parameters),
            style_audio=_path(request.style_audio_path),
            edit=_edit(request),
            checkpoint=_path(request.checkpoint_path),
        )
        events = self._worker.generate(parameters, Path(request.scratch_directory))
        async with contextlib.aclosing(events):
            async for event in events:
                if isinstance(event, Progress):
                    yield engine_service_pb2.GenerateResponse(progress=progress_to_proto(event))
                    continue
                if isinstance(event, Preview):
                    yield engine_service_pb2.GenerateResponse(preview=preview_to_proto(event))
                    continue
                if isinstance(event, Checkpoint):
                    left = checkpoint_to_proto(event)
                    yield engine_service_pb2.GenerateResponse(checkpoint=left)
                    continue
                made = dataclasses.replace(event, decisions=with_runtime(event.decisions))
                yield engine_service_pb2.GenerateResponse(
                    result=generation_to_proto(made, MIX_FILE)
                )

    def _authenticate(self, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        metadata = dict(context.invocation_metadata() or ())
        given = metadata.get(TOKEN_METADATA, "")
        given = given if isinstance(given, bytes) else given.encode()
        if not hmac.compare_digest(given, self._token):
            raise Unauthenticated("The engine's token is missing or wrong.")


def _path(text: str) -> Path | None:
    return Path(text) if text else None


def _edit(request: engine_service_pb2.GenerateRequest) -> Edit | None:
    if not request.edit_source_path:
        return None
    return Edit(Path(request.edit_source_path), parts_from_proto(request.regenerate))
