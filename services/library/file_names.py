"""Names to save a download under, safe on every system, and the header that carries one."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import quote

_LIMIT_BYTES = 180
_FORBIDDEN = re.compile(r'[<>:"/\\|?*]')
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def safe_name(name: str, fallback: str = "track") -> str:
    """Return `name` as a file name for any system: no separators, no control or
    direction-changing characters, no device names, at most 180 bytes, extension kept."""
    printable = (" " if unicodedata.category(c)[0] in "CZ" else c for c in name)
    name = _FORBIDDEN.sub("_", "".join(printable))
    name = re.sub(r" +", " ", name).strip(" ").rstrip(" .")
    stem, dot, extension = name.rpartition(".")
    if not dot or not re.fullmatch(r"[A-Za-z0-9]{1,8}", extension):
        stem, dot, extension = name, "", ""
    room = _LIMIT_BYTES - len(dot) - len(extension)
    stem = stem.encode("utf-8", "ignore")[:room].decode("utf-8", "ignore").strip(" .")
    stem = stem or fallback
    if _RESERVED.fullmatch(stem):
        stem = f"_{stem}"
    return f"{stem}{dot}{extension}"


def export_name(artist: str, title: str, extension: str) -> str:
    """Return the name of an exported track, such as "Artist - Title.mp3"."""
    text = f"{artist} - {title}" if artist.strip() else title
    return safe_name(f"{text}.{extension}")


def beside_name(title: str, label: str, extension: str) -> str:
    """Return the name of a file beside a track, such as "Rainy Night - Drums.flac". A
    long title gives way, so that the files of a track have different names."""
    room = max(_LIMIT_BYTES - len(f" - {label}.{extension}".encode()), _LIMIT_BYTES // 3)
    title = title.encode()[:room].decode("utf-8", "ignore").strip()
    return safe_name(f"{title} - {label}.{extension}")


def attachment(name: str) -> str:
    """Return the Content-Disposition of a download: a plain ASCII name for old clients
    and the exact one in UTF-8 (RFC 6266, RFC 5987)."""
    name = safe_name(name)
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = safe_name(plain) if plain.strip(" .") else "track"
    header = f'attachment; filename="{plain}"'
    return header if plain == name else f"{header}; filename*=UTF-8''{quote(name, safe='')}"
