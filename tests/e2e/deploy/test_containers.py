"""Validate the manifests with the Kubernetes schema, and the Containerfile with a linter; neither is run."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

import etl
from etl.errors import ConfigError, DeleteLimitExceeded, EtlError, LockHeld
from etl.simulator import Registry, Simulator
from tests.e2e.cli.commands import COMMAND, TOKEN, execute
from tests.support.deploy_files import (
    BASE,
    FOLDER,
    PRODUCTION,
    containers,
    jobs,
    kustomization,
    manifests,
    pods,
    settings,
)
from tests.support.paths import ROOT

# Pod failure policies are stable from 1.31 on.
VERSIONS = ("1.31", kubernetes_validate.latest_version())
CONTAINERFILE = (FOLDER / "Containerfile").read_text()
PARTIAL = 3


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_accepts_every_object(version: str) -> None:
    kinds = [each["kind"] for each in manifests() if kubernetes_validate.validate(each, version, strict=True)]
    assert kinds == ["ConfigMap", "CronJob", "CronJob", "NetworkPolicy"]


def test_a_misspelt_field_in_the_manifest_is_reported() -> None:
    job = next(each for each in manifests() if each["kind"] == "CronJob")
    job["spec"]["concurencyPolicy"] = "Forbid"
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(job, VERSIONS[0], strict=True)


def test_only_transient_failures_are_retried() -> None:
    """The pod failure policy lists exactly the exit codes that a retry cannot fix."""
    final = {ConfigError.exit_code, PARTIAL, LockHeld.exit_code, DeleteLimitExceeded.exit_code}
    rules = jobs()["tfy-etl-sync"]["podFailurePolicy"]["rules"]
    codes, upgrade = [rule["onExitCodes"] for rule in rules if "onExitCodes" in rule]
    assert (upgrade["containerName"], upgrade["values"]) == ("db-upgrade", [ConfigError.exit_code])
    assert (codes["operator"], set(codes["values"])) == ("In", final)
    errors: list[type[EtlError]] = [EtlError, *EtlError.__subclasses__()]
    assert {error.exit_code for error in errors} - final == {1, 130}
    for name, pod in pods().items():
        assert pod["restartPolicy"] == "Never", name  # a pod failure policy requires it
        assert {container["name"] for container in pod["containers"]} == {"tfy-etl"}


def test_secrets_are_mounted_files_and_not_in_the_manifests() -> None:
    for pod, container in containers():
        assert container["envFrom"] == [{"configMapRef": {"name": "tfy-etl"}}]
        assert "env" not in container
        mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        assert [each["secret"]["secretName"] for each in pod["volumes"] if each["name"] == "secrets"] == ["tfy-etl"]
        files = {Path(value) for name, value in settings().items() if name.endswith("_FILE")}
        assert files == {Path(mounts["secrets"], name) for name in ("token", "database-url")}
    assert not {"TFY_API_KEY", "TFY_ETL_DATABASE_URL"} & settings().keys()


def test_the_example_sets_the_image_of_each_container_and_names_each_file() -> None:
    (image,) = kustomization(PRODUCTION)["images"]
    assert {container["image"] for _, container in containers()} == {image["name"]}
    assert image["newTag"] == etl.__version__
    assert {file.name for file in BASE.iterdir()} == {"kustomization.yaml", *kustomization(BASE)["resources"]}
    assert [(PRODUCTION / each).resolve() for each in kustomization(PRODUCTION)["resources"]] == [BASE]


def test_each_container_command_succeeds_with_the_example_settings(tmp_path: Path) -> None:
    with Simulator(Registry.generate(1, ml_repos=1, models=2, versions=1), token=TOKEN) as plane:
        contents = {"token": TOKEN, "database-url": f"sqlite:///{tmp_path / 'registry.db'}"}
        files = {name: tmp_path / Path(value).name for name, value in settings().items() if name.endswith("_FILE")}
        for file in files.values():
            file.write_text(contents[file.name])
            file.chmod(0o440)
        env = {**settings(), "TFY_HOST": plane.url} | {name: str(file) for name, file in files.items()}
        for _, container in containers():
            done = execute(COMMAND, *container["args"], cwd=tmp_path, env=env)
            assert (done.code, "Error" in done.err) == (0, False), (container["args"], done)


@pytest.mark.parametrize("name", pods())
def test_a_pod_has_minimal_privileges(name: str) -> None:
    pod = pods()[name]
    (user,) = re.findall(r"^USER (\d+):\d+$", CONTAINERFILE, re.MULTILINE)
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": int(user),
        "runAsGroup": int(user),
        "fsGroup": int(user),
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    for container in (*pod.get("initContainers", ()), *pod["containers"]):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


def test_image_names_its_version_and_can_have_another_base() -> None:
    arguments = dict(re.findall(r"^ARG (\w+)=(.*)$", CONTAINERFILE, re.MULTILINE))
    assert arguments == {"BASE": "python:3.13-slim", "VERSION": etl.__version__, "REVISION": "unknown"}
    assert re.findall(r"^FROM (\S+)", CONTAINERFILE, re.MULTILINE) == ["${BASE}", "${BASE}"]
    for label in ("version", "revision"):
        assert f'org.opencontainers.image.{label}="${{{label.upper()}}}"' in CONTAINERFILE


def hadolint(*arguments: str | Path, text: str | None = None) -> tuple[int, str]:
    tool = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([tool, *arguments], input=text, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_the_linter_finds_nothing_in_the_containerfile() -> None:
    assert hadolint(FOLDER / "Containerfile") == (0, "")


def test_hadolint_reports_an_unpinned_base_image() -> None:
    code, output = hadolint("-", text=CONTAINERFILE.replace("FROM ${BASE}", "FROM python:latest"))
    assert code != 0
    assert "DL3007" in output


def copied_sources() -> list[str]:
    lines = re.findall(r"^COPY (?!--from)(.+) \S+$", CONTAINERFILE, re.MULTILINE)
    return [source for line in lines for source in line.split()]


def test_the_files_that_the_containerfile_copies_build_the_package(tmp_path: Path) -> None:
    for source in copied_sources():
        found = ROOT / source
        (tmp_path / source).parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(found, tmp_path / source) if found.is_dir() else shutil.copy(found, tmp_path / source)
    pip: list[str | Path] = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "wheel"]
    build = [*pip, "--no-deps", "--no-build-isolation", "--wheel-dir", tmp_path / "out", tmp_path]
    subprocess.run(build, check=True, capture_output=True, env={**os.environ, "PIP_NO_INDEX": "1"})
    assert len(list((tmp_path / "out").glob("*.whl"))) == 1


def pins(name: str) -> dict[str, str]:
    return dict(
        re.findall(r"^([a-z0-9-]+)(?:\[[a-z,]+\])?==(\S+)", (ROOT / "requirements" / name).read_text(), re.MULTILINE)
    )


def test_the_image_has_the_tested_versions_and_the_extras() -> None:
    image, tested, runtime = pins("container.txt"), pins("dev.txt"), pins("runtime.txt")
    assert set(runtime) <= set(image)
    assert {"psycopg", "opentelemetry-sdk", "hatchling"} <= set(image)
    assert {name: version for name, version in image.items() if tested[name] != version} == {}


def test_the_user_and_its_group_agree() -> None:
    useradd: Any = re.search(r"useradd .*--uid (\d+) --gid (\d+)", CONTAINERFILE)
    assert re.findall(r"^USER (\d+):(\d+)$", CONTAINERFILE, re.MULTILINE) == [useradd.groups()]


def test_the_ignore_file_includes_exactly_the_copied_files() -> None:
    included = {line[1:] for line in (ROOT / ".containerignore").read_text().splitlines() if line.startswith("!")}
    assert {source.partition("/")[0] for source in copied_sources()} == included
