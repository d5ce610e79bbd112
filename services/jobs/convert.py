"""Records and changes of the store as messages of the contract."""

from __future__ import annotations

from google.protobuf import timestamp_pb2

from musicgen.api.audio.v1 import audio_pb2
from musicgen.api.errors.v1 import error_pb2
from musicgen.api.jobs.v1 import job_event_pb2, job_pb2
from musicgen.api.progress.v1 import progress_pb2
from services.jobs.records import Change, JobRecord, State


def job_to_proto(record: JobRecord) -> job_pb2.Job:
    """Convert a record; what it does not have yet stays absent."""
    job = job_pb2.Job(
        job_id=record.id,
        rev=record.rev,
        state=state_to_proto(record.state),
        spec=job_pb2.JobSpec.FromString(record.spec),
        attempt=record.attempt,
        max_attempts=record.max_attempts,
        retry_of=record.retry_of,
    )
    job.MergeFromString(record.previews)  # as preview_to_bytes made them
    if record.progress:
        job.progress.CopyFrom(progress_pb2.Progress.FromString(record.progress))
    if record.result:
        job.result.CopyFrom(job_pb2.JobResult.FromString(record.result))
    if record.error:
        job.error.CopyFrom(error_pb2.Error.FromString(record.error))
    for field, at_ms in (
        ("create_time", record.created_ms),
        ("start_time", record.started_ms),
        ("end_time", record.ended_ms),
        ("update_time", record.updated_ms),
        ("not_before_time", record.not_before_ms),
    ):
        if at_ms:
            getattr(job, field).CopyFrom(_timestamp(at_ms))
    return job


def preview_to_bytes(preview: audio_pb2.Preview) -> bytes:
    """Convert a preview to what the store appends to a job's previews: serialised messages
    put one after the other are one message, whose repeated fields are joined."""
    return job_pb2.Job(previews=[preview]).SerializeToString()


def change_to_proto(change: Change) -> job_event_pb2.JobEvent:
    """Convert a change."""
    event = job_event_pb2.JobEvent(
        job_id=change.job_id, rev=change.rev, time=_timestamp(change.at_ms)
    )
    if change.record is not None:
        event.changed.CopyFrom(job_to_proto(change.record))
    elif change.progress is not None:
        event.progressed.CopyFrom(progress_pb2.Progress.FromString(change.progress))
    else:
        event.deleted.SetInParent()
    return event


def state_to_proto(state: State) -> job_pb2.Job.State.ValueType:
    """Convert a state."""
    return job_pb2.Job.State.Value(f"STATE_{state.value}")


def state_from_proto(value: job_pb2.Job.State.ValueType) -> State:
    """Convert a state. Raises KeyError for UNSPECIFIED, ValueError for an unknown number."""
    return State[job_pb2.Job.State.Name(value).removeprefix("STATE_")]


def _timestamp(at_ms: int) -> timestamp_pb2.Timestamp:
    stamp = timestamp_pb2.Timestamp()
    stamp.FromMilliseconds(at_ms)
    return stamp
