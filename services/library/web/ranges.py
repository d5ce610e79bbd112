"""Range requests, as strict as the standard (RFC 9110, chapter 14)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from musicgen.errors import InvalidField
from services.library.uploads import Chunk

_RANGES = re.compile(r"bytes=\s*(?P<specs>[0-9,\s-]+)", re.IGNORECASE | re.ASCII)
_SPEC = re.compile(r"(?P<first>[0-9]{0,18})-(?P<last>[0-9]{0,18})", re.ASCII)
_CONTENT_RANGE = re.compile(
    r"bytes\s+(?:(?P<first>[0-9]{1,18})-(?P<last>[0-9]{1,18})|(?P<ask>\*))"
    r"/(?:(?P<total>[0-9]{1,18})|\*)",
    re.IGNORECASE | re.ASCII,
)
_RANGES_LARGEST = 16


@dataclass(frozen=True, slots=True)
class Unsatisfiable:
    """None of the ranges lies in the file."""


def satisfiable(header: str, size_bytes: int) -> str | Unsatisfiable | None:
    """Return a Range header that keeps only the ranges that lie in the file.

    None means that the header is to be ignored: another unit, malformed, or more ranges
    than a player would ask for.
    """
    match = _RANGES.fullmatch(header.strip())
    specs = [spec.strip() for spec in match["specs"].split(",")] if match else []
    kept: list[str] = []
    if not specs or len(specs) > _RANGES_LARGEST:
        return None
    for spec in specs:
        parts = _SPEC.fullmatch(spec)
        if parts is None or spec == "-":
            return None
        if not parts["first"]:
            length = min(int(parts["last"]), size_bytes)
            if length:
                kept.append(f"{size_bytes - length}-{size_bytes - 1}")
            continue
        first = int(parts["first"])
        last = int(parts["last"]) if parts["last"] else max(first, size_bytes - 1)
        if last < first:
            return None
        if first < size_bytes:
            kept.append(f"{first}-{min(last, size_bytes - 1)}")
    return f"bytes={','.join(kept)}" if kept else Unsatisfiable()


def chunk_of(content_range: str | None, content_length: str | None) -> Chunk | None:
    """Return which bytes a PUT carries; None means that it only asks for the offset.

    Raises InvalidField.
    """
    length = int(content_length) if content_length and content_length.isdecimal() else None
    if content_range is None:
        return Chunk(0, None, length)
    match = _CONTENT_RANGE.fullmatch(content_range.strip())
    if match is None:
        raise _bad_range('must be "bytes first-last/total" or "bytes */total"')
    if match["ask"]:
        return None
    first, end = int(match["first"]), int(match["last"]) + 1
    total = int(match["total"]) if match["total"] else None
    if end <= first or (total is not None and end > total):
        raise _bad_range("must not end before it begins, nor after the total")
    if length is not None and length != end - first:
        raise _bad_range("must match the length of the body")
    return Chunk(first, end, total)


def _bad_range(fault: str) -> InvalidField:
    return InvalidField(f"Content-Range {fault}.", fields={"content-range": fault})
