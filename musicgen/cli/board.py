"""How a batch goes, live: its counters, and what runs."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.live import Live
from rich.table import Table
from rich.text import Text

from musicgen.api.jobs.v1 import job_pb2
from musicgen.cli.display import bar_of
from musicgen.cli.jsonable import STATES, job_state
from musicgen.cli.output import STYLES, console, printable
from musicgen.client.view import TERMINAL_STATES

MOST_RUNNING = 5
"""Running jobs that are shown."""

_DRAWN = ("succeeded", "failed", "cancelled", "cancelling", "running")
"""The states of the bar from its left end; what is left waits."""


class Board:
    """The jobs of batches on stderr, redrawn in place if a person is watching."""

    def __init__(self, labels: Mapping[str, str], *, shown: bool) -> None:
        """`labels` say what each job is about."""
        self._labels = labels
        self._jobs: dict[str, job_pb2.Job] = {}
        self._live: Live | None = None
        self._away = False
        if shown and sys.stderr.isatty():
            # Drawn four times a second, however much happens.
            self._live = Live(
                console=console(stderr=True), get_renderable=self._draw, refresh_per_second=4
            )

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live:
            self._live.stop()

    def job(self, job: job_pb2.Job) -> None:
        """Take note of a job as it now is."""
        self._away = False
        before = self._jobs.get(job.job_id)
        self._jobs[job.job_id] = job
        ended = job.state in TERMINAL_STATES and (before is None or before.state != job.state)
        if self._live and ended and job.state == job_pb2.Job.STATE_FAILED:
            said = f"{self._labels.get(job.job_id, job.job_id)} failed: {job.error.message}"
            self._live.console.print(Text(printable(said), "red"))

    def is_away(self, _: Exception) -> None:
        """Take note that the studio is out of reach."""
        self._away = True

    def _draw(self) -> Group:
        counts = Counter(job_state(job) for job in self._jobs.values())
        counts["queued"] += len(self._labels) - counts.total()
        told = (f"{counts[state]} {state}" for state in STATES if counts[state])
        running = [job for job in self._jobs.values() if job.state == job_pb2.Job.STATE_RUNNING]
        lines: list[_Bar | Table | Text] = [_Bar(counts), Text(" · ".join(told))]
        if running:
            lines.append(self._running(running))
        if self._away:
            lines.append(Text("The studio is away; reconnecting …", "yellow"))
        return Group(*lines)

    def _running(self, jobs: list[job_pb2.Job]) -> Table:
        table = Table.grid(padding=(0, 2), expand=True)
        table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        table.add_column(no_wrap=True, overflow="ellipsis", style="cyan", ratio=1)
        table.add_column(no_wrap=True, justify="right", min_width=4)
        for job in jobs[:MOST_RUNNING]:
            share = f"{job.progress.fraction:.0%}" if job.HasField("progress") else ""
            label = self._labels.get(job.job_id, job.job_id)
            table.add_row(Text(printable(label)), Text(printable(bar_of(job)["stage"])), share)
        return table


class _Bar:
    """A line as wide as the terminal, in which each state has its share."""

    def __init__(self, counts: Mapping[str, int]) -> None:
        self._counts = counts

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it: each edge lies where it belongs, so that no rounding adds up."""
        total, width = max(1, sum(self._counts.values())), min(options.max_width, 80)
        bar, upto, drawn = Text(), 0, 0
        for state in _DRAWN:
            upto += self._counts.get(state, 0)
            edge = upto * width // total
            bar.append("━" * (edge - drawn), STYLES[state])
            drawn = edge
        yield bar.append("─" * (width - drawn), "dim")
