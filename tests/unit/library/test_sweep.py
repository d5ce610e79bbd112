"""The sweeper: old files that no track needs go, all else stays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from services.library.sweep import Sweeper

pytestmark = pytest.mark.unit


def make(path: Path, at_s: float) -> Path:
    """Write a file as if it were written at `at_s`, in folders that are as old."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    for each in (path, path.parent, path.parent.parent):
        os.utime(each, (at_s, at_s))
    return path


def test_old_files_go_and_emptied_folders_with_them(tmp_path: Path) -> None:
    """What is older than its time goes; new files, tracks and link targets stay."""
    now_s = 1_000_000.0
    old = make(tmp_path / "artifacts/old/1/mix.flac", now_s - 101)
    new = make(tmp_path / "artifacts/new/1/mix.flac", now_s - 99)
    track = make(tmp_path / "library/t/audio.flac", now_s - 10_000)
    upload = make(tmp_path / "uploads/u", now_s - 10_000)
    target = make(tmp_path / "elsewhere/target", now_s - 10_000)
    (tmp_path / "uploads/link").symlink_to(target)
    sweeper = Sweeper(tmp_path, keep_s=100)
    assert sweeper.sweep(now_s) == 2
    assert not old.exists()
    assert not upload.exists()
    assert new.exists()
    assert track.exists()
    assert target.exists()
    assert Sweeper(tmp_path / "nothing", 100).sweep(now_s) == 0


def test_previews_go_together_an_hour_after_the_last(tmp_path: Path) -> None:
    """Previews outlive their piece by an hour, and none goes while more are being made."""
    now_s = 1_000_000.0
    mix = make(tmp_path / "artifacts/a/1/mix.flac", now_s - 4_000)
    old = [make(tmp_path / f"artifacts/a/1/preview-{n}.flac", now_s - 3_700 - n) for n in (1, 0)]
    going_on = make(tmp_path / "artifacts/b/1/preview-0.flac", now_s - 9_000)
    newest = make(tmp_path / "artifacts/b/1/preview-1.flac", now_s - 3_500)
    assert Sweeper(tmp_path, keep_s=7 * 86_400).sweep(now_s) == 2
    assert not any(path.exists() for path in old)
    assert all(path.exists() for path in (mix, going_on, newest))


def test_checkpoints_stay_as_long_as_a_job_may_wait(tmp_path: Path) -> None:
    """Those of a job that became no track go with what else is old; a sweep that keeps nothing
    leaves nothing, previews neither."""
    now_s = 1_000_000.0
    kept = make(tmp_path / "artifacts/a/stages/0123", now_s - 6 * 86_400)
    make(tmp_path / "artifacts/a/1/preview-0.flac", now_s - 10)
    week = Sweeper(tmp_path, keep_s=7 * 86_400)
    assert week.sweep(now_s) == 0
    assert kept.exists()
    assert Sweeper(tmp_path, keep_s=0).sweep(now_s) == 2
    assert not list((tmp_path / "artifacts/a").rglob("*.flac"))
    make(kept, now_s - 8 * 86_400)
    assert week.sweep(now_s) == 1


def test_what_a_search_for_loops_left_stays_as_long_as_any_result(tmp_path: Path) -> None:
    """Seams to listen to and points files are results, no previews of a piece."""
    now_s = 1_000_000.0
    names = ("seam-1.flac", "seam-2.flac", "loops.json", "loops.cue")
    kept = [make(tmp_path / f"artifacts/a/1/{name}", now_s - 6 * 86_400) for name in names]
    sweeper = Sweeper(tmp_path, keep_s=7 * 86_400)
    assert sweeper.sweep(now_s) == 0
    assert sweeper.sweep(now_s + 2 * 86_400) == len(kept)
