"""What people are shown: bars, tables, sentences."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import click
import rich.progress
import rich.table
from rich.console import Console

from musicgen.errors import StudioError
from musicgen.progress import Progress
from services.looper import recipe
from services.looper.loops import Kind, Report


@contextlib.contextmanager
def bar(label: str) -> Iterator[Report]:
    """A progress bar on a terminal's standard error; nothing elsewhere."""
    console = Console(stderr=True)
    columns = (
        rich.progress.TextColumn("{task.description}"),
        rich.progress.BarColumn(),
        rich.progress.TaskProgressColumn(),
        rich.progress.TextColumn("{task.fields[doing]}"),
    )
    with rich.progress.Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as shown:
        task = shown.add_task(label, total=1.0, doing="")

        def report(progress: Progress) -> None:
            left = "" if progress.eta_s is None else f", {progress.eta_s:.0f} s left"
            doing = f"{progress.stage} {progress.detail}{left}"
            shown.update(task, completed=progress.fraction, doing=doing)

        yield report


def print_found(answer: dict[str, Any]) -> None:
    """Print the cycles of a file, or why there are none."""
    console = Console(highlight=False)
    if "error" in answer:
        console.print(f"{answer['file']}: {answer['error']['message']}", markup=False)
        return
    if not answer["found"]:
        console.print(f"{answer['file']}: no loop. {answer['why']}", markup=False)
        return
    table = rich.table.Table(title=answer["file"], title_justify="left", box=None)
    for name in ("", "start", "end", "length", "bars", "score", "timing", "note"):
        table.add_column(name, justify="left" if name == "note" else "right")
    for rank, loop in enumerate(answer["loops"], 1):
        rate = answer["sample_rate_hz"]
        notes = [] if loop["kind"] == Kind.REPEAT.value else [loop["kind"]]
        notes += ["skips music"] if loop["partial"] else []
        table.add_row(
            str(rank), str(loop["start_frame"]), str(loop["end_frame"]),
            f"{(loop['end_frame'] - loop['start_frame']) / rate:.3f} s",
            str(loop["bars"] or ""), f"{loop['score']:.2f}",
            f"±{loop['timing_spread_ms']:.0f} ms", ", ".join(notes),
        )  # fmt: skip
    console.print(table)
    console.print(f"  seam: {_seam_words(answer['seam'])}", markup=False)


def print_rendered(out: Path, facts: dict[str, Any]) -> None:
    """Print what a render came to."""
    seconds = facts["length_frames"] / facts["sample_rate_hz"]
    click.echo(
        f"{out}: {recipe.human_length(seconds)}, {facts['size_bytes'] / 1e6:,.1f} MB, "
        f"{facts['method']} in {facts['seconds_taken']:.1f} s; "
        f"seam: {_seam_words(facts['seam'])}"
    )


def _seam_words(seam: dict[str, Any]) -> str:
    how = seam["transition"]
    if how != "cut":
        how += f" of {seam['crossfade_ms']:.0f} ms"
    return f"{how}, clean" if seam["clean"] else f"{how}; {'; '.join(seam['faults'])}"


def fail(error: StudioError, *, as_json: bool) -> NoReturn:
    """Print an error and exit."""
    if as_json:
        fault = {"reason": error.reason, "message": error.message, "remedy": error.remedy}
        click.echo(json.dumps({"error": fault, "fields": dict(error.fields)}, indent=2))
    else:
        click.echo(
            f"Error: {error.message}" + (f"\n{error.remedy}" if error.remedy else ""), err=True
        )
    sys.exit(1)
