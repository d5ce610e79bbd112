from __future__ import annotations

import json
import uuid

import pytest

from musicgen.api.jobs.v1 import job_pb2
from musicgen.cli.batch_lines import MOST_BYTES, in_batches, read_lines, request_id
from musicgen.errors import InvalidField

pytestmark = pytest.mark.unit


def file_of(*told: object) -> bytes:
    """Return a file of these lines."""
    return "\n".join(json.dumps(one) for one in told).encode()


def test_lines_are_numbered_as_in_an_editor() -> None:
    """Empty ones count; a byte order mark and other ends of lines do no harm."""
    data = b"\xef\xbb\xbf" + b'{"prompt": "rain"}\r\n\r\n  \n{"prompt": "snow"}'
    assert [line.number for line in read_lines(data)] == [1, 4]


def test_both_forms_of_a_job_ask_for_the_same() -> None:
    """The short one and that of the REST API, in either spelling of its names."""
    short = {"prompt": "rain", "duration": 90, "seed": 7, "options": {"tempo_bpm": 70}}
    parameters = {"prompt": "rain", "seed": 7, "options": {"tempo_bpm": 70}}
    full = {"generate": {"parameters": {**parameters, "durationSeconds": 90}}}
    snake = {"generate": {"parameters": {**parameters, "duration_seconds": 90}}}
    one, two, three = read_lines(file_of(short, full, snake))
    assert one.request == two.request == three.request


def test_a_line_knows_its_urgency() -> None:
    """Its own, else that of all."""
    lines = read_lines(file_of({"prompt": "a"}, {"prompt": "b", "priority": "high"}), "low")
    assert [line.request.priority for line in lines] == [
        job_pb2.Job.PRIORITY_LOW, job_pb2.Job.PRIORITY_HIGH,
    ]  # fmt: skip


def test_batches_fit_into_a_message() -> None:
    """500 lines at most, and fewer if they are long; in their order, and none is lost."""
    lines = read_lines(file_of(*({"prompt": "x", "lyrics": "la " * 4000} for _ in range(600))))
    batches = in_batches(lines)
    assert [line for batch in batches for line in batch] == lines
    sizes = [sum(line.request.ByteSize() + 8 for line in batch) for batch in batches]
    assert max(sizes) <= MOST_BYTES
    assert max(map(len, batches)) < 500
    short = in_batches(read_lines(file_of(*({"prompt": "x"} for _ in range(1001)))))
    assert [len(batch) for batch in short] == [500, 500, 1]


def test_more_than_can_be_followed_is_refused() -> None:
    """Before anything is asked for."""
    with pytest.raises(InvalidField) as caught:
        in_batches(read_lines(file_of({"prompt": "x"})) * 50_001)
    assert "Split the file" in caught.value.remedy


def test_a_request_id_depends_on_what_is_asked_for_and_on_nothing_else() -> None:
    """Not on the layout; but on each value, the place in the file, and the name of the run."""
    lines = read_lines(b'{"prompt": "x", "seed": 1, "options": {"b": 1, "a": 2}}')
    same = read_lines(b'\n {"options": {"a": 2, "b": 1},   "seed": 1, "prompt": "x"}\n')
    other = read_lines(b'{"prompt": "x", "seed": 2, "options": {"b": 1, "a": 2}}')
    ids = [
        request_id(lines, 0, ""),
        request_id(other, 0, ""),
        request_id(lines, 1, ""),
        request_id(lines, 0, "again \udcff"),
        request_id(read_lines(b'{"prompt": "x", "seed": 1}', "low"), 0, ""),
    ]
    assert len(set(ids)) == len(ids)
    assert request_id(same, 0, "") == ids[0]
    assert all(uuid.UUID(one).version == 4 for one in ids)


def test_only_the_first_of_many_faults_are_told() -> None:
    """With how many there are."""
    with pytest.raises(InvalidField) as caught:
        read_lines(file_of(*({"prompt": ""} for _ in range(99)), {"prompt": "x"}))
    told = "99 of 100 lines are wrong; the first is line 1: The prompt is empty."
    assert caught.value.message == told
    assert len(caught.value.fields) == 20


def test_numbers_and_lines_without_measure_are_named_by_their_line() -> None:
    """What no number of the contract can hold, and what fits into no message."""
    digits = b"9" * 400
    for bad in (
        b'{"prompt": "a", "duration": ' + digits + b"}",
        b'{"loop": {"lengthSeconds": ' + digits + b"}}",
        b'{"prompt": "a", "options": {"x": ' + digits + b"}}",
        b'{"prompt": "' + b"a" * 3_100_000 + b'"}',
    ):
        with pytest.raises(InvalidField) as refused:
            read_lines(b'{"prompt": "fine"}\n' + bad)
        assert list(refused.value.fields) == ["line 2"]
