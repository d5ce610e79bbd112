from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from musicgen.api.inference.v1 import inference_service_pb2, model_pb2, model_service_pb2
from musicgen.api.inference.v1.model_service_pb2_grpc import ModelServiceStub
from musicgen.errors import (
    ClaimLost,
    DeviceNotFound,
    InvalidField,
    LicenceNotAccepted,
    ModelInUse,
    ModelNotFound,
    ModelNotInstalled,
    StudioError,
)
from musicgen.rpc.status import from_rpc_error
from tests.contract.inference.conftest import Running, request, running
from tests.hub import WEIGHTS_BYTES, Place

pytestmark = pytest.mark.contract

State = model_pb2.Model


@contextlib.asynccontextmanager
async def service(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Running, Any]]:
    """The inference service with the place's models, and a stub for them."""
    for name in ("HF_TOKEN", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in place.environment().items():
        if name.startswith(("HF_", "MUSICGEN_")):
            monkeypatch.setenv(name, value)
    async with running(
        place.folder, models_file=place.models_file, models_root=place.root
    ) as inference:
        yield inference, ModelServiceStub(inference.channel)


def install(model: str, fence: int = 1, **spec: Any) -> model_service_pb2.InstallModelRequest:
    """A request of a runner."""
    return model_service_pb2.InstallModelRequest(
        job_id="job1", fence=fence, spec=model_pb2.InstallModelSpec(model=model, **spec)
    )


async def failure(call: Any) -> StudioError:
    """What a call ends with."""
    streams = isinstance(call, grpc.aio.UnaryStreamCall)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await (the_rest(call) if streams else call)
    return from_rpc_error(caught.value)


async def the_rest(call: Any) -> None:
    """Read a stream to its end."""
    while await call.read() is not grpc.aio.EOF:
        pass


async def get(stub: Any, name: str) -> model_pb2.Model:
    """A model as it now is."""
    model: model_pb2.Model = (
        await stub.GetModel(model_service_pb2.GetModelRequest(model=name))
    ).model
    return model


async def test_a_model_from_list_to_removal(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model is listed with its licence and files, installed with progress in bytes, verified,
    and removed."""
    async with service(place, monkeypatch) as (_, stub):
        listed = await stub.ListModels(model_service_pb2.ListModelsRequest(engine="fake"))
        assert [m.name for m in listed.models] == ["big", "part", "gated", "licensed"]
        big = listed.models[0]
        assert (big.state, list(big.needs), big.variant) == (
            State.STATE_NOT_INSTALLED,
            ["part"],
            "big",
        )
        assert big.defaults.fields["steps"].number_value == 4
        events = [event async for event in stub.InstallModel(install("big"))]
        moved = [e.progress.transfer for e in events if e.progress.HasField("transfer")]
        assert moved[-1].done_bytes == moved[-1].total_bytes > WEIGHTS_BYTES
        result = events[-1].result
        assert (result.state, result.revision) == (
            State.STATE_INSTALLED,
            place.hub.commits["me/big"],
        )
        assert [(f.path, f.size_bytes, f.installed) for f in result.files] == [
            ("weights.bin", WEIGHTS_BYTES, True),
            ("config.json", 8, True),
        ]
        verify = model_service_pb2.VerifyModelRequest(
            job_id="job2", fence=1, spec=model_pb2.VerifyModelSpec(model="big")
        )
        events = [event async for event in stub.VerifyModel(verify)]
        assert {e.progress.stage for e in events[:-1]} == {"verifying"}
        assert events[-1].result.state == State.STATE_INSTALLED
        remove = model_service_pb2.RemoveModelRequest(model="big")
        removed = (await stub.RemoveModel(remove)).model
        assert (removed.state, removed.installed_bytes) == (State.STATE_NOT_INSTALLED, 0)


async def test_refusals(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """What can't be done says why: no such model, no licence, not installed, no claim."""
    async with service(place, monkeypatch) as (_, stub):
        pb = model_service_pb2
        unknown = await failure(stub.GetModel(pb.GetModelRequest(model="nosuch")))
        assert isinstance(unknown, ModelNotFound)
        assert "big" in unknown.metadata["available"]
        assert isinstance(await failure(stub.InstallModel(install("nosuch"))), ModelNotFound)
        refused = await failure(stub.InstallModel(install("licensed")))
        assert isinstance(refused, LicenceNotAccepted)
        assert refused.metadata["licences"] == "Test-NC"
        wrong = pb.AcceptLicenceRequest(model="licensed", licence_id="MIT")
        assert isinstance(await failure(stub.AcceptLicence(wrong)), InvalidField)
        right = pb.AcceptLicenceRequest(model="licensed", licence_id="Test-NC")
        assert (await stub.AcceptLicence(right)).model.licence_accepted
        load = stub.LoadModel(pb.LoadModelRequest(model="big"))
        assert isinstance(await failure(load), ModelNotInstalled)
        assert isinstance(await failure(stub.InstallModel(install("big", 0))), InvalidField)
        folder = install("big", folder="/nonexistent")
        assert isinstance(await failure(stub.InstallModel(folder)), InvalidField)


async def test_cancel(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cancelled install ends at once, though the hub is slow; the next one goes
    on where it was."""
    file = place.hub.files["me/big", "weights.bin"]
    file.bytes_per_second = 1e6
    async with service(place, monkeypatch) as (_, stub):
        call = stub.InstallModel(install("big"))
        async for event in call:
            if event.progress.stage == "downloading" and event.progress.fraction > 0.1:
                break
        call.cancel()
        cancelled_s = time.monotonic()
        while True:  # until nobody holds its lock
            with contextlib.suppress(ModelInUse):
                place.manager.remove("gated")
                with place.manager._repository(place.manager.catalogue.get("big")).locked():
                    break
            await asyncio.sleep(0.02)
        assert time.monotonic() - cancelled_s < 5.0
        file.bytes_per_second = 0
        events = [event async for event in stub.InstallModel(install("big", 2))]
        assert events[-1].result.state == State.STATE_INSTALLED
        assert file.sent_bytes < 1.2 * WEIGHTS_BYTES


async def test_a_newer_claim_wins(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """When a greater fence comes, the older install ends and the newer goes on."""
    place.hub.files["me/big", "weights.bin"].bytes_per_second = 2e6
    async with service(place, monkeypatch) as (_, stub):
        old = stub.InstallModel(install("big", 1))
        while (await old.read()).progress.stage != "downloading":
            pass
        lost = asyncio.ensure_future(failure(old))
        place.hub.files["me/big", "weights.bin"].bytes_per_second = 0
        events = [event async for event in stub.InstallModel(install("big", 2))]
        assert events[-1].result.state == State.STATE_INSTALLED
        assert isinstance(await lost, ClaimLost)


async def test_loading(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model is loaded by its engine's host and unloaded with it; an engine that has no such
    model says so in the detail, and one that works is not disturbed."""
    async with service(place, monkeypatch) as (inference, stub):
        pb = model_service_pb2
        async for _ in stub.InstallModel(install("big")):
            pass
        async for _ in stub.InstallModel(install("part")):
            pass
        loading = (await stub.LoadModel(pb.LoadModelRequest(model="big"))).model
        assert loading.state in (State.STATE_LOADING, State.STATE_LOADED)
        while (model := await get(stub, "big")).state == State.STATE_LOADING:
            await asyncio.sleep(0.02)
        assert model.state == State.STATE_LOADED
        assert inference.fake.host_pid is not None
        await stub.LoadModel(pb.LoadModelRequest(model="part"))
        while (model := await get(stub, "part")).state == State.STATE_LOADING:
            await asyncio.sleep(0.02)
        assert model.state == State.STATE_INSTALLED
        assert "no model called 'part'" in model.detail

        call: Any = inference.stub.Generate(request(options={"steps": 20, "step_s": 0.1}))
        while (await call.read()).progress.stage != "playing":
            pass
        for busy in (
            stub.LoadModel(pb.LoadModelRequest(model="big")),
            stub.UnloadModel(pb.UnloadModelRequest(model="big")),
            stub.RemoveModel(pb.RemoveModelRequest(model="big")),
        ):
            assert isinstance(await failure(busy), ModelInUse)
        call.cancel()
        while inference.fake.busy:
            await asyncio.sleep(0.02)
        gone = (await stub.UnloadModel(pb.UnloadModelRequest(model="big"))).model
        assert gone.state == State.STATE_INSTALLED
        assert inference.fake.host_pid is None


async def test_environments_and_devices(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Engines say which environment they need; an engine that needs none can't be set up; the
    devices are listed and one can be chosen, but none that is not there."""
    async with service(place, monkeypatch) as (inference, _):
        pb, stub = inference_service_pb2, inference.stub
        engines = (await stub.ListEngines(pb.ListEnginesRequest())).engines
        not_needed = type(engines[0].environment).STATE_NOT_NEEDED
        assert {e.manifest.name for e in engines if e.environment.state == not_needed} >= {
            "composer",
            "fake",
        }
        setup = pb.SetupEngineRequest(job_id="j", fence=1)
        setup.spec.engine = "fake"
        assert isinstance(await failure(stub.SetupEngine(setup)), InvalidField)
        setup.spec.engine = "nosuch"
        assert isinstance(await failure(stub.SetupEngine(setup)), ModelNotFound)
        listed = await stub.ListDevices(pb.ListDevicesRequest())
        assert listed.choice == "auto"
        assert listed.devices[-1].device_id == "cpu"
        assert [d.chosen for d in listed.devices].count(True) == 1
        chosen = await stub.SelectDevice(pb.SelectDeviceRequest(device_id="cpu"))
        assert chosen.choice == "cpu"
        assert next(d for d in chosen.devices if d.device_id == "cpu").chosen
        missing = stub.SelectDevice(pb.SelectDeviceRequest(device_id="cuda:9"))
        assert isinstance(await failure(missing), DeviceNotFound)
