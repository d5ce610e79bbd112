"""Finds a browser for the end-to-end tests: `python -m tests.browser` also gets one.

In this order: $CHROMIUM, a Chromium or Chrome on the PATH, Playwright's own. If there is
none: Debian's package (as root), else Playwright's download.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
REMEDY = (
    "The end-to-end tests need Chromium: install it (Debian: apt-get install chromium), or run "
    "`.venv/bin/playwright install chromium`, or set CHROMIUM=/path/to/chrome."
)


def find() -> Path | None:
    """Return a browser that is installed, or None."""
    for name in (os.environ.get("CHROMIUM", ""), *NAMES):
        if name and (found := shutil.which(name)):
            return Path(found)
    cache = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH", Path.home() / ".cache/ms-playwright"))
    return next(iter(sorted(cache.glob("chromium-*/chrome-linux*/chrome"), reverse=True)), None)


def get() -> Path | None:
    """Return a browser, installing one if need be; None if that fails."""
    if found := find():
        return found
    if hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
        environ = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        for command in (
            ["apt-get", "update", "-qq"],
            ["apt-get", "install", "-qq", "-y", "--no-install-recommends", "chromium"],
        ):
            subprocess.run(command, env=environ, check=False, stdout=subprocess.DEVNULL)
    else:
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False)
    return find()


if __name__ == "__main__":
    browser = get()
    print(f"Browser for the end-to-end tests: {browser}" if browser else REMEDY)
    sys.exit(0 if browser else 1)
