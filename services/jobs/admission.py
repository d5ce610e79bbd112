"""What is checked, and filled in, before a job is accepted.

A job that is accepted can be started: its engine is known, its numbers are in range, the
audio it names is there. Defaults are written into the spec, so that the record says all.
"""

from __future__ import annotations

import re
import secrets
import time
import uuid

import grpc

from musicgen.api.audio.v1 import audio_pb2
from musicgen.api.engine.v1 import engine_pb2
from musicgen.api.inference.v1 import inference_service_pb2
from musicgen.api.jobs.v1 import job_pb2
from musicgen.api.library.v1 import library_service_pb2, library_service_pb2_grpc, track_pb2
from musicgen.api.looper.v1 import loop_pb2
from musicgen.engine.base import Manifest
from musicgen.engine.convert import (
    manifest_from_proto,
    parameters_from_proto,
    parts_from_proto,
)
from musicgen.engine.validation import (
    check_parts,
    check_style_audio,
    edit_duration_s,
    validate,
)
from musicgen.errors import InvalidField, ModelNotFound, ServiceUnavailable, UnsupportedFormat
from musicgen.rpc.status import from_rpc_error
from services.jobs.loop_admission import FIND_LOOPS, LOOP, check_loop_of, fill_find, fill_loop
from services.jobs.model_admission import ModelAdmission
from services.jobs.store import JobStore

DEFAULT_ENGINE = "composer"
LIBRARY_TIMEOUT_S = 10.0
MAX_SPEC_BYTES = 256 * 1024
"""The longest prompt and lyrics take a third of it; a job must fit into a message."""
_TRACK_ID = re.compile(r"[A-Za-z0-9]{1,64}")
_ALPHABET = "0123456789abcdefghijklmnopqrstuv"


def new_job_id() -> str:
    """Return a fresh id: 48 bits of time, then 52 random ones, so that ids sort by age."""
    number = (int(time.time() * 1000) << 52) | secrets.randbits(52)
    return "".join(_ALPHABET[(number >> shift) & 31] for shift in range(95, -1, -5))


def check_request_id(request_id: str) -> None:
    """Raise InvalidField unless `request_id` is empty or a UUID."""
    try:
        if request_id:
            uuid.UUID(request_id)
    except ValueError as error:
        raise _invalid("request_id", "must be a UUID or empty") from error


