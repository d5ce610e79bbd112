"""A hub on this machine, a catalogue of models that it has, and work on them in a process."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import random
import resource
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from musicgen.testing.loopback_hub import LoopbackHub
from services.inference.models.catalogue import load_catalogue
from services.inference.models.manager import ModelManager

LICENCE = {
    "id": "Test-NC",
    "title": "A licence",
    "url": "https://example.org/licence",
    "summary": "Not for sale.",
    "meaning_for_tracks": "Don't sell tracks.",
    "non_commercial": True,
}
WEIGHTS_BYTES = 6 << 20
_LIMITED = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
os.execv(sys.executable, [sys.executable, "-m", "services.inference.models.work"])
"""


def noise(size_bytes: int, seed: int = 1) -> bytes:
    """Bytes that no two places share."""
    return random.Random(seed).randbytes(size_bytes)  # noqa: S311  # no secrets


@dataclasses.dataclass
class Place:
    """The hub, and a studio's folder of models."""

    hub: LoopbackHub
    folder: Path
    models_file: Path

    @property
    def root(self) -> Path:
        """The folder of the models."""
        return self.folder / "models"

    @property
    def manager(self) -> ModelManager:
        """The models, asked from this process."""
        return ModelManager(self.root, load_catalogue(self.models_file))

    def environment(self, **more: str) -> dict[str, str]:
        """The environment of a process that asks this hub, and knows no token of anybody."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "MUSICGEN_"))}
        return {
            **kept,
            "HF_ENDPOINT": self.hub.url,
            "HF_HOME": str(self.folder / "hf"),
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_UPDATE_CHECK": "1",
            "MUSICGEN_GIT_ENDPOINT": self.hub.git_url,
            **more,
        }

    def start(
        self,
        action: str,
        model: str,
        environment: Mapping[str, str] | None = None,
        most_bytes_a_file: int = resource.RLIM_INFINITY,
        **asked: Any,
    ) -> subprocess.Popen[str]:
        """Begin work in a process of its own."""
        process = subprocess.Popen(
            [sys.executable, "-c", _LIMITED.format(limit=most_bytes_a_file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment or self.environment(),
        )
        request = {
            "action": action,
            "model": model,
            "root": str(self.root),
            "models_file": str(self.models_file),
            "accept_licence": False,
            "folder": "",
            **asked,
        }
        assert process.stdin is not None
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
        return process

    def work(self, action: str, model: str, **asked: Any) -> list[dict[str, Any]]:
        """Work to the end; return all that was told."""
        with self.start(action, model, **asked) as process:
            assert process.stdout is not None
            return [json.loads(line) for line in process.stdout]

    def files(self) -> dict[str, int]:
        """Everything in the folder of the models but locks, with sizes."""
        return {
            str(path.relative_to(self.root)): path.lstat().st_size
            for path in sorted(self.root.rglob("*"))
            if ".locks" not in path.parts and not (path.is_dir() and not path.is_symlink())
        }


def entry(name: str, repository: str, *paths: str, **fields: Any) -> dict[str, Any]:
    """A model of the catalogue."""
    return {
        "name": name,
        "display_name": name.capitalize(),
        "engine": "fake",
        "repository": repository,
        "licence": "MIT",
        "files": [{"path": path} for path in paths],
        **fields,
    }


@contextlib.contextmanager
def open_place(folder: Path) -> Iterator[Place]:
    """A hub with a model "big", which needs "part", and "gated"; none is installed."""
    with LoopbackHub() as hub:
        hub.add("me/big", {"weights.bin": noise(WEIGHTS_BYTES), "config.json": b'{"n": 1}'})
        hub.add("me/part", {"deep/part.bin": noise(200_000, 2)})
        hub.add("me/gated", {"w.bin": noise(100_000, 3)}, gated=True)
        models_file = folder / "models.json"
        models = [
            entry("part", "me/part", "deep/part.bin"),
            entry(
                "big", "me/big", "weights.bin", "config.json",
                needs=["part"], variant="big", defaults={"steps": 4},
            ),
            entry("gated", "me/gated", "w.bin"),
            entry("licensed", "me/part", "deep/part.bin", licence=LICENCE),
        ]  # fmt: skip
        models_file.write_text(json.dumps({"models": models}))
        yield Place(hub, folder, models_file)
