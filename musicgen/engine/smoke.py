"""A short run in an engine's environment that shows whether it works there.

    python -m musicgen.engine.smoke --import safetensors --torch-build cu130

imports what the engine needs, lets torch compute on every device, and prints one line of
JSON: {"packages": {"torch": "2.13.0+cu130", ...}, "devices": [...]}. Anything wrong goes to
standard error with exit code 1.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import importlib.metadata
import json
import sys
from collections.abc import Sequence
from typing import Any

from musicgen.engine.devices import Device, detect, load_torch

MATRIX = 64
TOLERANCE = 1e-2
"""Of a product of two such matrices with entries around 1: graphics cards may use TF32."""


class Unfit(Exception):
    """The environment can't do what it was made for."""


def packages() -> dict[str, str]:
    """Return the version of each package that is installed, by its name in lower case."""
    return {
        str(found.metadata["Name"]).lower().replace("_", "-"): found.version
        for found in importlib.metadata.distributions()
    }


def import_all(modules: Sequence[str]) -> None:
    """Import each of the modules. Raises Unfit that names the first that fails."""
    for module in modules:
        try:
            importlib.import_module(module)
        except Exception as error:  # a library may raise whatever it likes
            raise Unfit(f"{module} can't be imported: {type(error).__name__}: {error}") from error


def check_torch(build: str) -> list[Device]:
    """Compute on every device of torch. Raises Unfit if one is wrong or missing for `build`
    ("cpu", "mps", "cu130", "rocm7.2")."""
    torch = load_torch()
    has = {"cu": torch.version.cuda, "ro": torch.version.hip}
    if build[:2] in has and not has[build[:2]]:
        raise Unfit(f"torch {torch.__version__} is not the build for {build}")
    devices = detect()
    kind = {"cu": "cuda", "ro": "rocm", "mp": "mps"}.get(build[:2], "cpu")
    if kind not in {device.kind for device in devices}:
        raise Unfit(f"torch {torch.__version__} finds no {kind} device")
    torch.manual_seed(0)
    left, right = torch.randn(MATRIX, MATRIX), torch.randn(MATRIX, MATRIX)
    expected = left.double() @ right.double()
    for device in devices:
        try:
            product = (left.to(device.torch_name) @ right.to(device.torch_name)).cpu()
        except RuntimeError as error:
            raise Unfit(f"{device.id} ({device.name}) can't compute: {error}") from error
        if not float((product.double() - expected).abs().max()) <= TOLERANCE * MATRIX:
            raise Unfit(f"{device.id} ({device.name}) computes wrong products")
    return devices


def main() -> None:
    """Run as a program."""
    parser = argparse.ArgumentParser(prog="musicgen.engine.smoke", description=__doc__)
    parser.add_argument("--import", dest="modules", action="append", default=[], metavar="MODULE")
    parser.add_argument("--torch-build", default="", help="what torch must be built for")
    arguments = parser.parse_args()
    found: dict[str, Any] = {"packages": packages(), "devices": []}
    try:
        import_all(arguments.modules)
        if arguments.torch_build:
            devices = check_torch(arguments.torch_build)
            found["devices"] = [dataclasses.asdict(device) for device in devices]
    except Unfit as error:
        print(error, file=sys.stderr)
        sys.exit(1)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
