from __future__ import annotations

import pytest

from musicgen.settings import SettingsError, load
from services.looper.settings import Settings

pytestmark = pytest.mark.unit


def test_defaults() -> None:
    """Only the address and the data root have to be given."""
    settings = load(Settings, {"MUSICGEN_ADDRESS": "unix:/a.sock", "MUSICGEN_DATA_ROOT": "/data"})
    assert (settings.log_level, settings.looper_slots) == ("INFO", 2)


def test_every_fault_is_listed() -> None:
    """What is missing and what is out of range are told at once."""
    with pytest.raises(SettingsError, match=r"(?s)ADDRESS.*DATA_ROOT"):
        load(Settings, {})
    values = {
        "MUSICGEN_ADDRESS": "a",
        "MUSICGEN_DATA_ROOT": "/d",
        "MUSICGEN_LOG_LEVEL": "LOUD",
        "MUSICGEN_LOOPER_SLOTS": "0",
    }
    with pytest.raises(SettingsError, match=r"(?s)LOUD.*SLOTS"):
        load(Settings, values)
