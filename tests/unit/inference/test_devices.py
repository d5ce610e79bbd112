"""What a quick look finds, which device is chosen, and which build of torch that needs."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import pytest

from musicgen.engine import hardware
from musicgen.engine.devices import AUTOMATIC, Device, choose, quick
from musicgen.engine.hardware import Card, Hardware, Processor
from musicgen.errors import DeviceNotFound, InvalidField
from services.inference.devices.choice import read_choice, save_choice
from services.inference.devices.listing import Devices
from services.inference.environments.builds import (
    CPU,
    CU126,
    CU130,
    NONE,
    ROCM,
    Build,
    fitting,
    serves,
)

pytestmark = pytest.mark.unit

PROCESSOR = Processor("A processor", 8 << 30, "none")
CPUINFO = "processor : 0\nmodel name : A processor\nflags : fpu avx2 {flags}\n\nprocessor : 1\n"


def card(capability: tuple[int, int], index: int = 0) -> Card:
    """An NVIDIA card."""
    half = hardware.half_of_cuda(capability)
    return Card("cuda", index, f"Card {capability}", 8 << 30, half, capability)


def machine(*cards: Card, driver: tuple[int, ...] = (), trouble: str = "") -> Hardware:
    """A machine with these cards."""
    return Hardware(PROCESSOR, cards, driver, trouble)


def smi(folder: Path, answer: str, code: int = 0) -> dict[str, str]:
    """Put a program called nvidia-smi into a folder and return an environment that has it."""
    folder.mkdir()
    program = folder / "nvidia-smi"
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{answer}\nEND\nexit {code}\n")
    program.chmod(0o755)
    return {"PATH": f"{folder}:/usr/bin:/bin"}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("flags", "half"),
    [
        ("", "none"),
        ("f16c avx512f", "none"),
        ("avx512_fp16", "fp16"),
        ("amx_bf16 amx_tile", "bf16"),
        ("avx512_bf16 avx512_fp16", "bf16"),
    ],
)
def test_processor(tmp_path: Path, flags: str, half: str) -> None:
    """Name, memory and half precision of a processor; converting halves (f16c) is not
    computing in them. A container's limit counts as its memory."""
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "cpuinfo").write_text(CPUINFO.format(flags=flags))
    (tmp_path / "proc" / "meminfo").write_text("MemTotal:       16384 kB\n")
    found = hardware.look({"PATH": ""}, tmp_path)
    assert found == Hardware(Processor("A processor", 16 << 20, half))  # type: ignore[arg-type]  # a Half by the table above
    (tmp_path / "sys" / "fs" / "cgroup").mkdir(parents=True)
    (tmp_path / "sys" / "fs" / "cgroup" / "memory.max").write_text("1048576\n")
    assert hardware.look({"PATH": ""}, tmp_path).processor.memory_bytes == 1 << 20


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.skipif(sys.platform != "linux", reason="reads /sys")
def test_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads of one core count once, those that this process may not use don't, and where
    nothing is told each counts."""

    def siblings(number: int, told: str) -> None:
        topology = tmp_path / f"sys/devices/system/cpu/cpu{number}/topology"
        topology.mkdir(parents=True)
        (topology / "thread_siblings_list").write_text(f"{told}\n")

    for number, told in enumerate(("0,4", "1,5", "2-3", "2-3", "0,4", "1,5")):
        siblings(number, told)
    for allowed, count in (
        ({0, 1, 2, 3, 4, 5}, 3),
        ({0, 4}, 1),
        ({4, 5}, 2),
        ({2}, 1),
        ({0, 8, 9}, 3),
    ):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, told=allowed: told)
        assert hardware.cores(tmp_path) == count
    assert hardware.cores(tmp_path / "nowhere") == 3
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set[int]())
    assert hardware.cores(tmp_path) == 1
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 12)
    assert hardware.cores(tmp_path) == 12


def test_nvidia_cards(tmp_path: Path) -> None:
    """Cards with memory, driver and half precision; those that CUDA hides are hidden, and one
    whose memory is the machine's is no fault."""
    lines = (
        "0, NVIDIA GeForce GTX 1080, 8192, 580.65.06, 6.1\n"
        "1, NVIDIA H200, 143771, 580.65.06, 9.0\n"
        "2, NVIDIA GB10, [N/A], 580.65.06, 12.1"
    )
    environ = smi(tmp_path / "bin", lines)
    found = hardware.look(environ, tmp_path)
    assert found.nvidia_driver == (580, 65, 6)
    assert [(c.index, c.memory_bytes >> 20, c.half) for c in found.cards] == [
        (0, 8192, "none"),
        (1, 143771, "bf16"),
        (2, 0, "bf16"),
    ]
    shown = hardware.look({**environ, "CUDA_VISIBLE_DEVICES": "1,0"}, tmp_path).cards
    assert [(c.index, c.capability) for c in shown] == [(0, (9, 0)), (1, (6, 1))]
    assert hardware.look({**environ, "CUDA_VISIBLE_DEVICES": ""}, tmp_path).cards == ()
    assert hardware.look({**environ, "CUDA_VISIBLE_DEVICES": "-1"}, tmp_path).cards == ()


