"""The exception tree on the wire: google.rpc.Status and errors.v1.Error, both ways."""

from __future__ import annotations

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from musicgen.api.errors.v1 import error_pb2, error_reason_pb2
from musicgen.errors import (
    Cancelled,
    GenerationTimeout,
    Internal,
    MessageTooLarge,
    ServiceUnavailable,
    StudioError,
    Unauthenticated,
    by_reason,
)

DOMAIN = "musicgen.local"
_PREFIX = "ERROR_REASON_"
_FIELD = "field:"


def to_status(error: StudioError) -> status_pb2.Status:
    """Describe an error: ErrorInfo, LocalizedMessage, and Help, RetryInfo and BadRequest
    where they apply. The remedy is also metadata, which survives every proxy."""
    details: list[any_pb2.Any] = []

    def add(detail: object) -> None:
        packed = any_pb2.Any()
        packed.Pack(detail)  # type: ignore[arg-type]  # every detail is a message
        details.append(packed)

    metadata = dict(error.metadata)
    if error.remedy:
        metadata["remedy"] = error.remedy
    add(error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=metadata))
    add(error_details_pb2.LocalizedMessage(locale="en", message=error.message))
    if error.remedy:
        add(
            error_details_pb2.Help(
                links=[error_details_pb2.Help.Link(description=error.remedy, url="")]
            )
        )
    if error.retry_after_s is not None:
        delay = duration_pb2.Duration()
        delay.FromNanoseconds(int(error.retry_after_s * 1e9))
        add(error_details_pb2.RetryInfo(retry_delay=delay))
    if error.fields:
        violation = error_details_pb2.BadRequest.FieldViolation
        add(
            error_details_pb2.BadRequest(
                field_violations=[
                    violation(field=field, description=text) for field, text in error.fields.items()
                ]
            )
        )
    return status_pb2.Status(
        code=code_pb2.Code.Value(error.code), message=error.message, details=details
    )


def from_rpc_error(error: grpc.RpcError) -> StudioError:
    """Rebuild the error that a call ended with. Failures that never reached a handler
    (no connection, deadline, oversize) get the reason that fits them."""
    code, text = error.code(), error.details() or ""
    try:
        status = rpc_status.from_call(error)
    except ValueError:  # a proxy rewrote the status but not its details
        status = None
    for packed in status.details if status else ():
        info = error_details_pb2.ErrorInfo()
        if packed.Is(info.DESCRIPTOR) and packed.Unpack(info) and info.domain == DOMAIN:
            return _rebuild(info, status)
    return _without_reason(code, text)


def _without_reason(code: grpc.StatusCode, text: str) -> StudioError:
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and ("larger than max" in text or "413" in text):
        return MessageTooLarge("The message is larger than the service accepts.")
    known: dict[grpc.StatusCode, StudioError] = {
        grpc.StatusCode.UNAVAILABLE: ServiceUnavailable(f"The service can't be reached ({text})."),
        grpc.StatusCode.DEADLINE_EXCEEDED: GenerationTimeout("The service did not answer in time."),
        grpc.StatusCode.CANCELLED: Cancelled("The call was cancelled."),
        grpc.StatusCode.UNAUTHENTICATED: Unauthenticated(  # the gateway's, before any service
            "The studio asks for a key.", remedy="Give it as MUSICGEN_API_KEY in the environment."
        ),
    }
    return known.get(code) or Internal(f"{code.name}: {text}")


def _rebuild(info: error_details_pb2.ErrorInfo, status: status_pb2.Status) -> StudioError:
    metadata = dict(info.metadata)
    remedy = metadata.pop("remedy", "")
    fields: dict[str, str] = {}
    retry_after_s = None
    for packed in status.details:
        bad, retry = error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
        if packed.Unpack(bad):
            fields = {v.field: v.description for v in bad.field_violations}
        elif packed.Unpack(retry):
            retry_after_s = retry.retry_delay.ToNanoseconds() / 1e9
    return by_reason(info.reason)(
        status.message,
        remedy=remedy,
        metadata=metadata,
        fields=fields,
        retry_after_s=retry_after_s,
    )


def to_error_proto(error: StudioError) -> error_pb2.Error:
    """Describe why accepted work failed."""
    metadata = dict(error.metadata)
    metadata.update({_FIELD + name: text for name, text in error.fields.items()})
    return error_pb2.Error(
        reason=error_reason_pb2.ErrorReason.Value(_PREFIX + error.reason),
        message=error.message,
        remedy=error.remedy,
        retryable=error.retryable,
        metadata=metadata,
    )


def from_error_proto(error: error_pb2.Error) -> StudioError:
    """Rebuild the error that accepted work failed with. A reason of a newer studio is
    a plain StudioError."""
    known = error.reason in error_reason_pb2.ErrorReason.values()
    reason = error_reason_pb2.ErrorReason.Name(error.reason) if known else ""
    metadata, fields = dict(error.metadata), {}
    for key in [key for key in metadata if key.startswith(_FIELD)]:
        fields[key.removeprefix(_FIELD)] = metadata.pop(key)
    return by_reason(reason.removeprefix(_PREFIX))(
        error.message, remedy=error.remedy, metadata=metadata, fields=fields
    )
