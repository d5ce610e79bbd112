"""Lanes: what kinds of job there are, and which service does each."""

from __future__ import annotations

import abc
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from musicgen.api.audio.v1 import audio_pb2
from musicgen.api.inference.v1 import inference_service_pb2, inference_service_pb2_grpc
from musicgen.api.jobs.v1 import job_outcome_pb2, job_pb2
from musicgen.api.library.v1 import library_service_pb2, library_service_pb2_grpc
from musicgen.api.looper.v1 import looper_service_pb2, looper_service_pb2_grpc
from musicgen.api.progress.v1 import progress_pb2
from services.jobs.records import Claim

UNARY_TIMEOUT_S = 10.0
PROBE_TIMEOUT_S = 3.0


@dataclass(frozen=True, slots=True)
class Event:
    """Exactly one is set: work goes on, a stretch of it can be heard, another attempt can go
    on from here, or it is done."""

    progress: progress_pb2.Progress | None = None
    preview: audio_pb2.Preview | None = None
    checkpoint: audio_pb2.Artifact | None = None
    outcome: job_outcome_pb2.JobOutcome | None = None


class Lane(abc.ABC):
    """One kind of job and the service that does it."""

    name: str

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._health = health_pb2_grpc.HealthStub(channel)

    async def serving(self) -> bool:
        """Whether the service can take work now: a job is not claimed before."""
        try:
            answer = await self._health.Check(
                health_pb2.HealthCheckRequest(), timeout=PROBE_TIMEOUT_S
            )
        except grpc.aio.AioRpcError:
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    async def engines(self) -> Mapping[str, bytes]:
        """Return the engines to announce, name → serialised manifest; none by default."""
        return {}

    @abc.abstractmethod
    async def queues(self) -> list[str]:
        """Return the queues whose jobs this lane can do."""

    @abc.abstractmethod
    def work(self, claim: Claim, spec: job_pb2.JobSpec) -> AsyncGenerator[Event, None]:
        """Do a job: progress and previews, then one outcome. Raises grpc.RpcError."""


class GenerateLane(Lane):
    """generate jobs, done by inference: a queue for each of its engines."""

    name = "generate"

    def __init__(
        self,
        inference: grpc.aio.Channel,
        library: grpc.aio.Channel,
        taken: frozenset[str] = frozenset(),
    ) -> None:
        """`taken` names the engines whose jobs are taken; empty: those of all."""
        super().__init__(inference)
        self._taken = taken
        self._inference = inference_service_pb2_grpc.InferenceServiceStub(inference)
        self._library = library_service_pb2_grpc.LibraryServiceStub(library)
        self._named: list[str] | None = None

    async def engines(self) -> Mapping[str, bytes]:
        """Return the engines that can be tried here.

        One that could not be started is among them: only the next attempt can tell whether
        that has changed, and a job that it fails says why. One whose manifest can't be read
        (it has no sample rate then) is not.
        """
        answer = await self._inference.ListEngines(
            inference_service_pb2.ListEnginesRequest(), timeout=PROBE_TIMEOUT_S
        )
        found = {
            engine.manifest.name: engine.manifest.SerializeToString()
            for engine in answer.engines
            if engine.manifest.sample_rate_hz
        }
        self._named = list(found)
        return found

    async def queues(self) -> list[str]:
        """Return a queue for each engine that was there when they were last announced, and
        whose jobs are taken. Those of the others are accepted all the same, and wait for a
        worker that takes them."""
        named = list(await self.engines()) if self._named is None else self._named
        return [f"generate.{name}" for name in named if not self._taken or name in self._taken]

    async def work(self, claim: Claim, spec: job_pb2.JobSpec) -> AsyncGenerator[Event, None]:
        """Generate a track, from what the audio in the spec stands for now."""
        request = inference_service_pb2.GenerateRequest(
            job_id=claim.job_id, fence=claim.fence, spec=spec.generate
        )
        if spec.generate.HasField("style_audio"):
            track = await _resolved(self._library, spec.generate.style_audio)
            request.style_audio.CopyFrom(track)
        if spec.generate.HasField("edit"):
            track = await _resolved(self._library, spec.generate.edit.source)
            request.edit_source.CopyFrom(track)
        if claim.checkpoint:
            request.checkpoint.MergeFromString(claim.checkpoint)
        async for response in self._inference.Generate(request):
            if response.HasField("progress"):
                yield Event(progress=response.progress)
            elif response.HasField("preview"):
                yield Event(preview=response.preview)
            elif response.HasField("checkpoint"):
                yield Event(checkpoint=response.checkpoint)
            elif response.HasField("result"):
                yield Event(outcome=job_outcome_pb2.JobOutcome(tracks=[response.result]))


