"""Which build of torch fits this machine.

For torch 2.13 there are builds for CUDA 12.6 (compute capability 5.0 to 9.0) and 13.0 (from
7.5), for ROCm 7.2, for the CPU alone, and the one for macOS. A later torch has others: look
at its support matrix when the pin changes.
"""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass

from musicgen.engine.devices import AUTOMATIC
from musicgen.engine.hardware import Card, Hardware, Kind
from musicgen.errors import DeviceNotFound

INDEX = "https://download.pytorch.org/whl"

_CU130_DRIVER = (580, 65)
_CU126_DRIVER = (525, 60)  # every driver of CUDA 12 runs programs of all its minor versions
_CU130_CAPABILITY = (7, 5)
_CU126_CAPABILITIES = ((5, 0), (9, 0))


@dataclass(frozen=True, slots=True)
class Build:
    """One build. `kind` is the device that it is made for; all compute on the CPU, too.

    `tag` is the local version of its wheels, "" if they have none. `more_packages` is about
    how many packages it needs that the lock doesn't name."""

    name: str
    kind: Kind
    tag: str = ""
    more_packages: int = 0

    @property
    def index(self) -> str:
        """The package index that has its wheels, "" for the usual one."""
        return f"{INDEX}/{self.tag}" if self.tag else ""


CPU = Build("cpu", "cpu", tag="cpu")
CU126 = Build("cu126", "cuda", tag="cu126", more_packages=18)
CU130 = Build("cu130", "cuda", tag="cu130", more_packages=20)
ROCM = Build("rocm7.2", "rocm", tag="rocm7.2", more_packages=1)
MAC_CPU = Build("cpu", "cpu")
MPS = Build("mps", "mps")
NONE = Build("none", "cpu")
"""For environments without torch."""

BUILDS = {build.name: build for build in (CPU, CU126, CU130, ROCM, MPS, NONE)}


def fitting(found: Hardware, choice: str = AUTOMATIC) -> Build:
    """Return the build for the device that was chosen, or for the best one.

    Raises DeviceNotFound if that device is not there, or if its driver runs no build: the
    CPU is never taken in place of a card without being asked for.
    """
    kind = _wanted(found, choice)
    if kind == "cuda":
        return _cuda(found)
    if kind == "rocm":
        return ROCM
    if kind == "mps":
        return MPS
    return MAC_CPU if sys.platform == "darwin" else CPU


def serves(build: Build, found: Hardware, choice: str = AUTOMATIC) -> str:
    """Return "" if an environment with this build serves what is wanted now, else why not."""
    try:
        wanted = fitting(found, choice)
    except DeviceNotFound as error:
        return error.message
    if build is NONE or wanted.kind == "cpu" or build.name == wanted.name:
        return ""
    if build is CU126 and wanted is CU130 and _in_cu126(_strongest(found)):
        return ""  # the driver has become newer, and runs the older build as before
    return f"it has torch for {build.name}, but {wanted.name} is needed"


def platform_name() -> str:
    """Return what compiled packages depend on, such as "linux-x86_64-glibc"."""
    libc = platform.libc_ver()[0] or "musl" if sys.platform == "linux" else ""
    return "-".join(part for part in (sys.platform, platform.machine(), libc) if part)


def _wanted(found: Hardware, choice: str) -> Kind:
    if choice != AUTOMATIC:
        kind, _, index = choice.partition(":")
        if kind == "cpu":
            return "cpu"
        for card in found.cards:
            if card.kind == kind and card.index == int(index or 0):
                return card.kind
        why = found.trouble or "It is not there."
        raise DeviceNotFound(
            f"The chosen device {choice} can't be used. {why}", metadata={"device": choice}
        )
    if found.trouble and not found.cards:
        raise DeviceNotFound(
            f"The graphics card can't be asked. {found.trouble}",
            remedy="Repair its driver, or choose the CPU yourself.",
        )
    kinds = {card.kind for card in found.cards}
    return next((kind for kind in ("cuda", "rocm", "mps") if kind in kinds), "cpu")


def _cuda(found: Hardware) -> Build:
    card = _strongest(found)
    driver = found.nvidia_driver[:2]
    newer = card.capability is None or card.capability >= _CU130_CAPABILITY
    if driver >= _CU130_DRIVER and newer:
        return CU130
    if driver >= _CU126_DRIVER and _in_cu126(card):
        return CU126
    has = ".".join(str(part) for part in found.nvidia_driver)
    needed = _CU126_DRIVER if _in_cu126(card) else _CU130_DRIVER
    raise DeviceNotFound(
        f"No build of torch runs on {card.name} with the driver {has}.",
        remedy=f"Update the NVIDIA driver to {needed[0]}.{needed[1]} or newer, or choose the CPU "
        "yourself. Cards before compute capability 5.0 are too old.",
        metadata={"device": f"cuda:{card.index}", "driver": has},
    )


def _strongest(found: Hardware) -> Card:
    cards = [card for card in found.cards if card.kind == "cuda"]
    return max(cards, key=lambda card: card.capability or (0, 0))


def _in_cu126(card: Card) -> bool:
    low, high = _CU126_CAPABILITIES
    return card.capability is None or low <= card.capability <= high
