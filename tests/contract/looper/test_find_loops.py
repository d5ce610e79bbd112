"""FindLoops: candidates, the seams to listen to, the points for other programs."""

from __future__ import annotations

import csv
import json
from typing import Any

import numpy as np
import pytest

from musicgen.api.looper.v1 import loop_pb2
from musicgen.artifacts import sha256_of
from musicgen.audio.codecs import probe
from musicgen.rpc.convert_audio import properties_to_proto
from tests.contract.looper.calls import (
    PERIOD,
    RATE_HZ,
    Looper,
    events,
    failure,
    find,
    find_request,
    points,
    stages_of,
)
from tests.unit.looper import signals

pytestmark = pytest.mark.contract

Candidate = loop_pb2.LoopCandidate
PREFIX = "artifacts/j1/2"


async def test_cycles_are_found(looper: Looper) -> None:
    """Progress that rises through its stages, then the candidates with what was measured;
    without a job nothing is written."""
    progress, result = await events(looper.stub.FindLoops(find_request()))
    assert stages_of(progress) == ["analysing", "comparing", "aligning", "listening"]
    fractions = [one.fraction for one in progress]
    assert fractions == sorted(fractions)
    assert 0 <= fractions[0] < fractions[-1] <= 1
    analysis = result.analysis
    assert (analysis.sample_rate_hz, analysis.duration_frames) == (RATE_HZ, round(3.5 * PERIOD))
    best, second = analysis.candidates
    assert best.kind == second.kind == Candidate.KIND_REPEAT
    assert best.points.end_frame - best.points.start_frame == PERIOD
    assert second.points.end_frame - second.points.start_frame == 2 * PERIOD
    assert best.period_frames == pytest.approx(PERIOD, abs=0.01)
    assert best.score > 0.95
    assert max(best.likeness_before, best.likeness_after) == pytest.approx(best.score)
    assert best.waveform_correlation > 0.99
    assert abs(best.loudness_step_db) < 0.1
    assert best.timing_spread_ms < 0.1
    assert 0 < best.click_risk < 1.5
    assert best.tempo_bpm == pytest.approx(120, abs=0.1)
    assert best.beats == 16
    assert not best.partial
    assert not any(candidate.HasField("seam") for candidate in analysis.candidates)
    assert not result.files
    assert looper.files() == []


async def test_a_job_gets_seams_to_listen_to(looper: Looper) -> None:
    """One for each candidate, in the order of the ranks: the end of the cycle, then its
    start, the seam in the middle."""
    result = await find(looper, fence=2)
    music = looper.music()
    assert len(result.analysis.candidates) == 2
    for rank, candidate in enumerate(result.analysis.candidates, 1):
        seam, cycle = candidate.seam, candidate.points
        path = looper.store.existing(seam.key)
        assert seam.key == f"{PREFIX}/seam-{rank}.flac"
        assert (seam.sha256, seam.size_bytes) == (sha256_of(path), path.stat().st_size)
        assert seam.media_type == "audio/flac"
        heard = looper.heard(seam)
        middle, side = len(heard) // 2, RATE_HZ
        assert seam.audio == properties_to_proto(probe(path))
        assert (seam.audio.sample_rate_hz, seam.audio.duration_frames) == (RATE_HZ, len(heard))
        before, after = heard[middle - side : middle], heard[middle : middle + side]
        np.testing.assert_array_equal(before, music[cycle.end_frame - side : cycle.end_frame])
        np.testing.assert_array_equal(after, music[cycle.start_frame :][:side])


async def test_a_job_gets_points_for_other_programs(looper: Looper) -> None:
    """JSON, CSV, labels and a cue sheet say the same as the candidates."""
    result = await find(looper, fence=2)
    files = {file.file_name: file.artifact for file in result.files}
    assert {name: file.media_type for name, file in files.items()} == {
        "loops.json": "application/json",
        "loops.csv": "text/csv",
        "loops.txt": "text/plain",
        "loops.cue": "application/x-cue",
    }
    texts = {}
    for name, file in files.items():
        path = looper.store.existing(file.key)
        assert file.key == f"{PREFIX}/{name}"
        assert (file.sha256, file.size_bytes) == (sha256_of(path), path.stat().st_size)
        texts[name] = path.read_text(encoding="utf-8")
    found = [
        (candidate.points.start_frame, candidate.points.end_frame)
        for candidate in result.analysis.candidates
    ]
    as_json = json.loads(texts["loops.json"])
    assert as_json["title"] == "Rain"
    assert [(one["start_frame"], one["end_frame"]) for one in as_json["loops"]] == found
    rows = list(csv.DictReader(texts["loops.csv"].splitlines()))
    assert [(int(row["start_frame"]), int(row["end_frame"])) for row in rows] == found
    labels = [line.split("\t") for line in texts["loops.txt"].splitlines()]
    assert [round(float(end) * RATE_HZ) for _, end, _ in labels] == [end for _, end in found]
    assert 'FILE "Rain" WAVE' in texts["loops.cue"]
    seams = [f"{PREFIX}/seam-1.flac", f"{PREFIX}/seam-2.flac"]
    assert looper.files() == sorted([*seams, *(file.key for file in files.values())])


