"""The looper without services: `find` and `render` on local files.

python -m services.looper find song.flac
python -m services.looper find *.wav --json
python -m services.looper render song.flac --length 2h --out night.opus
python -m services.looper render song.flac --start 44100 --end 441000 --length 600 --out a.wav
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

import click
import rich.progress
import rich.table
import soundfile
from rich.console import Console

from musicgen.artifacts import publish
from musicgen.audio.codecs import AudioReader, Format
from musicgen.cli.loop_values import TimeOfDay, length_until
from musicgen.cli.values import Length
from musicgen.errors import InvalidField, NoLoopFound, StudioError, UnsupportedFormat
from musicgen.loop_limits import (
    DEFAULT_CANDIDATES,
    DEFAULT_FADE_S,
    DEFAULT_MIN_CYCLE_S,
    MAX_CANDIDATES,
    MAX_CROSSFADE_MS,
    MAX_CYCLES,
    MAX_FADE_S,
    MAX_LENGTH_S,
    MIN_CYCLE_S,
    MIN_FADE_S,
)
from musicgen.progress import Progress
from services.looper import points, recipe
from services.looper.analysis.finder import Wanted
from services.looper.loops import Cycle, Kind, Report
from services.looper.rendering import render as rendering
from services.looper.rendering.planning import Ending, Shape
from services.looper.rendering.tagging import Tags
from services.looper.seam.transition import looped
from services.looper.work import Order, find_loops, prepare, rising

_LEAST_LENGTH_S = 1.0
"""Shorter than what jobs take: here it is a tool among others."""


class _Commands(click.Group):
    """Says what is wrong with a value as it does with everything else."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except StudioError as error:
            _fail(error, as_json=False)


@click.group(cls=_Commands, epilog="Without a command: serves, as the settings in MUSICGEN_* say.")
def cli() -> None:
    """Find the loops of music, and render them to any length, without a running studio."""


@cli.command(
    epilog="""\b
Examples:
  python -m services.looper find song.flac
  python -m services.looper find *.wav --json > loops.json

\b
--json prints a list of {track, file, found, top: [[start, end, score], …], …}: frames,
best first. Exits with 1 if a file could not be read; that it holds no loop is an answer.
"""
)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--max",
    "limit",
    type=click.IntRange(1, MAX_CANDIDATES),
    default=DEFAULT_CANDIDATES,
    show_default=True,
    help="Cycles to list for each file.",
)
@click.option("--min-length", type=Length(), help="Shortest cycle wanted. Default: 2 seconds.")
@click.option("--max-length", type=Length(), help="Longest cycle wanted.")
@click.option(
    "--cycles-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write the best cycle of each file there, as it repeats, as WAV.",
)
def find(
    files: Sequence[Path],
    *,
    as_json: bool,
    limit: int,
    min_length: float | None,
    max_length: float | None,
    cycles_dir: Path | None,
) -> None:
    """List the cycles of FILES that repeat best."""
    wanted = Wanted(
        limit,
        DEFAULT_MIN_CYCLE_S if min_length is None else max(MIN_CYCLE_S, min_length),
        MAX_LENGTH_S if max_length is None else max_length,
    )
    if cycles_dir:
        _make_folder(cycles_dir)
    answers = []
    for file in files:
        with _bar(file.name) as report:
            answers.append(_answer(file, wanted, cycles_dir, report))
        if not as_json:
            _print_found(answers[-1])
    if as_json:
        click.echo(json.dumps(answers, indent=2, ensure_ascii=False))
    sys.exit(1 if any("error" in answer for answer in answers) else 0)


@cli.command(
    epilog="""\b
Examples:
  python -m services.looper render song.flac --length 2h --out night.opus
  python -m services.looper render song.flac --until 07:00 --fade 30 --out night.mp3
  python -m services.looper render a.wav --start 0 --end 441000 --cycles 8 --out b.wav
"""
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True,
              help="flac, wav, mp3, opus, ogg or m4a, by its name.")  # fmt: skip
