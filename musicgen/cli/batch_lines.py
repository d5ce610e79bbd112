"""Lines of a file that say what is to be done, as JSON: read, checked, and put together."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.json_format import ParseDict, ParseError

from musicgen.api.jobs.v1 import job_pb2, job_service_pb2
from musicgen.cli.values import parse_length, read_json
from musicgen.client import specs
from musicgen.client.sendable import invalid
from musicgen.errors import InvalidField, StudioError

MOST_JOBS = 500
"""Jobs that the studio accepts together."""

MOST_BYTES = 3_000_000
"""What they may take in one message, with some room below the limit of 4 MiB."""

MOST_BATCHES = 100
"""Batches that one watch can follow."""

MOST_FAULTS = 20
"""Faults that are told at once."""

_KINDS = frozenset(job_pb2.JobSpec.DESCRIPTOR.fields_by_name) | {
    field.json_name for field in job_pb2.JobSpec.DESCRIPTOR.fields
}
_SIMPLE = ("prompt", "duration", "seed", "engine", "lyrics", "options", "priority")


@dataclass(frozen=True, slots=True)
class Line:
    """What one line asks for. `number` counts from 1."""

    number: int
    request: job_service_pb2.CreateJobRequest


Batch = Sequence[Line]
"""Lines that are accepted together."""


def read_lines(data: bytes, priority: str = "") -> list[Line]:
    """Read all lines; empty ones are passed over. `priority` is for those that name none.
    Raises InvalidField, which names all lines that are wrong, or the first of them."""
    lines: list[Line] = []
    faults: dict[str, str] = {}
    for number, raw in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if not raw.strip():
            continue
        if len(raw) > MOST_BYTES:
            faults[f"line {number}"] = f"It is longer than {MOST_BYTES:,} bytes."
            continue
        try:
            lines.append(Line(number, _read(raw, priority)))
        except StudioError as error:
            faults[f"line {number}"] = error.message
        except ValueError as error:
            faults[f"line {number}"] = f"It is not valid JSON ({error})."
        except OverflowError:
            faults[f"line {number}"] = "It holds a number that is too large."
    if faults:
        raise _refusal(faults, len(faults) + len(lines))
    if not lines:
        raise InvalidField(
            "There is no line that says what to do.",
            remedy='Give a JSON object a line, such as {"prompt": "calm rain", "duration": 60}.',
            fields={"file": "must have a line"},
        )
    return lines


def _refusal(faults: Mapping[str, str], count: int) -> InvalidField:
    first = next(iter(faults))
    told = dict(list(faults.items())[:MOST_FAULTS])
    several = f"{len(faults)} of {count} lines are wrong; the first is " if len(faults) > 1 else ""
    return InvalidField(
        f"{several}{first}: {faults[first]}",
        remedy="Nothing was asked for; correct the file and give it again.",
        fields=told,
    )


def _read(raw: bytes, priority: str) -> job_service_pb2.CreateJobRequest:
    told = read_json(raw.decode())
    if not isinstance(told, dict):
        raise ValueError("it is no object")
    urgency = told.pop("priority", priority)
    if not isinstance(urgency, str):
        raise invalid("priority", f"must be one of {', '.join(specs.PRIORITIES)}")
    spec = _full(told) if _KINDS & told.keys() else _simple(told)
    return job_service_pb2.CreateJobRequest(spec=spec, priority=specs.priority(urgency))


def _full(told: dict[str, Any]) -> job_pb2.JobSpec:
    """Read a JobSpec as the REST API has it."""
    try:
        spec = ParseDict(told, job_pb2.JobSpec())
    except (ParseError, OverflowError) as error:
        raise InvalidField(f"It is no job ({error}).") from error
    if spec.WhichOneof("kind") is None:
        raise InvalidField("It does not say what to do.")
    return spec


def _simple(told: dict[str, Any]) -> job_pb2.JobSpec:
    if unknown := sorted(told.keys() - set(_SIMPLE)):
        raise InvalidField(
            f"{unknown[0]!r} is not known here; known are {', '.join(_SIMPLE)}, or a job as the "
            f"REST API has it."
        )
    return specs.generate(
        _typed(told, "prompt", str) or "",
        duration_s=_length(told),
        seed=_whole(told, "seed"),
        engine=_typed(told, "engine", str) or "",
        lyrics=_typed(told, "lyrics", str) or "",
        options=_typed(told, "options", dict),
    )


def _typed(told: dict[str, Any], name: str, kind: type[Any]) -> Any:
    value = told.get(name)
    if value is not None and not isinstance(value, kind):
        raise invalid(name, "must be text" if kind is str else "must be an object")
    return value


def _length(told: dict[str, Any]) -> float | None:
    value = told.get("duration")
    if isinstance(value, str):
        return parse_length(value)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise invalid("duration", 'must be seconds, or a length such as "2m30s"')
    return value


def _whole(told: dict[str, Any], name: str) -> int | None:
    value = told.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise invalid(name, "must be a whole number")
    return value


def in_batches(lines: Sequence[Line]) -> list[Batch]:
    """Put lines together as the studio accepts them. Raises InvalidField for too many."""
    batches = list(_cut(lines))
    if len(batches) > MOST_BATCHES:
        raise InvalidField(
            f"The {len(lines)} lines make {len(batches)} batches; at most {MOST_BATCHES} can be "
            "followed at once.",
            remedy=f"Split the file: {MOST_JOBS} lines are a batch.",
            fields={"file": "has too many lines"},
        )
    return batches


def _cut(lines: Sequence[Line]) -> Iterator[Batch]:
    batch: list[Line] = []
    size_bytes = 0
    for line in lines:
        its_bytes = line.request.ByteSize() + 8
        if batch and (len(batch) == MOST_JOBS or size_bytes + its_bytes > MOST_BYTES):
            yield batch
            batch, size_bytes = [], 0
        batch.append(line)
        size_bytes += its_bytes
    yield batch


def request_id(batch: Batch, index: int, run: str) -> str:
    """Return the id that makes a repeated call return the same batch: made of what the lines
    ask for, of the batch's place in the file, and of the name of the run."""
    digest = hashlib.sha256(f"{index} {run}".encode("utf-8", "surrogateescape"))
    for line in batch:
        data = line.request.SerializeToString(deterministic=True)
        digest.update(len(data).to_bytes(8, "big") + data)
    return str(uuid.UUID(bytes=digest.digest()[:16], version=4))
