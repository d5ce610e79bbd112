"""Jobs on models and on engines' environments, done by inference. Each kind has a queue and
slots of its own: a download of an hour holds up nothing but other downloads."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import grpc

from musicgen.api.inference.v1 import (
    inference_service_pb2,
    inference_service_pb2_grpc,
    model_service_pb2,
    model_service_pb2_grpc,
)
from musicgen.api.jobs.v1 import job_outcome_pb2, job_pb2
from services.jobs.records import Claim
from services.jobs.runner.lanes import Event, Lane


class InstallModelLane(Lane):
    """install_model jobs."""

    name = "install_model"

    def __init__(self, inference: grpc.aio.Channel) -> None:
        super().__init__(inference)
        self._models = model_service_pb2_grpc.ModelServiceStub(inference)

    async def queues(self) -> list[str]:
        """Return the one queue."""
        return ["install_model"]

    async def work(self, claim: Claim, spec: job_pb2.JobSpec) -> AsyncGenerator[Event, None]:
        """Install a model."""
        request = model_service_pb2.InstallModelRequest(
            job_id=claim.job_id, fence=claim.fence, spec=spec.install_model
        )
        async for response in self._models.InstallModel(request):
            if response.HasField("progress"):
                yield Event(progress=response.progress)
            else:
                yield Event(outcome=job_outcome_pb2.JobOutcome(model=response.result))


class VerifyModelLane(Lane):
    """verify_model jobs."""

    name = "verify_model"

    def __init__(self, inference: grpc.aio.Channel) -> None:
        super().__init__(inference)
        self._models = model_service_pb2_grpc.ModelServiceStub(inference)

    async def queues(self) -> list[str]:
        """Return the one queue."""
        return ["verify_model"]

    async def work(self, claim: Claim, spec: job_pb2.JobSpec) -> AsyncGenerator[Event, None]:
        """Verify a model."""
        request = model_service_pb2.VerifyModelRequest(
            job_id=claim.job_id, fence=claim.fence, spec=spec.verify_model
        )
        async for response in self._models.VerifyModel(request):
            if response.HasField("progress"):
                yield Event(progress=response.progress)
            else:
                yield Event(outcome=job_outcome_pb2.JobOutcome(model=response.result))


class SetupEngineLane(Lane):
    """setup_engine jobs."""

    name = "setup_engine"

    def __init__(self, inference: grpc.aio.Channel) -> None:
        super().__init__(inference)
        self._inference = inference_service_pb2_grpc.InferenceServiceStub(inference)

    async def queues(self) -> list[str]:
        """Return the one queue."""
        return ["setup_engine"]

    async def work(self, claim: Claim, spec: job_pb2.JobSpec) -> AsyncGenerator[Event, None]:
        """Set up an engine."""
        request = inference_service_pb2.SetupEngineRequest(
            job_id=claim.job_id, fence=claim.fence, spec=spec.setup_engine
        )
        async for response in self._inference.SetupEngine(request):
            if response.HasField("progress"):
                yield Event(progress=response.progress)
            else:
                yield Event(outcome=job_outcome_pb2.JobOutcome(environment=response.result))