@pytest.mark.parametrize(
    ("answer", "code", "trouble"),
    [
        ("Failed to initialize NVML: Driver/library version mismatch", 18, "version mismatch"),
        ("No devices were found", 6, ""),
        ("something else", 0, "can't be read"),
        ("0, A card, 1, not.a.number, 9.0", 0, "can't be read"),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_nvidia_trouble(tmp_path: Path, answer: str, code: int, trouble: str) -> None:
    """A driver that can't be asked is told, not taken for a machine without a card."""
    found = hardware.look(smi(tmp_path / "bin", answer, code), tmp_path)
    assert found.cards == ()
    assert trouble in found.trouble
    assert bool(trouble) == bool(found.trouble)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /sys")
def test_amd_cards(tmp_path: Path) -> None:
    """A card is a node of the driver's topology with compute units; processors are none."""
    nodes = tmp_path / "sys" / "class" / "kfd" / "kfd" / "topology" / "nodes"
    for node, simds, version in (("0", 0, 0), ("1", 440, 90010), ("2", 96, 110001)):
        (nodes / node / "mem_banks" / "0").mkdir(parents=True)
        (nodes / node / "mem_banks" / "0" / "properties").write_text("size_in_bytes 1048576\n")
        text = f"cpu_cores_count 0\nsimd_count {simds}\ngfx_target_version {version}\n"
        (nodes / node / "properties").write_text(text)
    found = hardware.look({"PATH": ""}, tmp_path)
    assert [(c.kind, c.index, c.name, c.memory_bytes, c.half) for c in found.cards] == [
        ("rocm", 0, "AMD gfx90a", 1 << 20, "bf16"),
        ("rocm", 1, "AMD gfx1101", 1 << 20, "bf16"),
    ]
    assert fitting(found) is ROCM


@pytest.mark.parametrize(
    ("capability", "half"),
    [((5, 2), "none"), ((6, 0), "fp16"), ((6, 1), "none"), ((7, 5), "fp16"), ((8, 6), "bf16")],
)
def test_half_precision_of_cards(capability: tuple[int, int], half: str) -> None:
    """Only what the card computes fast."""
    assert hardware.half_of_cuda(capability) == half


def test_choosing() -> None:
    """The best device is taken by itself, the named one if it is there, and nothing else."""
    found = machine(card((9, 0)), card((8, 0), 1), driver=(580, 65, 6))
    listed = quick(found)
    assert [d.id for d in listed] == ["cuda:0", "cuda:1", "cpu"]
    for choice, taken in ((AUTOMATIC, "cuda:0"), ("cuda:1", "cuda:1"), ("cpu", "cpu")):
        assert [d.id for d in choose(choice, listed, found) if d.chosen] == [taken]
    with pytest.raises(DeviceNotFound, match="cuda:2") as caught:
        choose("cuda:2", listed, found)
    assert caught.value.metadata["available"] == "cuda:0, cuda:1, cpu"
    assert Device("rocm", 1, "", 0, "fp16").torch_name == "cuda:1"


def test_never_silently_on_the_processor() -> None:
    """A card that torch can't use, or that can't be asked, is an error unless the processor
    was chosen."""
    only_cpu = [Device("cpu", 0, "A processor", 1, "none")]
    for found in (machine(card((9, 0)), driver=(580, 65)), machine(trouble="It is ill.")):
        with pytest.raises(DeviceNotFound):
            choose(AUTOMATIC, only_cpu, found)
        assert choose("cpu", only_cpu, found)[0].chosen
    assert choose(AUTOMATIC, only_cpu, machine())[0].chosen


@pytest.mark.parametrize(
    ("capability", "driver", "build"),
    [
        ((9, 0), (580, 65, 6), CU130),
        ((12, 0), (595, 10), CU130),
        ((9, 0), (570, 86, 15), CU126),
        ((7, 0), (580, 65, 6), CU126),  # CUDA 13 has dropped it
        ((5, 2), (525, 60, 13), CU126),
        ((12, 0), (570, 86, 15), None),  # too new for CUDA 12.6, its driver too old for 13
        ((8, 0), (470, 42), None),
        ((3, 5), (580, 65, 6), None),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="macOS has one build")
def test_build_for_cuda(
    capability: tuple[int, int], driver: tuple[int, ...], build: Build | None
) -> None:
    """Card and driver decide; without a build for them there is an error, not the CPU."""
    found = machine(card(capability), driver=driver)
    if build is None:
        with pytest.raises(DeviceNotFound, match="No build"):
            fitting(found)
    else:
        assert fitting(found) is build
    assert fitting(found, "cpu") is CPU


@pytest.mark.skipif(sys.platform != "linux", reason="macOS has one build")
def test_whether_a_build_still_serves() -> None:
    """A card's build serves the processor, too; a build for the processor serves no card; an
    older CUDA goes on under a newer driver, but not the other way round."""
    new = machine(card((9, 0)), driver=(580, 65))
    old = machine(card((9, 0)), driver=(570, 86))
    assert serves(CPU, machine()) == ""
    assert "cu130 is needed" in serves(CPU, new)
    assert serves(CPU, new, "cpu") == ""
    assert serves(CU130, machine()) == ""
    assert serves(CU126, new) == ""
    assert "cu126 is needed" in serves(CU130, old)
    assert serves(NONE, new) == ""
    assert "cuda:3" in serves(CU130, new, "cuda:3")
    with pytest.raises(DeviceNotFound, match="ill"):
        fitting(machine(trouble="It is ill."))


def test_the_choice_is_kept(tmp_path: Path) -> None:
    """What was chosen is there after a restart; what isn't there can't be chosen, and a
    setting that can't be read is an error."""
    found = machine(card((9, 0)), driver=(580, 65))
    listing = Devices(tmp_path, look=lambda: found)
    assert read_choice(tmp_path) == AUTOMATIC
    assert [d.id for d in listing.listed().devices if d.chosen] == ["cuda:0"]
    listing.select("cpu")
    assert read_choice(tmp_path) == "cpu"
    assert [d.id for d in listing.listed().devices if d.chosen] == ["cpu"]
    with pytest.raises(DeviceNotFound):
        listing.select("cuda:1")
    for wrong in ("gpu", "cuda", "cuda:01", "../x", "cuda:0\n"):
        with pytest.raises(InvalidField):
            listing.select(wrong)
        with pytest.raises(InvalidField):
            save_choice(tmp_path, wrong)
    assert read_choice(tmp_path) == "cpu"
    [file] = (tmp_path / "settings").iterdir()
    for text in ("", "[]", '{"device": 1}', '{"device": "gpu"}'):
        file.write_text(text)
        with pytest.raises(InvalidField) as caught:
            read_choice(tmp_path)
        assert "device" in caught.value.fields


def test_a_chosen_card_that_went_is_told(tmp_path: Path) -> None:
    """The list says so, and marks no other device in its place."""
    save_choice(tmp_path, "cuda:0")
    listed = Devices(tmp_path, look=machine).listed()
    assert listed.choice == "cuda:0"
    assert "cuda:0" in listed.trouble
    assert not any(device.chosen for device in listed.devices)


def test_without_torch(tmp_path: Path) -> None:
    """Where there is no torch, asking it says so."""
    if importlib.util.find_spec("torch"):
        pytest.skip("this environment has torch")
    with pytest.raises(DeviceNotFound, match="torch"):
        Devices(tmp_path).seen_by(Path(sys.executable))
