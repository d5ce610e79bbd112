"""What the exit codes mean, and errors as people and scripts see them."""

from __future__ import annotations

import enum
import json
import sys
from typing import Any

import click
from rich.text import Text

from musicgen.cli.output import console, printable
from musicgen.errors import (
    Cancelled,
    Conflict,
    Exhausted,
    Forbidden,
    InvalidRequest,
    MessageTooLarge,
    NoLoopFound,
    NotFound,
    ServiceUnavailable,
    StoreUnavailable,
    StudioError,
    Unauthenticated,
    WrongState,
)


class Exit(enum.IntEnum):
    """The exit codes of every command."""

    OK = 0
    FAILED = 1
    INVALID = 2
    NOT_FOUND = 3
    UNREACHABLE = 4
    EXHAUSTED = 5
    CANCELLED = 130


class WorkFailed(Exception):
    """Accepted work ended with an error, whatever kind of error that was."""

    def __init__(self, error: StudioError) -> None:
        super().__init__(error.message)
        self.error = error


def exit_code(error: StudioError, *, of_work: bool = False) -> Exit:
    """Return the exit code for an error; `of_work` says that accepted work ended with it:
    then the studio was reachable and the request was served."""
    if of_work and not isinstance(error, InvalidRequest | Exhausted | Cancelled):
        return Exit.FAILED
    return next((code for kinds, code in _CODES if isinstance(error, kinds)), Exit.FAILED)


_CODES = (
    (Cancelled, Exit.CANCELLED),
    (
        InvalidRequest | MessageTooLarge | WrongState | Conflict | Unauthenticated | Forbidden,
        Exit.INVALID,
    ),
    (Exhausted, Exit.EXHAUSTED),
    (NoLoopFound, Exit.FAILED),
    (NotFound, Exit.NOT_FOUND),
    (ServiceUnavailable | StoreUnavailable, Exit.UNREACHABLE),
)
"""The first that fits counts."""


def report(error: StudioError, code: Exit, *, as_json: bool) -> None:
    """Print an error to stderr: what happened, what to do, and its reason."""
    if as_json:
        print(json.dumps({"error": _jsonable(error, code)}), file=sys.stderr)
        return

    out = console(stderr=True)
    asked_for = isinstance(error, Cancelled)  # then it is no error
    lead = Text() if asked_for else Text("Error: ", "bold red")
    lines = [lead.append(printable(error.message), "default")]
    for field, what in error.fields.items():
        if what not in error.message:
            lines.append(Text(f"  {printable(field)}: {printable(what)}"))
    if error.remedy:
        lines.append(Text(printable(error.remedy)))
    if not asked_for:
        lines.append(Text(f"({error.reason})", "dim"))
    for line in lines:
        out.print(line, soft_wrap=True)


def _jsonable(error: StudioError, code: Exit) -> dict[str, Any]:
    return {
        "reason": error.reason,
        "message": error.message,
        "remedy": error.remedy,
        "retryable": error.retryable,
        "fields": error.fields,
        "metadata": error.metadata,
        "exit_code": int(code),
    }


class FileNotFound(NotFound):
    """A file of this machine is not there, or can't be read."""

    reason = "FILE_NOT_FOUND"
    default_remedy = "Check the file's name and whether you may read it."


class Refused(StudioError):
    """The operating system refused something on this machine."""

    reason = "OS_ERROR"
    default_remedy = "Check the place named and your rights there."


class Usage(InvalidRequest):
    """The command line itself is wrong."""

    reason = "USAGE"


def from_os(error: OSError) -> StudioError:
    """Put what the operating system refused into words of ours."""
    name = f"{error.filename}: " if error.filename else ""
    return Refused(f"{name}{error.strerror or error}.")


def from_click(error: click.ClickException) -> StudioError:
    """Put an error of the command line's own parser into words of ours."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "musicgen"
    return Usage(error.format_message(), remedy=f"`{path} --help` shows how it is used.")
