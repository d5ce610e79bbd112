"""What is asked of inference before a job on a model or an environment is accepted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from musicgen.api.inference.v1 import (
    environment_pb2,
    inference_service_pb2,
    inference_service_pb2_grpc,
    model_pb2,
    model_service_pb2,
    model_service_pb2_grpc,
)
from musicgen.errors import InvalidField, LicenceNotAccepted, ModelNotFound, ServiceUnavailable
from musicgen.rpc.channel import connect
from musicgen.rpc.server import RpcServer
from services.jobs.model_admission import ModelAdmission

pytestmark = pytest.mark.contract

_NC = model_pb2.Licence(licence_id="NC", title="Not for sale", url="https://example.org/nc")
MODELS = {
    "song": model_pb2.Model(name="song", licence_accepted=True, needs=["style"]),
    "style": model_pb2.Model(name="style", licence=_NC),
    "free": model_pb2.Model(name="free", licence_accepted=True),
}
Environment = environment_pb2.Environment


class Models(model_service_pb2_grpc.ModelServiceServicer):
    """Knows MODELS."""

    async def GetModel(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802 - the contract's
        """Get one."""
        if request.model not in MODELS:
            raise ModelNotFound(f"There is no {request.model}.")
        return model_service_pb2.GetModelResponse(model=MODELS[request.model])


class Engines(inference_service_pb2_grpc.InferenceServiceServicer):
    """Knows engines with an environment and without."""

    async def ListEngines(self, request: Any, context: Any) -> Any:  # noqa: ARG002, N802 - the contract's
        """List both."""
        answer = inference_service_pb2.ListEnginesResponse()
        for name, state in (
            ("plain", Environment.STATE_NOT_NEEDED),
            ("neural", Environment.STATE_ABSENT),
            ("plain-too", Environment.STATE_NOT_NEEDED),
            ("song-tiny", Environment.STATE_ABSENT),
            ("song-huge", Environment.STATE_READY),
        ):
            engine = answer.engines.add()
            engine.manifest.name, engine.environment.state = name, state
        return answer


@pytest.fixture
async def admission(short_tmp: Any) -> AsyncIterator[ModelAdmission]:
    """Asks a service on a real channel."""

    async def check() -> str:
        return ""

    server = RpcServer([], check).grpc
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(
        Models(),  # type: ignore[abstract]  # the others are not called
        server,
    )
    inference_service_pb2_grpc.add_InferenceServiceServicer_to_server(
        Engines(),  # type: ignore[abstract]  # the others are not called
        server,
    )
    address = f"unix:{short_tmp}/i.sock"
    server.add_insecure_port(address)
    await server.start()
    channel = connect(address)
    yield ModelAdmission(channel)
    await channel.close()
    await server.stop(None)


async def test_installs(admission: ModelAdmission) -> None:
    """A model that is not there, a folder that is no path, and a licence of anything that is
    needed which nobody has accepted are refused; all else is accepted."""
    spec = model_pb2.InstallModelSpec
    await admission.check_install(spec(model="free", folder="/media/usb"))
    await admission.check_install(spec(model="song", accept_licence=True))
    with pytest.raises(ModelNotFound):
        await admission.check_install(spec(model="nosuch"))
    with pytest.raises(InvalidField) as invalid:
        await admission.check_install(spec(model="free", folder="usb"))
    assert list(invalid.value.fields) == ["spec.install_model.folder"]
    with pytest.raises(LicenceNotAccepted) as refused:
        await admission.check_install(spec(model="song"))
    assert refused.value.metadata == {"models": "style", "licences": "NC"}
    assert "https://example.org/nc" in refused.value.message
    with pytest.raises(ModelNotFound):
        await admission.check_verify(model_pb2.VerifyModelSpec(model="nosuch"))


async def test_setups(admission: ModelAdmission) -> None:
    """Only engines with an environment can be set up; the action is filled in."""
    spec = environment_pb2.SetupEngineSpec
    asked = spec(engine="neural")
    await admission.fill_setup(asked)
    assert asked.action == spec.ACTION_MAKE
    with pytest.raises(InvalidField):
        await admission.fill_setup(spec(engine="plain"))
    with pytest.raises(ModelNotFound) as missing:
        await admission.fill_setup(spec(engine="nosuch"))
    assert missing.value.metadata["available"] == "neural, song-tiny, song-huge"
    with pytest.raises(InvalidField):
        await admission.fill_setup(spec(engine="neural", action=99))  # type: ignore[arg-type]  # unknown


@pytest.mark.parametrize("name", ["song", "song-tiny"])
async def test_setup_of_a_family(admission: ModelAdmission, name: str) -> None:
    """The name that engines with one environment begin with stands for it."""
    asked = environment_pb2.SetupEngineSpec(engine=name)
    await admission.fill_setup(asked)
    assert asked.engine == "song-tiny"


@pytest.mark.parametrize("name", ["", "son", "song-", "-tiny", "tiny", "neural-"])
async def test_no_family(admission: ModelAdmission, name: str) -> None:
    """Nothing else is guessed from a name."""
    with pytest.raises(ModelNotFound):
        await admission.fill_setup(environment_pb2.SetupEngineSpec(engine=name))
    with pytest.raises(InvalidField):
        await admission.fill_setup(environment_pb2.SetupEngineSpec(engine="plain"))


async def test_without_inference(short_tmp: Any) -> None:
    """While inference is away nothing is accepted that it would have to judge."""
    async with connect(f"unix:{short_tmp}/nowhere.sock") as channel:
        admission = ModelAdmission(channel)
        with pytest.raises(ServiceUnavailable):
            await admission.check_verify(model_pb2.VerifyModelSpec(model="song"))
        with pytest.raises(ServiceUnavailable):
            await admission.fill_setup(environment_pb2.SetupEngineSpec(engine="neural"))
