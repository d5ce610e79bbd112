"""Printing: results to stdout, everything else to stderr; JSON for scripts."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text


def console(*, stderr: bool = False) -> Console:
    """Return a console for stdout or stderr; colours only on a terminal, and none with
    NO_COLOR set."""
    return Console(
        file=sys.stderr if stderr else sys.stdout, stderr=stderr, highlight=False, emoji=False
    )


def printable(text: str) -> str:
    """Return `text` without what would steer a terminal or can't be encoded."""
    return "".join(
        " " if char in "\n\t" else "\N{REPLACEMENT CHARACTER}" if _unsafe(char) else char
        for char in text
    )


def _unsafe(char: str) -> bool:
    return unicodedata.category(char) in {"Cc", "Cf", "Cs"} and char != "\N{ZERO WIDTH JOINER}"


def print_json(value: Any) -> None:
    """Print one JSON document, as one line."""
    print(json.dumps(value), flush=True)


def print_table(
    headings: Sequence[str], rows: Iterable[Sequence[str]], *, stretch: int, empty: str
) -> None:
    """Print rows: as a table on a terminal, else as lines of tab-separated values
    without headings. `stretch` is the column that gives way when it gets narrow;
    `empty` is what people read when there are none."""
    safe = [[printable(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        for row in safe:
            print("\t".join(row))
        return

    if not safe:
        console(stderr=True).print(Text(empty, "dim"))
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for index, heading in enumerate(headings):
        if index == stretch:
            table.add_column(heading, overflow="ellipsis", no_wrap=True, ratio=1)
        else:
            table.add_column(heading, no_wrap=True)
    for row in safe:
        table.add_row(*(Text(cell, STYLES.get(cell, "")) for cell in row))
    console().print(table)


def print_facts(facts: Iterable[tuple[str, str]]) -> None:
    """Print names and values, a line each; those without a value are left out."""
    for name, value in facts:
        if value:
            print(f"{name:<12} {printable(value)}")


def say(text: str) -> None:
    """Tell people something beside the result; scripts don't hear it."""
    if sys.stderr.isatty():
        console(stderr=True).print(Text(printable(text)), soft_wrap=True)


STYLES = {
    "queued": "yellow",
    "running": "cyan",
    "cancelling": "yellow",
    "succeeded": "green",
    "failed": "red",
    "cancelled": "dim",
    "ready": "green",
    "installed": "green",
    "loaded": "green",
    "loading": "cyan",
    "corrupt": "red",
    "not installed": "dim",
    "unavailable": "red",
    "ok": "green",
    "down": "red",
    "note": "dim",
    "warning": "yellow",
    "error": "red",
}


def clock(seconds: float) -> str:
    """Return a length as h:mm:ss or m:ss."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def size(count_bytes: int) -> str:
    """Return a size as people say it."""
    value = float(count_bytes)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"
