"""What happens where memory is short: with real limits of the operating system."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from musicgen.engine.devices import Device
from musicgen.errors import InvalidField
from services.inference.engines.diffrhythm.config import VARIANTS
from services.inference.engines.diffrhythm.memory import available_bytes, is_shortage
from services.inference.engines.diffrhythm.precision import FULL
from services.inference.engines.diffrhythm.rungs import first_that_fits, ladder, precision_for

pytestmark = pytest.mark.unit

PLAIN = Device("cpu", 0, "A processor", 16 << 30, "none")
FAST = Device("cpu", 0, "A newer processor", 16 << 30, "bf16")
CARD = Device("cuda", 0, "A card", 8 << 30, "bf16")
PARAMETERS = 1_109_315_648
ORDER = ["full", "chunked", "in-turn", "half", "offload", "OUT_OF_MEMORY"]


@pytest.mark.skipif(sys.platform != "linux", reason="needs RLIMIT_AS as Linux has it")
def test_less_and_less_memory(tmp_path: Path) -> None:
    """The less address space there is, the lower the rung on which a song is made; OUT_OF_MEMORY
    comes only after the last."""
    limits_mib = [400, 260, 215, 165, 60]
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.neural.diffrhythm.in_little_memory",
            str(tmp_path),
            *map(str, limits_mib),
        ],
        # So that what is given back is really given back.
        env=os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"},
        capture_output=True,
        text=True,
        check=True,
    )
    said = [line.split()[1] for line in done.stdout.splitlines()]
    assert len(said) == 1 + len(limits_mib)
    places = [ORDER.index(one) for one in said]
    assert places == sorted(places)
    assert said[:2] == ["full", "full"]
    assert {"half", "OUT_OF_MEMORY"} <= set(said)


def test_the_ladder_of_each_device() -> None:
    """Half precision only where it is of use; a card is left for the processor last."""
    assert [rung.name for rung in ladder(PLAIN, "auto")] == ORDER[:-1]
    assert [rung.name for rung in ladder(FAST, "auto")] == [
        "full", "chunked", "in-turn", "offload",
    ]  # fmt: skip
    assert ladder(FAST, "auto")[0].precision.compute == torch.bfloat16
    assert ladder(FAST, "full")[0].precision == FULL
    on_card = ladder(CARD, "auto")
    assert on_card[0].precision.compute == torch.float16
    assert on_card[0].precision.residual == torch.float32
    assert (on_card[-1].name, on_card[-1].device.type) == ("cpu", "cpu")
    with pytest.raises(InvalidField, match="more slowly"):
        precision_for(PLAIN, "half")


def test_where_to_begin() -> None:
    """At the first rung whose need is there, by the true sizes; where nothing is known, with
    the first; with too little for any, with the last on the device."""
    config, rungs = VARIANTS["v1.2-full"], ladder(PLAIN, "full")

    def name(available_gb: float) -> str:
        available = int(available_gb * 1e9)
        return rungs[first_that_fits(rungs, config, PARAMETERS, 6_136, available)].name

    assert [name(gb) for gb in (0, 32, 8.6, 7, 5)] == [
        "full", "full", "in-turn", "half", "offload",
    ]  # fmt: skip
    cards = ladder(CARD, "auto")
    assert cards[first_that_fits(cards, config, PARAMETERS, 6_136, 1)].name == "offload"


def test_a_container_has_less_memory_than_its_machine(tmp_path: Path) -> None:
    """What its pages cache is given back when need be, so it counts as free."""
    files = {
        "proc/meminfo": "MemTotal: 9000 kB\nMemAvailable:    8000 kB\n",
        "sys/fs/cgroup/memory.max": "4096000\n",
        "sys/fs/cgroup/memory.current": "3072000\n",
        "sys/fs/cgroup/memory.stat": "anon 1\nfile 1024000\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    processor = torch.device("cpu")
    assert available_bytes(processor, tmp_path) == 4_096_000 - 2_048_000
    (tmp_path / "sys/fs/cgroup/memory.max").write_text("max\n")
    assert available_bytes(processor, tmp_path) == 8_000 * 1024
    assert available_bytes(processor, tmp_path / "nowhere") == 0


def test_what_says_that_memory_ran_out() -> None:
    """Torch has a class for cards, and words for processors; anything else is a defect."""
    with pytest.raises(RuntimeError) as refused:
        torch.empty(1 << 50)
    assert is_shortage(refused.value)
    assert is_shortage(MemoryError())
    assert is_shortage(OSError(12, "Cannot allocate memory"))
    assert not is_shortage(RuntimeError("shapes cannot be multiplied"))
    assert not is_shortage(OSError(28, "No space left on device"))
