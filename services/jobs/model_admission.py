"""What is checked before a job on a model or on an engine's environment is accepted."""

from __future__ import annotations

from pathlib import PurePosixPath

import grpc

from musicgen.api.inference.v1 import (
    environment_pb2,
    inference_service_pb2,
    inference_service_pb2_grpc,
    model_pb2,
    model_service_pb2,
    model_service_pb2_grpc,
)
from musicgen.errors import InvalidField, LicenceNotAccepted, ModelNotFound
from musicgen.rpc.status import from_rpc_error

TIMEOUT_S = 10.0


class ModelAdmission:
    """Asks inference, which knows the models and the engines."""

    def __init__(self, inference: grpc.aio.Channel) -> None:
        self._inference = inference_service_pb2_grpc.InferenceServiceStub(inference)
        self._models = model_service_pb2_grpc.ModelServiceStub(inference)

    async def check_install(self, spec: model_pb2.InstallModelSpec) -> None:
        """Raise ModelNotFound, InvalidField, or LicenceNotAccepted: somebody may be there to
        accept it now, and not when the job is done."""
        if spec.folder and not PurePosixPath(spec.folder).is_absolute():
            rule = "must be an absolute path on the studio's machine, or empty"
            raise InvalidField(
                f"spec.install_model.folder {rule}.", fields={"spec.install_model.folder": rule}
            )
        model = await self._get(spec.model)
        models = [model, *[await self._get(need) for need in model.needs]]
        left = [m for m in models if not m.licence_accepted]
        if left and not spec.accept_licence:
            terms = {m.licence.licence_id: m.licence for m in left}
            raise LicenceNotAccepted(
                f"{model.display_name} needs licences to be accepted: "
                + ", ".join(f"{licence.title} ({licence.url})" for licence in terms.values())
                + ".",
                metadata={
                    "models": ", ".join(m.name for m in left),
                    "licences": ", ".join(terms),
                },
                fields={"spec.install_model.accept_licence": "must be true"},
            )

    async def check_verify(self, spec: model_pb2.VerifyModelSpec) -> None:
        """Raise ModelNotFound."""
        await self._get(spec.model)

    async def fill_setup(self, spec: environment_pb2.SetupEngineSpec) -> None:
        """Fill in the action, and the engine for the name of its family: "song" stands for the
        environment of "song-tiny" where no engine is called that. Raises
        ModelNotFound, or InvalidField for an engine that needs no environment or an action that
        there isn't."""
        actions = environment_pb2.SetupEngineSpec.Action
        if spec.action not in actions.values():
            raise InvalidField(
                f"{spec.action} is no action.", fields={"spec.setup_engine.action": "unknown"}
            )
        spec.action = spec.action or actions.ACTION_MAKE
        try:
            answer = await self._inference.ListEngines(
                inference_service_pb2.ListEnginesRequest(), timeout=TIMEOUT_S
            )
        except grpc.RpcError as error:
            raise from_rpc_error(error) from error
        engines = {engine.manifest.name: engine.environment for engine in answer.engines}
        not_needed = environment_pb2.Environment.STATE_NOT_NEEDED
        own = [name for name, found in engines.items() if found.state != not_needed]
        available = ", ".join(own) or "none here"
        field = "spec.setup_engine.engine"
        if spec.engine not in engines:
            family = (name for name in own if name.startswith(f"{spec.engine}-"))
            spec.engine = next(family, spec.engine)
        if spec.engine not in engines:
            raise ModelNotFound(
                f"There is no engine called {spec.engine[:100]!r}.",
                remedy=f"Engines with an environment of their own: {available}.",
                metadata={"engine": spec.engine[:100], "available": available},
                fields={field: f"must be one of: {available}"},
            )
        if spec.engine not in own:
            raise InvalidField(
                f"The engine {spec.engine} needs no environment of its own.",
                remedy="Nothing has to be set up for it.",
                fields={field: f"must be one of: {available}"},
            )

    async def _get(self, name: str) -> model_pb2.Model:
        try:
            answer = await self._models.GetModel(
                model_service_pb2.GetModelRequest(model=name), timeout=TIMEOUT_S
            )
        except grpc.RpcError as error:
            raise from_rpc_error(error) from error
        return answer.model
