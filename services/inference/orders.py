"""What a claim of a job asks for, read from its request."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from google.protobuf import json_format

from musicgen.api.audio.v1 import audio_pb2
from musicgen.api.inference.v1 import inference_service_pb2
from musicgen.artifacts import ArtifactStore, StoredFile, sha256_of
from musicgen.engine.base import Edit
from musicgen.engine.convert import dict_from_struct, parameters_from_proto, parts_from_proto
from musicgen.errors import InvalidField
from musicgen.rpc.convert_audio import format_from_proto
from services.inference.checkpoints import usable
from services.inference.generator import Order

DEFAULT_ENGINE = "composer"
PARAMETERS = "spec.parameters"


def order_from_request(
    request: inference_service_pb2.GenerateRequest, store: ArtifactStore
) -> Order:
    """Read an order. Blocks. Raises InvalidField, ArtifactNotFound for audio that is gone."""
    spec = request.spec
    parameters = parameters_from_proto(spec.parameters, at=PARAMETERS)
    made_from: dict[str, Any] = {}
    if spec.HasField("style_audio"):
        path = store.existing(_key(request.style_audio, "style_audio"))
        parameters = dataclasses.replace(parameters, style_audio=path)
        made_from["style_audio"] = _lineage(spec.style_audio, request.style_audio, path)
    if spec.HasField("edit"):
        path = store.existing(_key(request.edit_source, "edit_source"))
        parts = parts_from_proto(spec.edit.regenerate)
        parameters = dataclasses.replace(parameters, edit=Edit(path, parts))
        made_from["edit"] = {
            "source": _lineage(spec.edit.source, request.edit_source, path),
            "regenerate": [[part.start_s, part.end_s] for part in parts],
        }
    checkpoint = ""
    if request.HasField("checkpoint") and (found := _checkpoint(request, store)):
        parameters = dataclasses.replace(parameters, checkpoint=found)
        checkpoint = request.checkpoint.key
    return Order(
        job_id=request.job_id,
        fence=request.fence,
        engine=spec.engine or DEFAULT_ENGINE,
        parameters=parameters,
        format=format_from_proto(spec.format),
        made_from=made_from,
        checkpoint=checkpoint,
    )


def _checkpoint(
    request: inference_service_pb2.GenerateRequest, store: ArtifactStore
) -> Path | None:
    given = request.checkpoint
    return usable(store, request.job_id, StoredFile(given.key, given.sha256, given.size_bytes))


def _key(track: audio_pb2.ProducedTrack, field: str) -> str:
    if not track.artifact.key:
        raise InvalidField(
            f"{field} does not say which file it is.", fields={f"{field}.artifact.key": "required"}
        )
    return track.artifact.key


def _lineage(
    reference: audio_pb2.AudioRef, track: audio_pb2.ProducedTrack, path: Path
) -> Mapping[str, Any]:
    """Say what audio is, without where it lies. The library knows no checksum of a track's
    file, which each edit of its tags changes; that of its samples, where it is known, stays."""
    samples = dict_from_struct(track.recipe).get("audio_sha256")
    return {
        "reference": json_format.MessageToDict(reference, preserving_proto_field_name=True),
        "title": track.title,
        "sha256": track.artifact.sha256 or sha256_of(path),
        **({"audio_sha256": samples} if isinstance(samples, str) else {}),
    }
