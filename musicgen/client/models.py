"""Models, devices: what a studio has to make music with. Installing, verifying and setting an
engine up are jobs: see `specs`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import grpc

from musicgen.api.inference.v1 import (
    inference_service_pb2,
    inference_service_pb2_grpc,
    model_pb2,
    model_service_pb2,
    model_service_pb2_grpc,
)
from musicgen.client.sendable import checked_text

Call = Callable[..., Awaitable[Any]]
"""Sends a request to a method; repeats it while the studio is UNAVAILABLE."""


class Models:
    """The models and devices of a studio: `studio.models`."""

    def __init__(self, channel: grpc.aio.Channel, call: Call) -> None:
        self._models = model_service_pb2_grpc.ModelServiceStub(channel)
        self._inference = inference_service_pb2_grpc.InferenceServiceStub(channel)
        self._call = call

    async def list(self, engine: str = "") -> list[model_pb2.Model]:
        """List the models that can be had, installed or not; `engine` "" means of all."""
        request = model_service_pb2.ListModelsRequest(engine=checked_text("engine", engine))
        return list((await self._call(self._models.ListModels, request)).models)

    async def get(self, name: str) -> model_pb2.Model:
        """Get a model. Raises ModelNotFound."""
        request = model_service_pb2.GetModelRequest(model=checked_text("model", name))
        model: model_pb2.Model = (await self._call(self._models.GetModel, request)).model
        return model

    async def remove(self, name: str) -> model_pb2.Model:
        """Remove a model's files, and what only it needed. Raises ModelNotFound, ModelInUse,
        ModelLoading."""
        request = model_service_pb2.RemoveModelRequest(model=checked_text("model", name))
        model: model_pb2.Model = (await self._call(self._models.RemoveModel, request)).model
        return model

    async def accept_licence(self, model: model_pb2.Model) -> model_pb2.Model:
        """Accept the licence of a model, as it was shown. Raises ModelNotFound, InvalidField
        if it has changed."""
        request = model_service_pb2.AcceptLicenceRequest(
            model=model.name, licence_id=model.licence.licence_id
        )
        now: model_pb2.Model = (await self._call(self._models.AcceptLicence, request)).model
        return now

    async def load(self, name: str) -> model_pb2.Model:
        """Have a model loaded; its state says when it is. Raises ModelNotFound,
        ModelNotInstalled, ModelInUse, ModelLoading, OutOfMemory, EnvironmentMissing."""
        request = model_service_pb2.LoadModelRequest(model=checked_text("model", name))
        model: model_pb2.Model = (await self._call(self._models.LoadModel, request)).model
        return model

    async def unload(self, name: str) -> model_pb2.Model:
        """Give a model's memory back. Raises ModelNotFound, ModelInUse."""
        request = model_service_pb2.UnloadModelRequest(model=checked_text("model", name))
        model: model_pb2.Model = (await self._call(self._models.UnloadModel, request)).model
        return model

    async def devices(self) -> inference_service_pb2.ListDevicesResponse:
        """Say what engines can compute on, and what is chosen."""
        request = inference_service_pb2.ListDevicesRequest()
        found: inference_service_pb2.ListDevicesResponse = await self._call(
            self._inference.ListDevices, request
        )
        return found

    async def select_device(self, device_id: str) -> inference_service_pb2.SelectDeviceResponse:
        """Choose what engines compute on; "auto" leaves it to the studio. Raises
        DeviceNotFound, InvalidField."""
        request = inference_service_pb2.SelectDeviceRequest(
            device_id=checked_text("device_id", device_id)
        )
        found: inference_service_pb2.SelectDeviceResponse = await self._call(
            self._inference.SelectDevice, request
        )
        return found
