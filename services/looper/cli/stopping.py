"""Ctrl-C in the middle of a render: where the work can be left, not in the middle of a codec."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator

import click

from musicgen.errors import Cancelled
from musicgen.progress import Progress
from services.looper.loops import Report


@contextlib.contextmanager
def stoppable(report: Report) -> Iterator[Report]:
    """Yield a report that raises Cancelled once the process was asked to stop; it then exits
    with 130 (SIGINT) or 143 (SIGTERM). Asked a second time it stops at once."""
    asked: list[int] = []
    usual = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in usual.items():
            signal.signal(number, handler)

    def ask(number: int, _: object) -> None:
        asked.append(number)
        restore()

    def stopping(progress: Progress) -> None:
        if asked:
            raise Cancelled("Stopped.")
        report(progress)

    for number in usual:
        signal.signal(number, ask)
    try:
        yield stopping
    except Cancelled:
        click.echo("Stopped; nothing was written.", err=True)
        sys.exit(128 + asked[0])
    finally:
        restore()