class Admission:
    """Decides on specs. `admit` returns the queue that a job belongs to."""

    def __init__(
        self,
        store: JobStore,
        library: library_service_pb2_grpc.LibraryServiceAsyncStub,
        models: ModelAdmission,
    ) -> None:
        self._store = store
        self._library = library
        self._models = models

    async def admit(self, spec: job_pb2.JobSpec) -> str:
        """Check `spec` and fill in its defaults in place.

        Raises InvalidField (or a more telling InvalidRequest) or NotFound.
        """
        if spec.ByteSize() > MAX_SPEC_BYTES:
            raise _invalid("spec", f"must not be larger than {MAX_SPEC_BYTES:,} bytes")
        kind = spec.WhichOneof("kind")
        match kind:
            case "generate":
                return await self._generate(spec.generate)
            case "loop":
                await self._loop(spec.loop)
            case "find_loops":
                await self._find_loops(spec.find_loops)
            case "export":
                await self._export(spec.export)
            case "install_model":
                await self._models.check_install(spec.install_model)
            case "verify_model":
                await self._models.check_verify(spec.verify_model)
            case "setup_engine":
                await self._models.fill_setup(spec.setup_engine)
            case _:
                kinds = ", ".join(field.name for field in spec.DESCRIPTOR.fields)
                raise _invalid("spec", f"must be one of {kinds}")
        return kind  # all but generate have one queue each

    async def _generate(self, spec: inference_service_pb2.GenerateSpec) -> str:
        spec.engine = spec.engine or DEFAULT_ENGINE
        manifests = await self._store.engines()
        if not manifests:
            raise ServiceUnavailable(
                "No worker has said yet which engines there are.",
                remedy="Try again in a moment; `musicgen doctor` says whether all parts run.",
                retry_after_s=1.0,
            )
        if spec.engine not in manifests:
            available = ", ".join(sorted(manifests))
            raise ModelNotFound(
                f"There is no engine called {spec.engine[:100]!r}.",
                remedy=f"Choose one of the engines: {available}.",
                metadata={"engine": spec.engine[:100], "available": available},
                fields={"spec.generate.engine": f"must be one of: {available}"},
            )
        manifest = manifest_from_proto(engine_pb2.EngineManifest.FromString(manifests[spec.engine]))
        parameters = spec.parameters
        if not parameters.HasField("seed"):
            parameters.seed = secrets.randbits(32)
        await self._check_inputs(spec, manifest)
        parameters.duration_seconds = parameters.duration_seconds or manifest.default_duration_s
        validate(parameters_from_proto(parameters), manifest, at="spec.generate.parameters")
        spec.format = _format(spec.format)
        # That it is in the library is not asked: a parent may be deleted at any time.
        if spec.parent_track_id and not _TRACK_ID.fullmatch(spec.parent_track_id):
            raise _invalid("spec.generate.parent_track_id", "must be a track's id or empty")
        return f"generate.{spec.engine}"

    async def _check_inputs(
        self, spec: inference_service_pb2.GenerateSpec, manifest: Manifest
    ) -> None:
        """Check the audio that a piece is made from; an edit is as long as its source."""
        if spec.HasField("style_audio"):
            options = spec.parameters.options.fields
            check_style_audio(manifest, options, at="spec.generate.style_audio")
            await self._resolve(spec.style_audio, "spec.generate.style_audio")
        if spec.HasField("edit"):
            at, parts = "spec.generate.edit", parts_from_proto(spec.edit.regenerate)
            check_parts(parts, manifest, None, at=f"{at}.regenerate")
            source = await self._resolve(spec.edit.source, f"{at}.source")
            audio = source.artifact.audio
            length_s = audio.duration_frames / max(1, audio.sample_rate_hz)
            duration_s = edit_duration_s(length_s, manifest, at=f"{at}.source")
            check_parts(parts, manifest, length_s, at=f"{at}.regenerate")
            spec.parameters.duration_seconds = duration_s

    async def _loop(self, spec: loop_pb2.LoopSpec) -> None:
        fill_loop(spec)
        spec.format = _format(spec.format)
        check_loop_of(spec, await self._resolve(spec.source, f"{LOOP}.source"))

    async def _find_loops(self, spec: loop_pb2.FindLoopsSpec) -> None:
        fill_find(spec)
        await self._resolve(spec.source, f"{FIND_LOOPS}.source")

    async def _resolve(self, audio: audio_pb2.AudioRef, field: str) -> audio_pb2.ProducedTrack:
        if not audio.WhichOneof("source"):
            raise _invalid(field, "must name a track, an artifact or an upload")
        try:
            answer = await self._library.ResolveAudio(
                library_service_pb2.ResolveAudioRequest(audio=audio), timeout=LIBRARY_TIMEOUT_S
            )
        except grpc.RpcError as error:
            raise from_rpc_error(error) from error
        return answer.track

    async def _export(self, spec: track_pb2.ExportSpec) -> None:
        spec.format = _format(spec.format)
        if not spec.track_id:
            raise _invalid("spec.export.track_id", "must name a track")
        try:
            await self._library.GetTrack(
                library_service_pb2.GetTrackRequest(track_id=spec.track_id),
                timeout=LIBRARY_TIMEOUT_S,
            )
        except grpc.RpcError as error:
            raise from_rpc_error(error) from error


def _format(value: audio_pb2.AudioFormat.ValueType) -> audio_pb2.AudioFormat.ValueType:
    if value not in audio_pb2.AudioFormat.values():
        raise UnsupportedFormat(f"{value} is no audio format.", fields={"format": "unknown"})
    return value or audio_pb2.AUDIO_FORMAT_FLAC


def _invalid(field: str, rule: str) -> InvalidField:
    return InvalidField(f"{field} {rule}.", fields={field: rule})
