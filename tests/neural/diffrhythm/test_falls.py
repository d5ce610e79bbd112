"""Memory that runs out in the middle of a song, and numbers that outgrow their precision."""

from __future__ import annotations

import contextlib
import gc
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from musicgen.engine import devices
from musicgen.engine.base import MIX_FILE, Generation, Parameters, Preview
from musicgen.engine.devices import Device
from musicgen.errors import OutOfMemory
from services.inference.engines.diffrhythm import engine as engine_module
from services.inference.engines.diffrhythm import song as song_module
from services.inference.engines.diffrhythm.checkpoints import TinyCheckpoint
from services.inference.engines.diffrhythm.dit import DiT
from services.inference.engines.diffrhythm.engine import DiffRhythmTiny
from services.inference.engines.diffrhythm.mix import Mix
from services.inference.engines.diffrhythm.sampler import Overflow, sample

pytestmark = pytest.mark.unit


@pytest.fixture
def engine() -> Iterator[DiffRhythmTiny]:
    """A fresh engine."""
    with contextlib.closing(DiffRhythmTiny()) as it:
        yield it


def sung(
    engine: DiffRhythmTiny, folder: Path, **options: Any
) -> tuple[Generation, np.ndarray[Any, Any], list[Preview]]:
    """Make a song of 12 s; return what was said, its samples, and its previews."""
    folder.mkdir(exist_ok=True)
    told: list[Any] = []
    asked = Parameters("warm", "Hello", 12.0, 7, {"steps": 2, "precision": "full"} | options)
    made = engine.generate(asked, folder, told.append)
    samples, _ = soundfile.read(folder / MIX_FILE, dtype="float32", always_2d=True)
    return made, samples, [one for one in told if isinstance(one, Preview)]


def failing_once(work: Callable[..., Any], error: Exception, at: int = 1) -> Callable[..., Any]:
    """Return `work`, whose call number `at` fails."""
    calls = 0

    def wrapped(*args: Any, **more: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == at:
            raise error
        return work(*args, **more)

    return wrapped


@pytest.mark.parametrize("place", ["decode", "add", "let_be_heard", "finish"])
def test_a_song_goes_on_where_memory_ran_out(
    engine: DiffRhythmTiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Wherever in the decoding that is: the samples are as if it had not, each stretch is heard
    once, and the recipe tells the rung of the latents and that of the audio."""
    whole = sung(engine, tmp_path / "whole")
    where: Any = song_module if place == "decode" else Mix
    failing = failing_once(getattr(where, place), MemoryError(), at=1 if place == "finish" else 2)
    monkeypatch.setattr(where, place, failing)
    made, samples, previews = sung(engine, tmp_path / "fallen")
    assert np.abs(samples - whole[1]).max() < 1e-4
    lengths = [soundfile.info(tmp_path / "fallen" / one.name).frames for one in previews]
    assert [one.start_frame for one in previews] == [0, *np.cumsum(lengths[:-1])]
    assert sum(lengths) == len(samples)
    assert (made.rung, made.decisions["decoding_rung"]) == ("full", "chunked")


def test_numbers_that_outgrow_half_precision(
    engine: DiffRhythmTiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The song is made in full precision, and nothing of the half network stays."""
    monkeypatch.setattr(
        devices, "selected", lambda: Device("cpu", 0, "A processor", 1 << 34, "bf16", chosen=True)
    )
    networks: list[weakref.ref[torch.nn.Module]] = []
    alive: list[int] = []
    real = sample

    def overflowing(dit: DiT, *args: Any, **more: Any) -> Any:
        gc.collect()
        alive.append(sum(one() is not None for one in networks))
        networks.append(weakref.ref(dit))
        if len(networks) == 1:
            raise Overflow("too large")
        return real(dit, *args, **more)

    monkeypatch.setattr(song_module, "sample", overflowing)
    made, _, _ = sung(engine, tmp_path, precision="auto")
    assert made.decisions["precision"] == "float32"
    assert alive == [0, 0]


def test_a_model_in_memory_counts_as_memory_to_be_had(
    engine: DiffRhythmTiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no rung is kept that the next song doesn't fit on."""
    assert sung(engine, tmp_path / "a")[0].rung == "full"
    held = engine._held.bytes_on(torch.device("cpu"))
    assert held > 1_000_000
    monkeypatch.setattr(engine_module, "available_bytes", lambda _: 30_000_000)
    assert sung(engine, tmp_path / "b")[0].rung != "full"


def test_a_style_gets_room_or_says_what_it_lacks(
    engine: DiffRhythmTiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once the network has made room, and then OUT_OF_MEMORY."""
    short = RuntimeError("DefaultCPUAllocator: can't allocate memory")
    real = TinyCheckpoint.style
    monkeypatch.setattr(TinyCheckpoint, "style", failing_once(real, short))
    assert sung(engine, tmp_path / "a")[0].rung == "full"

    def never(*_: object) -> None:
        raise short

    monkeypatch.setattr(TinyCheckpoint, "style", never)
    with pytest.raises(OutOfMemory, match="MuQ-MuLan"):
        sung(engine, tmp_path / "b")


def test_the_recipe_says_what_it_was_made_with(engine: DiffRhythmTiny, tmp_path: Path) -> None:
    """The device, torch, and the style."""
    decisions = sung(engine, tmp_path)[0].decisions
    assert decisions["runtime"]["torch_version"] == torch.__version__
    assert decisions["runtime"]["device_class"] == "cpu"
    assert len(decisions["style_sha256"]) == 64
