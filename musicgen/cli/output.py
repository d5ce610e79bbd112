"""Printing: results to stdout, everything else to stderr; JSON for scripts."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

_GAP = 2
"""Cells between two columns of a table."""

_LEAST_STRETCHED = 16
"""Cells that the column that gives way keeps, as long as it can."""


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
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    stretch: int,
    empty: str,
    spare: Sequence[int] = (),
) -> None:
    """Print rows: as a table on a terminal, else as lines of tab-separated values
    without headings. `stretch` is the column that gives way when it gets narrow;
    `spare` are those that are left out, in this order, when it gets too narrow for all;
    `empty` is what people read when there are none."""
    safe = [[printable(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        for row in safe:
            print("\t".join(row))
        return

    if not safe:
        console(stderr=True).print(Text(empty, "dim"))
        return
    out = console()
    widths = [max(map(cell_len, column)) for column in zip(headings, *safe, strict=True)]
    shown, stretched = _columns(widths, stretch, spare, out.width)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for index in shown:
        width = stretched if index == stretch else widths[index]
        table.add_column(headings[index], overflow="ellipsis", no_wrap=True, width=width)
    for row in safe:
        table.add_row(*(Text(row[index], STYLES.get(row[index], "")) for index in shown))
    out.print(table)


def _columns(
    widths: Sequence[int], stretch: int, spare: Sequence[int], width: int
) -> tuple[list[int], int]:
    """Return the columns to show, and the width of `stretch`: what the others leave, for an id
    that is cut off is of no use."""
    shown, left_out = list(range(len(widths))), list(spare)
    needed = min(widths[stretch], _LEAST_STRETCHED)
    while True:
        others = sum(widths[column] for column in shown if column != stretch)
        left = width - others - _GAP * (len(shown) - 1)
        if left >= needed or not left_out:
            return shown, min(widths[stretch], max(left, 1))
        shown.remove(left_out.pop(0))


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
    "paused": "yellow",
    "open": "green",
    "high": "bold",
    "low": "dim",
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


def ago(seconds: float) -> str:
    """Return how long something has been, in its largest unit."""
    whole = max(0, int(seconds))
    for unit, length_s in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if whole >= length_s:
            return f"{whole // length_s}{unit}"
    return f"{whole}s"


def size(count_bytes: int) -> str:
    """Return a size as people say it."""
    value = float(count_bytes)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"
