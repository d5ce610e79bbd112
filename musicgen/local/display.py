"""What the launcher says: one line a part, readable with and without colours."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TextIO

Say = Callable[[str], None]

_GREEN, _RED, _YELLOW, _BOLD, _DIM = "32", "31", "33", "1", "2"


def to_stderr(line: str) -> None:
    """Print a line where it does not mix with the output of a command."""
    with contextlib.suppress(OSError):  # the terminal may be gone
        print(line, file=sys.stderr, flush=True)


def may_colour(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Return whether colours are wanted there: a terminal, and NO_COLOR not set."""
    return stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


class Display:
    """Turns what happens into lines. `quiet` leaves out all but trouble."""

    def __init__(self, say: Say, *, colour: bool, quiet: bool = False) -> None:
        self._say = say
        self._colour = colour
        self._quiet = quiet

    def works(self, part: str, seconds: float, remark: str = "") -> None:
        """A part works for the first time."""
        tick = self._paint(_GREEN, "✓")
        self._info(
            f"  {tick} {part:<10} {self._paint(_DIM, f'{seconds:5.2f} s  {remark}'.rstrip())}"
        )

    def returned(self, part: str, seconds: float) -> None:
        """A part that had died works again."""
        self._info(f"  {self._paint(_GREEN, '✓')} {part} works again after {seconds:.1f} s")

    def ready(self, url: str, data_root: str) -> None:
        """Everything works."""
        self._info("")
        self._info(f"  {self._paint(_BOLD, url)}")
        self._info(self._paint(_DIM, f"  data in {data_root}; Ctrl-C ends the studio"))
        self._info("")

    def note(self, text: str) -> None:
        """Something worth knowing."""
        self._info(f"  {text}")

    def warning(self, text: str) -> None:
        """Something that went wrong and is being dealt with."""
        self._say(f"  {self._paint(_YELLOW, '!')} {text}")

    def failure(self, text: str, *, remedy: str = "", log: Sequence[str] = ()) -> None:
        """Something that stays wrong, what to do, and the end of the log that shows why."""
        self._say(f"  {self._paint(_RED, '✗')} {text}")
        for line in log:
            self._say(self._paint(_DIM, f"    | {line}"))
        if remedy:
            self._say(f"    {remedy}")

    def _info(self, line: str) -> None:
        if not self._quiet:
            self._say(line)

    def _paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour and text else text
