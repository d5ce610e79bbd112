"""What monitoring tools see of a running studio: metrics of every part, and one trace."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.studio import Studio, studio
from tests.otlp import PAGE_SPAN, TRACE_ID, TRACEPARENT, Collector, collector

pytestmark = pytest.mark.e2e

MONITORING = Path(__file__).parents[2] / "deploy" / "monitoring"
PARTS = ("jobs", "runner", "inference", "looper", "library", "envoy")
PROMPT = "secret lofi"


@pytest.fixture(scope="module")
def traces() -> Iterator[Collector]:
    """A collector of traces on this machine."""
    with collector() as it:
        yield it


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory, traces: Collector) -> Iterator[Studio]:
    """A studio that sends traces and has made a piece."""
    with pytest.MonkeyPatch.context() as environ:
        environ.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", traces.endpoint)
        environ.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        with studio(tmp_path_factory.mktemp("watched")) as it:
            finish(it, create(it))
            yield it


def create(it: Studio, engine: str = "composer") -> str:
    """Ask for a piece as a page does; returns the job's id."""
    parameters = {"prompt": PROMPT, "durationSeconds": 8}
    body = {"spec": {"generate": {"engine": engine, "parameters": parameters}}}
    request = urllib.request.Request(  # noqa: S310 - our own address
        f"{it.url}/v1/jobs",
        json.dumps(body).encode(),
        {"content-type": "application/json", "traceparent": TRACEPARENT},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - the same
        return str(json.load(answer)["jobId"])


def finish(it: Studio, job_id: str) -> None:
    """Wait until a job is SUCCEEDED."""
    done = it.cli("watch", job_id)
    assert it.get(f"/v1/jobs/{job_id}")["state"] == "STATE_SUCCEEDED", done.stderr


def scraped(it: Studio, part: str) -> str:
    """What a scraper reads of a part."""
    with urllib.request.urlopen(f"{it.url}/metrics/{part}", timeout=10) as answer:  # noqa: S310 - our own address
        return str(answer.read().decode())


def value(text: str, sample: str) -> float:
    """The value of one sample."""
    found = re.search(rf"^{re.escape(sample)} (\S+)$", text, re.MULTILINE)
    assert found, sample
    return float(found[1])


def test_one_trace_from_the_request_to_the_engine(watched: Studio, traces: Collector) -> None:
    """A request with traceparent, Envoy, jobs, the runner's attempt, inference and the
    engine's own process are one trace, each the child of the one before."""
    line = traces.wait_for(
        "gateway jobs.v1.JobService/CreateJob",
        "jobs jobs.v1.JobService/CreateJob",
        "runner generate attempt",
        "inference inference.v1.InferenceService/Generate",
        "engine-host engine.v1.EngineService/Generate",
    )
    assert {span.trace_id for span in line} == {TRACE_ID}
    assert [span.parent for span in line] == [PAGE_SPAN, *(span.span_id for span in line[:-1])]
    job_id = watched.get("/v1/jobs")["jobs"][0]["jobId"]
    assert line[2].facts == {
        "musicgen.job_id": job_id,
        "musicgen.lane": "generate",
        "musicgen.attempt": 1,
        "musicgen.fence": 1,
        "musicgen.outcome": "committed",
    }
    assert not any(span.failed for span in line)


def test_traces_hold_nothing_that_people_wrote(watched: Studio, traces: Collector) -> None:
    """No span has a prompt, what somebody searched for, or what an error repeats."""
    watched.get("/v1/tracks?query=mysearch")
    with pytest.raises(urllib.error.HTTPError) as refused:
        create(watched, engine="myengine")
    assert b"myengine" in refused.value.read()
    refused.value.close()
    traces.wait_for("gateway library.v1.LibraryService/ListTracks")
    told = repr(traces.spans)
    assert PROMPT not in told
    assert "mysearch" not in told
    assert "myengine" not in told


def test_who_only_looks_is_in_no_trace(watched: Studio, traces: Collector) -> None:
    """Health, metrics, the page's files, and what the parts ask each other make no spans."""
    for path in ("/", "/v1/health", "/metrics/jobs"):
        with urllib.request.urlopen(watched.url + path, timeout=10) as answer:  # noqa: S310 - our own address
            assert answer.status == 200
    watched.get("/v1/engines")
    traces.wait_for("gateway inference.v1.InferenceService/ListEngines")
    told = {span.label for span in traces.spans}
    assert not [label for label in told if "Health" in label or "metrics" in label]
    assert {label for label in told if label.startswith("gateway ")} <= {
        f"gateway {name}"
        for name in (
            "jobs.v1.JobService/CreateJob",
            "jobs.v1.JobService/GetJob",
            "jobs.v1.JobService/WatchJobs",
            "library.v1.LibraryService/ListTracks",
            "inference.v1.InferenceService/ListEngines",
            "jobs.v1.JobService/ListJobs",
        )
    }
    engines = [span for span in traces.spans if span.name.endswith("/ListEngines")]
    assert len({span.trace_id for span in engines}) == 1


def test_every_part_is_scraped_at_the_door(watched: Studio) -> None:
    """Each part's metrics say what was done."""
    texts = {part: scraped(watched, part) for part in PARTS}
    ended = 'musicgen_jobs_ended_total{queue="generate.composer",state="SUCCEEDED"}'
    assert value(texts["jobs"], ended) == 1
    assert value(texts["jobs"], "musicgen_store_up") == 1
    assert value(texts["jobs"], 'musicgen_queue_waiting{queue="generate.composer"}') == 0
    committed = 'musicgen_attempts_total{lane="generate",outcome="committed"}'
    assert value(texts["runner"], committed) == 1
    assert value(texts["inference"], 'musicgen_engine_state{engine="composer",state="READY"}') == 1
    made_s = value(texts["inference"], 'musicgen_generated_audio_seconds_total{engine="composer"}')
    assert made_s == pytest.approx(8, abs=1)
    assert value(texts["library"], "musicgen_tracks_registered_total") == 1
    assert value(texts["library"], "musicgen_tracks_registered_bytes_total") > 10_000
    assert value(texts["looper"], "musicgen_loop_rendered_seconds_total") == 0
    for part in PARTS[:-1]:
        assert value(texts[part], "process_resident_memory_bytes") > 1e6


def test_the_dashboard_and_the_alerts_ask_for_what_is_there(watched: Studio) -> None:
    """Every metric that the dashboard and the alerts name is one that a studio exposes."""
    told = {
        name
        for part in PARTS
        for kind, name in families(scraped(watched, part))
        for name in ((name, f"{name}_bucket", f"{name}_sum", f"{name}_count") if kind else (name,))
    }
    asked = {name for query in queries() for name in re.findall(r"\b[a-z]+_[a-z_]+\b(?!\()", query)}
    asked = {name for name in asked if name.startswith(("musicgen_", "envoy_", "process_"))}
    labels = {"envoy_virtual_cluster", "envoy_response_code_class"}
    labels |= {"envoy_http_conn_manager_prefix", "envoy_cluster_name"}
    assert len(asked) > 15
    assert asked - labels - told == set()


def families(text: str) -> Iterator[tuple[bool, str]]:
    """The families of an answer: whether it is a histogram, and its name."""
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE):
        yield kind == "histogram", name


def queries() -> Iterator[str]:
    """All queries of the dashboard and of the alerts."""
    dashboard: Any = json.loads((MONITORING / "dashboard.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"]
    alerts = (MONITORING / "alerts.yml").read_text()
    yield from re.findall(r"^ +expr: (.+)$", alerts, re.MULTILINE)
