"""The genre families: plain data that the planner draws from."""

from __future__ import annotations

from services.inference.engines.composer.profiles.beats import BEATS
from services.inference.engines.composer.profiles.played import PLAYED
from services.inference.engines.composer.profiles.profile import PARTS, Profile
from services.inference.engines.composer.profiles.quiet import QUIET

PROFILES: dict[str, Profile] = {**BEATS, **PLAYED, **QUIET}
"""Family → its profile."""

__all__ = ["PARTS", "PROFILES", "Profile"]
