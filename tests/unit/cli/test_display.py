from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable
from typing import Any

import pytest

from musicgen.api.inference.v1 import inference_service_pb2
from musicgen.api.jobs.v1 import job_event_pb2, job_pb2, job_service_pb2
from musicgen.cli.board import Board
from musicgen.cli.display import Live, Silent, bar_of, display_for
from musicgen.cli.engines import describe
from musicgen.cli.exits import Exit, exit_code, report
from musicgen.cli.jsonable import engine_to_json
from musicgen.cli.live_table import LiveTable
from musicgen.cli.output import clock, print_facts, print_table, printable, size
from musicgen.client.view import JobsView
from musicgen.client.watch import Update
from musicgen.errors import (
    Cancelled,
    DiskFull,
    EngineCrashed,
    InvalidField,
    JobNotFound,
    NoLoopFound,
    ServiceUnavailable,
    StudioError,
)

pytestmark = pytest.mark.unit

Job = job_pb2.Job


class Terminal(io.StringIO):
    """A file that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        """It does."""
        return True

    def text(self) -> str:
        """Return what is on it, without what steers it."""
        return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", self.getvalue())


Screen = Callable[[], Terminal]


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    """Puts stdout and stderr on a terminal. Called in the test itself, for pytest sets
    both anew after the fixtures."""

    def put() -> Terminal:
        terminal = Terminal()
        monkeypatch.setattr(sys, "stdout", terminal)
        monkeypatch.setattr(sys, "stderr", terminal)
        for name, value in {"TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30"}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("NO_COLOR", raising=False)
        return terminal

    return put


def running(fraction: float, eta_s: float | None = None) -> Job:
    """Make a job that runs."""
    job = Job(job_id="job1", state=Job.STATE_RUNNING, attempt=1)
    job.progress.stage, job.progress.detail = "rendering", "chorus"
    job.progress.step, job.progress.steps, job.progress.fraction = 3, 8, fraction
    if eta_s is not None:
        job.progress.eta.FromMilliseconds(int(eta_s * 1000))
    job.spec.generate.parameters.prompt = "rain \x1b[31m[bold]"
    return job


def test_only_a_terminal_gets_live_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe or a script gets none."""
    assert isinstance(display_for(as_json=False), Silent)
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert isinstance(display_for(as_json=False), Live)
    assert isinstance(display_for(as_json=True), Silent)


def test_a_bar_shows_what_was_measured(screen: Screen) -> None:
    """Stage, share, and the time left as it was told."""
    terminal = screen()
    with Live() as live:
        live.job("Generating", running(0.375, eta_s=75))
        live.note("The studio is away")
        live.transfer("Saving", 1_500_000, 3_000_000)
    text = terminal.text()
    assert "rendering · chorus · 3/8" in text
    assert "38%" in text
    assert "1:15 left" in text
    assert "The studio is away" in text
    assert "1.5 MB" in text


@pytest.mark.parametrize(
    ("detail", "stage"),
    [
        ("step 3 of 31", "refining · step 3 of 31"),
        ("section 3 of 7", "refining · section 3 of 7"),
        ("chorus", "refining · chorus · 3/31"),
        ("", "refining · 3/31"),
    ],
)
def test_steps_are_counted_once(detail: str, stage: str) -> None:
    """A detail that says how far it is needs no second count."""
    job = Job(state=Job.STATE_RUNNING)
    job.progress.stage, job.progress.detail = "refining", detail
    job.progress.step, job.progress.steps = 3, 31
    assert bar_of(job)["stage"] == stage


def test_nothing_is_invented() -> None:
    """Waiting has no share, and without a measured time left none is shown."""
    waiting = bar_of(Job(state=Job.STATE_QUEUED))
    assert (waiting["total"], waiting["stage"], waiting["eta"]) == (None, "queued", "")
    assert bar_of(running(0.5))["eta"] == ""
    unmeasured = bar_of(Job(state=Job.STATE_RUNNING))
    assert unmeasured["total"] is None
    again = running(0.5)
    again.attempt = 2
    assert "attempt 2" in bar_of(again)["stage"]
    stopping = running(0.5, eta_s=9)
    stopping.state = Job.STATE_CANCELLING
    assert (bar_of(stopping)["stage"], bar_of(stopping)["eta"]) == ("cancelling", "")
    assert bar_of(Job(state=Job.STATE_SUCCEEDED))["completed"] == 1.0


