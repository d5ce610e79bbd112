"""A quick look at this machine's processor and graphics cards, without torch.

It says which build of torch fits and what health shows; whether torch can really compute on
a card is found in the engine's environment (musicgen.engine.devices).
"""

from __future__ import annotations

import csv
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

Kind = Literal["cpu", "cuda", "rocm", "mps"]
Half = Literal["none", "fp16", "bf16"]

SMI_TIMEOUT_S = 10.0
_WSL_SMI = Path("/usr/lib/wsl/lib/nvidia-smi")
_SMI_QUERY = "index,name,memory.total,driver_version,compute_cap"
_MIB = 1 << 20

# On these the formats run at least as fast as float32; elsewhere they are emulated.
_BF16_FLAGS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})
_FP16_FLAGS = frozenset({"avx512_fp16", "amx_fp16", "asimdhp"})
_BF16_CUDA = (8, 0)
_FP16_CUDA = (7, 0)
_FP16_CUDA_BEFORE = (6, 0)  # of the cards before 7.0 only this one is fast at it
_BF16_AMD = ("gfx908", "gfx90a", "gfx94", "gfx95", "gfx11", "gfx12")


@dataclass(frozen=True, slots=True)
class Processor:
    """The CPU. `memory_bytes` is what this process may use, 0 if unknown."""

    name: str
    memory_bytes: int
    half: Half


@dataclass(frozen=True, slots=True)
class Card:
    """A graphics card. `capability` is NVIDIA's (major, minor), None if it isn't known."""

    kind: Kind
    index: int
    name: str
    memory_bytes: int
    half: Half
    capability: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Hardware:
    """What is there. `nvidia_driver` is such as (580, 65, 6); `trouble` says why a card that
    seems to be there can't be asked, "" if all is well."""

    processor: Processor
    cards: tuple[Card, ...] = ()
    nvidia_driver: tuple[int, ...] = ()
    trouble: str = ""


def look(environ: Mapping[str, str] = os.environ, root: Path = Path("/")) -> Hardware:
    """Look at this machine; takes at most SMI_TIMEOUT_S. `root` is where /proc and /sys are."""
    processor = look_at_processor(root)
    if sys.platform == "darwin":
        return Hardware(processor, _apple(processor))
    found = _nvidia(environ, root, processor)
    return replace(found, cards=found.cards + tuple(_amd(root)))


def half_of_cuda(capability: tuple[int, int] | None) -> Half:
    """Return the half precision that an NVIDIA card of this capability computes fast."""
    if capability is None:
        return "none"
    if capability >= _BF16_CUDA:
        return "bf16"
    return "fp16" if capability >= _FP16_CUDA or capability == _FP16_CUDA_BEFORE else "none"


def half_of_amd(architecture: str) -> Half:
    """Return the same for an AMD card such as "gfx90a"; all that ROCm runs on have fp16."""
    return "bf16" if architecture.startswith(_BF16_AMD) else "fp16"


def half_of_flags(flags: frozenset[str]) -> Half:
    """Return the same for a processor with these flags of /proc/cpuinfo."""
    if flags & _BF16_FLAGS:
        return "bf16"
    return "fp16" if flags & _FP16_FLAGS else "none"


def look_at_processor(root: Path = Path("/")) -> Processor:
    """Look at the processor and the memory only."""
    if sys.platform == "darwin":
        flags = {
            flag
            for flag, name in (("bf16", "FEAT_BF16"), ("asimdhp", "FEAT_FP16"))
            if _sysctl(f"hw.optional.arm.{name}") == "1"
        }
        memory = _sysctl("hw.memsize")
        name = _sysctl("machdep.cpu.brand_string") or platform.machine()
        return Processor(
            name, int(memory) if memory.isdigit() else 0, half_of_flags(frozenset(flags))
        )
    said = _first_processor(root / "proc" / "cpuinfo")
    flags_line = said.get("flags", "") or said.get("Features", "")
    return Processor(
        said.get("model name", "") or platform.machine(),
        _memory_bytes(root),
        half_of_flags(frozenset(flags_line.split())),
    )


def cores(root: Path = Path("/")) -> int:
    """Return how many of the processor's cores this process may use: a second thread on one
    core makes matrix products no faster."""
    if not hasattr(os, "sched_getaffinity"):
        return os.cpu_count() or 1
    allowed = os.sched_getaffinity(0)
    topology = root / "sys" / "devices" / "system" / "cpu"
    siblings = {
        _text(topology / f"cpu{number}" / "topology" / "thread_siblings_list").strip()
        or str(number)
        for number in allowed
    }
    return max(1, len(siblings))


def _first_processor(cpuinfo: Path) -> dict[str, str]:
    said: dict[str, str] = {}
    for line in _text(cpuinfo).splitlines():
        if not line.strip() and said:
            break
        name, _, value = line.partition(":")
        said[name.strip()] = value.strip()
    return said


