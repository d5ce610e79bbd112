"""Names, pages, edits, sidecars: plain functions."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from musicgen.audio.codecs import Format, Properties
from musicgen.errors import InvalidField
from musicgen.settings import SettingsError, load
from services.library import editing, pages
from services.library.editing import Edit
from services.library.file_names import attachment, beside_name, export_name, safe_name
from services.library.settings import Settings
from services.library.track import SidecarDamaged, Track, from_sidecar, to_sidecar, track_id_of

pytestmark = pytest.mark.unit

TRACK = Track(
    track_id=track_id_of("job", 0),
    title="Title",
    audio=Properties(Format.WAV, 48_000, 2, 100),
    size_bytes=1,
    source_sha256="00",
    job_id="job",
    output_index=0,
    create_time_us=1_700_000_000_123_456,
    update_time_us=1_700_000_000_123_457,
)


def test_track_id_is_short_and_the_same_each_time() -> None:
    """The id is 16 lower-case base32 characters, other for another job or output."""
    assert len(track_id_of("job-1", 0)) == 16
    assert track_id_of("job-1", 0) == track_id_of("job-1", 0)
    assert len({track_id_of(f"job-{i}", j) for i in range(50) for j in range(4)}) == 200
    assert set(track_id_of("job-1", 0)) <= set("abcdefghijklmnopqrstuvwxyz234567")


def test_sidecar_round_trip() -> None:
    """A track comes back from its sidecar, to the microsecond, with the same etag."""
    again = from_sidecar(to_sidecar(TRACK))
    assert again == TRACK
    assert again.etag == TRACK.etag
    assert dataclasses.replace(TRACK, title="Other").etag != TRACK.etag


@pytest.mark.parametrize(
    "damage",
    [
        None,
        [],
        {},
        {"title": "x"},
        "text",
        {**to_sidecar(TRACK), "recipe": 3},
        {**to_sidecar(TRACK), "audio": {"format": "AIFF"}},
        {**to_sidecar(TRACK), "create_time": "soon"},
        {**to_sidecar(TRACK), "create_time": "2024-01-01"},
        # What no message could carry:
        {**to_sidecar(TRACK), "title": "\ud800"},
        {**to_sidecar(TRACK), "tags": ["\ud800"]},
        {**to_sidecar(TRACK), "size_bytes": 1 << 63},
        {**to_sidecar(TRACK), "size_bytes": -1},
        {**to_sidecar(TRACK), "year": 10**30},
        {**to_sidecar(TRACK), "tempo_bpm": float("nan")},
        {**to_sidecar(TRACK), "recipe": {"seed": 10**400}},
        {**to_sidecar(TRACK), "recipe": {"a": [float("inf")]}},
        {
            **to_sidecar(TRACK),
            "recipe": json.loads('{"a":' * 90 + "1" + "}" * 90),
        },
        {**to_sidecar(TRACK), "update_time": "9999-12-31T23:59:59+00:00"},
        {
            **to_sidecar(TRACK),
            "audio": {
                "format": "FLAC",
                "sample_rate_hz": 0,
                "channels": 2,
                "duration_frames": 10,
            },
        },
    ],
)
def test_damaged_sidecars_are_told_apart(damage: object) -> None:
    """Whatever a file holds, it is a track or SidecarDamaged."""
    with pytest.raises(SidecarDamaged):
        from_sidecar(damage)


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("title", "t" * 200, "t" * 201),
        ("title", "x", ""),
        ("title", "x", "  "),
        ("title", "日本", "a\nb"),
        ("artist", "", "a" * 201),
        ("album", "a" * 200, "\x00"),
        ("genre", "g" * 100, "g" * 101),
        ("year", 1, 0),
        ("year", 9999, 10_000),
        ("year", None, -3),
        ("tags", ("t",) * 32, ("t",) * 33),
        ("tags", ("t" * 50,), ("t" * 51,)),
        ("tags", (), ("",)),
        ("tags", ("ok",), ("a\u2028b",)),
    ],
)
def test_limits_of_the_contract(field: str, good: object, bad: object) -> None:
    """Each field takes its largest value and refuses the next, naming itself."""
    right: Any = {field: good}
    wrong: Any = {field: bad}
    edited = editing.apply(TRACK, Edit(**right), [field])
    assert getattr(edited, field) == good
    with pytest.raises(InvalidField) as caught:
        editing.apply(TRACK, Edit(**wrong), [field])
    assert list(caught.value.fields) == [f"track.{field}"]


def test_every_fault_is_named_at_once() -> None:
    """Two wrong fields are two violations."""
    with pytest.raises(InvalidField) as caught:
        editing.apply(TRACK, Edit(title="", year=0), ["title", "year"])
    assert set(caught.value.fields) == {"track.title", "track.year"}


def test_masks() -> None:
    """No mask means populated fields, "*" all; an unknown or immutable path is refused."""
    edit = Edit(title="New", tags=("a",))
    assert editing.fields_to_change([], edit) == ("title", "tags")
    assert editing.fields_to_change(["*"], edit) == editing.EDITABLE
    assert editing.fields_to_change(["year", "etag", "track_id"], edit) == ("year",)
    for path in ("audio", "title.x", "", "recipe", "../title"):
        with pytest.raises(InvalidField):
            editing.fields_to_change(["title", path], edit)


def test_titles_from_programs_become_one_line() -> None:
    """Line breaks and control characters of an offered title turn to spaces."""
    assert editing.one_line(" a\n\tb\x00c ", 200) == "a b c"
    assert len(editing.one_line("word " * 100, 20)) <= 20


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("Ana - Rain.mp3", "Ana - Rain.mp3"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ('a<b>:"c|?*.wav', "a_b___c___.wav"),
        ("con.flac", "_con.flac"),
        ("...", "track"),
        ("", "track"),
        (".flac", "track.flac"),
        ("a\r\nSet-Cookie: x.mp3", "a Set-Cookie_ x.mp3"),
        ("a\u202egpj.exe", "a gpj.exe"),
    ],
)
def test_names_are_safe_everywhere(name: str, safe: str) -> None:
    """Separators, controls, device names and bidi tricks are taken out of a name."""
    assert safe_name(name) == safe
    assert safe_name(safe) == safe


def test_long_names_keep_their_extension() -> None:
    """A name is cut to what file systems take, by whole characters, before its extension."""
    name = export_name("", "日" * 300, "flac")
    assert len(name.encode()) <= 180
    assert name.endswith("日.flac")
    assert export_name("Ana", "Rain", "mp3") == "Ana - Rain.mp3"
    assert export_name("Ana", "Rain 1.5", "opus") == "Ana - Rain 1.5.opus"
    assert export_name("  ", "Rain", "mp3") == "Rain.mp3"


def test_names_of_files_beside_a_track_stay_apart() -> None:
    """The label is in the name, however long the title is."""
    assert beside_name("Rainy Night", "Drums", "flac") == "Rainy Night - Drums.flac"
    long = beside_name("雨" * 200, "Drums", "flac")
    assert long.endswith("雨 - Drums.flac")
    assert len(long.encode()) <= 180
    assert beside_name("a/b", "c\\d", "mid") == "a_b - c_d.mid"


def test_content_disposition() -> None:
    """The header is ASCII, with the exact name beside the plain one if they differ."""
    assert attachment("Rain.mp3") == 'attachment; filename="Rain.mp3"'
    header = attachment('Nächte "1".flac')
    assert header.isascii()
    assert header.startswith("attachment; filename=\"Nachte _1_.flac\"; filename*=UTF-8''N%C3%A4")
    assert attachment("日本.mp3").isascii()


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "AAAA",
        "é",
        "W10",
        "W10=",
        "bnVsbA",
        "e30",
        "WzEsMiwzXQ",
        pages.encode(pages.Position(1, "a"), "other"),
    ],
)
def test_bad_page_tokens(token: str) -> None:
    """A token that isn't one of this query is an InvalidField, never a crash."""
    with pytest.raises(InvalidField):
        pages.decode(token, "query")