def test_the_live_table_shows_jobs_and_says_when_the_studio_is_away(screen: Screen) -> None:
    """Jobs under way come first; text from outside can't steer the terminal."""
    terminal = screen()
    view = JobsView()
    done = Job(job_id="old", state=Job.STATE_SUCCEEDED)
    done.create_time.FromSeconds(2_000_000_000)
    snapshot = job_event_pb2.JobsSnapshot(jobs=[done, running(0.25)], complete=True)
    view.apply(job_service_pb2.WatchJobsResponse(cursor="c", snapshot=snapshot))
    with LiveTable() as table:
        table.show(Update(view))
        table.show(Update(view, disconnected=ServiceUnavailable("Gone.")))
    text = terminal.text()
    assert text.index("job1") < text.index("old")
    assert "25%" in text
    assert "[bold]" in text
    assert "\x1b[31m" not in terminal.getvalue()
    assert "Gone. Reconnecting" in text


def test_the_live_table_shows_who_is_next_and_what_is_paused(screen: Screen) -> None:
    """In the order in which jobs start; with the command that lifts a pause. Places are told
    only where all jobs are known."""
    waiting = [
        Job(job_id="low", state=Job.STATE_QUEUED, priority=Job.PRIORITY_LOW, rank=1),
        Job(job_id="high", state=Job.STATE_QUEUED, priority=Job.PRIORITY_HIGH, rank=2),
    ]
    delayed = Job(job_id="delayed", state=Job.STATE_QUEUED, attempt=1, max_attempts=3)
    delayed.not_before_time.FromSeconds(4_000_000_000)
    jobs = [*waiting, running(0.5), delayed]
    snapshot = job_event_pb2.JobsSnapshot(jobs=jobs, complete=True, paused_queues=["loop"])
    view = JobsView()
    view.apply(job_service_pb2.WatchJobsResponse(cursor="c", snapshot=snapshot))
    for all_jobs in (True, False):
        terminal = screen()
        with LiveTable(all_jobs=all_jobs) as table:
            table.show(Update(view))
        text = terminal.text()
        first = [line.split()[0] for line in text.splitlines() if line.strip()][1:5]
        assert first == ["job1", "high", "low", "delayed"]
        assert ("next" in text, "2nd" in text) == (all_jobs, all_jobs)
        assert "again at " in text
        assert "(2 of 3)" in text
        assert "loop is paused: `musicgen queue resume loop`." in text


