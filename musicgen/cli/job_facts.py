"""What people read of a job."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from musicgen.api.audio.v1 import audio_pb2
from musicgen.api.jobs.v1 import batch_pb2, job_pb2
from musicgen.cli.jsonable import STATES, job_to_json
from musicgen.cli.output import ago, print_facts
from musicgen.cli.queue_order import seconds_until, told_place
from musicgen.client.view import TERMINAL_STATES


def print_job(job: job_pb2.Job, place: int | None = None, *, paused: bool = False) -> None:
    """Print all that is known of a job; `place` is that in its queue, which may be paused."""
    described = job_to_json(job)
    progress = described["progress"]
    # Of an earlier attempt it is told among those.
    error = (described["error"] or {}) if job.state in TERMINAL_STATES else {}
    waits = seconds_until(job)
    facts = {
        "job": job.job_id,
        "state": described["state"],
        "kind": described["kind"],
        "what": describe(job),
        "priority": described["priority"],
        "queue": f"{job.queue}, paused" if paused else job.queue,
        "place": told_place(place) if place else "",
        "next try": f"in {waits:.0f} s" if waits else "",
        "batch": job.batch_id,
        "progress": f"{progress['fraction']:.0%} {progress['stage']}" if progress else "",
        "attempt": f"{job.attempt} of {job.max_attempts}" if job.attempt else "",
        "tracks": ", ".join(job.result.track_ids),
        "files": ", ".join(download.file_name for download in job.result.downloads),
        "error": error.get("message"),
        "remedy": error.get("remedy"),
        "reason": error.get("reason"),
        "created": described["create_time"],
        "started": described["start_time"],
        "ended": described["end_time"],
        "retry of": job.retry_of,
    }
    print_facts((name, str(value or "")) for name, value in facts.items())
    print_facts(_attempts(job))


def _attempts(job: job_pb2.Job) -> Iterator[tuple[str, str]]:
    """Tell each attempt that came to nothing: by whom, how long, why."""
    for attempt in job.attempts:
        lasted_s = (attempt.end_time.ToNanoseconds() - attempt.start_time.ToNanoseconds()) / 1e9
        why = attempt.error.message if attempt.HasField("error") else "given back unharmed"
        yield f"attempt {attempt.attempt}", f"{attempt.worker}, {max(0.0, lasted_s):.1f} s: {why}"


def told_counts(counts: batch_pb2.BatchCounts) -> str:
    """Say how many jobs of a batch are in each state, leaving out where none is."""
    numbers = ((state, getattr(counts, state)) for state in STATES)
    return " · ".join(f"{number} {state}" for state, number in numbers if number)


def describe(job: job_pb2.Job) -> str:
    """Say in a few words what a job is to do."""
    spec, said = job.spec, ""
    match spec.WhichOneof("kind"):
        case "generate":
            said = spec.generate.parameters.prompt
            if spec.generate.HasField("edit"):
                count = len(spec.generate.edit.regenerate)
                parts = "a part" if count == 1 else f"{count} parts"
                said = f"{parts} of {_name_of(spec.generate.edit.source)} anew: {said}"
        case "loop":
            extent = (
                f"{spec.loop.cycles} times"
                if spec.loop.cycles
                else f"for {spec.loop.length_seconds:g} s"
            )
            said = f"{_name_of(spec.loop.source)} {extent}"
        case "find_loops":
            said = f"loops of {_name_of(spec.find_loops.source)}"
        case "export":
            said = spec.export.track_id
        case "install_model":
            said = spec.install_model.model
        case "verify_model":
            said = spec.verify_model.model
        case "setup_engine":
            said = spec.setup_engine.engine
    return said


def _name_of(source: audio_pb2.AudioRef) -> str:
    which = source.WhichOneof("source")
    return getattr(source, which) if which else ""


def share_of(job: job_pb2.Job) -> str:
    """Return the share that is done, if it was measured or is known."""
    if job.state == job.STATE_SUCCEEDED:
        return "100%"
    return f"{job.progress.fraction:.0%}" if job.HasField("progress") else ""


def age(job: job_pb2.Job | batch_pb2.JobBatch) -> str:
    """Return how long ago a job or a batch was accepted."""
    if not job.HasField("create_time"):
        return ""
    return ago((datetime.now(UTC) - job.create_time.ToDatetime(UTC)).total_seconds())
