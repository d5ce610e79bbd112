"""What is deployed is what the programs know: settings, ports, images, queues, metrics."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from musicgen.api.jobs.v1 import job_pb2
from musicgen.settings import load
from services.inference.registry import BUILT_IN
from services.jobs import metrics
from tests.unit.deploy.manifests import (
    BASE,
    COMPONENT,
    FOLDER,
    ROOT,
    SCALING,
    SETTINGS,
    Container,
    containers,
    may_talk,
    named,
    read,
    resources,
)

pytestmark = pytest.mark.unit

OVERLAYS = ("cpu", "gpu")
VERSIONS = ("1.30", "1.34")
"""Of Kubernetes: the oldest that has all that is used, and a later one."""
ALL = containers()
OURS = [each for each in ALL if each.dockerfile]


def label(container: Container) -> str:
    """Return what a container is called in a test's name."""
    return f"{container.component}/{container.name}"


def queues() -> set[str]:
    """Return every queue that the studio's own jobs may be in."""
    kinds = {field.name for field in job_pb2.JobSpec.DESCRIPTOR.fields} - {"generate"}
    return kinds | {f"generate.{name}" for name in BUILT_IN}


def taken(runner: Container) -> set[str]:
    """Return the queues whose jobs a runner takes."""
    settings = load(SETTINGS["runner"], runner.env)
    slots = {"export": settings.export_slots}
    if settings.inference_address:
        slots |= dict.fromkeys(
            (f"generate.{name}" for name in settings.engines_taken or BUILT_IN),
            settings.generate_slots,
        )
        slots |= {
            "install_model": settings.install_slots,
            "verify_model": settings.verify_slots,
            "setup_engine": settings.setup_slots,
        }
    if settings.looper_address:
        slots |= {"loop": settings.loop_slots, "find_loops": settings.find_slots}
    return {queue for queue, count in slots.items() if count}


@pytest.mark.parametrize("folder", [BASE, SCALING, *(FOLDER / name for name in OVERLAYS)])
def test_every_file_is_used(folder: Path) -> None:
    """No manifest lies about that nothing names."""
    (kustomization,) = read(folder / "kustomization.yaml")
    patches = [patch["path"] for patch in kustomization.get("patches", [])]
    local = [name for name in kustomization["resources"] if not name.startswith("../")]
    files = {path.name for path in folder.glob("*.yaml")} - {"kustomization.yaml"}
    assert files == {*local, *patches}


@pytest.mark.parametrize("container", OURS, ids=label)
def test_settings_are_those_of_the_program(container: Container) -> None:
    """Every variable is a setting, every required one is there, and all of them are valid."""
    program = container.name
    settings = SETTINGS[program]
    known = {f"MUSICGEN_{name.upper()}" for name in settings.__dataclass_fields__}
    told = {name for name in container.env if name.startswith("MUSICGEN_")}
    assert told <= known
    load(settings, container.env)
    module = "services.jobs.runner" if program == "runner" else None
    assert container.spec.get("command", [None])[-1] == module


@pytest.mark.parametrize("container", OURS, ids=label)
def test_images_and_ports_are_those_of_the_dockerfile(container: Container) -> None:
    """An image is one that is built here, runs as the user it was made for, and listens where
    the pod says it does."""
    assert container.dockerfile is not None
    dockerfile = container.dockerfile.read_text()
    user = re.search(r"^USER (\d+)$", dockerfile, re.MULTILINE)
    assert user is not None
    assert container.pod["securityContext"]["runAsUser"] == int(user[1])
    exposed = {
        int(port)
        for line in re.findall(r"^EXPOSE (.*)$", dockerfile, re.MULTILINE)
        for port in line.split()
    }
    listens = {
        int(value.rpartition(":")[2])
        for name in ("MUSICGEN_ADDRESS", "MUSICGEN_HTTP_ADDRESS", "MUSICGEN_METRICS_ADDRESS")
        if (value := container.env.get(name, "unix:")) and not value.startswith("unix:")
    }
    assert set(container.ports.values()) == listens
    monitored = {port for name, port in container.ports.items() if name.startswith("metrics")}
    assert listens - monitored <= exposed
    compose = read(ROOT / "docker-compose.yml")[0]["services"]
    builds = {str(service.get("build", {}).get("dockerfile")) for service in compose.values()}
    assert str(container.dockerfile.relative_to(ROOT)) in builds


def test_the_store_is_as_durable_as_in_compose() -> None:
    """Valkey is the same image with the same promises."""
    (valkey,) = [each for each in ALL if each.name == "valkey"]
    compose = read(ROOT / "docker-compose.yml")[0]["services"]["valkey"]
    assert valkey.spec["image"] == compose["image"]
    pairs = set(zip(valkey.spec["args"], valkey.spec["args"][1:], strict=False))
    promised = list(compose["command"][1:])
    assert set(zip(promised[::2], promised[1::2], strict=True)) <= pairs


