"""The same samples for the same seed, on every machine of one kind.

numpy and OpenBLAS choose their kernels by the processor, and the kernels differ in the
last bit. Pinned here: one thread, and on x86-64 the kernels of AVX2 and FMA, which nearly
every processor since 2013 has. `runtime()` names the kind of machine for the recipe.
"""

from __future__ import annotations

import functools
import importlib.metadata
import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

RUNTIME_KEY = "runtime"
"""Where the decisions of a generation say what it was computed with: `with_runtime()`."""

_X86_64 = ("x86_64", "AMD64")
_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
# numpy 2.4 gave its dispatch groups new names, and complains about those it doesn't know.
_BEYOND_V3 = "X86_V4 AVX512_ICL AVX512_SPR"
_BEYOND_V3_BEFORE_2_4 = (
    "AVX512F AVX512CD AVX512_KNL AVX512_KNM AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL"
)


def pin() -> None:
    """Pin how this process computes; call it before anything loads numpy."""
    if "numpy" in sys.modules:
        raise RuntimeError("numpy is loaded already; its kernels can't be pinned any more")
    os.environ.update(variables(machine_kind(), _version_of("numpy")))


def variables(machine: str, numpy_version: str) -> dict[str, str]:
    """Return the environment variables that pin a machine of this kind."""
    pinned = dict.fromkeys(_THREADS, "1")
    if machine.startswith(_X86_64):
        major_minor = tuple(int(part) for part in numpy_version.split(".")[:2] if part.isdigit())
        old = bool(major_minor) and major_minor < (2, 4)
        pinned["NPY_DISABLE_CPU_FEATURES"] = _BEYOND_V3_BEFORE_2_4 if old else _BEYOND_V3
    if machine.endswith("-v3"):
        pinned["OPENBLAS_CORETYPE"] = "Haswell"
    return pinned


def runtime() -> Mapping[str, str]:
    """Say what, besides the parameters, samples that numpy computes depend on."""
    return {
        "device_class": "cpu",
        "cpu_arch": machine_kind(),
        "numpy_version": _version_of("numpy"),
        "python_version": platform.python_version(),
    }


def with_runtime(decisions: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an engine's decisions with `runtime()` under RUNTIME_KEY, where what the engine
    says there itself wins. Raises TypeError if that is no mapping of str to str."""
    told = decisions.get(RUNTIME_KEY, {})
    if not isinstance(told, Mapping) or not all(
        isinstance(text, str) for fact in told.items() for text in fact
    ):
        raise TypeError(f"the decisions' {RUNTIME_KEY!r} must be a mapping of str to str")
    return {**decisions, RUNTIME_KEY: {**runtime(), **told}}


@functools.cache
def machine_kind() -> str:
    """Return the architecture; with "-v3" if it is x86-64 that has AVX2 and FMA."""
    machine = platform.machine()
    if machine in _X86_64:
        flags = _cpu_flags(Path("/proc/cpuinfo"))
        if {"avx2", "fma"} <= flags:
            return f"{machine}-v3"
    return machine


def _cpu_flags(cpuinfo: Path) -> frozenset[str]:
    try:
        with cpuinfo.open(encoding="utf-8") as lines:
            for line in lines:
                if line.startswith("flags"):
                    return frozenset(line.partition(":")[2].split())
    except OSError:
        pass  # not Linux; then the architecture alone is named
    return frozenset()


def _version_of(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""