def test_page_tokens_round_trip() -> None:
    """A token leads back to where its page ended."""
    position = pages.Position(123, "abc")
    assert pages.decode(pages.encode(position, "q"), "q") == position
    assert pages.decode("", "q") is None
    assert [pages.page_size_of(n) for n in (0, 7, 200, 999)] == [50, 7, 200, 200]
    with pytest.raises(InvalidField):
        pages.page_size_of(-1)


def test_settings_name_all_that_is_wrong() -> None:
    """Missing settings are listed together; a nonsensical limit is refused."""
    with pytest.raises(SettingsError) as caught:
        load(Settings, {})
    for name in ("ADDRESS", "HTTP_ADDRESS", "DATA_ROOT"):
        assert f"MUSICGEN_{name}" in str(caught.value)
    good = {
        "MUSICGEN_ADDRESS": "unix:a",
        "MUSICGEN_HTTP_ADDRESS": "unix:b",
        "MUSICGEN_DATA_ROOT": "d",
    }
    assert load(Settings, good).max_upload_bytes == 2 << 30
    with pytest.raises(SettingsError, match="MAX_UPLOAD"):
        load(Settings, {**good, "MUSICGEN_MAX_UPLOAD_BYTES": "0"})


def test_only_one_module_imports_mutagen() -> None:
    """The one dependency with another licence stays behind one door."""
    root = Path(editing.__file__).parents[2]
    importing = {
        path.relative_to(root).as_posix()
        for folder in ("musicgen", "services")
        for path in (root / folder).rglob("*.py")
        if any(
            line.startswith(("import mutagen", "from mutagen"))
            for line in path.read_text().splitlines()
        )
    }
    assert importing == {"services/library/tags.py"}


def test_wrong_settings_end_the_process_with_2() -> None:
    """Without settings the program says which are missing, and ends."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith("MUSICGEN_")}
    done = subprocess.run(
        [sys.executable, "-m", "services.library"],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "MUSICGEN_DATA_ROOT is not set" in done.stderr
