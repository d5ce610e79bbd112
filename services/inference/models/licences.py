"""Licences of models: what they mean for people's tracks, and which were accepted here."""

from __future__ import annotations

import datetime as dt
import json
import os
from dataclasses import dataclass
from pathlib import Path

from musicgen.artifacts import publish


@dataclass(frozen=True, slots=True)
class Licence:
    """Terms of use. `summary` and `meaning_for_tracks` are for people, and no legal advice."""

    id: str
    title: str
    url: str
    summary: str
    meaning_for_tracks: str
    must_accept: bool = True
    non_commercial: bool = False


APACHE_2 = Licence(
    id="Apache-2.0",
    title="Apache License 2.0",
    url="https://www.apache.org/licenses/LICENSE-2.0",
    summary="Free for any use, also commercial, if the notices stay with the weights.",
    meaning_for_tracks="Tracks are yours to use, also commercially.",
    must_accept=False,
)
MIT = Licence(
    id="MIT",
    title="MIT License",
    url="https://opensource.org/license/mit",
    summary="Free for any use, also commercial, if the notice stays with the weights.",
    meaning_for_tracks="Tracks are yours to use, also commercially.",
    must_accept=False,
)
CC_BY_NC_4 = Licence(
    id="CC-BY-NC-4.0",
    title="Creative Commons Attribution-NonCommercial 4.0",
    url="https://creativecommons.org/licenses/by-nc/4.0/",
    summary=(
        "The weights may be used and shared with attribution, but not for commercial "
        "purposes: nothing that is mainly meant to bring commercial advantage or money."
    ),
    meaning_for_tracks=(
        "It is the use of these weights that must not be commercial: don't make tracks with "
        "them that you sell, license or monetise. A style that comes from a precomputed "
        "embedding of your own doesn't use them."
    ),
    non_commercial=True,
)
STABILITY_COMMUNITY = Licence(
    id="Stability-Community",
    title="Stability AI Community License",
    url="https://stability.ai/community-license-agreement",
    summary=(
        "Free for research, and for commercial use by people and companies with less than "
        "one million US dollars of yearly revenue, who register with Stability AI. Above "
        "that an enterprise licence is needed."
    ),
    meaning_for_tracks=(
        "Tracks are yours. Selling them needs the registration, and from a million dollars of "
        "yearly revenue on an enterprise licence of Stability AI."
    ),
)

LICENCES = {licence.id: licence for licence in (APACHE_2, MIT, CC_BY_NC_4, STABILITY_COMMUNITY)}
"""By id, for catalogues in files."""


class Acceptances:
    """Which licence was accepted for which model: a JSON file, written atomically."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def covers(self, model: str, licence: Licence) -> bool:
        """Whether this licence needs no acceptance, or has been accepted for the model. One
        that has changed since must be accepted anew."""
        return not licence.must_accept or self._read().get(model, {}).get("licence") == licence.id

    def accept(self, model: str, licence: Licence) -> None:
        """Write down that somebody accepted the licence now. Raises OSError."""
        accepted = self._read()
        if accepted.get(model, {}).get("licence") == licence.id:
            return
        now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        accepted[model] = {"licence": licence.id, "url": licence.url, "accepted": now}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}.part")
        try:
            temporary.write_text(json.dumps(accepted, indent=1, sort_keys=True), encoding="utf-8")
            publish(temporary, self._path)
        finally:
            temporary.unlink(missing_ok=True)

    def _read(self) -> dict[str, dict[str, str]]:
        """Return what was accepted; a file that can't be read counts as nothing accepted."""
        try:
            read = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        if not isinstance(read, dict):
            return {}
        return {name: entry for name, entry in read.items() if isinstance(entry, dict)}
