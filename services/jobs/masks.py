"""Read masks: clients that need little of each job are sent little."""

from __future__ import annotations

from collections.abc import Iterable

from google.protobuf import field_mask_pb2

from musicgen.api.jobs.v1 import job_pb2
from musicgen.errors import InvalidField

MAX_PATHS = 100


class ReadMask:
    """Leaves out of jobs what was not asked for; an empty mask asks for everything."""

    def __init__(self, mask: field_mask_pb2.FieldMask, always: Iterable[str] = ()) -> None:
        """`always` are fields that are sent in any case. Raises InvalidField."""
        self._mask: field_mask_pb2.FieldMask | None = None
        if not mask.paths:
            return
        paths = list(dict.fromkeys(mask.paths))
        if len(paths) > MAX_PATHS:
            rule = f"must name at most {MAX_PATHS} fields"
            raise InvalidField(f"read_mask {rule}.", fields={"read_mask": rule})
        for path in paths:
            if not field_mask_pb2.FieldMask(paths=[path]).IsValidForDescriptor(
                job_pb2.Job.DESCRIPTOR
            ):
                rule = f"{path[:100]!r} is no field of a job"
                raise InvalidField(f"read_mask: {rule}.", fields={"read_mask": rule})
        self._mask = field_mask_pb2.FieldMask(paths=[*paths, *always])

    @property
    def everything(self) -> bool:
        """Whether nothing is left out."""
        return self._mask is None

    def apply(self, job: job_pb2.Job) -> job_pb2.Job:
        """Return the job, or a copy with what was asked for."""
        if self._mask is None:
            return job
        masked = job_pb2.Job()
        self._mask.MergeMessage(job, masked)
        return masked
