"""What torch can compute on here, and the device that an engine is to use.

    python -m musicgen.engine.devices --json

runs in an engine's environment. A host asks for its device once:

    device = torch.device(devices.selected().torch_name)
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import json
import os
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from musicgen.engine import hardware
from musicgen.engine.hardware import Half, Hardware, Kind
from musicgen.errors import DeviceNotFound, StudioError

AUTOMATIC = "auto"
"""The choice of somebody who leaves it to the studio."""

VARIABLE = "MUSICGEN_DEVICE"
"""Tells a host its device: an id such as "cuda:0", or AUTOMATIC, as is meant without it."""

_ID = re.compile(r"(cpu|mps)|(cuda|rocm):(0|[1-9]\d?)")
_PREFERENCE: Sequence[Kind] = ("cuda", "rocm", "mps", "cpu")


@dataclass(frozen=True, slots=True)
class Device:
    """Something to compute on. `half` is the half precision that its hardware computes
    fast; `memory_bytes` is 0 if unknown, and all of the machine's for the CPU."""

    kind: Kind
    index: int
    name: str
    memory_bytes: int
    half: Half
    chosen: bool = False

    @property
    def id(self) -> str:
        """What people and settings call it: "cpu", "mps", "cuda:0", "rocm:1"."""
        return self.kind if self.kind in ("cpu", "mps") else f"{self.kind}:{self.index}"

    @property
    def torch_name(self) -> str:
        """What torch calls it; ROCm goes by CUDA's name there."""
        return self.id.replace("rocm", "cuda")


def check_id(choice: str) -> str:
    """Return `choice` if it is an id or AUTOMATIC. Raises ValueError."""
    if choice != AUTOMATIC and not _ID.fullmatch(choice):
        raise ValueError(f"{choice[:40]!r} is no device; such are auto, cpu, mps, cuda:0, rocm:0")
    return choice


def load_torch() -> Any:
    """Import torch: only environments of neural engines have it, and it takes seconds.
    Raises ImportError."""
    # So that cards are numbered as nvidia-smi numbers them, not by speed.
    os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    return importlib.import_module("torch")


def detect() -> list[Device]:
    """Return all devices of this environment's torch, the CPU last. Raises ImportError."""
    torch = load_torch()
    cards = torch.cuda.device_count() if torch.cuda.is_available() else 0
    found = [_card(torch, index) for index in range(cards)]
    processor = hardware.look_at_processor()
    if torch.backends.mps.is_available():
        found.append(Device("mps", 0, f"{processor.name} GPU", processor.memory_bytes, "fp16"))
    found.append(Device("cpu", 0, processor.name, processor.memory_bytes, processor.half))
    return found


def _card(torch: Any, index: int) -> Device:
    properties = torch.cuda.get_device_properties(index)
    memory_bytes = int(properties.total_memory)
    if torch.version.hip:
        architecture = str(getattr(properties, "gcnArchName", "")).partition(":")[0]
        half = hardware.half_of_amd(architecture)
        return Device("rocm", index, properties.name, memory_bytes, half)
    half = hardware.half_of_cuda((properties.major, properties.minor))
    return Device("cuda", index, properties.name, memory_bytes, half)


def quick(found: Hardware) -> list[Device]:
    """Return the devices that a quick look found, the CPU last: for health, before any
    environment is there."""
    cards = [Device(c.kind, c.index, c.name, c.memory_bytes, c.half) for c in found.cards]
    processor = found.processor
    return [*cards, Device("cpu", 0, processor.name, processor.memory_bytes, processor.half)]


def choose(choice: str, devices: Iterable[Device], found: Hardware) -> list[Device]:
    """Return the devices with exactly one of them chosen: the one called `choice`, or the
    best for AUTOMATIC. Raises DeviceNotFound rather than take the CPU in place of a card.

    `found` is the quick look: a card that is there, but not among `devices`, is a fault.
    """
    listed = list(devices)
    if choice == AUTOMATIC:
        _miss_no_card(listed, found)
        taken = min(listed, key=lambda device: _PREFERENCE.index(device.kind)).id
    elif choice in {device.id for device in listed}:
        taken = choice
    else:
        names = ", ".join(device.id for device in listed)
        raise DeviceNotFound(
            f"The chosen device {choice} is not there; there are: {names}.",
            metadata={"device": choice, "available": names},
        )
    return [dataclasses.replace(device, chosen=device.id == taken) for device in listed]


def _miss_no_card(listed: Sequence[Device], found: Hardware) -> None:
    remedy = (
        "Update the graphics driver or repair the engine's environment, or choose the CPU yourself."
    )
    if any(device.kind != "cpu" for device in listed):
        return
    if found.trouble:
        raise DeviceNotFound(f"The graphics card can't be asked. {found.trouble}", remedy=remedy)
    if found.cards:
        name = found.cards[0].name
        raise DeviceNotFound(f"torch can't use the graphics card {name}.", remedy=remedy)


def selected() -> Device:
    """Return the device that this host is to compute on, as VARIABLE says.

    Raises DeviceNotFound if it is not there, ValueError if VARIABLE names no device.
    """
    choice = check_id(os.environ.get(VARIABLE) or AUTOMATIC)
    listed = choose(choice, detect(), hardware.look())
    return next(device for device in listed if device.chosen)


def main() -> None:
    """Run as a program."""
    parser = argparse.ArgumentParser(prog="musicgen.engine.devices", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON list on standard output")
    arguments = parser.parse_args()
    try:
        choice = check_id(os.environ.get(VARIABLE) or AUTOMATIC)
        listed = choose(choice, detect(), hardware.look())
    except (ImportError, StudioError, ValueError) as error:
        sys.exit(f"musicgen.engine.devices: {error}")
    if arguments.json:
        print(json.dumps([{**dataclasses.asdict(device), "id": device.id} for device in listed]))
        return
    for device in listed:
        mark = "*" if device.chosen else " "
        gib = device.memory_bytes / (1 << 30)
        print(f"{mark} {device.id:8} {gib:6.1f} GiB  half: {device.half:5} {device.name}")


if __name__ == "__main__":
    main()
