"""Why the launcher can't do what it was asked."""

from __future__ import annotations


class CannotStart(Exception):
    """The studio can't be started here and now. `remedy` says what to do."""

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
