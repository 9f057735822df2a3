"""The files of docs/deploy."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.support.paths import ROOT

FOLDER = ROOT / "docs" / "deploy"
INSTALLED = "/opt/tfy-etl/bin/tfy-etl"
"""Path of the command in these files."""


BASE = FOLDER / "kubernetes" / "base"
PRODUCTION = FOLDER / "kubernetes" / "production"


def kustomization(folder: Path) -> dict[str, Any]:
    """Return the kustomization of a folder."""
    return dict(yaml.safe_load((folder / "kustomization.yaml").read_text()))


def manifests() -> list[dict[str, Any]]:
    """Return the Kubernetes objects of the base."""
    return [yaml.safe_load((BASE / name).read_text()) for name in kustomization(BASE)["resources"]]


def jobs() -> dict[str, dict[str, Any]]:
    """Return the spec of each job by its name."""
    return {
        each["metadata"]["name"]: each["spec"]["jobTemplate"]["spec"]
        for each in manifests()
        if each["kind"] == "CronJob"
    }


def pods() -> dict[str, dict[str, Any]]:
    """Return the spec of each pod by the name of its job."""
    return {name: job["template"]["spec"] for name, job in jobs().items()}


def containers() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield each pod with each of its containers, in the order in which they start."""
    for pod in pods().values():
        for container in (*pod.get("initContainers", ()), *pod["containers"]):
            yield pod, container


def settings() -> dict[str, str]:
    """Return the variables of all jobs: those of the base, with the changes of the example."""
    base = next(each["data"] for each in manifests() if each["kind"] == "ConfigMap")
    (patch,) = [
        yaml.safe_load((PRODUCTION / each["path"]).read_text()) for each in kustomization(PRODUCTION)["patches"]
    ]
    assert (patch["kind"], patch["metadata"]["name"]) == ("ConfigMap", "tfy-etl")
    return {**base, **patch["data"]}
