"""ModelService over the ModelShelf: translates, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc

from musicgen.api.inference.v1 import model_pb2, model_service_pb2, model_service_pb2_grpc
from musicgen.engine.convert import struct_from_dict
from musicgen.rpc.convert_progress import progress_to_proto
from musicgen.rpc.work import during
from services.inference.model_shelf import ModelShelf, Shown
from services.inference.models.licences import Licence
from services.inference.models.manager import State
from services.inference.models.process import Work

Context = grpc.aio.ServicerContext[Any, Any]
_MEMORY = {
    "loaded": model_pb2.Model.STATE_LOADED,
    "loading": model_pb2.Model.STATE_LOADING,
}


class ModelServicer(model_service_pb2_grpc.ModelServiceServicer):
    """See model_service.proto for what each method promises."""

    def __init__(self, shelf: ModelShelf) -> None:
        self._shelf = shelf

    async def ListModels(
        self, request: model_service_pb2.ListModelsRequest, context: Context
    ) -> model_service_pb2.ListModelsResponse:
        """List all models."""
        models = [model_to_proto(shown) for shown in await self._shelf.list(request.engine)]
        return model_service_pb2.ListModelsResponse(models=models)

    async def GetModel(
        self, request: model_service_pb2.GetModelRequest, context: Context
    ) -> model_service_pb2.GetModelResponse:
        """Get one model."""
        shown = await self._shelf.show(request.model)
        return model_service_pb2.GetModelResponse(model=model_to_proto(shown))

    async def RemoveModel(
        self, request: model_service_pb2.RemoveModelRequest, context: Context
    ) -> model_service_pb2.RemoveModelResponse:
        """Remove a model's files."""
        shown = await self._shelf.remove(request.model)
        return model_service_pb2.RemoveModelResponse(model=model_to_proto(shown))

    async def AcceptLicence(
        self, request: model_service_pb2.AcceptLicenceRequest, context: Context
    ) -> model_service_pb2.AcceptLicenceResponse:
        """Accept a licence."""
        shown = await self._shelf.accept(request.model, request.licence_id)
        return model_service_pb2.AcceptLicenceResponse(model=model_to_proto(shown))

    async def LoadModel(
        self, request: model_service_pb2.LoadModelRequest, context: Context
    ) -> model_service_pb2.LoadModelResponse:
        """Begin to load a model."""
        shown = await self._shelf.load(request.model)
        return model_service_pb2.LoadModelResponse(model=model_to_proto(shown))

    async def UnloadModel(
        self, request: model_service_pb2.UnloadModelRequest, context: Context
    ) -> model_service_pb2.UnloadModelResponse:
        """Give a model's memory back."""
        shown = await self._shelf.unload(request.model)
        return model_service_pb2.UnloadModelResponse(model=model_to_proto(shown))

    async def InstallModel(
        self, request: model_service_pb2.InstallModelRequest, context: Context
    ) -> AsyncIterator[model_service_pb2.InstallModelResponse]:
        """Stream an install; the caller's cancellation ends it."""
        spec = request.spec
        work = Work("install", spec.model, spec.accept_licence, spec.folder)
        steps = self._shelf.work(request.job_id, request.fence, work)
        async for step in during(context, steps):
            yield model_service_pb2.InstallModelResponse(progress=progress_to_proto(step))
        shown = await self._shelf.show(spec.model)
        yield model_service_pb2.InstallModelResponse(result=model_to_proto(shown))

    async def VerifyModel(
        self, request: model_service_pb2.VerifyModelRequest, context: Context
    ) -> AsyncIterator[model_service_pb2.VerifyModelResponse]:
        """Stream a verification; the caller's cancellation ends it."""
        work = Work("verify", request.spec.model)
        steps = self._shelf.work(request.job_id, request.fence, work)
        async for step in during(context, steps):
            yield model_service_pb2.VerifyModelResponse(progress=progress_to_proto(step))
        shown = await self._shelf.show(request.spec.model)
        yield model_service_pb2.VerifyModelResponse(result=model_to_proto(shown))


def model_to_proto(shown: Shown) -> model_pb2.Model:
    """Convert a model and how it stands."""
    model, status = shown.model, shown.status
    placed = {file.path: file for file in status.record.files} if status.record else {}
    state = model_pb2.Model.State.Value(f"STATE_{status.state.name}")
    if status.state is State.INSTALLED and shown.memory:
        state = _MEMORY[shown.memory]
    return model_pb2.Model(
        name=model.name,
        display_name=model.display_name,
        description=model.description,
        engine=model.engine,
        variant=model.variant,
        repository=model.repository,
        revision=status.record.commit if status.record else model.revision,
        files=[
            model_pb2.ModelFile(
                path=file.path,
                size_bytes=placed[file.path].size_bytes if placed else file.size_bytes,
                sha256=file.sha256,
                installed=file.path in status.sizes,
            )
            for file in model.files
        ],
        size_bytes=sum(file.size_bytes for file in placed.values()) or model.about_bytes,
        licence=_licence(model.licence),
        licence_accepted=shown.licence_accepted,
        capabilities=model.capabilities,
        memory_bytes=model.memory_bytes,
        defaults=struct_from_dict(model.defaults),
        max_duration_seconds=model.max_duration_s,
        needs=shown.needs,
        state=state,
        installed_bytes=status.installed_bytes,
        detail=shown.detail,
    )


def _licence(licence: Licence) -> model_pb2.Licence:
    return model_pb2.Licence(
        licence_id=licence.id,
        title=licence.title,
        url=licence.url,
        summary=licence.summary,
        meaning_for_tracks=licence.meaning_for_tracks,
        must_accept=licence.must_accept,
        non_commercial=licence.non_commercial,
    )
