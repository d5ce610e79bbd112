"""What `--json` prints. The keys are stable; README.md beside this file lists them."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.timestamp_pb2 import Timestamp

from musicgen.api.audio.v1 import audio_pb2
from musicgen.api.engine.v1 import engine_pb2
from musicgen.api.errors.v1 import error_pb2, error_reason_pb2
from musicgen.api.inference.v1 import (
    device_pb2,
    environment_pb2,
    inference_service_pb2,
    model_pb2,
)
from musicgen.api.jobs.v1 import batch_pb2, job_pb2, queue_pb2
from musicgen.api.library.v1 import track_pb2
from musicgen.api.progress.v1 import progress_pb2
from musicgen.cli.loops_found import loops_to_json

STATES = ("queued", "running", "cancelling", "succeeded", "failed", "cancelled")
"""Where a job can be in its life."""


def job_state(job: job_pb2.Job) -> str:
    """Return the state in one lower-case word."""
    return type(job).State.Name(job.state).removeprefix("STATE_").lower()


def job_to_json(job: job_pb2.Job) -> dict[str, Any]:
    """Describe a job."""
    return {
        "job_id": job.job_id,
        "rev": job.rev,
        "state": job_state(job),
        "kind": job.spec.WhichOneof("kind"),
        "spec": _spec(job),
        "progress": _progress(job.progress) if job.HasField("progress") else None,
        "previews": [
            {
                "path": f"/v1/{preview.artifact.key}",
                "start_frame": preview.start_frame,
                "audio": _audio(preview.artifact.audio),
                "size_bytes": preview.artifact.size_bytes,
                "sha256": preview.artifact.sha256,
                "media_type": preview.artifact.media_type,
            }
            for preview in job.previews
        ],
        "track_ids": list(job.result.track_ids),
        "downloads": [
            {
                "path": download.path,
                "file_name": download.file_name,
                "size_bytes": download.artifact.size_bytes,
                "sha256": download.artifact.sha256,
                "media_type": download.artifact.media_type,
            }
            for download in job.result.downloads
        ],
        "loops": (loops_to_json(job.result.analysis) if job.result.HasField("analysis") else None),
        "model": model_to_json(job.result.model) if job.result.HasField("model") else None,
        "environment": (
            environment_to_json(job.result.environment)
            if job.result.HasField("environment")
            else None
        ),
        "error": error_to_json(job.error) if job.HasField("error") else None,
        "priority": job_priority(job),
        "queue": job.queue or None,
        "rank": job.rank,
        "batch_id": job.batch_id or None,
        "attempt": job.attempt,
        "max_attempts": job.max_attempts,
        "attempts": [attempt_to_json(attempt) for attempt in job.attempts],
        "not_before_time": _time(job, "not_before_time"),
        "create_time": _time(job, "create_time"),
        "start_time": _time(job, "start_time"),
        "end_time": _time(job, "end_time"),
        "retry_of": job.retry_of or None,
    }


def job_priority(job: job_pb2.Job) -> str | None:
    """Return how urgent a job is in one word; None if that wasn't told."""
    if not job.priority:
        return None
    return job_pb2.Job.Priority.Name(job.priority).removeprefix("PRIORITY_").lower()


def attempt_to_json(attempt: job_pb2.Attempt) -> dict[str, Any]:
    """Describe an attempt that ended without a result."""
    return {
        "attempt": attempt.attempt,
        "worker": attempt.worker,
        "start_time": _time(attempt, "start_time"),
        "end_time": _time(attempt, "end_time"),
        "error": error_to_json(attempt.error) if attempt.HasField("error") else None,
    }


def batch_to_json(batch: batch_pb2.JobBatch) -> dict[str, Any]:
    """Describe a batch."""
    return {
        "batch_id": batch.batch_id,
        "size": batch.size,
        "counts": {state: getattr(batch.counts, state) for state in STATES},
        "create_time": _time(batch, "create_time"),
        "end_time": _time(batch, "end_time"),
    }


