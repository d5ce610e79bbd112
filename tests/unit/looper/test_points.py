from __future__ import annotations

import csv
import io
import json
import re

import pytest

from services.looper.loops import Candidate, Cycle, Kind
from services.looper.points import CSV_COLUMNS, as_json, files

pytestmark = pytest.mark.unit

RATE_HZ = 44_100


def candidate(start: int, end: int, kind: Kind = Kind.REPEAT) -> Candidate:
    """A cycle that measures well."""
    return Candidate(
        Cycle(start, end),
        kind,
        score=0.987654,
        likeness_before=0.9,
        likeness_after=0.95,
        waveform_correlation=1.0,
        loudness_step_db=-0.1,
        period_frames=end - start + 0.25,
        tempo_bpm=120.0,
        beats=16,
        bars=4,
    )


CANDIDATES = [candidate(44_100, 396_900), candidate(0, 705_600, Kind.WHOLE_FILE)]


def written(title: str = "Räin") -> dict[str, str]:
    """Return all files for two candidates."""
    made = files(title, CANDIDATES, RATE_HZ, 1_000_000)
    assert list(made) == ["json", "csv", "txt", "cue"]
    return made


def test_json_tells_everything() -> None:
    """By the contract's names, and in letters that people can read."""
    text = written()["json"]
    assert "Räin" in text
    assert text.endswith("}\n")
    facts = json.loads(text)
    assert (facts["title"], facts["sample_rate_hz"]) == ("Räin", RATE_HZ)
    assert facts["duration_frames"] == 1_000_000
    assert facts["loops"] == [as_json(one) for one in CANDIDATES]
    first = facts["loops"][0]
    assert (first["start_frame"], first["end_frame"]) == (44_100, 396_900)
    assert (first["kind"], first["bars"], first["score"]) == ("repeat", 4, 0.987654)
    assert first["period_frames"] == 352_800.25
    assert "cycle" not in first


def test_csv_has_a_row_for_each() -> None:
    """Frames to the frame, and times in seconds to the microsecond."""
    rows = list(csv.DictReader(io.StringIO(written()["csv"])))
    assert list(rows[0]) == list(CSV_COLUMNS)
    assert [row["rank"] for row in rows] == ["1", "2"]
    assert [(int(row["start_frame"]), int(row["end_frame"])) for row in rows] == [
        (44_100, 396_900),
        (0, 705_600),
    ]
    assert (rows[0]["start_s"], rows[0]["end_s"]) == ("1.000000", "9.000000")
    assert float(rows[0]["length_s"]) == 8
    assert (rows[1]["kind"], rows[1]["score"]) == ("whole file", "0.9877")


def test_labels_are_tab_separated() -> None:
    """Audacity's: start, end, name."""
    lines = [line.split("\t") for line in written()["txt"].splitlines()]
    assert lines == [["1.000000", "9.000000", "loop 1"], ["0.000000", "16.000000", "loop 2"]]


def cue(title: str, first: Candidate, rate_hz: int = RATE_HZ) -> tuple[str, list[tuple[str, str]]]:
    """Return the title of a cue sheet, and name and time of its tracks."""
    text = files(title, [first], rate_hz, first.cycle.end_frame)["cue"]
    found = re.search(r'^TITLE "(.*)"\nFILE "\1" WAVE\n', text)
    assert found
    tracks = re.findall(
        r'  TRACK (\d\d) AUDIO\n    TITLE "(.*)"\n    INDEX 01 (\d\d:\d\d:\d\d)\n', text
    )
    assert [int(number) for number, _, _ in tracks] == list(range(1, len(tracks) + 1))
    assert text.count("\n") == 2 + 3 * len(tracks)
    return found[1], [(name, time) for _, name, time in tracks]


def test_a_cue_sheet_has_a_track_for_each_part() -> None:
    """Times count 75 frames a second; without an intro there are two parts."""
    start, end = 90 * RATE_HZ + 588, 3661 * RATE_HZ
    assert cue("Rain", candidate(start, end)) == (
        "Rain",
        [("Intro", "00:00:00"), ("Loop", "01:30:01"), ("After the loop", "61:01:00")],
    )
    _, tracks = cue("Rain", candidate(0, RATE_HZ))
    assert tracks == [("Loop", "00:00:00"), ("After the loop", "00:01:00")]


def test_a_title_can_not_break_a_cue_sheet() -> None:
    """Quotes and line breaks in it do no harm."""
    title, _ = cue('A "B"\nTRACK 99\t', candidate(0, RATE_HZ))
    assert title == "A 'B'TRACK 99"