class LoopLane(Lane):
    """loop jobs, done by the looper."""

    name = "loop"

    def __init__(self, looper: grpc.aio.Channel, library: grpc.aio.Channel) -> None:
        super().__init__(looper)
        self._looper = looper_service_pb2_grpc.LooperServiceStub(looper)
        self._library = library_service_pb2_grpc.LibraryServiceStub(library)

    async def queues(self) -> list[str]:
        """Return the one queue."""
        return ["loop"]

    async def work(self, claim: Claim, spec: job_pb2.JobSpec) -> AsyncGenerator[Event, None]:
        """Render a loop of what the spec's source stands for now."""
        source = await _resolved(self._library, spec.loop.source)
        request = looper_service_pb2.RenderLoopRequest(
            job_id=claim.job_id, fence=claim.fence, spec=spec.loop, source=source
        )
        async for response in self._looper.RenderLoop(request):
            if response.HasField("progress"):
                yield Event(progress=response.progress)
            else:
                yield Event(outcome=job_outcome_pb2.JobOutcome(tracks=[response.result.track]))


class FindLoopsLane(Lane):
    """find_loops jobs, done by the looper: short, and not to wait behind renders of hours."""

    name = "find_loops"

    def __init__(self, looper: grpc.aio.Channel, library: grpc.aio.Channel) -> None:
        super().__init__(looper)
        self._looper = looper_service_pb2_grpc.LooperServiceStub(looper)
        self._library = library_service_pb2_grpc.LibraryServiceStub(library)

    async def queues(self) -> list[str]:
        """Return the one queue."""
        return ["find_loops"]

    async def work(self, claim: Claim, spec: job_pb2.JobSpec) -> AsyncGenerator[Event, None]:
        """Find the cycles of what the spec's source stands for now."""
        source = await _resolved(self._library, spec.find_loops.source)
        request = looper_service_pb2.FindLoopsRequest(
            job_id=claim.job_id, fence=claim.fence, spec=spec.find_loops, source=source
        )
        async for response in self._looper.FindLoops(request):
            if response.HasField("progress"):
                yield Event(progress=response.progress)
            else:
                found = response.result
                files = [_download(file.artifact, file.file_name) for file in found.files]
                yield Event(
                    outcome=job_outcome_pb2.JobOutcome(analysis=found.analysis, downloads=files)
                )


class ExportLane(Lane):
    """export jobs, done by the library."""

    name = "export"

    def __init__(self, library: grpc.aio.Channel) -> None:
        super().__init__(library)
        self._library = library_service_pb2_grpc.LibraryServiceStub(library)

    async def queues(self) -> list[str]:
        """Return the one queue."""
        return ["export"]

    async def work(self, claim: Claim, spec: job_pb2.JobSpec) -> AsyncGenerator[Event, None]:
        """Encode a track for download."""
        request = library_service_pb2.ExportTrackRequest(
            job_id=claim.job_id, fence=claim.fence, spec=spec.export
        )
        async for response in self._library.ExportTrack(request):
            if response.HasField("progress"):
                yield Event(progress=response.progress)
            else:
                file = response.result
                download = _download(file.artifact, file.file_name)
                yield Event(outcome=job_outcome_pb2.JobOutcome(downloads=[download]))


async def _resolved(
    library: library_service_pb2_grpc.LibraryServiceAsyncStub, audio: audio_pb2.AudioRef
) -> audio_pb2.ProducedTrack:
    answer = await library.ResolveAudio(
        library_service_pb2.ResolveAudioRequest(audio=audio), timeout=UNARY_TIMEOUT_S
    )
    return answer.track


def _download(artifact: audio_pb2.Artifact, file_name: str) -> job_pb2.Download:
    """Return a file as a client gets it: from the gateway, under a name for people."""
    return job_pb2.Download(
        artifact=artifact,
        file_name=file_name,
        path=f"/v1/{artifact.key}?{urlencode({'name': file_name})}",
    )
