from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from musicgen.errors import ModelUnusable
from services.inference.engines.diffrhythm.config import TINY, TINY_VAE, DiTConfig
from services.inference.engines.diffrhythm.weights import folded, load_dit, load_vae, read
from tests.neural.diffrhythm.networks import numbers, tiny_dit, tiny_vae

pytestmark = pytest.mark.unit

Tensors = dict[str, Tensor]


def tensors(dtype: torch.dtype = torch.float32) -> Tensors:
    """Return the tiny network's weights under a checkpoint's names."""
    state = tiny_dit().state_dict()
    return {f"transformer.{name}": one.to(dtype) for name, one in state.items()}


def save_trained(path: Path) -> None:
    """Write what a training program writes."""
    torch.save({"model_state_dict": tensors(), "step": 7, "optimizer": {"lr": 0.1}}, path)


def save_averaged(path: Path) -> None:
    """Write averaged weights only."""
    averaged = {f"ema_model.{name}": one for name, one in tensors().items()}
    torch.save({"ema_model_state_dict": averaged | {"initted": torch.ones(1)}}, path)


def save_flat(path: Path) -> None:
    """Write the weights alone."""
    torch.save(tensors(), path)


@pytest.mark.parametrize("save", [save_trained, save_averaged, save_flat])
def test_a_pickled_checkpoint_is_read(tmp_path: Path, save: Callable[[Path], None]) -> None:
    """In each of the forms that training programs leave."""
    save(tmp_path / "cfm_model.pt")
    loaded = load_dit(tmp_path / "cfm_model.pt", TINY).state_dict()
    for name, one in tiny_dit().state_dict().items():
        assert torch.equal(loaded[name], one)


def test_half_precision_stays_as_it_is_stored(tmp_path: Path) -> None:
    """Nine in ten bytes: the products' weights."""
    path = tmp_path / "model.safetensors"
    safetensors.torch.save_file(tensors(torch.float16), path)
    dit = load_dit(path, TINY)
    assert dit.layers[0].mlp.up_proj.weight.dtype == torch.float16
    assert dit.proj_out.weight.dtype == torch.float32


class _Evil:
    """Runs something when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, ("touch pwned",))


@pytest.mark.parametrize("form", ["torch", "pickle"])
def test_a_pickle_with_code_in_it_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    """With the reason, and nothing was run."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "cfm_model.pt"
    if form == "torch":
        torch.save({"model_state_dict": tensors(), "more": _Evil()}, path)
    else:
        path.write_bytes(pickle.dumps(_Evil()))
    with pytest.raises(ModelUnusable) as refused:
        load_dit(path, TINY)
    assert refused.value.remedy
    assert not (tmp_path / "pwned").exists()
    if form == "torch":
        assert "wants to run something" in refused.value.message


def test_another_variant_is_told_by_its_keys(tmp_path: Path) -> None:
    """Missing, unknown and of another shape, by name."""
    path = tmp_path / "model.safetensors"
    safetensors.torch.save_file(tensors(), path)
    with pytest.raises(ModelUnusable, match=r"missing: duration_time_embed\.time_mlp\.0\.weight"):
        load_dit(path, DiTConfig(64, 2, 4, max_frames=6_144, knows_duration=True))
    with pytest.raises(ModelUnusable, match=r"unknown: .*transformer_blocks\.1\..*more"):
        load_dit(path, DiTConfig(64, 1, 4))
    with pytest.raises(
        ModelUnusable, match=r"input_embed\.proj\.weight \(64, 1664\), not \(128, 1664\)"
    ):
        load_dit(path, DiTConfig(128, 2, 4))


@pytest.mark.parametrize("data", [b"", b"text" * 100, b"PK\x03\x04" + bytes(50)])
@pytest.mark.parametrize("name", ["model.pt", "model.safetensors"])
def test_what_is_no_checkpoint_is_told(tmp_path: Path, data: bytes, name: str) -> None:
    """By the file's name."""
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ModelUnusable, match=name):
        read(tmp_path / name)


class _Program(nn.Module):
    """What an archive is made of."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = _Half(3), _Half(5)

    def forward(self, x: Tensor) -> Tensor:
        decoded: Tensor = self.decoder(self.encoder(x))
        return decoded


class _Half(nn.Module):
    def __init__(self, number: int) -> None:
        super().__init__()
        conv = nn.Conv1d(4, 4, number, padding=number // 2)
        self.layers = nn.ModuleList(
            [nn.utils.parametrizations.weight_norm(conv), nn.Conv1d(4, 4, 1)]
        )

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_tensors_come_out_of_a_script_archive(tmp_path: Path) -> None:
    """By the names that its modules have; the program in it is not run."""
    program = _Program()
    torch.jit.save(torch.jit.trace(program, numbers("x", 1, 4, 20)), tmp_path / "vae.pt")  # type: ignore[no-untyped-call]  # torch
    found = read(tmp_path / "vae.pt")
    expected = program.state_dict()
    assert set(expected) <= set(found)
    assert all(torch.equal(found[name], one) for name, one in expected.items())


def test_an_autoencoder_is_read_with_its_norm_folded(tmp_path: Path) -> None:
    """G * v / |v|, whatever was stored: the audio is the same."""
    vae, parts = tiny_vae(), {}
    for name, one in vae.state_dict().items():
        if name.endswith("weight"):
            norm = one.flatten(1).norm(dim=1).view(-1, 1, 1)
            parts[name + "_v"], parts[name + "_g"] = 3 * one, norm
        else:
            parts[name] = one
    safetensors.torch.save_file(parts, tmp_path / "vae.safetensors")
    loaded = load_vae(tmp_path / "vae.safetensors", TINY_VAE).state_dict()
    for name, one in vae.state_dict().items():
        torch.testing.assert_close(loaded[name], one, atol=1e-6, rtol=1e-5)
    with pytest.raises(ModelUnusable, match="no gain"):
        folded({"layers.0.weight_v": torch.ones(2, 2, 7)})