def test_a_table_has_headings_only_for_people(
    screen: Screen, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And says so in words when there is nothing."""
    terminal = screen()
    rows = [("a", "ready")]
    print_table(("NAME", "STATE"), rows, stretch=0, empty="nothing")
    print_table(("NAME", "STATE"), [], stretch=0, empty="nothing here")
    assert "NAME" in terminal.text()
    assert "nothing here" in terminal.text()
    monkeypatch.undo()
    print_table(("NAME", "STATE"), rows, stretch=0, empty="nothing")
    print_facts([("name", "a"), ("none", "")])
    assert capsys.readouterr().out == "a\tready\nname         a\n"


def test_no_color_is_honoured(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    """With NO_COLOR set nothing is coloured."""
    terminal = screen()
    report(DiskFull("Full."), Exit.EXHAUSTED, as_json=False)
    assert "\x1b[1;31m" in terminal.getvalue()
    terminal.truncate(0)
    monkeypatch.setenv("NO_COLOR", "1")
    report(DiskFull("Full."), Exit.EXHAUSTED, as_json=False)
    assert "31m" not in terminal.getvalue()
    assert "Error: Full." in terminal.text()


@pytest.mark.parametrize(
    ("error", "of_work", "code"),
    [
        (InvalidField("x"), False, 2),
        (JobNotFound("x"), False, 3),
        (JobNotFound("x"), True, 1),
        (ServiceUnavailable("x"), False, 4),
        (ServiceUnavailable("x"), True, 1),
        (EngineCrashed("x"), False, 1),
        (NoLoopFound("x"), True, 1),
        (DiskFull("x"), True, 5),
        (InvalidField("x"), True, 2),
        (Cancelled("x"), True, 130),
        (StudioError("x"), False, 1),
    ],
)
def test_exit_codes_tell_request_and_work_apart(
    error: StudioError, of_work: bool, code: int
) -> None:
    """Work that failed is 1 unless the code says more."""
    assert exit_code(error, of_work=of_work) == code


def test_values_are_said_as_people_say_them() -> None:
    """Lengths, sizes, and text that can be printed anywhere."""
    assert [clock(9), clock(150), clock(36_000)] == ["0:09", "2:30", "10:00:00"]
    assert [size(12), size(1_500), size(2_800_000), size(3 * 10**9)] == [
        "12 B", "1.5 kB", "2.8 MB", "3.0 GB",
    ]  # fmt: skip
    assert printable("a\nb\x1b\udcff\u202e") == "a b\ufffd\ufffd\ufffd"


@pytest.mark.parametrize(
    ("columns", "shown"),
    [(100, ["JOB", "STATE", "AGE", "WHAT"]), (40, ["JOB", "STATE", "WHAT"]), (34, ["JOB", "WHAT"])],
)
def test_a_narrow_table_keeps_its_ids(
    screen: Screen, monkeypatch: pytest.MonkeyPatch, columns: int, shown: list[str]
) -> None:
    """Columns that can be spared go before an id is cut off; the words give way."""
    terminal = screen()
    monkeypatch.setenv("COLUMNS", str(columns))
    row = ("06h1ijoii7", "succeeded", "5m", "calm rain on a tin roof, slow piano")
    print_table(("JOB", "STATE", "AGE", "WHAT"), [row], stretch=3, spare=(2, 1), empty="")
    heading, line = terminal.text().splitlines()
    assert heading.split() == shown
    assert line.startswith("06h1ijoii7  ")
    assert max(len(heading), len(line)) <= columns
    assert "calm rain" in line


def test_a_board_shows_the_counters_of_a_batch(screen: Screen) -> None:
    """What ended, what runs and what waits, as a bar and in words; failures as they come."""
    terminal = screen()
    labels = {f"job{number}": f"line {number}: rain" for number in range(1, 11)}
    with Board(labels, shown=True) as board:
        board.job(running(0.25))
        done = Job(job_id="job2", state=Job.STATE_SUCCEEDED)
        board.job(done)
        failed = Job(job_id="job3", state=Job.STATE_FAILED)
        failed.error.message = "The disk is full. \x1b[31m"
        board.job(failed)
        board.job(failed)
        board.is_away(ServiceUnavailable("away"))
    text = terminal.text()
    assert text.count("line 3: rain failed: The disk is full.") == 1
    assert "7 queued · 1 running · 1 succeeded · 1 failed" in text
    assert "rendering · chorus · 3/8" in text
    assert "The studio is away" in text
    bar = text.splitlines()[-4]
    assert bar.count("━") + bar.count("─") == 80
    assert bar.count("━") == 24


def test_a_board_that_nobody_sees_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    """A log or a script gets no bar."""
    with Board({"job1": "line 1"}, shown=True) as board:
        board.job(running(0.5))
    with Board({"job1": "line 1"}, shown=False) as board:
        board.job(running(0.5))
    assert capsys.readouterr() == ("", "")


def test_bytes_of_a_transfer() -> None:
    """Work that moves bytes says how many, and how fast once that was measured."""
    job = Job(state=Job.STATE_RUNNING)
    job.progress.stage, job.progress.detail = "downloading", "w.bin"
    job.progress.step, job.progress.steps = 1, 3
    job.progress.transfer.total_bytes = 2_000_000_000
    assert bar_of(job)["stage"] == "downloading · w.bin · 0 B of 2.0 GB"
    job.progress.transfer.done_bytes = 5_000_000
    job.progress.transfer.bytes_per_second = 1_250_000
    assert bar_of(job)["stage"].endswith("5.0 MB of 2.0 GB, 1.2 MB/s")


def test_engines_are_described_for_people(screen: Screen) -> None:
    """With what each option means, from its schema."""
    terminal = screen()
    schema: dict[str, Any] = {
        "tempo_bpm": {"description": "Beats per minute.", "minimum": 40, "maximum": 220},
        "key": {"enum": ["C", "D"]},
        "odd": True,
    }
    engine = inference_service_pb2.Engine(state=inference_service_pb2.Engine.STATE_READY)
    engine.manifest.name, engine.manifest.description = "composer", "Plays."
    engine.manifest.max_duration_seconds = 600
    engine.manifest.options_schema.update({"properties": schema})
    described = engine_to_json(engine)
    describe(described)
    text = terminal.text()
    assert "composer  ready  0:00 to 10:00, instrumental" in text
    assert "anew" not in text
    flags = ("supports_lyrics", "supports_style_audio", "supports_edit", "checks_lyrics")
    assert [described[flag] for flag in flags] == [False] * 4
    describe({**described, **dict.fromkeys(flags, True)})
    said = "sings lyrics, takes a style from music, makes parts anew, checks lyrics"
    assert said in " ".join(terminal.text().split())
    assert "Beats per minute.; 40 to 220" in text
    assert 'one of "C", "D"' in text
