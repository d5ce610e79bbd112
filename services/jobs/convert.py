"""Records and changes of the store as messages of the contract."""

from __future__ import annotations

from google.protobuf import duration_pb2, timestamp_pb2

from musicgen.api.audio.v1 import audio_pb2
from musicgen.api.errors.v1 import error_pb2
from musicgen.api.jobs.v1 import batch_pb2, job_event_pb2, job_pb2, queue_pb2
from musicgen.api.progress.v1 import progress_pb2
from musicgen.errors import InvalidField
from services.jobs.records import (
    BatchRecord,
    Change,
    JobRecord,
    PastAttempt,
    Priority,
    QueueChange,
    QueueRecord,
    State,
)


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
        priority=priority_to_proto(record.priority),
        queue=record.queue,
        rank=record.rank,
        batch_id=record.batch,
        attempts=map(_attempt_to_proto, record.attempts),
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


def queue_change_to_proto(change: QueueChange) -> job_event_pb2.QueueChange:
    """Convert a change of a queue."""
    return job_event_pb2.QueueChange(queue=change.name, paused=change.paused)


def state_to_proto(state: State) -> job_pb2.Job.State.ValueType:
    """Convert a state."""
    return job_pb2.Job.State.Value(f"STATE_{state.value}")


def state_from_proto(value: job_pb2.Job.State.ValueType) -> State:
    """Convert a state. Raises KeyError for UNSPECIFIED, ValueError for an unknown number."""
    return State[job_pb2.Job.State.Name(value).removeprefix("STATE_")]


def priority_to_proto(priority: Priority) -> job_pb2.Job.Priority.ValueType:
    """Convert a priority."""
    return job_pb2.Job.Priority.Value(f"PRIORITY_{priority.name}")


def priority_from_proto(value: job_pb2.Job.Priority.ValueType, field: str) -> Priority:
    """Convert a priority; unspecified is normal. Raises InvalidField that names `field`."""
    if value not in job_pb2.Job.Priority.values():
        rule = "must be one of the contract's"
        raise InvalidField(f"{field} {rule}.", fields={field: rule})
    return Priority(value) if value else Priority.NORMAL


def batch_to_proto(record: BatchRecord) -> batch_pb2.JobBatch:
    """Convert a batch."""
    batch = batch_pb2.JobBatch(
        batch_id=record.id,
        size=record.size,
        counts=batch_pb2.BatchCounts(
            **{state.value.lower(): count for state, count in record.counts.items()}
        ),
        create_time=_timestamp(record.created_ms),
    )
    if record.ended_ms:
        batch.end_time.CopyFrom(_timestamp(record.ended_ms))
    return batch


def queue_to_proto(record: QueueRecord, all_paused: bool) -> queue_pb2.Queue:
    """Convert a queue; with all paused it is paused, too."""
    queue = queue_pb2.Queue(
        queue=record.name,
        paused=record.paused or all_paused,
        waiting=record.waiting,
        delayed=record.delayed,
        running=record.running,
    )
    if record.wait_s is not None:
        wait = duration_pb2.Duration()
        wait.FromMilliseconds(round(record.wait_s * 1000))
        queue.oldest_wait.CopyFrom(wait)
    return queue


def _attempt_to_proto(attempt: PastAttempt) -> job_pb2.Attempt:
    message = job_pb2.Attempt(
        attempt=attempt.attempt,
        worker=attempt.worker,
        start_time=_timestamp(attempt.started_ms),
        end_time=_timestamp(attempt.ended_ms),
    )
    if attempt.error:
        message.error.CopyFrom(error_pb2.Error.FromString(attempt.error))
    return message


def _timestamp(at_ms: int) -> timestamp_pb2.Timestamp:
    stamp = timestamp_pb2.Timestamp()
    stamp.FromMilliseconds(at_ms)
    return stamp
