"""The exception tree and its way over the wire."""

from __future__ import annotations

import pytest
from google.rpc import code_pb2

from musicgen import errors
from musicgen.api.errors.v1 import error_reason_pb2
from musicgen.rpc.status import from_error_proto, to_error_proto, to_status

pytestmark = pytest.mark.unit


def tree() -> list[type[errors.StudioError]]:
    """Return every exception class that has a reason of its own."""
    found: list[type[errors.StudioError]] = []
    waiting = [errors.StudioError]
    while waiting:
        error = waiting.pop()
        waiting += error.__subclasses__()
        # The CLI adds errors of this machine, which never travel.
        if "reason" in vars(error) and error.__module__ == errors.__name__:
            found.append(error)
    return found


def test_every_reason_has_its_class_and_every_class_its_reason() -> None:
    """The contract's reasons and the exception tree are the same list."""
    documented = {
        name.removeprefix("ERROR_REASON_")
        for name in error_reason_pb2.ErrorReason.DESCRIPTOR.values_by_name
    }
    assert {error.reason for error in tree()} == documented - {"UNSPECIFIED"}


@pytest.mark.parametrize("error", tree())
def test_every_class_has_a_valid_code(error: type[errors.StudioError]) -> None:
    """Each exception has a gRPC code by name."""
    assert error.code in code_pb2.Code.DESCRIPTOR.values_by_name
    assert errors.by_reason(error.reason).reason == error.reason


def test_unknown_reason_is_a_plain_error() -> None:
    """A reason of a newer studio doesn't break an older client."""
    assert errors.by_reason("FROM_THE_FUTURE") is errors.StudioError


def test_a_failure_survives_the_store() -> None:
    """What is kept with a failed job gives the same error back."""
    error = errors.InvalidPrompt("Empty.", metadata={"a": "b"}, fields={"prompt": "is empty"})
    again = from_error_proto(to_error_proto(error))
    assert type(again) is errors.InvalidPrompt
    assert (again.message, again.remedy) == (error.message, error.remedy)
    assert (again.metadata, again.fields) == (error.metadata, error.fields)


def test_status_has_all_details() -> None:
    """A status says reason, message, remedy, delay and fields, each in its own detail."""
    error = errors.QueueFull("Full.", retry_after_s=2.5, fields={"x": "y"})
    names = [detail.TypeName() for detail in to_status(error).details]
    assert names == [
        f"google.rpc.{name}"
        for name in ("ErrorInfo", "LocalizedMessage", "Help", "RetryInfo", "BadRequest")
    ]
