"""`musicgen batch`: many jobs, a line of a file each."""

from __future__ import annotations

import asyncio
import functools
import itertools
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from musicgen.api.jobs.v1 import batch_pb2, job_pb2
from musicgen.cli import making
from musicgen.cli.batch_lines import Batch, Line, in_batches, read_lines, request_id
from musicgen.cli.board import Board
from musicgen.cli.exits import Exit
from musicgen.cli.interrupts import Interrupts
from musicgen.cli.job_facts import describe, told_counts
from musicgen.cli.jsonable import batch_to_json, error_to_json, job_state
from musicgen.cli.output import ago, console, print_json, printable, say
from musicgen.cli.shell import Shell, priority_option, run_async, studio_options
from musicgen.client.studio import Studio
from musicgen.errors import Cancelled, QueueFull, ServiceUnavailable, StudioError, Unavailable

PRIORITY = "low"
"""Of a line that names none."""

FIELDS = ("batch_id", "progress", "result", "error", "attempt", "end_time")
"""What is asked about each of perhaps thousands of jobs."""

PATIENCE_S = 600.0
"""A batch may go on for hours, through an update of the studio."""

_REQUEST = re.compile(r"requests\[(\d+)\]", re.ASCII)

KNOWN_S = 30.0
"""A batch that is older than this was accepted by an earlier run."""


@click.command(
    epilog="""\b
Examples:
  musicgen batch night.jsonl
  musicgen batch night.jsonl --detach
  musicgen batch night.jsonl --json | jq -r '.jobs[] | select(.error) | [.line, .error.message]'
  for n in 1 2 3; do echo "{\\"prompt\\": \\"rain\\", \\"seed\\": $n}"; done | musicgen batch -

\b
A line is a JSON object: prompt and, if wanted, duration ("90" or "1m30s"), seed, engine,
lyrics, options and priority; or a job as the REST API has it:
  {"prompt": "calm rain", "duration": "2m", "options": {"tempo_bpm": 70}}
  {"loop": {"source": {"trackId": "4k2j9x"}, "lengthSeconds": 3600}, "priority": "high"}

A line that is wrong is named, and nothing is asked for. Each 500 lines are a batch, which is
accepted whole or not at all. Run again within a day, after a crash or Ctrl-C, the same lines
make nothing twice: the command finds its batches and follows them. --run NAME makes them anew.
The exit code is 0 if all succeeded, else 1.
""",
)
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--run", default="", metavar="NAME", help="Another name makes the same jobs anew.")
@click.option("--detach", is_flag=True, help="Print the batches' ids and leave them running.")
@functools.partial(priority_option, default=PRIORITY)
@studio_options
@click.pass_obj
def batch(shell: Shell, *, file: Path, run: str, detach: bool) -> int:
    """Have the lines of FILE done, each of which is a job in JSON; - is stdin. The jobs have a
    low priority, unless another is given here or in a line: what people wait for goes first."""
    lines = read_lines(making.read_file(file, "batch"), shell.priority or PRIORITY)
    return run_async(_batch(shell, Work(in_batches(lines), run), detach=detach))


@dataclass(slots=True)
class Work:
    """Batches to be accepted, and what has come of them."""

    wanted: Sequence[Batch]
    run: str
    accepted: list[batch_pb2.JobBatch] = field(default_factory=list)
    lines: dict[str, Line] = field(default_factory=dict)
    """Of each accepted job."""
    jobs: dict[str, job_pb2.Job] = field(default_factory=dict)
    """As they are, as far as that is known."""

    @property
    def batch_ids(self) -> list[str]:
        """The batches that were accepted."""
        return [batch.batch_id for batch in self.accepted]

    def to_json(self) -> dict[str, Any]:
        """Describe it for `--json`."""
        return {
            "batches": [batch_to_json(batch) for batch in self.accepted],
            "jobs": [_job_to_json(self.jobs.get(id), id, line) for id, line in self.lines.items()],
        }


async def _batch(shell: Shell, work: Work, *, detach: bool) -> int:
    async with shell.studio() as studio:
        with Interrupts() as interrupts:
            await _accept(studio, interrupts, work)
            if not detach:
                await _follow(studio, interrupts, work, shown=not shell.json)
    if shell.json:
        print_json(work.to_json())
    elif detach:
        say("It goes on by itself: `musicgen watch --batch` follows it.")
        for batch_id in work.batch_ids:
            print(batch_id)
    else:
        _tell(work)
    done = detach or all(batch.counts.succeeded == batch.size for batch in work.accepted)
    return Exit.OK if done else Exit.FAILED


