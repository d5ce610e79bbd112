"""Saves a file so that its name only ever stands for the whole of it."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from musicgen.errors import DiskFull, InvalidField


def check_target(target: Path, *, overwrite: bool) -> None:
    """Raise InvalidField if nothing could be saved as `target`: better before a long
    piece of work than after it."""
    if target.is_dir():
        raise _refusal(f"{target} is a folder.", "Name a file in it.")
    if target.exists() and not overwrite:
        raise _refusal(f"{target} exists.", "Choose another name, or overwrite it with --force.")
    folder = target.parent
    if not folder.is_dir():
        raise _refusal(f"The folder {folder} does not exist.", "Create it, or choose another.")
    if not os.access(folder, os.W_OK):
        raise _refusal(f"The folder {folder} can't be written to.", "Choose another folder.")


@contextlib.contextmanager
def saving(target: Path, *, overwrite: bool = False) -> Iterator[BinaryIO]:
    """Open a ".part" file beside `target`, for writing and reading. It becomes `target`
    when the body ends well, and goes when it doesn't.

    Raises InvalidField if `target` can't be saved (also if it came into being
    meanwhile and `overwrite` is false), DiskFull.
    """
    check_target(target, overwrite=overwrite)
    part = target.with_name(target.name + ".part")
    try:
        with part.open("w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _publish(part, target, overwrite=overwrite)
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise DiskFull(f"No space is left in {target.parent}.") from error
        raise
    finally:
        part.unlink(missing_ok=True)


def _publish(part: Path, target: Path, *, overwrite: bool) -> None:
    if not overwrite:
        try:
            os.link(part, target)  # unlike a rename, never replaces
            return
        except FileExistsError:
            raise _refusal(f"{target} exists.", "Overwrite it with --force.") from None
        except OSError:  # this file system has no hard links
            check_target(target, overwrite=False)
    part.replace(target)


def _refusal(message: str, remedy: str) -> InvalidField:
    return InvalidField(message, remedy=remedy, fields={"output": message})
