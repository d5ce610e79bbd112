"""`musicgen lyrics`: whether words can be sung as they stand."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from musicgen.cli import making
from musicgen.cli.exits import Exit
from musicgen.cli.jsonable import finding_to_json
from musicgen.cli.output import STYLES, console, print_json, print_table, printable, say
from musicgen.cli.shell import Shell, studio_options
from musicgen.cli.values import Length, parse_options


@click.group(
    epilog="""\b
Examples:
  musicgen lyrics check words.txt --engine diffrhythm --duration 95
  musicgen lyrics check words.txt --engine diffrhythm --duration 95 --timed > words.lrc
""",
)
def lyrics() -> None:
    """Check lyrics before they are sung."""


@lyrics.command(
    epilog="""\b
Examples:
  musicgen lyrics check words.txt --engine diffrhythm --duration 95
  musicgen lyrics check words.lrc --engine diffrhythm --json | jq .findings
  musicgen lyrics check words.txt --engine diffrhythm --duration 95 --timed > words.lrc

Severities: a note costs no words; of a warning's line words may be skipped, rushed or repeated;
an error's line is not sung. Line 0 stands for all lines.
Exits 0 if there is no error, else 1; the other codes are those of every command.
""",
)
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--engine", required=True, help="Who is to sing; `musicgen engines` lists them.")
@click.option(
    "--duration",
    "duration_s",
    type=Length(),
    help="Length of the piece: seconds, or 1m35s, 1:35. Default: the engine's.",
)
@click.option(
    "--option", "options", multiple=True, metavar="NAME=VALUE", help="One of the engine's own."
)
@click.option(
    "--timed", is_flag=True, help="Print the lyrics with the time of each line (LRC) instead."
)
@studio_options
@click.pass_obj
def check(
    shell: Shell,
    *,
    file: Path,
    engine: str,
    duration_s: float | None,
    options: tuple[str, ...],
    timed: bool,
) -> int:
    """Say which lines of FILE, text or LRC in UTF-8, would not be sung as they stand, and what
    helps. Nothing is made. - is stdin."""
    words, given = making.read_lyrics(file), parse_options(options)
    answer = shell.ask(
        lambda studio: studio.check_lyrics(words, engine, duration_s=duration_s, options=given)
    )
    findings = [finding_to_json(finding) for finding in answer.findings]
    if shell.json:
        print_json({"findings": findings, "timed_lyrics": answer.timed_lyrics})
    elif timed:
        print(printable_lines(answer.timed_lyrics))
        if findings:
            say(f"There are {len(findings)} findings; without --timed they are listed.")
    else:
        show(findings)
    unsung = any(finding["severity"] == "error" for finding in findings)
    return Exit.FAILED if unsung else Exit.OK


def show(findings: Sequence[dict[str, Any]]) -> None:
    """Print findings, for people with what helps beneath what is wrong."""
    rows = [
        (str(found["line"]), found["severity"], found["message"], found["remedy"])
        for found in findings
    ]
    if not (rows and sys.stdout.isatty()):
        headings = ("LINE", "SEVERITY", "MESSAGE", "REMEDY")
        print_table(headings, rows, stretch=2, empty="Every line can be sung as it stands.")
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("LINE", no_wrap=True, justify="right")
    table.add_column("SEVERITY", no_wrap=True)
    table.add_column("WHAT", ratio=1)
    for line, severity, message, remedy in rows:
        what = Text(printable(message))
        if remedy:
            what.append(f"\n{printable(remedy)}", "dim")
        place = "all" if line == "0" else line
        table.add_row(place, Text(severity, STYLES.get(severity, "")), what)
    console().print(table)


def printable_lines(text: str) -> str:
    """Return lines without what would steer a terminal."""
    return "\n".join(printable(line) for line in text.splitlines())
