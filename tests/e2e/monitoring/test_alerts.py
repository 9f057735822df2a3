"""Promtool checks the alert rules with cases in which each fires or does not."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from etl.telemetry.metrics_file import COUNTERS, GAUGES
from tests.support.external_tools import require_tool
from tests.support.paths import ROOT

RULES = ROOT / "docs" / "monitoring" / "alerts.yml"
CASES = Path(__file__).with_name("alerts_test.yml")
KUBERNETES_RULES = RULES.with_name("alerts-kubernetes.yml")
CASES_OF_RULES = {RULES: CASES, KUBERNETES_RULES: CASES.with_name("alerts_kubernetes_test.yml")}
RUNBOOK = ROOT / "docs" / "how-to" / "operators" / "monitor.md"
EXPORTED_METRICS = {f"{name}_total" for name in COUNTERS} | set(GAUGES)


@pytest.fixture(scope="module")
def promtool() -> str:
    return require_tool("promtool", "prometheus", starts_a_service=True)


def rules(path: Path = RULES) -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"]]


def run_promtool(promtool: str, *arguments: str | Path) -> tuple[int, str]:
    done = subprocess.run([promtool, *arguments], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("path", CASES_OF_RULES, ids=lambda path: path.stem)
def test_prometheus_accepts_the_rules(path: Path, promtool: str) -> None:
    code, out = run_promtool(promtool, "check", "rules", path)
    assert code == 0, out
    assert f"SUCCESS: {len(rules(path))} rules found" in out


@pytest.mark.parametrize("path", CASES_OF_RULES, ids=lambda path: path.stem)
def test_each_alert_fires_on_its_condition_only(path: Path, promtool: str) -> None:
    code, out = run_promtool(promtool, "test", "rules", CASES_OF_RULES[path])
    assert code == 0, out


def test_broken_rule_fails_the_check(promtool: str, tmp_path: Path) -> None:
    """A changed threshold fails the cases: they test the shipped rules."""
    (tmp_path / "docs" / "monitoring").mkdir(parents=True)
    cases = tmp_path / CASES.relative_to(ROOT)
    cases.parent.mkdir(parents=True)
    cases.write_text(CASES.read_text())
    copy = tmp_path / RULES.relative_to(ROOT)
    copy.write_text(RULES.read_text())
    assert run_promtool(promtool, "test", "rules", cases)[0] == 0
    for before, after in (("> 3600", "> 36000"), ("== 5", "== 6"), ("> 0.2", "> 0.6"), ("[2h]", "[2parsecs]")):
        assert before in RULES.read_text()
        copy.write_text(RULES.read_text().replace(before, after))
        code, _ = run_promtool(promtool, "test", "rules", cases)
        assert code != 0, before


@pytest.mark.parametrize("path", CASES_OF_RULES, ids=lambda path: path.stem)
def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not(path: Path) -> None:
    cases = [
        case for each in yaml.safe_load(CASES_OF_RULES[path].read_text())["tests"] for case in each["alert_rule_test"]
    ]
    names = {rule["alert"] for rule in rules(path)}
    assert {case["alertname"] for case in cases if case.get("exp_alerts")} == names
    assert {case["alertname"] for case in cases if not case.get("exp_alerts")} == names


def test_every_metric_of_a_rule_is_exported() -> None:
    used = {name for rule in rules() for name in re.findall(r"\btfy_etl_\w+", rule["expr"])}
    assert used
    assert used <= EXPORTED_METRICS


def test_the_rules_for_kubernetes_name_the_jobs_that_are_deployed() -> None:
    base = ROOT / "docs" / "deploy" / "kubernetes" / "base"
    jobs = {yaml.safe_load((base / f"{name}.yaml").read_text())["metadata"]["name"] for name in ("sync", "prune")}
    named = re.findall(r'cronjob=~?"([^"]+)"', KUBERNETES_RULES.read_text())
    assert jobs == {job for job in jobs if any(re.fullmatch(each, job) for each in named)}


@pytest.mark.parametrize("path", CASES_OF_RULES, ids=lambda path: path.stem)
def test_every_alert_has_a_summary_a_severity_and_an_entry_in_the_runbook(path: Path) -> None:
    headings = set(re.findall(r"^#+ (\w+)$", RUNBOOK.read_text(), re.MULTILINE))
    for rule in rules(path):
        assert rule["labels"]["severity"] in {"warning", "critical"} or '"all"' in rule["labels"]["severity"]
        assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}
        assert rule["annotations"]["runbook_url"].endswith(f"/operators/monitor/#{rule['alert'].lower()}")
        assert rule["alert"] in headings