@click.option("--start", type=click.IntRange(0), help="First frame of the cycle.")
@click.option("--end", type=click.IntRange(1), help="First frame after the cycle.")
@click.option("--length", "length_s", type=Length(), help="Up to ten hours, such as 7200 or 2h.")
@click.option("--cycles", type=click.IntRange(1, MAX_CYCLES), help="Play the cycle so often.")
@click.option("--until", type=TimeOfDay(), metavar="HH:MM", help="Until the clock shows this.")
@click.option("--snap", is_flag=True, help="Move --end, by 50 ms at most, to where it fits best.")
@click.option("--fold-tail", is_flag=True, help="Add what rings on after --end to the start.")
@click.option(
    "--crossfade-ms",
    type=click.FloatRange(0, MAX_CROSSFADE_MS),
    help="Default: the shortest that measures clean.",
)
@click.option("--skip-intro", is_flag=True, help="Begin with the cycle.")
@click.option("--ending", type=click.Choice([ending.value for ending in Ending]), default=None,
              help="Default: cut.")  # fmt: skip
@click.option("--fade", "fade_s", type=click.FloatRange(MIN_FADE_S, MAX_FADE_S),
              help="Fade out so long, in seconds.")  # fmt: skip
@click.option("--force", is_flag=True, help="Write over --out.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
def render(file: Path, *, out: Path, as_json: bool, force: bool, **asked: Any) -> None:
    """Repeat the best cycle of FILE, or the one from --start to --end, to a length."""
    try:
        order = _order(file, out, **asked)
        if out.exists() and not force:
            raise InvalidField(
                f"{out} is there already.", remedy="Give --force, or another name.",
                fields={"out": "exists"},
            )  # fmt: skip
        started_s = time.monotonic()
        with _bar(out.name) as report:
            facts = _render(order, out, report)
    except StudioError as error:
        _fail(error, as_json=as_json)
    except OSError as error:
        click.echo(f"Error: {out} can't be written ({error.strerror}).", err=True)
        sys.exit(1)
    facts["seconds_taken"] = round(time.monotonic() - started_s, 3)
    if as_json:
        click.echo(json.dumps(facts, indent=2, ensure_ascii=False))
    else:
        _print_rendered(out, facts)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidField(
            f"The folder {folder} can't be made ({error.strerror}).",
            remedy="Choose another folder.",
            fields={"cycles-dir": "must be a folder, or a place for one"},
        ) from error


def _answer(file: Path, wanted: Wanted, cycles_dir: Path | None, report: Report) -> dict[str, Any]:
    answer: dict[str, Any] = {"track": file.stem, "file": str(file), "found": False, "top": []}
    try:
        found = find_loops(file, wanted, report)
    except NoLoopFound as error:
        return answer | {"why": error.message, "near_miss": dict(error.metadata)}
    except StudioError as error:
        return answer | {
            "error": {"reason": error.reason, "message": error.message, "remedy": error.remedy}
        }
    best = found.candidates[0]
    answer |= {
        "found": True,
        "sample_rate_hz": found.properties.sample_rate_hz,
        "top": [
            [one.cycle.start_frame, one.cycle.end_frame, round(one.score, 4)]
            for one in found.candidates
        ],
        "loops": [points.as_json(candidate) for candidate in found.candidates],
    }
    answer["seam"] = recipe.seam_facts(found.seams[0].report)
    if cycles_dir:
        path = cycles_dir / f"{file.stem}.wav"
        facts = found.properties
        with (
            AudioReader(file) as reader,
            soundfile.SoundFile(
                path, "w", facts.sample_rate_hz, facts.channels, "FLOAT", format="WAV"
            ) as cycle,
        ):
            for block in looped(reader, best.cycle, found.seams[0].zone).blocks():
                cycle.write(block)
        answer["cycle"] = str(path)
    return answer


def _order(file: Path, out: Path, **asked: Any) -> Order:
    """Translate the options. Raises InvalidField, UnsupportedFormat."""
    extents = [asked[name] for name in ("length_s", "cycles", "until")]
    if sum(extent is not None for extent in extents) != 1:
        raise InvalidField(
            "Say how long: one of --length, --cycles and --until.", fields={"length": "required"}
        )
    if (asked["start"] is None) != (asked["end"] is None):
        raise InvalidField(
            "--start and --end belong together.", fields={"end": "required with --start"}
        )
    length_s = asked["length_s"]
    if asked["until"]:
        length_s = length_until(asked["until"], datetime.now())
    if length_s is not None and not _LEAST_LENGTH_S <= length_s <= MAX_LENGTH_S:
        raise InvalidField(
            f"A loop is {_LEAST_LENGTH_S:g} s to ten hours long.",
            fields={"length": f"must be {_LEAST_LENGTH_S:g} to {MAX_LENGTH_S:g} seconds"},
        )
    format = next((one for one in Format if out.suffix.lower() == f".{one.extension}"), None)
    if format is None:
        names = ", ".join(one.extension for one in Format)
        raise UnsupportedFormat(f"{out.name!r} names no format of {names}.")
    ending = Ending(asked["ending"] or ("fade" if asked["fade_s"] else "cut"))
    cycle = None if asked["start"] is None else Cycle(asked["start"], asked["end"])
    return Order(
        source=file,
        cycle=cycle,
        points_from="found" if cycle is None else "request",
        points_field="end",
        shape=Shape(
            length_s,
            asked["cycles"],
            asked["skip_intro"],
            ending,
            asked["fade_s"] or DEFAULT_FADE_S,
        ),
        crossfade_ms=asked["crossfade_ms"],
        format=format,
        snap=asked["snap"],
        fold_tail=asked["fold_tail"],
        tags=_tags(file),
    )


def _tags(file: Path) -> Tags:
    """Return the tags of a source, as far as libsndfile reads them."""
    with contextlib.suppress(soundfile.LibsndfileError), soundfile.SoundFile(file) as source:
        return Tags(tuple((name.upper(), text) for name, text in source.copy_metadata().items()))
    return Tags()


def _render(order: Order, out: Path, report: Report) -> dict[str, Any]:
    report = rising(report)
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = out.with_name(f".{out.name}.{os.getpid()}.part")
    with AudioReader(order.source) as reader:
        prepared = prepare(order, reader, report)
        rendering.check_space(prepared.timeline, order.format, out.parent)
        try:
            written = rendering.render(
                prepared.timeline, order.format, temporary, order.tags,
                meter=prepared.meter, report=report,
            )  # fmt: skip
            publish(temporary, out)
        finally:
            temporary.unlink(missing_ok=True)
    region = written.rendered.loop
    return {
        "file": str(out),
        "size_bytes": written.size_bytes,
        "sha256": written.sha256,
        "sample_rate_hz": written.sample_rate_hz,
        "length_frames": written.length_frames,
        "method": written.rendered.method,
        "loop_region": [region.start_frame, region.end_frame] if region else None,
        "whole_cycles": prepared.timeline.whole_cycles,
        "loop": points.as_json(prepared.candidate),
        "seam": recipe.seam_facts(prepared.seam.report),
    }


@contextlib.contextmanager
def _bar(label: str) -> Iterator[Report]:
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
    ) as bar:
        task = bar.add_task(label, total=1.0, doing="")

        def report(progress: Progress) -> None:
            left = "" if progress.eta_s is None else f", {progress.eta_s:.0f} s left"
            doing = f"{progress.stage} {progress.detail}{left}"
            bar.update(task, completed=progress.fraction, doing=doing)

        yield report


def _print_found(answer: dict[str, Any]) -> None:
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


def _print_rendered(out: Path, facts: dict[str, Any]) -> None:
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


def _fail(error: StudioError, *, as_json: bool) -> NoReturn:
    if as_json:
        fault = {"reason": error.reason, "message": error.message, "remedy": error.remedy}
        click.echo(json.dumps({"error": fault, "fields": dict(error.fields)}, indent=2))
    else:
        click.echo(
            f"Error: {error.message}" + (f"\n{error.remedy}" if error.remedy else ""), err=True
        )
    sys.exit(1)
