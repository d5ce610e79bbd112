"""The options that say where a style comes from, other than the prompt."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from musicgen.api.audio.v1 import audio_pb2
from musicgen.cli import making
from musicgen.cli.exits import FileNotFound
from musicgen.cli.work import Worker
from musicgen.client.sendable import checked_text
from musicgen.client.styles import STYLE_OPTION


@dataclass(frozen=True, slots=True)
class Style:
    """At most one of them is there: a track, a file of music, or the numbers of a style."""

    track_id: str | None = None
    music: Path | None = None
    numbers: list[float] | None = None

    def options(self, given: dict[str, Any]) -> dict[str, Any]:
        """Return an engine's options with the numbers among them."""
        if self.numbers is None:
            return given
        if STYLE_OPTION in given:
            raise click.UsageError("--style and --option style=… say the same.")
        return {**given, STYLE_OPTION: self.numbers}

    async def send(self, worker: Worker) -> audio_pb2.AudioRef | None:
        """Return the reference to the music, if it comes from music; a file is sent to the
        studio for that."""
        if self.music:
            return await worker.upload(self.music)
        if self.track_id:
            return audio_pb2.AudioRef(track_id=checked_text("style_track", self.track_id))
        return None


def style_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --style-track, --style-file and --style; the command gets them as `style`."""

    @click.option(
        "--style-track",
        "track_id",
        metavar="TRACK",
        help="Take the style from this track, not from PROMPT; of engines that can.",
    )
    @click.option(
        "--style-file",
        "music",
        metavar="MUSIC",
        type=click.Path(path_type=Path),
        help="Take the style from this audio file; 10 seconds are needed.",
    )
    @click.option(
        "--style",
        "numbers",
        metavar="FILE",
        type=click.Path(path_type=Path, allow_dash=True),
        help="A style as 512 numbers, .npy or JSON; of engines that take it. - is stdin.",
    )
    @functools.wraps(command)
    def with_style(
        *args: Any, track_id: str | None, music: Path | None, numbers: Path | None, **options: Any
    ) -> Any:
        if sum(given is not None for given in (track_id, music, numbers)) > 1:
            raise click.UsageError("--style-track, --style-file and --style exclude each other.")
        if music and not music.is_file():
            raise FileNotFound(f"There is no file {str(music)!r}.")
        read = making.read_style(numbers) if numbers else None
        return command(*args, style=Style(track_id, music, read), **options)

    return with_style
