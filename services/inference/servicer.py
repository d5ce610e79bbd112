"""InferenceService over the Generator: translates, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import grpc

from musicgen.api.audio.v1 import audio_pb2
from musicgen.api.engine.v1 import engine_pb2
from musicgen.api.inference.v1 import (
    device_pb2,
    environment_pb2,
    inference_service_pb2,
    inference_service_pb2_grpc,
)
from musicgen.artifacts import ArtifactStore
from musicgen.engine.convert import manifest_to_proto, parameters_from_proto, struct_from_dict
from musicgen.engine.devices import Device
from musicgen.errors import InvalidField, ModelNotFound
from musicgen.rpc import log
from musicgen.rpc.convert_audio import artifact_to_proto
from musicgen.rpc.convert_progress import progress_to_proto
from musicgen.rpc.work import during
from services.inference.checkpoints import MEDIA_TYPE, StoredCheckpoint
from services.inference.devices.listing import Devices
from services.inference.engine_process import EngineProcess, State
from services.inference.environment_setup import EnvironmentSetup
from services.inference.environments.environments import Action, Status
from services.inference.environments.environments import State as EnvironmentState
from services.inference.generator import Generator, Produced
from services.inference.orders import order_from_request
from services.inference.previews import FORMAT, StoredPreview

_SPEC = environment_pb2.SetupEngineSpec
_ACTIONS: Mapping[int, Action] = {
    _SPEC.ACTION_UNSPECIFIED: "make",
    _SPEC.ACTION_MAKE: "make",
    _SPEC.ACTION_REPAIR: "repair",
    _SPEC.ACTION_REMOVE: "remove",
}


class InferenceServicer(inference_service_pb2_grpc.InferenceServiceServicer):
    """The studio's side of the engines."""

    def __init__(
        self,
        engines: Mapping[str, EngineProcess],
        generator: Generator,
        setup: EnvironmentSetup,
        devices: Devices,
        store: ArtifactStore,
    ) -> None:
        self._engines = engines
        self._generator = generator
        self._setup = setup
        self._devices = devices
        self._store = store
        self._renewing: set[asyncio.Task[None]] = set()

    async def ListEngines(
        self,
        request: inference_service_pb2.ListEnginesRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> inference_service_pb2.ListEnginesResponse:
        """List every engine, also those that can't start."""
        described = [self._describe(engine) for _, engine in sorted(self._engines.items())]
        return inference_service_pb2.ListEnginesResponse(engines=await asyncio.gather(*described))

    async def Generate(
        self,
        request: inference_service_pb2.GenerateRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> AsyncIterator[inference_service_pb2.GenerateResponse]:
        """Stream one generation; the caller's cancellation ends it."""
        order = await asyncio.to_thread(order_from_request, request, self._store)
        async for event in during(context, self._generator.run(order)):
            if isinstance(event, Produced):
                track = _track(event, request.spec.parent_track_id)
                yield inference_service_pb2.GenerateResponse(result=track)
            elif isinstance(event, StoredPreview):
                yield inference_service_pb2.GenerateResponse(preview=_preview(event))
            elif isinstance(event, StoredCheckpoint):
                checkpoint = artifact_to_proto(event.stored, MEDIA_TYPE)
                yield inference_service_pb2.GenerateResponse(checkpoint=checkpoint)
            else:
                yield inference_service_pb2.GenerateResponse(progress=progress_to_proto(event))

    async def _describe(self, engine: EngineProcess) -> inference_service_pb2.Engine:
        described = await _describe(engine)
        try:
            status = await self._setup.status(engine.entry.name)
        except ModelNotFound as error:  # it was registered with an environment that isn't known
            described.state, described.detail = _state(State.UNAVAILABLE), error.message
            return described
        described.environment.CopyFrom(_environment(engine.entry.name, status))
        if status is not None and status.state is not EnvironmentState.READY:
            described.state = inference_service_pb2.Engine.STATE_UNAVAILABLE
            remedy = f"`musicgen engines setup {engine.entry.name}` makes its environment"
            described.detail = f"{status.detail}; {remedy}" if status.detail else remedy
        return described

    async def CheckLyrics(
        self,
        request: inference_service_pb2.CheckLyricsRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> inference_service_pb2.CheckLyricsResponse:
        """Check lyrics with the engine that would sing them."""
        parameters = request.parameters
        if not parameters.HasField("seed"):
            parameters.seed = 0
        parameters.prompt = parameters.prompt.strip() or "-"  # not looked at here
        checked = await self._generator.check_lyrics(
            request.engine, parameters_from_proto(parameters)
        )
        return inference_service_pb2.CheckLyricsResponse(
            findings=checked.findings, timed_lyrics=checked.timed_lyrics
        )

    async def SetupEngine(
        self,
        request: inference_service_pb2.SetupEngineRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> AsyncIterator[inference_service_pb2.SetupEngineResponse]:
        """Stream a set-up; the caller's cancellation ends it."""
        engine, action = request.spec.engine, _ACTIONS.get(request.spec.action)
        if action is None:
            raise InvalidField(
                f"{request.spec.action} is no action.", fields={"spec.action": "unknown"}
            )
        steps = self._setup.run(request.job_id, request.fence, engine, action)
        async for step in during(context, steps):
            yield inference_service_pb2.SetupEngineResponse(progress=progress_to_proto(step))
        environment = _environment(engine, await self._setup.status(engine))
        yield inference_service_pb2.SetupEngineResponse(result=environment)

    async def ListDevices(
        self,
        request: inference_service_pb2.ListDevicesRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> inference_service_pb2.ListDevicesResponse:
        """List the devices."""
        listed = await asyncio.to_thread(self._devices.listed)
        return inference_service_pb2.ListDevicesResponse(
            devices=[_device(device) for device in listed.devices],
            choice=listed.choice,
            trouble=listed.trouble,
        )

    async def SelectDevice(
        self,
        request: inference_service_pb2.SelectDeviceRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> inference_service_pb2.SelectDeviceResponse:
        """Choose a device; hosts that know the old one end when they have nothing to do."""
        listed = await asyncio.to_thread(self._devices.select, request.device_id)
        for engine in self._engines.values():
            if engine.entry.environment and engine.host_pid is not None:
                task = asyncio.create_task(engine.renew())
                self._renewing.add(task)
                task.add_done_callback(self._renewing.discard)
        return inference_service_pb2.SelectDeviceResponse(
            devices=[_device(device) for device in listed.devices], choice=listed.choice
        )


def _environment(engine: str, status: Status | None) -> environment_pb2.Environment:
    if status is None:
        state = environment_pb2.Environment.STATE_NOT_NEEDED
        return environment_pb2.Environment(engine=engine, state=state)
    return environment_pb2.Environment(
        engine=engine,
        state=environment_pb2.Environment.State.Value(f"STATE_{status.state.name}"),
        device_build=status.device_build,
        detail=status.detail,
        size_bytes=status.size_bytes,
    )


def _device(device: Device) -> device_pb2.Device:
    return device_pb2.Device(
        device_id=device.id,
        kind=device_pb2.Device.Kind.Value(f"KIND_{device.kind.upper()}"),
        name=device.name,
        memory_bytes=device.memory_bytes,
        half=device_pb2.Device.Half.Value(f"HALF_{device.half.upper()}"),
        chosen=device.chosen,
    )


async def _describe(engine: EngineProcess) -> inference_service_pb2.Engine:
    try:
        manifest = manifest_to_proto(await engine.manifest())
    except Exception as error:  # whatever an engine's module does when it is imported
        log.get().error("manifest can't be read", engine=engine.entry.name, exc_info=error)
        return inference_service_pb2.Engine(
            manifest=engine_pb2.EngineManifest(name=engine.entry.name),
            state=_state(State.UNAVAILABLE),
            detail=f"Its manifest can't be read: {error}",
        )
    return inference_service_pb2.Engine(
        manifest=manifest, state=_state(engine.state), detail=engine.detail
    )


def _state(state: State) -> inference_service_pb2.Engine.State.ValueType:
    return inference_service_pb2.Engine.State.Value(f"STATE_{state.name}")


def _preview(preview: StoredPreview) -> audio_pb2.Preview:
    artifact = artifact_to_proto(preview.stored, FORMAT.media_type, preview.properties)
    return audio_pb2.Preview(artifact=artifact, start_frame=preview.start_frame)


def _track(produced: Produced, parent_track_id: str) -> audio_pb2.ProducedTrack:
    made = produced.made
    message = audio_pb2.ProducedTrack(
        artifact=artifact_to_proto(
            produced.stored, produced.format.media_type, produced.properties
        ),
        title=made.title,
        genre=made.genre,
        recipe=struct_from_dict(produced.recipe),
        tempo_bpm=made.tempo_bpm,
        musical_key=made.musical_key,
        parent_track_id=parent_track_id,
        attachments=[
            audio_pb2.Attachment(
                artifact=artifact_to_proto(extra.stored, extra.media_type, extra.properties),
                name=extra.name,
                label=extra.label,
            )
            for extra in produced.extras
        ],
    )
    if made.loop_frames is not None:
        start, end = made.loop_frames
        message.loop_points.CopyFrom(audio_pb2.LoopPoints(start_frame=start, end_frame=end))
    return message
