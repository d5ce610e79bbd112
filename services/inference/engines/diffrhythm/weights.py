"""Reads checkpoints: safetensors, or pickles of which nothing is run.

A `.pt` file is a pickle; torch's reader with `weights_only` builds tensors and containers and
refuses everything else. A TorchScript archive is a zip file whose `data.pkl` names classes of
the program inside: here each is a plain bag of attributes, and the program is not looked at.
"""

from __future__ import annotations

import collections
import pickle
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import safetensors
import torch
from torch import Tensor, nn

from musicgen.errors import ModelUnusable
from services.inference.engines.diffrhythm.config import DiTConfig, VaeConfig
from services.inference.engines.diffrhythm.dit import DiT
from services.inference.engines.diffrhythm.memory import forget_pages, is_shortage
from services.inference.engines.diffrhythm.precision import FULL, Precision
from services.inference.engines.diffrhythm.vae.oobleck import Autoencoder

DIT_PREFIX = "transformer."
_NAMES_TOLD = 5

Tensors = dict[str, Tensor]


def load_dit(path: Path, config: DiTConfig, precision: Precision = FULL) -> DiT:
    """Return the network with the weights of a file. Raises ModelUnusable."""
    tensors = read(path)
    with torch.device("meta"):
        dit = DiT(config)
    assign(dit, {name.removeprefix(DIT_PREFIX): one for name, one in tensors.items()}, path.name)
    return dit.use(precision)


def load_vae(path: Path, config: VaeConfig) -> Autoencoder:
    """Return the autoencoder with the weights of a file, in fp32. Raises ModelUnusable."""
    with torch.device("meta"):
        vae = Autoencoder(config)
    assign(vae, {name: one.float() for name, one in folded(read(path)).items()}, path.name)
    return vae


def read(path: Path) -> Tensors:
    """Return the tensors of a checkpoint by name. Large ones are mapped, not read. Raises
    ModelUnusable for what is none, and for pickles that would run something; what says that
    memory ran out passes."""
    try:
        if path.suffix == ".safetensors":
            with safetensors.safe_open(path, framework="pt") as file:
                return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no dict
        if _is_script(path):
            return _checked_script(path)
        return _state_of(torch.load(path, map_location="cpu", weights_only=True, mmap=True))
    except ModelUnusable:
        raise
    except pickle.UnpicklingError as error:
        raise ModelUnusable(
            f"{path.name} is a pickle that wants to run something; it was not loaded.",
            remedy="Use the published file, or a .safetensors one.",
        ) from error
    except (OSError, RuntimeError, ValueError, KeyError, EOFError, zipfile.BadZipFile,
            safetensors.SafetensorError) as error:  # fmt: skip
        if is_shortage(error):
            raise
        raise ModelUnusable(f"{path.name} is no checkpoint that can be read.") from error


def folded(tensors: Mapping[str, Tensor]) -> Tensors:
    """Return tensors in which each pair weight_g, weight_v is one weight: g * v / |v|, where
    the norm is over all dimensions but the first."""
    out: Tensors = {}
    for name, one in tensors.items():
        if name.endswith("weight_v"):
            gain = tensors.get(name[:-1] + "g")
            if gain is None:
                raise ModelUnusable(f"{name} has no gain beside it.")
            norm = one.float().flatten(1).norm(dim=1).view(-1, *[1] * (one.dim() - 1))
            out[name.removesuffix("_v")] = gain.float() * one.float() / norm
            forget_pages(one)
        elif not name.endswith("weight_g"):
            out[name] = one
    return out


def _state_of(loaded: Any) -> Tensors:
    """Return the network's own tensors of what a training program saved."""
    if isinstance(loaded, Mapping):
        for key, prefix in (("model_state_dict", ""), ("ema_model_state_dict", "ema_model.")):
            if isinstance(loaded.get(key), Mapping):
                loaded = {
                    name.removeprefix(prefix): one
                    for name, one in loaded[key].items()
                    if name.startswith(prefix)
                }
                break
        tensors = {name: one for name, one in loaded.items() if isinstance(one, Tensor)}
        if tensors and len(tensors) == len(loaded):
            return tensors
    raise ModelUnusable("The file holds no tensors by name.")


