"""What the studio's HTTP side says when it refuses: google.rpc.Status as JSON."""

from __future__ import annotations

import http.client
import json
from typing import Any

from musicgen.errors import (
    ArtifactNotFound,
    DiskFull,
    Internal,
    MessageTooLarge,
    ServiceUnavailable,
    StudioError,
    Unauthenticated,
    by_reason,
)

_LARGEST_BODY_BYTES = 64 * 1024
_BY_CODE: dict[int, type[StudioError]] = {
    401: Unauthenticated,
    404: ArtifactNotFound,
    413: MessageTooLarge,
    502: ServiceUnavailable,
    503: ServiceUnavailable,
    504: ServiceUnavailable,
    507: DiskFull,
}
"""For answers of a proxy, which carry no reason."""


def refusal(response: http.client.HTTPResponse) -> StudioError:
    """Rebuild the error that an answer describes."""
    try:
        body = json.loads(response.read(_LARGEST_BODY_BYTES))
        info = next(
            detail for detail in body["details"] if detail["@type"].endswith("google.rpc.ErrorInfo")
        )
        return _rebuild(body, info)
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError, StopIteration):
        kind = _BY_CODE.get(response.status, Internal)
        return kind(f"The studio answered {response.status} {response.reason}.")


def _rebuild(body: dict[str, Any], info: dict[str, Any]) -> StudioError:
    metadata = {str(key): str(value) for key, value in info.get("metadata", {}).items()}
    remedy = metadata.pop("remedy", "")
    fields = {
        violation["field"]: violation["description"]
        for detail in body["details"]
        for violation in detail.get("field_violations", ())
    }
    kind = by_reason(str(info["reason"]))
    return kind(str(body["message"]), remedy=remedy, metadata=metadata, fields=fields)