async def _accept(studio: Studio, interrupts: Interrupts, work: Work) -> None:
    """Have the batches accepted, one after the other."""
    for index, wanted in enumerate(work.wanted):
        creating = asyncio.ensure_future(
            studio.batch_create(
                [line.request for line in wanted], request_id(wanted, index, work.run)
            )
        )
        if await interrupts.interrupted(creating):
            creating.cancel()
            raise Cancelled(
                f"{_span(wanted)} may or may not be accepted.{_accepted(work)}",
                remedy="Run the same command again: nothing is made twice.",
            )
        try:
            answer = creating.result()
        except StudioError as error:
            raise _placed(error, wanted, work) from error
        work.accepted.append(answer.batch)
        work.lines.update(zip(answer.job_ids, wanted, strict=True))
        _say_if_known(answer.batch, wanted)


async def _follow(studio: Studio, interrupts: Interrupts, work: Work, *, shown: bool) -> None:
    """Show how it goes until all has ended. Ctrl-C only ends the showing."""
    labels = {job_id: _label(line) for job_id, line in work.lines.items()}
    come_back = (
        "The jobs go on by themselves. The same command shows them again, and so does `musicgen "
        f"watch --batch {work.batch_ids[0]}`; `musicgen batches cancel "
        f"{' '.join(work.batch_ids)}` stops them."
    )
    with Board(labels, shown=shown) as board:
        waiting = asyncio.ensure_future(
            studio.wait_all(
                list(work.lines),
                board.job,
                batch_ids=work.batch_ids,
                fields=FIELDS,
                on_disconnect=board.is_away,
                patience_s=PATIENCE_S,
            )
        )
        if await interrupts.interrupted(waiting):
            waiting.cancel()
            await asyncio.wait([waiting])
            raise Cancelled("Stopped watching.", remedy=come_back)
    try:
        work.jobs.update(waiting.result())
        # A batch remembers jobs whose records are gone.
        work.accepted = [await studio.batch(batch_id) for batch_id in work.batch_ids]
    except ServiceUnavailable as error:
        error.remedy = come_back
        raise


def _tell(work: Work) -> None:
    """Print what was made, in the order of the lines; on stderr what was not."""
    counts: batch_pb2.BatchCounts = batch_pb2.BatchCounts()
    for made in work.accepted:
        for state, number in made.counts.ListFields():
            setattr(counts, state.name, getattr(counts, state.name) + number)
    out = console(stderr=True)
    for job_id, line in work.lines.items():
        job = work.jobs.get(job_id)
        if job is None or job.state == job_pb2.Job.STATE_SUCCEEDED:
            continue
        why = f": {job.error.message}" if job.HasField("error") else ""
        out.print(
            Text(printable(f"line {line.number}, job {job_id} {job_state(job)}{why}"), "red"),
            soft_wrap=True,
        )
    for job_id in work.lines:
        if job_id in work.jobs:
            result = work.jobs[job_id].result
            for made_id in itertools.chain(
                result.track_ids, (download.path for download in result.downloads)
            ):
                print(made_id)
    say(f"{len(work.lines)} jobs: {told_counts(counts)}.")


def _say_if_known(batch: batch_pb2.JobBatch, wanted: Batch) -> None:
    age_s = time.time() - batch.create_time.ToNanoseconds() / 1e9
    if age_s > KNOWN_S:
        say(
            f"{_span(wanted)} were accepted {ago(age_s)} ago, as batch {batch.batch_id}. "
            "With --run NAME they are made anew."
        )


def _placed(error: StudioError, wanted: Batch, work: Work) -> StudioError:
    """Name lines where the studio named requests of a batch, and say how to go on."""

    def named(text: str) -> str:
        return _REQUEST.sub(lambda match: f"line {wanted[int(match[1])].number}", text)

    again = "Run the same command again: nothing is made twice."
    if isinstance(error, QueueFull):
        again = f"Wait until some jobs have ended. {again}"
    elif not isinstance(error, Unavailable):
        again = error.remedy
    return type(error)(
        named(error.message) + _accepted(work),
        remedy=again,
        metadata=error.metadata | {"batch_ids": " ".join(work.batch_ids)},
        fields={named(name).replace(".", " ", 1): rule for name, rule in error.fields.items()},
    )


def _accepted(work: Work) -> str:
    """Say what was accepted before something went wrong."""
    if not work.accepted:
        return ""
    ids = ", ".join(work.batch_ids)
    return f" The {len(work.lines)} jobs of the lines before are accepted (batch {ids})."


def _span(wanted: Batch) -> str:
    first, last = wanted[0].number, wanted[-1].number
    return f"Lines {first} to {last}" if last > first else f"Line {first}"


def _label(line: Line) -> str:
    return f"line {line.number}: {describe(job_pb2.Job(spec=line.request.spec))}"


def _job_to_json(job: job_pb2.Job | None, job_id: str, line: Line) -> dict[str, Any]:
    return {
        "line": line.number,
        "job_id": job_id,
        "state": job_state(job) if job else None,
        "track_ids": list(job.result.track_ids) if job else [],
        "downloads": [download.path for download in job.result.downloads] if job else [],
        "error": error_to_json(job.error) if job and job.HasField("error") else None,
    }