def assign(module: nn.Module, tensors: Tensors, source: str) -> None:
    """Give a module exactly these tensors, which are not copied; `source` is told where they
    don't fit. Raises ModelUnusable naming what is missing, unknown or of another shape."""
    wanted = {name: tuple(one.shape) for name, one in module.state_dict().items()}
    missing = [name for name in wanted if name not in tensors]
    unknown = [name for name in tensors if name not in wanted]
    other = [
        f"{name} {tuple(tensors[name].shape)}, not {shape}"
        for name, shape in wanted.items()
        if name in tensors and tuple(tensors[name].shape) != shape
    ]
    if missing or unknown or other:
        found = [
            f"{what}: {_listed(names)}"
            for what, names in (
                ("missing", missing),
                ("unknown", unknown),
                ("of another shape", other),
            )
            if names
        ]
        raise ModelUnusable(
            f"{source} is not of this variant ({'; '.join(found)}).",
            remedy="Choose the variant that the file belongs to.",
        )
    module.load_state_dict(tensors, assign=True)
    module.requires_grad_(False).eval()


def _listed(names: list[str]) -> str:
    more = len(names) - _NAMES_TOLD
    return ", ".join(names[:_NAMES_TOLD]) + (f" and {more} more" if more > 0 else "")


def _is_script(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def _checked_script(path: Path) -> Tensors:
    """Read an archive, whatever its pickle makes of the classes that it may use."""
    try:
        return _read_script(path)
    except (TypeError, AttributeError, IndexError, AssertionError, StopIteration) as error:
        raise ModelUnusable(f"{path.name} is no archive of tensors.") from error


def _read_script(path: Path) -> Tensors:
    with zipfile.ZipFile(path) as archive:
        pickled = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
        with archive.open(pickled) as file:
            root = _ScriptReader(file, archive, pickled.removesuffix("data.pkl")).load()
    tensors = dict(_tensors_in(root, ""))
    if not tensors:
        raise ModelUnusable(f"{path.name} holds no tensors by name.")
    return tensors


def _tensors_in(node: object, prefix: str) -> Iterable[tuple[str, Tensor]]:
    if isinstance(node, Tensor):
        yield prefix.removesuffix("."), node
    elif isinstance(node, _Bag):
        for name, value in vars(node).items():
            yield from _tensors_in(value, f"{prefix}{name}.")


class _Bag:
    """What stands for an object of the archive's program: its attributes."""

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        vars(self).update(state)


class _ScriptReader(pickle.Unpickler):
    """Builds bags and tensors, and refuses every other class."""

    def __init__(self, file: Any, archive: zipfile.ZipFile, folder: str) -> None:
        super().__init__(file)
        self._archive, self._folder = archive, folder

    def find_class(self, module: str, name: str) -> Any:
        """Return a stand-in for a class of the archive's program."""
        if module.startswith("__torch__"):
            return type(name, (_Bag,), {})
        known = {
            ("torch._utils", "_rebuild_tensor_v2"): _view,
            ("collections", "OrderedDict"): collections.OrderedDict,
        }
        if (module, name) in known:
            return known[module, name]
        dtype = _STORAGES.get(name) if module == "torch" else None
        if dtype is None:
            raise pickle.UnpicklingError(f"{module}.{name}")
        return dtype

    def persistent_load(self, pid: Any) -> Tensor:
        """Return the numbers that a tensor is a view of."""
        _, dtype, key, *_ = pid
        data = self._archive.read(f"{self._folder}data/{key}")
        return (
            torch.frombuffer(bytearray(data), dtype=dtype) if data else torch.empty(0, dtype=dtype)
        )


_STORAGES = {
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "DoubleStorage": torch.float64,
    "LongStorage": torch.int64,
    "BoolStorage": torch.bool,
}


def _view(storage: Tensor, offset: int, size: Any, stride: Any, *_: Any) -> Tensor:
    return torch.as_strided(storage, size, stride, offset)
