"""The Kubernetes manifests, as this repository has them, and what they mean."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]  # it publishes no types

import gateway.settings
import services.inference.settings
import services.jobs.runner.settings
import services.jobs.settings
import services.library.settings
import services.looper.settings

Manifest = dict[str, Any]

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "deploy" / "kubernetes"
BASE, SCALING = FOLDER / "base", FOLDER / "scaling"
COMPONENT = "app.kubernetes.io/component"
SECRETS = {"valkey-password": "a1b2c3d4e5f6", "api-key": "0123456789abcdef"}
SETTINGS: dict[str, type[Any]] = {
    "gateway": gateway.settings.Settings,
    "inference": services.inference.settings.Settings,
    "jobs": services.jobs.settings.Settings,
    "library": services.library.settings.Settings,
    "looper": services.looper.settings.Settings,
    "runner": services.jobs.runner.settings.Settings,
}


def read(path: Path) -> list[Manifest]:
    """Return the documents of a file."""
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def resources(folder: Path) -> list[Manifest]:
    """Return everything that a folder's kustomization names."""
    (kustomization,) = read(folder / "kustomization.yaml")
    return [each for name in kustomization["resources"] for each in read(folder / name)]


def named(kind: str, folder: Path = BASE) -> dict[str, Manifest]:
    """Return the resources of a kind by name."""
    return {r["metadata"]["name"]: r for r in resources(folder) if r["kind"] == kind}


@dataclass(frozen=True, slots=True)
class Container:
    """A container of a pod; `component` is the pod's."""

    component: str
    pod: Manifest
    spec: Manifest

    @property
    def name(self) -> str:
        """Its name, which is that of its program."""
        return str(self.spec["name"])

    @property
    def dockerfile(self) -> Path | None:
        """What its image is built by; None for an image of somebody else."""
        owner, name = self.spec["image"].split("/", 1)
        if owner != "musicgen":
            return None
        return ROOT / ("gateway" if name == "gateway" else f"services/{name}") / "Dockerfile"

    @property
    def env(self) -> dict[str, str]:
        """Its variables, with secrets and references filled in as a cluster would."""
        found: dict[str, str] = {}
        for entry in self.spec.get("env", []):
            value = entry.get("value", "")
            if reference := entry.get("valueFrom"):
                secret = reference.get("secretKeyRef")
                value = SECRETS[secret["key"]] if secret else f"{self.component}-x7k2p"
            found[entry["name"]] = re.sub(r"\$\((\w+)\)", lambda m: found[m[1]], value)
        return found

    @property
    def ports(self) -> dict[str, int]:
        """Its ports by name."""
        return {port["name"]: port["containerPort"] for port in self.spec.get("ports", [])}

    def peers(self) -> Iterator[tuple[str, int]]:
        """Return host and port of each program elsewhere that it is told of."""
        listens = {"MUSICGEN_ADDRESS", "MUSICGEN_HTTP_ADDRESS", "MUSICGEN_METRICS_ADDRESS"}
        for name, value in self.env.items():
            found = re.fullmatch(r"(?:redis://.*@)?([a-z][a-z-]*):(\d+)", value)
            if found and name not in listens:
                yield found[1], int(found[2])


def containers() -> list[Container]:
    """Return every container of every pod."""
    found = []
    for workload in (*named("Deployment").values(), *named("StatefulSet").values()):
        template = workload["spec"]["template"]
        pod, component = template["spec"], template["metadata"]["labels"][COMPONENT]
        found += [Container(component, pod, spec) for spec in pod["containers"]]
    return found


def may_talk(source: str, target: str, port: int) -> bool:
    """Whether the network policies let one component reach a port of another: if it may send
    there, and that one may be sent to."""
    policies = list(named("NetworkPolicy").values())
    return any(_lets(policy, "egress", source, target, port) for policy in policies) and any(
        _lets(policy, "ingress", target, source, port) for policy in policies
    )


def _lets(policy: Manifest, direction: str, here: str, there: str, port: int) -> bool:
    spec, end = policy["spec"], {"egress": "to", "ingress": "from"}[direction]
    if direction.capitalize() not in spec["policyTypes"] or not _selects(spec["podSelector"], here):
        return False
    for rule in spec.get(direction, []):
        if port not in [each["port"] for each in rule.get("ports", [])]:
            continue
        peers = rule.get(end)
        if peers is None or any(
            "podSelector" in peer
            and "namespaceSelector" not in peer
            and _selects(peer["podSelector"], there)
            for peer in peers
        ):
            return True
    return False


def _selects(selector: Manifest, component: str) -> bool:
    labels = selector.get("matchLabels", {})
    if any(name != COMPONENT or value != component for name, value in labels.items()):
        return False
    return all(
        (each["key"], each["operator"]) == (COMPONENT, "In") and component in each["values"]
        for each in selector.get("matchExpressions", [])
    )
