"""What the gateway answers by itself: the same error shape as the services', for every
kind of client.

gRPC and gRPC-Web clients get the status with its details where they look for it;
everybody else gets google.rpc.Status as JSON.
"""

from __future__ import annotations

import base64
import json
import struct
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from google.protobuf import json_format

from musicgen.errors import (
    Forbidden,
    GenerationTimeout,
    Internal,
    MalformedMessage,
    MessageTooLarge,
    RateLimited,
    RouteNotFound,
    ServiceUnavailable,
    StudioError,
    Unauthenticated,
)
from musicgen.rpc.status import to_status

Config = dict[str, Any]

_CAUSE = "%LOCAL_REPLY_BODY%"
"""Where Envoy puts the body that it would send, such as which JSON field was wrong."""
_TRAILERS_FRAME = 0x80


@dataclass(frozen=True, slots=True)
class _Reply:
    """The answer to a failure that Envoy reports with one of these HTTP statuses."""

    statuses: tuple[int, ...]
    error: StudioError
    with_cause: bool = False


_REPLIES = (
    # 426 and 501: a version or an encoding of HTTP that is not spoken here.
    _Reply((400, 426, 501), MalformedMessage("The request could not be read."), with_cause=True),
    _Reply(
        (401,),
        Unauthenticated(
            "The API key is missing or wrong.",
            remedy="Send the key as `Authorization: Bearer KEY`.",
        ),
    ),
    _Reply(
        (403,),
        Forbidden(
            "Web pages of that origin may not call this studio.",
            remedy="Add the origin to MUSICGEN_ALLOWED_ORIGINS of the gateway if it is yours.",
        ),
    ),
    _Reply((404, 405), RouteNotFound("The gateway exposes nothing at that path.")),
    _Reply((408, 504), GenerationTimeout("The service did not answer in time.", retry_after_s=1)),
    _Reply((413, 431), MessageTooLarge("The message is larger than the gateway accepts.")),
    _Reply(
        (421,),
        Forbidden(
            "The studio does not go by that host name.",
            remedy="Use localhost, or add the name to MUSICGEN_ALLOWED_HOSTS of the gateway.",
        ),
    ),
    _Reply((429,), RateLimited("Too many requests in a short time.", retry_after_s=1)),
    _Reply(
        (502, 503),
        ServiceUnavailable("A service of the studio can't be reached.", retry_after_s=1),
    ),
    _Reply((500,), Internal("The gateway could not pass the answer on."), with_cause=True),
)


def local_reply_config() -> Config:
    """Return the local_reply_config of the HTTP connection manager."""
    mappers: list[Config] = []
    for reply in _REPLIES:
        mappers += [_grpc_web_mapper(reply), _grpc_mapper(reply), _json_mapper(reply)]
    return {"mappers": mappers}


def _grpc_mapper(reply: _Reply) -> Config:
    """For native clients: the status in headers, where Envoy leaves it as it is."""
    trailers = _trailers(reply.error)
    return {
        "filter": _all(reply.statuses, *_GRPC_CLIENT),
        # It becomes grpc-message, which has to equal the message in the details.
        "body": {"inline_string": reply.error.message},
        "headers_to_add": [
            *(_header(name, value) for name, value in trailers.items() if name != "grpc-message"),
            *_retry_after(reply.error),
        ],
    }


def _grpc_web_mapper(reply: _Reply) -> Config:
    """For browsers: a body of one frame that holds the trailers. Envoy's own form of such
    an answer has no details, and a code guessed from the HTTP status."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in _trailers(reply.error).items())
    frame = struct.pack(">BI", _TRAILERS_FRAME, len(lines)) + lines.encode()
    return {
        "filter": _all(reply.statuses, *_GRPC_CLIENT, _has("x-grpc-web")),
        "status_code": 200,
        "body": {"inline_bytes": base64.b64encode(frame).decode()},
        "body_format_override": {
            "text_format_source": {"inline_string": _CAUSE},
            "content_type": "application/grpc-web+proto",
        },
        "headers_to_add": _retry_after(reply.error),
    }


def _trailers(error: StudioError) -> dict[str, str]:
    status = to_status(error)
    return {
        "grpc-status": str(status.code),
        "grpc-message": quote(status.message, safe=" !#$&'()*+,/:;=?@"),
        "grpc-status-details-bin": base64.b64encode(status.SerializeToString())
        .decode()
        .rstrip("="),
    }


def _json_mapper(reply: _Reply) -> Config:
    status = json_format.MessageToDict(to_status(reply.error))
    # Envoy reads % as the start of one of its variables.
    status = json.loads(json.dumps(status).replace("%", "%%"))
    if reply.with_cause:
        for detail in status["details"]:
            if "reason" in detail:
                detail.setdefault("metadata", {})["cause"] = _CAUSE
    return {
        "filter": _is_status(reply.statuses),
        "body_format_override": {"json_format": status, "content_type": "application/json"},
        "headers_to_add": _retry_after(reply.error),
    }


def _has(name: str, *, absent: bool = False) -> Config:
    header = {"name": name, "present_match": True, "invert_match": absent}
    return {"header_filter": {"header": header}}


_GRPC_CLIENT: tuple[Config, ...] = (
    {
        "header_filter": {
            "header": {"name": "content-type", "string_match": {"prefix": "application/grpc"}}
        }
    },
    # A REST request looks like gRPC once it is transcoded, but keeps this.
    _has("x-envoy-original-path", absent=True),
)


def _all(statuses: tuple[int, ...], *filters: Config) -> Config:
    return {"and_filter": {"filters": [_is_status(statuses), *filters]}}


def _is_status(statuses: tuple[int, ...]) -> Config:
    filters: list[Config] = [
        {
            "status_code_filter": {
                "comparison": {
                    "op": "EQ",
                    "value": {"default_value": status, "runtime_key": "unused"},
                }
            }
        }
        for status in statuses
    ]
    return filters[0] if len(filters) == 1 else {"or_filter": {"filters": filters}}


def _retry_after(error: StudioError) -> list[Config]:
    if error.retry_after_s is None:
        return []
    return [_header("retry-after", str(round(error.retry_after_s)))]


def _header(key: str, value: str) -> Config:
    return {
        "header": {"key": key, "value": value},
        "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
    }
