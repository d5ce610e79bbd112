"""Songs that are cut off and go on: bit for bit what they would have been."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import soundfile
import torch

from musicgen.engine import devices
from musicgen.engine.base import (
    MIX_FILE,
    Checkpoint,
    Edit,
    Generation,
    Parameters,
    Preview,
    Reported,
    TimeRange,
)
from musicgen.engine.devices import Device
from musicgen.errors import Cancelled
from musicgen.progress import Progress
from services.inference.engines.diffrhythm import song as song_module
from services.inference.engines.diffrhythm.engine import DiffRhythmTiny
from services.inference.engines.diffrhythm.held import Held
from services.inference.engines.diffrhythm.sampler import Overflow, sample
from services.inference.engines.diffrhythm.trail import Trail
from tests.neural.diffrhythm.studio import write_music

pytestmark = pytest.mark.unit

STEPS = 6
ASKED = Parameters("warm", "Hello\nworld", 8.0, 7, {"steps": STEPS, "precision": "full"})


@dataclasses.dataclass
class Sung:
    """What an attempt made, and what it told."""

    generation: Generation
    samples: np.ndarray[Any, Any]
    told: list[Reported]
    folder: Path

    @property
    def checkpoints(self) -> list[Path]:
        """The files that were left."""
        return [self.folder / one.name for one in self.told if isinstance(one, Checkpoint)]

    @property
    def refining(self) -> list[tuple[int, str]]:
        """The steps that were told, and what was said of each."""
        found = [one for one in self.told if isinstance(one, Progress) and one.stage == "refining"]
        return list(dict.fromkeys((one.step, one.detail) for one in found))


@pytest.fixture(scope="module")
def engine() -> Iterator[DiffRhythmTiny]:
    """An engine, as a host makes it."""
    with contextlib.closing(DiffRhythmTiny()) as it:
        yield it


@pytest.fixture(scope="module")
def another() -> Iterator[DiffRhythmTiny]:
    """The engine of the next host."""
    with contextlib.closing(DiffRhythmTiny()) as it:
        yield it


def sung(
    engine: DiffRhythmTiny, folder: Path, asked: Parameters = ASKED, checkpoint: Path | None = None
) -> Sung:
    """Make a song."""
    folder.mkdir()
    told: list[Reported] = []
    asked = dataclasses.replace(asked, checkpoint=checkpoint)
    made = engine.generate(asked, folder, told.append)
    samples, _ = soundfile.read(folder / MIX_FILE, dtype="float32", always_2d=True)
    return Sung(made, samples, told, folder)


def cut_after(engine: DiffRhythmTiny, folder: Path, count: int, asked: Parameters = ASKED) -> Path:
    """Begin a song, end it when that many checkpoints are left; return the newest."""
    folder.mkdir()
    left: list[Checkpoint] = []

    def report(told: Reported) -> None:
        if isinstance(told, Checkpoint):
            left.append(told)
        if len(left) == count:
            raise Cancelled("Cut off.")

    with pytest.raises(Cancelled):
        engine.generate(asked, folder, report)
    return folder / left[-1].name


def asked_for(kind: str, folder: Path) -> Parameters:
    """Return what is asked for."""
    match kind:
        case "midpoint":
            return dataclasses.replace(
                ASKED, options=dict(ASKED.options) | {"solver": "midpoint", "sway": -1.0}
            )
        case "guided early":
            return dataclasses.replace(ASKED, options=dict(ASKED.options) | {"guidance_until": 0.5})
        case "edit":
            source = write_music(folder / "source.wav")
            parts = [TimeRange(2.0, 4.0), TimeRange(9.5)]
            return dataclasses.replace(ASKED, duration_s=12.0, edit=Edit(source, parts))
    return ASKED


@pytest.mark.parametrize("kind", ["plain", "midpoint", "guided early", "edit"])
@pytest.mark.parametrize("count", [1, 4, STEPS])
def test_a_song_goes_on_bit_for_bit(
    engine: DiffRhythmTiny, another: DiffRhythmTiny, tmp_path: Path, kind: str, count: int
) -> None:
    """Cut after a step, or after the last: the steps that are left are taken, the samples and
    the recipe are those of a song that was never cut, and it is said where it goes on."""
    asked = asked_for(kind, tmp_path)
    whole = sung(engine, tmp_path / "whole", asked)
    newest = cut_after(engine, tmp_path / "cut", count, asked)
    kept = shutil.copyfile(newest, tmp_path / "kept")
    again = sung(another, tmp_path / "again", asked, kept)
    assert np.array_equal(again.samples, whole.samples)
    assert again.generation == whole.generation
    said = (count, f"going on from step {count} of {STEPS}")
    rest = [(step, f"step {step} of {STEPS}") for step in range(count + 1, STEPS + 1)]
    assert again.refining == [said, *rest]
    assert len(again.checkpoints) == STEPS - count
    previews = [[one for one in each.told if isinstance(one, Preview)] for each in (again, whole)]
    assert previews[0] == previews[1]
    assert (tmp_path / "kept").read_bytes() == kept.read_bytes()


def test_what_is_done_needs_no_network(
    engine: DiffRhythmTiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the last step neither the network nor the encoder of an edit is brought again."""
    asked = asked_for("edit", tmp_path)
    newest = cut_after(engine, tmp_path / "cut", STEPS, asked)

    def never(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(Held, "network", never)
    monkeypatch.setattr(Held, "encoder", never)
    sung(engine, tmp_path / "again", asked, newest)


@pytest.mark.parametrize(
    "wrong", ["cut", "empty", "text", "gone", "folder", "not finite", "too far", "no key", "shape"]
)
def test_a_broken_checkpoint_is_passed_over(
    engine: DiffRhythmTiny, tmp_path: Path, wrong: str
) -> None:
    """The song begins anew and is the same."""
    whole = sung(engine, tmp_path / "whole")
    path = tmp_path / "given"
    shutil.copyfile(whole.checkpoints[2], path)
    with safetensors.safe_open(path, framework="pt") as file:
        told = dict(file.metadata())
        latents = file.get_tensor("latents").clone()
    match wrong:
        case "cut":
            path.write_bytes(path.read_bytes()[:-100])
        case "empty":
            path.write_bytes(b"")
        case "text":
            path.write_text("no checkpoint", encoding="utf-8")
        case "gone" | "folder":
            path.unlink()
            if wrong == "folder":
                path.mkdir()
        case "not finite":
            latents[0, 3, 5] = torch.nan
            safetensors.torch.save_file({"latents": latents}, path, told)
        case "too far":
            safetensors.torch.save_file({"latents": latents}, path, told | {"steps": "7"})
        case "no key":
            safetensors.torch.save_file({"latents": latents}, path)
        case "shape":
            safetensors.torch.save_file({"latents": latents[:, 1:].contiguous()}, path, told)
    again = sung(engine, tmp_path / "again", checkpoint=path)
    assert again.refining[0] == (0, "")
    assert np.array_equal(again.samples, whole.samples)


@pytest.mark.parametrize(
    "other", ["seed", "words", "style", "steps", "length", "precision", "torch", "music"]
)
def test_a_checkpoint_of_something_else_is_passed_over(
    engine: DiffRhythmTiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    """Of another song, another precision, another torch."""
    newest = cut_after(engine, tmp_path / "cut", 3)
    asked = ASKED
    match other:
        case "seed":
            asked = dataclasses.replace(ASKED, seed=8)
        case "words":
            asked = dataclasses.replace(ASKED, lyrics="Hello\nthere")
        case "style":
            asked = dataclasses.replace(ASKED, prompt="cold")
        case "steps":
            asked = dataclasses.replace(ASKED, options=dict(ASKED.options) | {"steps": 7})
        case "length":
            asked = dataclasses.replace(ASKED, duration_s=9.0)
        case "music":
            edit = Edit(write_music(tmp_path / "source.wav", 8.0), [TimeRange(0.0)])
            asked = dataclasses.replace(ASKED, edit=edit)
        case "precision":
            in_half(monkeypatch)
            asked = dataclasses.replace(ASKED, options={"steps": STEPS, "precision": "half"})
        case "torch":
            monkeypatch.setattr(torch, "__version__", "2.0.0")
    assert sung(engine, tmp_path / "again", asked, newest).refining[0] == (0, "")


def in_half(patch: pytest.MonkeyPatch) -> None:
    """Compute as on a processor with units for bfloat16."""
    device = Device("cpu", 0, "A processor", 1 << 34, "bf16", chosen=True)
    patch.setattr(devices, "selected", lambda: device)


def test_memory_that_runs_out_costs_no_steps(
    engine: DiffRhythmTiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the next rung the song goes on from the newest latents; on one that computes in other
    numbers it begins anew."""
    whole = sung(engine, tmp_path / "whole")
    begun_at: list[int] = []
    real = sample

    def short(*args: Any, on_step: Callable[..., None], **more: Any) -> Any:
        begun = more["begun"]
        begun_at.append(begun.steps if begun else 0)
        failing = len(begun_at) <= 3

        def step(done: int, latents: Any) -> None:
            on_step(done, latents)
            if failing and done == len(begun_at) + 1:
                raise MemoryError

        return real(*args, on_step=step, **more)

    monkeypatch.setattr(song_module, "sample", short)
    again = sung(engine, tmp_path / "again")
    assert begun_at == [0, 2, 3, 0]
    assert (whole.generation.rung, again.generation.rung) == ("full", "half")
    names = [path.name for path in again.checkpoints]
    assert len(set(names)) == len(names)


def test_half_precision_goes_on_too(
    engine: DiffRhythmTiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In its own numbers; and a song that outgrew them goes on in full precision."""
    in_half(monkeypatch)
    asked = dataclasses.replace(ASKED, options={"steps": STEPS, "precision": "auto"})
    whole = sung(engine, tmp_path / "whole", asked)
    assert whole.generation.decisions["precision"] == "bfloat16"
    again = sung(engine, tmp_path / "again", asked, whole.checkpoints[3])
    assert again.refining[0][0] == 4
    assert np.array_equal(again.samples, whole.samples)
    real = sample

    def outgrown(dit: Any, *args: Any, **more: Any) -> Any:
        if dit.precision.compute == torch.bfloat16:
            raise Overflow("too large")
        return real(dit, *args, **more)

    monkeypatch.setattr(song_module, "sample", outgrown)
    newest = cut_after(engine, tmp_path / "cut", 2, asked)
    full = sung(engine, tmp_path / "full", asked, newest)
    assert (2, f"going on from step 2 of {STEPS}") in full.refining
    assert full.generation.decisions["precision"] == "float32"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that is set by hand."""
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


def test_checkpoints_come_after_so_much_work(tmp_path: Path, clock: list[float]) -> None:
    """A trail is left every 20 s of work, and where it is said; a full disk is no error."""
    told: list[Reported] = []
    trail, latents = Trail(None, tmp_path, told.append), torch.zeros(1, 4, 64)
    assert trail.begun("key", 8, 4) is None
    for step in range(1, 7):
        clock[0] += 8.0
        trail.step("key", step, latents)
    assert [one for one in told if isinstance(one, Checkpoint)] == [
        Checkpoint("checkpoint-1.safetensors"), Checkpoint("checkpoint-2.safetensors"),
    ]  # fmt: skip
    begun = trail.begun("key", 8, 4)
    assert begun is not None
    assert begun.steps == 6
    trail.leave("key", 8, latents)
    assert len(told) == 3
    lost = Trail(None, tmp_path / "gone", told.append)
    lost.leave("key", 8, latents)
    assert len(told) == 3
    assert lost.begun("key", 8, 4) is not None
