from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from services.inference.engines.diffrhythm.golden.__main__ import main
from services.inference.engines.diffrhythm.golden.folder import Folder

pytestmark = pytest.mark.unit

GOLDEN = Path(__file__).parent / "golden"
AT_TRUE_SIZE = Path(__file__).parents[4] / "shared" / "diffrhythm" / "golden"
"""Lies beside some checkouts."""

WORDS = Path(__file__).parents[2] / "unit" / "diffrhythm_lyrics" / "golden"
FILES = sorted(path.stem for path in GOLDEN.glob("*.npz"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the sizes, and no golden file yet."""
    for check in GOLDEN.glob("weights_check_*.json"):
        shutil.copy(check, tmp_path)
    return tmp_path


def test_weights_are_those_of_their_names() -> None:
    """Shapes, sums and first values, also at the true size of the autoencoder."""
    sizes = {"weights_check_small", "weights_check_vae"}
    found = [one for one in Folder(GOLDEN, "a:").findings() if one.file in sizes]
    assert {(one.file, one.array) for one in found} == {
        ("weights_check_small", "all"),
        ("weights_check_vae", "channels16"),
        ("weights_check_vae", "channels128"),
    }
    assert all(one.passed for one in found)


@pytest.mark.parametrize("file", FILES)
def test_every_array_is_that_of_the_reference(file: str, folder: Path) -> None:
    """Pieces, velocities and whole runs are within their tolerances, and all are compared."""
    (folder / f"{file}.npz").symlink_to(GOLDEN / f"{file}.npz")
    golden = Folder(folder, "a:")
    golden.checks = {name: {**one, "weights": _sizes(one)} for name, one in golden.checks.items()}
    found = [one for one in golden.findings() if one.file == file]
    assert len(found) >= 5
    assert [one for one in found if not one.passed] == []


def _sizes(check: dict[str, object]) -> object:
    """Return what is needed of the weights to run, so that their sums are made only once."""
    weights = check["weights"]
    return {} if "config" in check else weights


def test_words_lie_where_the_reference_puts_them(tmp_path: Path) -> None:
    """Tokens at their frames, durations, and the phones of English lines."""
    for name in ("lrc.json", "lrc.npz"):
        (tmp_path / name).symlink_to(WORDS / name)
    found = list(Folder(tmp_path, "a:").findings())
    assert len(found) == 22
    assert [one for one in found if not one.passed] == []


def test_other_weights_are_told(folder: Path) -> None:
    """With another salt the values differ; the exit code says so."""
    shutil.copy(GOLDEN / "time_embed.npz", folder)
    (folder / "weights_check_vae.json").unlink()
    result = CliRunner().invoke(main, [str(folder), "--salt", "b:", "--json"])
    assert result.exit_code == 1
    failed = {one["array"] for one in json.loads(result.stdout) if not one["passed"]}
    assert failed == {"all", "time_embed", "start_time_embed", "time_embed_fp16"}


@pytest.mark.skipif(not AT_TRUE_SIZE.is_dir(), reason="needs the golden values of the true size")
def test_the_autoencoder_of_the_true_size_is_that_of_the_reference(folder: Path) -> None:
    """Decoder and encoder with 128 channels."""
    (folder / "vae_full.npz").symlink_to(AT_TRUE_SIZE / "vae_full.npz")
    found = [one for one in Folder(folder, "a:").findings() if one.file == "vae_full"]
    assert len(found) == 4
    assert all(one.passed for one in found)
