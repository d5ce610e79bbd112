"""The options of every command that saves a file."""

from __future__ import annotations

import dataclasses
import functools
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from musicgen.cli.values import FORMATS, format_for
from musicgen.client.saving import check_target
from musicgen.errors import InvalidField


@dataclass(frozen=True, slots=True)
class Output:
    """Where to save, and how. `path` None means nowhere, "-" stdout."""

    path: str | None
    format: str
    force: bool

    def check(self, *, as_json: bool) -> None:
        """Raise InvalidField now if nothing could be saved there later."""
        if self.path == "-":
            if as_json:
                raise InvalidField(
                    "stdout can't carry both audio and JSON.", remedy="Leave out --json or -o -."
                )
            if sys.stdout.isatty():
                raise InvalidField(
                    "A terminal can't play audio.", remedy="Pipe it on, or give -o a file name."
                )
        elif self.path is not None:
            check_target(Path(self.path), overwrite=self.force)


def numbered(output: Output, count: int, option: str) -> list[Output]:
    """Return where each of `count` tracks goes; `option` is what asks for that many. Raises
    InvalidField if one place can't hold all."""
    if count == 1 or output.path is None:
        return [output] * count
    if output.path == "-":
        raise InvalidField(
            "stdout can carry only one track.",
            remedy=f"Leave out {option}, or give -o a file name.",
        )
    path = Path(output.path)
    return [
        dataclasses.replace(output, path=str(path.with_stem(f"{path.stem}-{number}")))
        for number in range(1, count + 1)
    ]


def output_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add -o, --format and --force; the command gets them as `output`."""

    @click.option(
        "-o",
        "--output",
        "path",
        metavar="FILE",
        help=f"Save here: .{', .'.join(FORMATS)}; - is stdout.",
    )
    @click.option(
        "--format", "asked", type=click.Choice(FORMATS), help="Default: by the extension."
    )
    @click.option("--force", is_flag=True, help="Overwrite the file if there is one.")
    @functools.wraps(command)
    def with_output(
        *args: Any, path: str | None, asked: str | None, force: bool, **options: Any
    ) -> Any:
        output = Output(path, format_for(path, asked), force)
        return command(*args, output=output, **options)

    return with_output
