"""The files of docs/deploy."""

from typing import Any

import yaml

from tests.support.paths import ROOT

FOLDER = ROOT / "docs" / "deploy"
INSTALLED = "/opt/tfy-etl/bin/tfy-etl"
"""Path of the command in these files."""


def manifests() -> list[dict[str, Any]]:
    """Return the objects of the Kubernetes manifest."""
    return list(yaml.safe_load_all((FOLDER / "kubernetes.yaml").read_text()))


def pods() -> dict[str, dict[str, Any]]:
    """Return the spec of each pod by the name of its job."""
    found = {}
    for each in manifests():
        spec = each.get("spec", {})
        job = spec.get("jobTemplate", {}).get("spec", spec)
        if "template" in job:
            found[each["metadata"]["name"]] = job["template"]["spec"]
    return found


def jobs() -> dict[str, dict[str, Any]]:
    """Return the spec of each job by its name."""
    return {
        each["metadata"]["name"]: each["spec"].get("jobTemplate", each)["spec"]
        for each in manifests()
        if "spec" in each
    }
