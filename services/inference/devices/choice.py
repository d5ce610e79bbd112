"""Which device was chosen: a setting on disk, so that it outlives the service."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from pathlib import Path

from musicgen.artifacts import publish
from musicgen.engine.devices import AUTOMATIC, check_id
from musicgen.errors import InvalidField

_FILE = Path("settings") / "device.json"


def read_choice(data_root: Path) -> str:
    """Return the id of the chosen device, or AUTOMATIC if none was chosen.

    Raises InvalidField for a file that says something else: taking another device than the
    one that was meant would be silent.
    """
    path = data_root / _FILE
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return AUTOMATIC
    except (OSError, ValueError) as error:
        raise _wrong(path, str(error)) from error
    choice = said.get("device") if isinstance(said, dict) else None
    if not isinstance(choice, str):
        raise _wrong(path, "it names no device")
    try:
        return check_id(choice)
    except ValueError as error:
        raise _wrong(path, str(error)) from error


def save_choice(data_root: Path, choice: str) -> None:
    """Choose a device by id, or AUTOMATIC. Raises InvalidField if it can't be one, OSError."""
    checked(choice)
    path = data_root / _FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        temporary.write_text(json.dumps({"device": choice}) + "\n", encoding="utf-8")
        publish(temporary, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()


def checked(choice: str) -> str:
    """Return `choice` if it can be one. Raises InvalidField."""
    try:
        return check_id(choice)
    except ValueError as error:
        raise InvalidField(f"{error}.", fields={"device": "is no device"}) from error


def _wrong(path: Path, why: str) -> InvalidField:
    return InvalidField(
        f"The setting of the device can't be read: {why}.",
        remedy=f"Choose a device again, or remove {path}.",
        fields={"device": "can't be read"},
    )
