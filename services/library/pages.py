"""Opaque page tokens: where the page before ended, bound to its query."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass

from musicgen.errors import InvalidField

DEFAULT_SIZE = 50
LARGEST_SIZE = 200


@dataclass(frozen=True, slots=True)
class Position:
    """The last track of a page, in the order of the list."""

    create_time_us: int
    track_id: str


def page_size_of(asked: int) -> int:
    """Return the size to use: 0 means 50, more than 200 means 200. Raises InvalidField."""
    if asked < 0:
        raise InvalidField("page_size is negative.", fields={"page_size": "must be 0 to 200"})
    return min(asked or DEFAULT_SIZE, LARGEST_SIZE)


def encode(position: Position, query: str) -> str:
    """Return the token of the page after `position`."""
    content = json.dumps([position.create_time_us, position.track_id, _digest(query)])
    return base64.urlsafe_b64encode(content.encode()).decode().rstrip("=")


def decode(token: str, query: str) -> Position | None:
    """Return where to go on, or None for the first page. Raises InvalidField."""
    if not token:
        return None
    try:
        content = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        create_time_us, track_id, digest = json.loads(content)
        if digest != _digest(query) or type(create_time_us) is not int:
            raise ValueError("of another query")
        if abs(create_time_us) >= 1 << 63:
            raise ValueError("out of range")
        return Position(create_time_us, str(track_id))
    except (ValueError, TypeError, binascii.Error, RecursionError) as error:
        raise InvalidField(
            "The page token is not one of this query.",
            remedy="Start again without a page token.",
            fields={"page_token": "not a token of this query"},
        ) from error


def _digest(query: str) -> str:
    return hashlib.blake2b(query.encode("utf-8", "replace"), digest_size=6).hexdigest()
