"""How much memory there is, and what a way of making a song would take."""

from __future__ import annotations

import ctypes
import errno
import gc
import mmap
import re
import sys
from pathlib import Path

import torch
from torch import Tensor

_MADV_PAGEOUT = 21
"""Linux 5.4: drops pages that a file backs; what is in them is not lost."""
_WORDS_OF_SHORTAGE = re.compile(
    r"can't allocate memory|cannot allocate memory|not enough memory|out of memory|bad_alloc"
    r"|could not create a memory|buffer size too large|(CUBLAS|CUDNN)_STATUS_ALLOC_FAILED",
    re.IGNORECASE,
)


def is_shortage(error: BaseException) -> bool:
    """Whether an error says that memory ran out: torch has no one class for that."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, RuntimeError) and bool(_WORDS_OF_SHORTAGE.search(str(error)))


def give_back() -> None:
    """Give back what nothing refers to any more."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()


def available_bytes(device: torch.device, root: Path = Path("/")) -> int:
    """Return what can still be had on a device; 0 if that is not known. `root` is where /proc
    and /sys are."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(free)
    machine = _number(r"^MemAvailable:\s+(\d+) kB", root / "proc" / "meminfo") * 1024
    group = root / "sys" / "fs" / "cgroup"
    if limit := _number(r"^(\d+)$", group / "memory.max"):
        taken = _number(r"^(\d+)$", group / "memory.current")
        cached = _number(r"^file (\d+)$", group / "memory.stat")  # given back when need be
        left = max(0, limit - max(0, taken - cached))
        return min(machine, left) if machine else left
    return machine


def forget_pages(tensor: Tensor) -> None:
    """Drop what was read of a mapped file that holds this tensor: it counts as this process's
    memory, and won't be needed again. A tensor that no file backs is left alone."""
    if sys.platform != "linux" or tensor.device.type != "cpu":
        return
    page = mmap.PAGESIZE
    start = -(-tensor.data_ptr() // page) * page
    end = (tensor.data_ptr() + tensor.nbytes) // page * page
    if end > start:
        # Older kernels refuse, which costs memory and nothing else.
        ctypes.CDLL(None).madvise(
            ctypes.c_void_p(start), ctypes.c_size_t(end - start), _MADV_PAGEOUT
        )


def _number(pattern: str, path: Path) -> int:
    try:
        found = re.search(pattern, path.read_text(encoding="ascii"), re.MULTILINE)
    except (OSError, UnicodeDecodeError):
        return 0
    return int(found[1]) if found else 0
