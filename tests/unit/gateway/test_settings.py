from __future__ import annotations

import pytest

from gateway.settings import Settings
from musicgen.settings import SettingsError, load

pytestmark = pytest.mark.unit

GOOD = {
    "MUSICGEN_JOBS_ADDRESS": "unix:/run/jobs.sock",
    "MUSICGEN_LIBRARY_ADDRESS": "library:50051",
    "MUSICGEN_LIBRARY_HTTP_ADDRESS": "[::1]:8080",
    "MUSICGEN_INFERENCE_ADDRESS": "inference:50051",
    "MUSICGEN_ADMIN_SOCKET": "/run/admin.sock",
}


def test_own_pages_may_call() -> None:
    """The gateway's own names are origins at its own port; more are added by name."""
    settings = load(
        Settings,
        {
            **GOOD,
            "MUSICGEN_ADDRESS": "0.0.0.0:9000",
            "MUSICGEN_ALLOWED_HOSTS": "studio.lan",
            "MUSICGEN_ALLOWED_ORIGINS": "http://localhost:5173, https://music.example",
        },
    )
    assert settings.port == 9000
    assert settings.hosts == ["localhost", "127.0.0.1", "[::1]", "studio.lan"]
    assert settings.origins == [
        "http://localhost:9000",
        "http://127.0.0.1:9000",
        "http://[::1]:9000",
        "http://studio.lan:9000",
        "http://localhost:5173",
        "https://music.example",
    ]


def test_every_fault_is_named_at_once() -> None:
    """All wrong values are told together, with what is expected."""
    wrong = {
        **GOOD,
        "MUSICGEN_ADDRESS": "unix:/x",
        "MUSICGEN_JOBS_ADDRESS": "jobs",
        "MUSICGEN_ALLOWED_ORIGINS": "*, http://a/b",
        "MUSICGEN_ALLOWED_HOSTS": "studio:80",
        "MUSICGEN_API_KEY": 'too "short"',
        "MUSICGEN_THREADS": "0",
    }
    with pytest.raises(SettingsError) as caught:
        load(Settings, wrong)
    text = str(caught.value)
    for words in ("listens on host:port", "'jobs'", "'*'", "'http://a/b'", "'studio:80'"):
        assert words in text
    assert "16 to 256" in text
    assert "1 or more" in text


def test_missing_settings_are_named() -> None:
    """What is required is listed."""
    with pytest.raises(SettingsError, match="MUSICGEN_LIBRARY_HTTP_ADDRESS is not set"):
        load(Settings, {})


def test_who_has_metrics_is_read_from_one_line() -> None:
    """Parts with metrics are named with their addresses; each fault is told."""
    targets = "jobs=unix:/s/jobs.sock, looper-2=looper:9464"
    settings = load(Settings, {**GOOD, "MUSICGEN_METRICS_TARGETS": targets})
    assert settings.metrics_of == {"jobs": "unix:/s/jobs.sock", "looper-2": "looper:9464"}
    wrong = {
        **GOOD,
        "MUSICGEN_METRICS_TARGETS": "jobs, Jobs=a:1, x=nowhere, envoy=a:1",
        "MUSICGEN_METRICS_ADDRESS": "unix:/x.sock",
        "MUSICGEN_OTLP_ADDRESS": "http://localhost:4317",
    }
    with pytest.raises(SettingsError) as caught:
        load(Settings, wrong)
    text = str(caught.value)
    for words in ("'jobs'", "'Jobs=a:1'", "'x=nowhere'", "'envoy=a:1'", "otlp_address: 'http://"):
        assert words in text
    assert "metrics_address: the gateway listens on host:port" in text