def queue_to_json(queue: queue_pb2.Queue) -> dict[str, Any]:
    """Describe a queue."""
    oldest_wait_s = (
        queue.oldest_wait.ToNanoseconds() / 1e9 if queue.HasField("oldest_wait") else None
    )
    return {
        "queue": queue.queue,
        "paused": queue.paused,
        "waiting": queue.waiting,
        "delayed": queue.delayed,
        "running": queue.running,
        "oldest_wait_s": oldest_wait_s,
    }


def track_to_json(track: track_pb2.Track) -> dict[str, Any]:
    """Describe a track."""
    points = track.loop_points
    return {
        "track_id": track.track_id,
        "title": track.title,
        "artist": track.artist,
        "album": track.album,
        "genre": track.genre,
        "year": track.year if track.HasField("year") else None,
        "tags": list(track.tags),
        "audio": _audio(track.audio),
        "size_bytes": track.size_bytes,
        "source_sha256": track.source_sha256,
        "tempo_bpm": track.tempo_bpm if track.HasField("tempo_bpm") else None,
        "musical_key": track.musical_key or None,
        "loop_points": (
            {"start_frame": points.start_frame, "end_frame": points.end_frame}
            if track.HasField("loop_points")
            else None
        ),
        "parent_track_id": track.parent_track_id or None,
        "job_id": track.job_id,
        "create_time": _time(track, "create_time"),
        "audio_path": track.audio_path,
        "files": [track_file_to_json(file) for file in track.files],
        "recipe": MessageToDict(track.recipe),
    }


def track_file_to_json(file: track_pb2.TrackFile) -> dict[str, Any]:
    """Describe a file beside a track's audio."""
    return {
        "name": file.name,
        "label": file.label,
        "size_bytes": file.size_bytes,
        "media_type": file.media_type,
        "sha256": file.sha256,
        "path": file.path,
    }


def engine_state(engine: inference_service_pb2.Engine) -> str:
    """Return the state in one lower-case word."""
    return type(engine).State.Name(engine.state).removeprefix("STATE_").lower()


def engine_to_json(engine: inference_service_pb2.Engine) -> dict[str, Any]:
    """Describe an engine."""
    manifest = engine.manifest
    return {
        "name": manifest.name,
        "display_name": manifest.display_name,
        "version": manifest.version,
        "description": manifest.description,
        "license": manifest.license,
        "state": engine_state(engine),
        "detail": engine.detail,
        "sample_rate_hz": manifest.sample_rate_hz,
        "channels": manifest.channels,
        "min_duration_s": manifest.min_duration_seconds,
        "max_duration_s": manifest.max_duration_seconds,
        "default_duration_s": manifest.default_duration_seconds,
        "supports_lyrics": manifest.supports_lyrics,
        "supports_style_audio": manifest.supports_style_audio,
        "supports_edit": manifest.supports_edit,
        "checks_lyrics": manifest.checks_lyrics,
        "options_schema": MessageToDict(manifest.options_schema),
        "environment": environment_to_json(engine.environment),
    }


def finding_to_json(finding: engine_pb2.LyricsFinding) -> dict[str, Any]:
    """Describe what was found in lyrics."""
    severity = engine_pb2.LyricsFinding.Severity.Name(finding.severity)
    return {
        "line": finding.line,
        "severity": severity.removeprefix("SEVERITY_").lower(),
        "code": finding.code,
        "message": finding.message,
        "remedy": finding.remedy,
    }


def environment_to_json(environment: environment_pb2.Environment) -> dict[str, Any]:
    """Describe an engine's environment."""
    state = environment_pb2.Environment.State.Name(environment.state)
    return {
        "engine": environment.engine,
        "state": state.removeprefix("STATE_").lower(),
        "device_build": environment.device_build,
        "detail": environment.detail,
        "size_bytes": environment.size_bytes,
    }


def model_state(model: model_pb2.Model) -> str:
    """Return the state in lower-case words, such as "not installed"."""
    name = model_pb2.Model.State.Name(model.state)
    return name.removeprefix("STATE_").lower().replace("_", " ")