def _memory_bytes(root: Path) -> int:
    """Of the machine, or of the container if that has less."""
    total = re.search(r"^MemTotal:\s+(\d+) kB", _text(root / "proc" / "meminfo"), re.MULTILINE)
    machine = int(total[1]) * 1024 if total else 0
    limit = _text(root / "sys" / "fs" / "cgroup" / "memory.max").strip()
    return min(machine, int(limit)) if limit.isdigit() and machine else machine


def _nvidia(environ: Mapping[str, str], root: Path, processor: Processor) -> Hardware:
    loaded = (root / "proc" / "driver" / "nvidia" / "version").exists()
    smi = shutil.which("nvidia-smi", path=environ.get("PATH"))
    if smi is None and root == Path("/") and _WSL_SMI.exists():
        smi = str(_WSL_SMI)
    if smi is None:
        trouble = "The NVIDIA driver is loaded, but nvidia-smi is not there." if loaded else ""
        return Hardware(processor, trouble=trouble)
    command = [smi, f"--query-gpu={_SMI_QUERY}", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(  # noqa: S603  # the driver's own tool, fixed arguments
            command, capture_output=True, text=True, timeout=SMI_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Hardware(processor, trouble=f"nvidia-smi gives no answer: {error}.")
    if answer.returncode:
        said = (answer.stdout or answer.stderr).strip()[:200]
        none = "No devices were found" in said
        return Hardware(processor, trouble="" if none else f"nvidia-smi failed: {said}")
    try:
        cards, driver = _smi_cards(answer.stdout)
    except ValueError:
        return Hardware(
            processor, trouble=f"nvidia-smi's answer can't be read: {answer.stdout.strip()[:200]}"
        )
    return Hardware(processor, _visible(cards, environ.get("CUDA_VISIBLE_DEVICES")), driver)


def _smi_cards(answer: str) -> tuple[list[Card], tuple[int, ...]]:
    cards: list[Card] = []
    driver: tuple[int, ...] = ()
    for row in csv.reader(answer.splitlines(), skipinitialspace=True):
        index, name, memory_mib, version, capability = row
        driver = tuple(int(part) for part in version.split("."))
        major_minor = re.fullmatch(r"(\d+)\.(\d+)", capability)
        known = (int(major_minor[1]), int(major_minor[2])) if major_minor else None
        # A card that shares the machine's memory has none of its own to tell.
        memory_bytes = int(memory_mib) * _MIB if memory_mib.isdigit() else 0
        cards.append(Card("cuda", int(index), name, memory_bytes, half_of_cuda(known), known))
    return cards, driver


def _visible(cards: list[Card], shown: str | None) -> tuple[Card, ...]:
    """Leave those that CUDA_VISIBLE_DEVICES shows, numbered as CUDA numbers them. It may
    also name cards by id, which is not resolved here: then all are left."""
    if shown is None or not re.fullmatch(r"\s*(-?\d+\s*(,\s*-?\d+\s*)*)?", shown):
        return tuple(cards)
    by_index = {card.index: card for card in cards}
    left: list[Card] = []
    for number in (int(part) for part in shown.split(",") if part.strip()):
        if number not in by_index:
            break  # CUDA, too, stops at the first that isn't there
        left.append(replace(by_index[number], index=len(left)))
    return tuple(left)


def _amd(root: Path) -> list[Card]:
    cards: list[Card] = []
    nodes = root / "sys" / "class" / "kfd" / "kfd" / "topology" / "nodes"
    for node in sorted(nodes.glob("*"), key=lambda folder: folder.name.zfill(6)):
        said = _pairs(_text(node / "properties"))
        version = said.get("gfx_target_version", 0)
        if not said.get("simd_count") or not version:
            continue  # a processor is a node, too
        architecture = f"gfx{version // 10000}{version // 100 % 100:x}{version % 100:x}"
        memory = sum(
            _pairs(_text(bank)).get("size_in_bytes", 0)
            for bank in (node / "mem_banks").glob("*/properties")
        )
        name = f"AMD {architecture}"
        cards.append(Card("rocm", len(cards), name, memory, half_of_amd(architecture)))
    return cards


def _pairs(text: str) -> dict[str, int]:
    found = (line.split() for line in text.splitlines())
    return {pair[0]: int(pair[1]) for pair in found if len(pair) == 2 and pair[1].isdigit()}


def _apple(processor: Processor) -> tuple[Card, ...]:
    if platform.machine() != "arm64":
        return ()
    # It shares the machine's memory.
    return (Card("mps", 0, f"{processor.name} GPU", processor.memory_bytes, "fp16"),)


def _sysctl(name: str) -> str:
    try:
        answer = subprocess.run(  # noqa: S603  # the system's own tool, fixed arguments
            ["/usr/sbin/sysctl", "-n", name], capture_output=True, text=True, timeout=5, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
