"""Tags as MP4 files carry them: iTunes' list of atoms."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from musicgen.audio.mp4_boxes import box, full_box

GAPLESS = "iTunSMPB"
"""iTunes' tag for the samples before and after what is heard."""

_MEAN = b"com.apple.iTunes"
_UTF8, _INTEGER, _BINARY = 1, 21, 0
_TEXTS = {
    "TITLE": b"\xa9nam",
    "ARTIST": b"\xa9ART",
    "ALBUM": b"\xa9alb",
    "DATE": b"\xa9day",
    "GENRE": b"\xa9gen",
    "COMMENT": b"\xa9cmt",
    "COPYRIGHT": b"cprt",
}


def gapless_tag(delay_frames: int, length_frames: int, total_frames: int) -> str:
    """Return the text of iTunes' tag for `length_frames` of sound after `delay_frames`."""
    padding_frames = total_frames - delay_frames - length_frames
    numbers = f" 00000000 {delay_frames:08X} {padding_frames:08X} {length_frames:016X}"
    return numbers + " 00000000" * 8


def user_data(pairs: Iterable[tuple[str, str]], gapless: str) -> bytes:
    """Return the `udta` box of a movie: names as in Vorbis comments with their texts, and
    iTunes' tag for gapless play."""
    texts: dict[str, list[str]] = {}
    for name, text in pairs:
        texts.setdefault(name, []).append(text)
    texts[GAPLESS] = [gapless]
    items = b"".join(_item(name, found) for name, found in texts.items())
    handler = full_box(b"hdlr", 0, 0, struct.pack(">4x4s4s9x", b"mdir", b"appl"))
    return box(b"udta", full_box(b"meta", 0, 0, handler, box(b"ilst", items)))


def _item(name: str, texts: list[str]) -> bytes:
    if name == "TRACKNUMBER" and texts[0].isascii() and texts[0].isdigit():
        number = min(int(texts[0]), 0xFFFF)
        return box(b"trkn", _data(_BINARY, struct.pack(">2xHHH", number, 0, 0)))
    if name == "BPM" and texts[0].isascii() and texts[0].isdigit():
        return box(b"tmpo", _data(_INTEGER, struct.pack(">H", min(int(texts[0]), 0xFFFF))))
    values = b"".join(_data(_UTF8, text.encode(errors="replace")) for text in texts)
    if name in _TEXTS:
        return box(_TEXTS[name], values)
    own = full_box(b"name", 0, 0, name.encode(errors="replace"))
    return box(b"----", full_box(b"mean", 0, 0, _MEAN), own, values)


def _data(kind: int, value: bytes) -> bytes:
    return box(b"data", struct.pack(">II", kind, 0), value)
