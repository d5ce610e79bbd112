"""`musicgen tracks`: the library."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from musicgen.api.library.v1 import track_pb2
from musicgen.cli.engine_facts import engine_facts
from musicgen.cli.jsonable import track_to_json
from musicgen.cli.output import (
    clock,
    print_facts,
    print_json,
    print_table,
    printable,
    say,
    size,
)
from musicgen.cli.plan_facts import plan_facts
from musicgen.cli.shell import Shell, run_async, studio_options
from musicgen.cli.work import working
from musicgen.client.studio import Studio

CLEARABLE = ("artist", "album", "genre", "year", "tags")


@click.group(
    invoke_without_command=True,
    epilog="""\b
Examples:
  musicgen tracks --query "rain piano"
  musicgen tracks edit 4k2j9x --title "Rainy Night" --year 2026 --tag sleep --tag rain
  musicgen tracks edit 4k2j9x --clear album
  musicgen tracks files 4k2j9x -o "Rainy Night"
  musicgen tracks delete 4k2j9x --yes
""",
)
@click.option("--query", default="", help="Words in title, artist, album, genre, tags or prompt.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
@studio_options
@click.pass_context
def tracks(ctx: click.Context, query: str, limit: int) -> None:
    """List the library, newest first; or show, edit or delete a track, or save its files."""
    if ctx.invoked_subcommand is None:
        _list(ctx.ensure_object(Shell), query, limit)


def _list(shell: Shell, query: str, limit: int) -> None:

    async def first(studio: Studio) -> list[track_pb2.Track]:
        found: list[track_pb2.Track] = []
        async for track in studio.list_tracks(query):
            found.append(track)
            if len(found) == limit:
                break
        return found

    found = shell.ask(first)
    if shell.json:
        print_json({"tracks": [track_to_json(track) for track in found]})
        return
    print_table(
        ("TRACK", "LENGTH", "BPM", "KEY", "GENRE", "TITLE"),
        (
            (
                track.track_id,
                length_of(track),
                f"{track.tempo_bpm:g}" if track.HasField("tempo_bpm") else "",
                track.musical_key,
                track.genre,
                track.title,
            )
            for track in found
        ),
        stretch=5,
        empty="Nothing is found." if query else "The library is empty.",
    )


@tracks.command()
@click.argument("track_id", metavar="TRACK")
@studio_options
@click.pass_obj
def show(shell: Shell, track_id: str) -> None:
    """Show one track."""
    _print(shell, shell.ask(lambda studio: studio.get_track(track_id)))


@tracks.command()
@click.argument("track_id", metavar="TRACK")
@click.option(
    "-o",
    "--output",
    "folder",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Save here; made if it is missing.",
)
@click.option("--force", is_flag=True, help="Overwrite files that are there.")
@studio_options
@click.pass_obj
def files(shell: Shell, track_id: str, folder: Path, force: bool) -> None:
    """Save what lies beside a track: its score as MIDI, its stems."""
    run_async(_save_files(shell, track_id, folder, overwrite=force))


async def _save_files(shell: Shell, track_id: str, folder: Path, *, overwrite: bool) -> None:

    async with working(shell) as worker:
        track = await worker.studio.get_track(track_id)
        saved = await worker.save_files(track, folder, overwrite=overwrite)
    if shell.json:
        print_json({"files": saved})
        return
    for file in saved:
        print(file["path"])
    if not saved:
        say("Nothing lies beside this track.")


@tracks.command()
@click.argument("track_id", metavar="TRACK")
@click.option("--title")
@click.option("--artist")
@click.option("--album")
@click.option("--genre")
@click.option("--year", type=click.IntRange(1, 9999))
@click.option("--tag", "tags", multiple=True, help="Replaces the tags; can be repeated.")
@click.option("--clear", multiple=True, type=click.Choice(CLEARABLE), help="Leave it empty.")
@studio_options
@click.pass_obj
def edit(
    shell: Shell, /, track_id: str, tags: tuple[str, ...], clear: tuple[str, ...], **texts: Any
) -> None:
    """Edit what is known of a track, in the library and in its file."""
    changes: dict[str, Any] = {name: value for name, value in texts.items() if value is not None}
    if tags:
        changes["tags"] = list(tags)
    if both := set(changes) & set(clear):
        raise click.UsageError(f"--clear {min(both)} contradicts a value for it.")
    changes.update(dict.fromkeys(clear))
    if not changes:
        raise click.UsageError("Nothing to change: give --title, --artist, … or --clear.")
    _print(shell, shell.ask(lambda studio: studio.update_track(track_id, changes)))


@tracks.command()
@click.argument("track_id", metavar="TRACK")
@click.option("--yes", is_flag=True, help="Don't ask.")
@studio_options
@click.pass_obj
def delete(shell: Shell, track_id: str, yes: bool) -> None:
    """Move a track to the library's trash folder."""

    async def title(studio: Studio) -> str:
        return (await studio.get_track(track_id)).title

    if not yes:
        if shell.json or not sys.stdin.isatty():
            raise click.UsageError("Nobody is there to ask; say --yes.")
        question = f"Move “{printable(shell.ask(title))}” to the trash?"
        click.confirm(question, abort=True, err=True)
    shell.ask(lambda studio: studio.delete_track(track_id))
    if shell.json:
        print_json({"deleted": track_id})


def _print(shell: Shell, track: track_pb2.Track) -> None:

    described = track_to_json(track)
    if shell.json:
        print_json({"track": described})
        return
    audio, recipe = described["audio"], described["recipe"]
    points = described["loop_points"]
    facts: dict[str, Any] = {
        "track": track.track_id,
        **{name: described[name] for name in ("title", "artist", "album", "genre", "year")},
        "tags": ", ".join(track.tags),
        "length": length_of(track),
        "tempo": f"{track.tempo_bpm:g} bpm" if track.HasField("tempo_bpm") else "",
        "key": track.musical_key,
        "audio": f"{audio['format'].upper()}, {audio['sample_rate_hz']} Hz, "
        f"{audio['channels']} channels, {size(track.size_bytes)}",
        "loop": f"{points['start_frame']}:{points['end_frame']}" if points else "",
        "prompt": recipe.get("prompt"),
        "made from": track.parent_track_id,
        "job": track.job_id,
        "created": described["create_time"],
    }
    print_facts((name, str(value or "")) for name, value in facts.items())
    print_facts(engine_facts(recipe))
    print_facts(plan_facts(recipe))
    print_facts(
        ("file", f"{file.label} ({file.name}, {size(file.size_bytes)})") for file in track.files
    )


def length_of(track: track_pb2.Track) -> str:
    """Return the length as people read it."""
    rate = track.audio.sample_rate_hz
    return clock(track.audio.duration_frames / rate) if rate else ""
