"""The looper without services: `find` and `render` on local files.

python -m services.looper find song.flac
python -m services.looper find *.wav --json
python -m services.looper render song.flac --length 2h --out night.opus
python -m services.looper render song.flac --start 44100 --end 441000 --length 600 --out a.wav
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import soundfile

from musicgen.audio.codecs import Format
from musicgen.cli.loop_values import TimeOfDay, length_until
from musicgen.cli.values import Length
from musicgen.errors import InvalidField, StudioError, UnsupportedFormat
from musicgen.loop_limits import (
    DEFAULT_CANDIDATES,
    DEFAULT_FADE_S,
    MAX_CANDIDATES,
    MAX_CROSSFADE_MS,
    MAX_CYCLES,
    MAX_FADE_S,
    MAX_LENGTH_S,
    MIN_CYCLE_S,
    MIN_FADE_S,
    shortest_wanted_s,
)
from services.looper.analysis.finder import Wanted
from services.looper.cli import local_files
from services.looper.cli.output import bar, fail, print_found, print_rendered
from services.looper.cli.stopping import stoppable
from services.looper.loops import Cycle
from services.looper.rendering.planning import Ending, Shape
from services.looper.rendering.tagging import Tags
from services.looper.work import Order

_LEAST_LENGTH_S = 1.0
"""Shorter than what jobs take: here it is a tool among others."""


class _Commands(click.Group):
    """Says what is wrong with a value as it does with everything else."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except StudioError as error:
            fail(error, as_json=False)


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
    shortest_s = shortest_wanted_s(max_length) if min_length is None else min_length
    longest_s = MAX_LENGTH_S if max_length is None else max_length
    if not MIN_CYCLE_S <= shortest_s <= longest_s:
        raise InvalidField(
            f"Cycles of {shortest_s:g} to {longest_s:g} s can't be looked for.",
            remedy=f"Give lengths of {MIN_CYCLE_S:g} s and more, the shortest first.",
            fields={"min-length": f"must be {MIN_CYCLE_S:g} to max-length"},
        )
    wanted = Wanted(limit, shortest_s, longest_s)
    cycle_files = _cycle_files(cycles_dir, files) if cycles_dir else {}
    answers = []
    for file in files:
        with bar(file.name) as shown, stoppable(shown) as report:
            answers.append(local_files.answer(file, wanted, cycle_files.get(file), report))
        if not as_json:
            print_found(answers[-1])
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
        with bar(out.name) as shown, stoppable(shown) as report:
            facts = local_files.render(order, out, report)
    except StudioError as error:
        fail(error, as_json=as_json)
    except OSError as error:
        click.echo(f"Error: {out} can't be written ({error.strerror}).", err=True)
        sys.exit(1)
    facts["seconds_taken"] = round(time.monotonic() - started_s, 3)
    if as_json:
        click.echo(json.dumps(facts, indent=2, ensure_ascii=False))
    else:
        print_rendered(out, facts)


def _cycle_files(folder: Path, files: Sequence[Path]) -> dict[Path, Path]:
    """Return where the cycle of each file goes, in a folder that is there. Raises InvalidField
    if one would be written over another or over a source."""
    targets = {file: folder / f"{file.name}.cycle.wav" for file in files}
    if len(set(targets.values())) < len(targets):
        raise _bad_folder("Two of the files have the same name.", "Search them one by one.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _bad_folder(
            f"The folder {folder} can't be made ({error.strerror}).", "Choose another folder."
        ) from error
    sources = {file.resolve() for file in files}
    if any(target.resolve() in sources for target in targets.values()):
        raise _bad_folder("A cycle would be written over its source.", "Choose another folder.")
    return targets


def _bad_folder(message: str, remedy: str) -> InvalidField:
    fields = {"cycles-dir": "must be a folder for one file of each name"}
    return InvalidField(message, remedy=remedy, fields=fields)


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
    for option in ("snap", "fold_tail"):
        if asked[option] and asked["start"] is None:
            name = option.replace("_", "-")
            raise InvalidField(
                f"--{name} needs --start and --end.", fields={name: "needs start and end"}
            )
    if asked["fold_tail"] and asked["crossfade_ms"] is not None:
        raise InvalidField(
            "--fold-tail does not go with --crossfade-ms.",
            fields={"fold-tail": "does not go with crossfade-ms"},
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
    if asked["fade_s"] and ending is not Ending.FADE:
        raise InvalidField(
            "--fade goes with --ending fade only.", fields={"fade": "goes with ending fade only"}
        )
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
