"""The devices that health, the page and the command line show."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from musicgen.engine import hardware
from musicgen.engine.devices import VARIABLE, Device, choose, quick
from musicgen.engine.hardware import Hardware
from musicgen.errors import DeviceNotFound, EngineCrashed
from services.inference.devices.choice import checked, read_choice, save_choice

DETECT_TIMEOUT_S = 120.0
"""Importing torch from a cold disk takes tens of seconds."""


@dataclass(frozen=True, slots=True)
class Listed:
    """All devices, the CPU last. `trouble` says why the chosen one can't be used, or why a
    card can't be asked; then no device is marked as chosen."""

    devices: tuple[Device, ...]
    choice: str
    trouble: str = ""


class Devices:
    """The devices of this machine, and the choice among them, kept under `data_root`.
    All methods block."""

    def __init__(self, data_root: Path, *, look: Callable[[], Hardware] = hardware.look) -> None:
        self._data_root = data_root
        self._look = look

    def listed(self) -> Listed:
        """Look quickly, without torch. Raises InvalidField for a setting that can't be read."""
        found, choice = self._look(), read_choice(self._data_root)
        devices = quick(found)
        try:
            return Listed(tuple(choose(choice, devices, found)), choice)
        except DeviceNotFound as error:
            return Listed(tuple(devices), choice, error.message)

    def select(self, choice: str) -> Listed:
        """Choose a device by id, or "auto", and save that. Raises DeviceNotFound for one that
        isn't there, InvalidField, OSError. Hosts that are up go on with the old one: end them.
        """
        found = self._look()
        chosen = choose(checked(choice), quick(found), found)
        save_choice(self._data_root, choice)
        return Listed(tuple(chosen), choice)

    def seen_by(self, python: Path) -> Listed:
        """Ask torch of an engine's environment, whose interpreter is `python`; takes seconds.
        Raises DeviceNotFound if it can't use the chosen device, EngineCrashed."""
        choice = read_choice(self._data_root)
        command = ["/usr/bin/env", f"{VARIABLE}={choice}", str(python)]
        try:
            answer = subprocess.run(  # noqa: S603  # the studio's own module
                [*command, "-I", "-m", "musicgen.engine.devices", "--json"],
                capture_output=True,
                text=True,
                timeout=DETECT_TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise EngineCrashed(f"The devices can't be detected: {error}.") from error
        if answer.returncode:
            said = (answer.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise DeviceNotFound(said.partition(": ")[2] or said, metadata={"device": choice})
        try:
            listed = json.loads(answer.stdout)
            for device in listed:
                device.pop("id")
            return Listed(tuple(Device(**device) for device in listed), choice)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise EngineCrashed(f"The detected devices can't be read: {error}.") from error