@pytest.mark.parametrize(
    ("wanted", "cycles"),
    [
        ({"max_candidates": 1}, [1]),
        ({"max_candidates": 8}, [1, 2]),
        ({"min_seconds": 9.0}, [2]),
        ({"max_seconds": 9.0}, [1]),
        ({"min_seconds": 7.5, "max_seconds": 8.5}, [1]),
    ],
)
async def test_what_is_wanted_bounds_what_is_found(
    looper: Looper, wanted: dict[str, Any], cycles: list[int]
) -> None:
    """So many at most, and cycles of such lengths only."""
    result = await find(looper, **wanted)
    lengths = [one.points.end_frame - one.points.start_frame for one in result.analysis.candidates]
    assert lengths == [many * PERIOD for many in cycles]


async def test_a_single_cycle_is_told_from_a_repeat(looper: Looper) -> None:
    """A file that is its own loop, and one that rings out after its only pass."""
    whole = looper.add("whole", signals.sustained(400_003))
    once = signals.played([signals.composed(8, 1)], ring_s=1.5)
    ringing = looper.add("ringing", np.pad(once, ((441, 0), (0, 0))))
    (found,) = (await find(looper, key=whole)).analysis.candidates
    assert found.kind == Candidate.KIND_WHOLE_FILE
    assert (found.points.start_frame, found.points.end_frame) == (0, 400_003)
    (found,) = (await find(looper, key=ringing, fence=2)).analysis.candidates
    assert found.kind == Candidate.KIND_TAIL
    assert found.points.end_frame - found.points.start_frame == pytest.approx(705_600, abs=44)
    # The seam is heard with what rings on folded into the start.
    heard, music = looper.heard(found.seam), looper.music(ringing)
    middle, end = len(heard) // 2, found.points.end_frame
    folded = music[: RATE_HZ // 2] + music[end : end + RATE_HZ // 2]
    np.testing.assert_allclose(heard[middle:][: RATE_HZ // 2], folded, atol=2.0**-14)


async def test_the_sources_own_points_come_first(looper: Looper) -> None:
    """As they are, before what is found; alone where nothing is or only the same."""
    noise = looper.add("own", signals.noise(12))
    (found,) = (await find(looper, key=noise, own=points(44_100, 400_003))).analysis.candidates
    assert (found.kind, found.score) == (Candidate.KIND_OWN, 1.0)
    assert (found.points.start_frame, found.points.end_frame) == (44_100, 400_003)
    candidates = (await find(looper, own=points(0, 2 * PERIOD), fence=2)).analysis.candidates
    assert [one.kind for one in candidates] == [Candidate.KIND_OWN, Candidate.KIND_REPEAT]
    assert [one.points.end_frame - one.points.start_frame for one in candidates] == [
        2 * PERIOD,
        PERIOD,
    ]
    assert all(one.HasField("seam") for one in candidates)


async def test_own_points_can_be_too_short_or_outside(looper: Looper) -> None:
    """They are left out as not wanted, or refused as no points of this file."""
    wanted = {"own": points(0, 2 * PERIOD), "max_seconds": 9.0}
    (found,) = (await find(looper, **wanted)).analysis.candidates
    assert found.kind == Candidate.KIND_REPEAT
    error = await failure(looper.stub.FindLoops(find_request(own=points(0, 4 * PERIOD))))
    assert error.reason == "INVALID_FIELD"
    assert list(error.fields) == ["source.loop_points"]


async def test_music_without_a_loop_tells_the_nearest_miss(looper: Looper) -> None:
    """NO_LOOP_FOUND says where the best lies, what it scores, what passes, and what to do."""
    key = looper.add("on", signals.through_composed(40, drums=True))
    error = await failure(looper.stub.FindLoops(find_request(key=key, fence=2)))
    assert error.reason == "NO_LOOP_FOUND"
    assert error.remedy
    told = error.metadata
    assert 0 < float(told["best"]) < float(told["passing_score"]) < 1
    assert 0 <= int(told["best_start_frame"]) < int(told["best_end_frame"]) <= 40 * RATE_HZ
    assert looper.files() == []