def model_to_json(model: model_pb2.Model) -> dict[str, Any]:
    """Describe a model."""
    licence = model.licence
    return {
        "name": model.name,
        "display_name": model.display_name,
        "description": model.description,
        "engine": model.engine,
        "variant": model.variant,
        "repository": model.repository,
        "revision": model.revision,
        "state": model_state(model).replace(" ", "_"),
        "detail": model.detail,
        "size_bytes": model.size_bytes,
        "installed_bytes": model.installed_bytes,
        "memory_bytes": model.memory_bytes,
        "max_duration_s": model.max_duration_seconds,
        "capabilities": list(model.capabilities),
        "needs": list(model.needs),
        "defaults": MessageToDict(model.defaults),
        "licence": {
            "licence_id": licence.licence_id,
            "title": licence.title,
            "url": licence.url,
            "summary": licence.summary,
            "meaning_for_tracks": licence.meaning_for_tracks,
            "must_accept": licence.must_accept,
            "non_commercial": licence.non_commercial,
            "accepted": model.licence_accepted,
        },
        "files": [
            {
                "path": file.path,
                "size_bytes": file.size_bytes,
                "sha256": file.sha256,
                "installed": file.installed,
            }
            for file in model.files
        ],
    }


def device_to_json(device: device_pb2.Device) -> dict[str, Any]:
    """Describe a device."""
    half = device_pb2.Device.Half.Name(device.half).removeprefix("HALF_").lower()
    return {
        "device_id": device.device_id,
        "kind": device_pb2.Device.Kind.Name(device.kind).removeprefix("KIND_").lower(),
        "name": device.name,
        "memory_bytes": device.memory_bytes,
        "half": half,
        "chosen": device.chosen,
    }


def _spec(job: job_pb2.Job) -> dict[str, Any]:
    kind = job.spec.WhichOneof("kind")
    message = getattr(job.spec, kind) if kind else job.spec
    spec: dict[str, Any] = MessageToDict(message, preserving_proto_field_name=True)
    return spec


def _progress(progress: progress_pb2.Progress) -> dict[str, Any]:
    eta_s = progress.eta.ToNanoseconds() / 1e9 if progress.HasField("eta") else None
    return {
        "stage": progress.stage,
        "step": progress.step,
        "steps": progress.steps,
        "fraction": progress.fraction,
        "eta_s": eta_s,
        "detail": progress.detail,
        "transfer": (
            {
                "done_bytes": progress.transfer.done_bytes,
                "total_bytes": progress.transfer.total_bytes,
                "bytes_per_second": progress.transfer.bytes_per_second,
            }
            if progress.HasField("transfer")
            else None
        ),
    }


def error_to_json(error: error_pb2.Error) -> dict[str, Any]:
    """Describe why a job failed."""
    known = error.reason in error_reason_pb2.ErrorReason.values()
    name = error_reason_pb2.ErrorReason.Name(error.reason) if known else str(error.reason)
    return {
        "reason": name.removeprefix("ERROR_REASON_"),
        "message": error.message,
        "remedy": error.remedy,
        "retryable": error.retryable,
        "metadata": dict(error.metadata),
    }


def _audio(audio: audio_pb2.AudioProperties) -> dict[str, Any]:
    rate = audio.sample_rate_hz
    return {
        "format": audio_pb2.AudioFormat.Name(audio.format).removeprefix("AUDIO_FORMAT_").lower(),
        "sample_rate_hz": rate,
        "channels": audio.channels,
        "duration_frames": audio.duration_frames,
        "duration_s": audio.duration_frames / rate if rate else 0.0,
    }


def _time(
    message: job_pb2.Job | job_pb2.Attempt | batch_pb2.JobBatch | track_pb2.Track, field: str
) -> str | None:
    """Return a time as RFC 3339 in UTC; None if absent."""
    if not message.HasField(field):  # type: ignore[arg-type]  # any of the message's times
        return None
    time: Timestamp = getattr(message, field)
    return time.ToDatetime(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
