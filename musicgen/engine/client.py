"""The other side of an engine host: calls it, and gives plain values back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import grpc

from musicgen.api.engine.v1 import engine_service_pb2, engine_service_pb2_grpc
from musicgen.engine.base import (
    MAX_PREVIEWS,
    Checkpoint,
    Generation,
    Manifest,
    Parameters,
    Reported,
)
from musicgen.engine.convert import (
    checkpoint_from_proto,
    generation_from_proto,
    manifest_from_proto,
    parameters_to_proto,
    parts_to_proto,
    preview_from_proto,
)
from musicgen.engine.servicer import TOKEN_METADATA
from musicgen.errors import (
    EngineCrashed,
    InvalidField,
    ModelNotFound,
    ServiceUnavailable,
    StudioError,
)
from musicgen.rpc.channel import connect
from musicgen.rpc.convert_progress import progress_from_proto
from musicgen.rpc.status import from_rpc_error

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Made:
    """What a host made, and the name of the mix in the scratch folder."""

    generation: Generation
    mix_name: str


class EngineClient:
    """A connection to one host. Every method raises the StudioError that the host sent;
    ServiceUnavailable if there is no host."""

    def __init__(self, socket: Path, token: str) -> None:
        self._channel = connect(f"unix:{socket}")
        self._stub = engine_service_pb2_grpc.EngineServiceStub(self._channel)
        self._metadata = ((TOKEN_METADATA, token),)

    async def describe(self, timeout_s: float) -> Manifest:
        """Return the manifest as soon as the host is up and idle. Raises GenerationTimeout."""
        try:
            answer = await self._stub.Describe(
                engine_service_pb2.DescribeRequest(),
                metadata=self._metadata,
                timeout=timeout_s,
                wait_for_ready=True,
            )
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error
        except asyncio.CancelledError as end:
            raise _closed_or(end) from end
        return manifest_from_proto(answer.manifest)

    async def loaded_models(self, timeout_s: float) -> Sequence[str]:
        """Return the names of the models in the host's memory, once it is idle. Raises
        GenerationTimeout."""
        answer = await self._answer(
            self._stub.Describe(
                engine_service_pb2.DescribeRequest(), metadata=self._metadata, timeout=timeout_s
            )
        )
        return tuple(answer.loaded_models)

    async def load(self, model: str) -> Sequence[str]:
        """Load a model, however long that takes; return the names of those in memory then.
        Raises ModelNotFound if the engine has no such model."""
        request = engine_service_pb2.LoadRequest(model=model)
        answer = await self._answer(self._stub.Load(request, metadata=self._metadata))
        return tuple(answer.loaded_models)

    async def check_lyrics(
        self, parameters: Parameters, timeout_s: float
    ) -> engine_service_pb2.CheckLyricsResponse:
        """Return what of lyrics won't be sung. Raises InvalidField from an engine that checks
        none, GenerationTimeout."""
        request = engine_service_pb2.CheckLyricsRequest(parameters=parameters_to_proto(parameters))
        call = self._stub.CheckLyrics(request, metadata=self._metadata, timeout=timeout_s)
        checks_none = InvalidField(
            "The engine checks no lyrics.", fields={"engine": "checks no lyrics"}
        )
        return await self._answer(call, checks_none)

    async def _answer(self, call: Awaitable[Answer], lacking: StudioError | None = None) -> Answer:
        """Return what a host answers; `lacking` is raised if it knows no such method."""
        try:
            return await call
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                raise lacking or ModelNotFound("The engine has no models.") from error
            raise from_rpc_error(error) from error
        except asyncio.CancelledError as end:
            raise _closed_or(end) from end

    async def generate(
        self, parameters: Parameters, scratch: Path
    ) -> AsyncGenerator[Reported | Made, None]:
        """Yield progress, previews and checkpoints, then what was made. Closing the iterator
        cancels the call; `describe` answers when the host has stopped working on it.

        Raises EngineCrashed for too many previews, or one or a checkpoint without a name of
        its own.
        """
        edit = parameters.edit
        request = engine_service_pb2.GenerateRequest(
            parameters=parameters_to_proto(parameters),
            scratch_directory=str(scratch),
            style_audio_path=str(parameters.style_audio or ""),
            edit_source_path=str(edit.source) if edit else "",
            regenerate=parts_to_proto(edit.regenerate) if edit else [],
            checkpoint_path=str(parameters.checkpoint or ""),
        )
        call = self._stub.Generate(request, metadata=self._metadata)
        previews: set[str] = set()
        newest: Checkpoint | None = None
        try:
            async for event in call:
                match event.WhichOneof("event"):
                    case "progress":
                        yield progress_from_proto(event.progress)
                    case "preview":
                        preview = preview_from_proto(event.preview)
                        if preview.name in previews or len(previews) == MAX_PREVIEWS:
                            raise EngineCrashed("The engine sent a preview twice, or too many.")
                        previews.add(preview.name)
                        yield preview
                    case "checkpoint":
                        before, newest = newest, checkpoint_from_proto(event.checkpoint)
                        if newest == before:
                            raise EngineCrashed("The engine sent a checkpoint twice.")
                        yield newest
                    case "result":
                        yield Made(*generation_from_proto(event.result))
                        return
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error
        except asyncio.CancelledError as end:
            raise _closed_or(end) from end
        finally:
            call.cancel()
        raise EngineCrashed("The engine ended without a result.")

    async def close(self) -> None:
        """Close the connection."""
        await self._channel.close()


def _closed_or(end: asyncio.CancelledError) -> BaseException:
    """Tell a call whose connection was closed, since its host has ended, from a cancelled
    caller: gRPC raises the same for both."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        return end
    return ServiceUnavailable("The connection to the engine was closed.")
