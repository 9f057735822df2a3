"""Check the systemd units with systemd-analyze. No test starts them, because containers have no systemd."""

import os
import shlex
import subprocess
from configparser import RawConfigParser
from pathlib import Path

import pytest

from etl.errors import EtlError, Interrupted, LockHeld
from tests.e2e.cli.commands import COMMAND
from tests.support.deploy_files import FOLDER, INSTALLED
from tests.support.external_tools import require_tool

UNITS = sorted(path.name for path in FOLDER.iterdir() if path.suffix in {".service", ".timer"})
FAILED = "tfy-etl-failed@.service"
SERVICES = [name for name in UNITS if name.endswith(".service") and name != FAILED]


@pytest.fixture(scope="module")
def systemd_analyze() -> str:
    return require_tool("systemd-analyze", "systemd")


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units with the command's path in the tests: systemd-analyze rejects a missing command."""
    for name in UNITS:
        (tmp_path / name).write_text((FOLDER / name).read_text().replace(INSTALLED, COMMAND))
    return tmp_path


def run_command(folder: Path, *command: str) -> tuple[int, str]:
    environment = {**os.environ, "SYSTEMD_COLORS": "0"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def settings(name: str) -> dict[str, list[str]]:
    """Every setting of a unit, with its values in order."""
    found: dict[str, list[str]] = {}
    for line in (FOLDER / name).read_text().splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


def test_there_are_two_services_each_with_its_timer() -> None:
    assert [*SERVICES, FAILED] == ["tfy-etl-prune.service", "tfy-etl.service", FAILED]
    assert [name for name in UNITS if name != FAILED] == [
        "tfy-etl-prune.service",
        "tfy-etl-prune.timer",
        "tfy-etl.service",
        "tfy-etl.timer",
    ]
    for name in UNITS:
        parser = RawConfigParser(strict=False)
        parser.read(FOLDER / name)
        assert parser.sections()[0] == "Unit"


def test_systemd_accepts_the_units(systemd_analyze: str, units: Path) -> None:
    code, out = run_command(units, systemd_analyze, "verify", *(f"./{name}" for name in UNITS))
    assert (code, [line for line in out.splitlines() if "tfy-etl" in line]) == (0, [])


@pytest.mark.parametrize(
    ("before", "after"),
    [("Type=oneshot", "Type=oneshott"), ("ProtectProc=", "ProtectProcess="), (COMMAND, f"{COMMAND}-that-is-not-there")],
)
def test_systemd_analyze_reports_broken_unit(before: str, after: str, systemd_analyze: str, units: Path) -> None:
    service = units / "tfy-etl.service"
    assert before in service.read_text()
    service.write_text(service.read_text().replace(before, after))
    _, out = run_command(units, systemd_analyze, "verify", "./tfy-etl.service")
    assert "tfy-etl.service" in out


@pytest.mark.parametrize("name", SERVICES)
def test_service_passes_security_threshold(name: str, systemd_analyze: str, units: Path) -> None:
    code, out = run_command(
        units, systemd_analyze, "security", "--offline=yes", "--no-pager", "--threshold=20", f"./{name}"
    )
    assert code == 0, out.splitlines()[-1]
    loose = units / "loose.service"
    loose.write_text(f"[Service]\nExecStart={COMMAND}\n")
    assert run_command(
        units, systemd_analyze, "security", "--offline=yes", "--no-pager", "--threshold=20", "./loose.service"
    )[0]


@pytest.mark.parametrize("name", [name for name in UNITS if name.endswith(".timer")])
def test_timer_has_valid_calendar(name: str, systemd_analyze: str, units: Path) -> None:
    (when,) = settings(name)["OnCalendar"]
    code, out = run_command(units, systemd_analyze, "calendar", when)
    assert code == 0, out


def test_a_held_lock_and_an_interruption_count_as_success_and_every_other_error_fails() -> None:
    (codes,) = settings("tfy-etl.service")["SuccessExitStatus"]
    success = {int(code) for code in codes.split()}
    assert success == {LockHeld.exit_code, Interrupted.exit_code}
    assert {error.exit_code for error in EtlError.__subclasses__()} - success == {1, 2, 5}


def test_secrets_are_read_from_files_and_not_in_the_unit() -> None:
    service = settings("tfy-etl.service")
    (credential,) = service["LoadCredential"]
    assert f"TFY_API_KEY_FILE=%d/{credential.partition(':')[0]}" in service["Environment"]
    assert not any(name in each for each in service["Environment"] for name in ("TFY_API_KEY=", "DATABASE_URL"))
    for name in SERVICES:
        assert settings(name)["EnvironmentFile"] == ["/etc/tfy-etl/environment"]


def test_a_failed_unit_is_mailed_with_its_last_lines(tmp_path: Path) -> None:
    for name in SERVICES:
        assert settings(name)["OnFailure"] == [f"{FAILED.replace('@.', '@%n.')}"]
    for name, script in (("sendmail", 'cat > "$0.got-$1"'), ("systemctl", 'echo "$@"; exit 3')):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    (line,) = settings(FAILED)["ExecStart"]
    command = shlex.split(line.replace("%i", "tfy-etl.service").replace("%H", "here"))
    subprocess.run(command, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, check=True)
    mail = (tmp_path / "sendmail.got-root").read_text()
    assert mail == "Subject: tfy-etl.service failed on here\n\nstatus --full --lines=20 tfy-etl.service\n"
