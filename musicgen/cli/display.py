"""Live progress on a terminal: what was measured, and nothing that was not."""

from __future__ import annotations

import re
import sys
from types import TracebackType
from typing import Any, Protocol, Self

from rich.console import RenderableType
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.table import Column
from rich.text import Text

from musicgen.api.jobs.v1 import job_pb2
from musicgen.api.progress.v1 import progress_pb2
from musicgen.cli.jsonable import job_state
from musicgen.cli.output import clock, console, printable, size

_COUNTED = re.compile(r"\b\d+ of \d+\b", re.ASCII)
"""A detail such as "step 3 of 31" has said how far it is."""


class Display(Protocol):
    """Shows how work goes."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def job(self, label: str, job: job_pb2.Job) -> None:
        """Show a job as it now is; `label` says what it is about."""

    def transfer(self, label: str, done_bytes: int, total_bytes: int) -> None:
        """Show how far a file has come; `total_bytes` 0 means unknown."""

    def note(self, text: str) -> None:
        """Tell something beside the progress."""


def display_for(*, as_json: bool) -> Display:
    """Return a live display if a person is watching, else a silent one."""
    if as_json or not sys.stderr.isatty():
        return Silent()
    return Live()


class Silent:
    """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    def job(self, label: str, job: job_pb2.Job) -> None:
        """Show nothing."""

    def transfer(self, label: str, done_bytes: int, total_bytes: int) -> None:
        """Show nothing."""

    def note(self, text: str) -> None:
        """Say nothing."""


class Live:
    """A bar a step on stderr, each with what it is doing now."""

    def __init__(self) -> None:
        self._progress = progress_bars()
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def job(self, label: str, job: job_pb2.Job) -> None:
        """Show a job as it now is."""
        self._show(label, **bar_of(job))

    def transfer(self, label: str, done_bytes: int, total_bytes: int) -> None:
        """Show how far a file has come."""
        self._show(
            label,
            total=1.0 if total_bytes else None,
            completed=done_bytes / total_bytes if total_bytes else 0.0,
            stage=size(done_bytes),
            eta="",
        )

    def note(self, text: str) -> None:
        """Print a line above the bars."""
        self._progress.console.print(Text(printable(text), "yellow"))

    def _show(self, label: str, **shown: Any) -> None:
        if label not in self._tasks:
            self._tasks[label] = self._progress.add_task(label, **shown)
        self._progress.update(self._tasks[label], refresh=True, **shown)


def progress_bars() -> Progress:
    """Return the bars: label, bar, percent, stage, time left as last measured."""

    class Percent(ProgressColumn):
        """The share that is done; nothing while waiting."""

        def render(self, task: Task) -> RenderableType:
            known = task.total is not None
            return Text(f"{task.completed * 100:3.0f}%" if known else "", "bold")

    class Plain(ProgressColumn):
        """A field that came from elsewhere, taken literally."""

        def __init__(self, name: str, style: str, column: Column) -> None:
            super().__init__(column)
            self._name, self._style = name, style

        def render(self, task: Task) -> RenderableType:
            return Text(printable(str(task.fields.get(self._name, ""))), self._style)

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24, table_column=Column(min_width=10)),
        Percent(),
        # The stage takes what the others leave: a bar in a narrow window is still a bar.
        Plain("stage", "cyan", Column(no_wrap=True, overflow="ellipsis", ratio=1)),
        Plain("eta", "dim", Column(no_wrap=True, justify="right", min_width=9)),
        expand=True,
        console=console(stderr=True),
        refresh_per_second=8,
    )


def bar_of(job: job_pb2.Job) -> dict[str, Any]:
    """Return what a bar shows of a job. Waiting is not progress: without a measured
    share there is no total, and without a measured time left there is none shown."""
    state, progress = job_state(job), job.progress
    shown: dict[str, Any] = {"total": None, "completed": 0.0, "stage": state, "eta": ""}
    if state == "succeeded":
        shown.update(total=1.0, completed=1.0, stage="done")
    elif state in {"running", "cancelling"} and job.HasField("progress"):
        parts = [progress.stage, progress.detail]
        if progress.HasField("transfer") and progress.transfer.total_bytes:
            parts.append(moved(progress.transfer))
        elif progress.steps > 1 and not _COUNTED.search(progress.detail):
            parts.append(f"{progress.step}/{progress.steps}")
        if job.attempt > 1:
            parts.append(f"attempt {job.attempt}")
        stage = " · ".join(part for part in parts if part)
        shown.update(total=1.0, completed=progress.fraction, stage=stage)
        if progress.HasField("eta"):
            shown["eta"] = f"{clock(progress.eta.ToNanoseconds() / 1e9)} left"
        if state == "cancelling":
            shown.update(stage="cancelling", eta="")
    elif state in {"failed", "cancelled"}:
        shown.update(total=1.0, completed=progress.fraction)
    return shown


def moved(transfer: progress_pb2.Transfer) -> str:
    """Say how far bytes have come, and how fast if that was measured."""
    share = f"{size(transfer.done_bytes)} of {size(transfer.total_bytes)}"
    if not transfer.bytes_per_second:
        return share
    return f"{share}, {size(round(transfer.bytes_per_second))}/s"