@pytest.mark.parametrize("container", ALL, ids=label)
def test_no_container_may_do_more_than_it_must(container: Container) -> None:
    """None runs as root, writes its own image, or gains rights; each has bounds."""
    context, pod = container.spec["securityContext"], container.pod["securityContext"]
    assert context["allowPrivilegeEscalation"] is False
    assert context["readOnlyRootFilesystem"] is True
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert pod["runAsNonRoot"] is True
    assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container.pod["automountServiceAccountToken"] is False
    assert container.spec["resources"]["requests"].keys() == {"cpu", "memory"}
    assert "memory" in container.spec["resources"]["limits"]


@pytest.mark.parametrize("container", OURS, ids=label)
def test_who_is_told_of_somebody_may_talk_to_them(container: Container) -> None:
    """Each address is one of a service that has that port, and the network lets it through."""
    services = named("Service")
    for host, port in container.peers():
        assert port in [each["port"] for each in services[host]["spec"]["ports"]]
        target = services[host]["spec"]["selector"][COMPONENT]
        assert may_talk(container.component, target, port), (container.component, host, port)


def test_nobody_else_may_talk() -> None:
    """The library can't reach the store, workers can't reach the jobs service or each other."""
    assert not may_talk("library", "valkey", 6379)
    assert not may_talk("gateway", "valkey", 6379)
    assert not may_talk("composer", "jobs", 50051)
    assert not may_talk("composer", "looper", 50051)
    assert not may_talk("gateway", "looper", 50051)


def test_every_queue_has_workers_and_scales_them() -> None:
    """Each kind of job is taken by one kind of worker, which is scaled by that queue."""
    runners = {each.component: taken(each) for each in ALL if each.name == "runner"}
    scalers = named("ScaledObject", SCALING)
    assert set(scalers) == set(runners)
    assert set().union(*runners.values()) == queues()
    assert sum(map(len, runners.values())) == len(queues())
    for name, scaler in scalers.items():
        assert scaler["spec"]["scaleTargetRef"]["name"] == name
        query = scaler["spec"]["triggers"][0]["metadata"]["query"]
        pattern = re.search(r'queue=~"([^"]*)"', query)
        assert pattern is not None
        assert {queue for queue in queues() if re.fullmatch(pattern[1], queue)} == runners[name]
        told = {metric._name for metric in vars(metrics).values() if hasattr(metric, "_name")}
        used = set(re.findall(r"musicgen_[a-z_]+", query))
        assert used
        assert used <= told


def test_whoever_tells_of_the_engines_is_always_there() -> None:
    """A queue without workers takes jobs only as long as somebody tells of its engine."""
    (composer,) = [each for each in ALL if (each.component, each.name) == ("composer", "runner")]
    assert "composer" in load(SETTINGS["runner"], composer.env).engines_taken
    assert named("ScaledObject", SCALING)["composer"]["spec"]["minReplicaCount"] == 1


def test_monitors_find_the_ports_of_metrics() -> None:
    """Every port that serves metrics is scraped, and may be."""
    (monitor,) = named("PodMonitor", SCALING).values()
    scraped = {each["port"] for each in monitor["spec"]["podMetricsEndpoints"]}
    served = {name: port for each in OURS for name, port in each.ports.items() if "metrics" in name}
    assert set(served) == scraped
    (rule,) = named("NetworkPolicy")["metrics"]["spec"]["ingress"]
    assert {each["port"] for each in rule["ports"]} == set(served.values())


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="there is no kubectl here")
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_overlays_build(overlay: str) -> None:
    """An overlay has all that the base has, with images of a registry."""
    built = subprocess.run(
        ["kubectl", "kustomize", str(FOLDER / overlay)], capture_output=True, text=True, check=True
    ).stdout
    images = set(re.findall(r"image: (\S+)", built))
    assert {image for image in images if image.startswith("musicgen/")} == set()
    assert built.count("\nkind: ") + built.startswith("kind: ") == len(
        resources(BASE) + resources(SCALING)
    )
    assert ("nvidia.com/gpu: 1" in built) == (overlay == "gpu")


@pytest.mark.skipif(
    importlib.util.find_spec("kubernetes_validate") is None,
    reason="the package kubernetes-validate is not installed",
)
@pytest.mark.parametrize("version", VERSIONS)
def test_manifests_fit_the_schemas_of_kubernetes(version: str) -> None:
    """Kubernetes knows every field, and every value has its type."""
    validate = importlib.import_module("kubernetes_validate").validate
    for resource in resources(BASE):
        validate(resource, version, strict=True)
