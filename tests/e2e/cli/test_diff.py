import json
from pathlib import Path

import pytest

from etl.simulator import MODEL_VERSIONS, MODELS, Registry, Simulator
from tests.e2e.cli.conftest import Cli


def test_diff_prints_the_changes_since_a_moment_as_sentences_or_json(
    ready: Simulator, registry: Registry, tfy_etl: Cli
) -> None:
    assert tfy_etl("sync").code == 0
    first = registry.records(MODELS)[0]
    registry.set_tags(first["latest_version"]["id"], ["production"])
    planned = tfy_etl("diff", "--dry-run")
    assert planned.code == 0
    assert f"  {first['name']} v2: tag production added" in planned.out.splitlines()
    assert planned.out.startswith("From the tables to the source: ")

    assert tfy_etl("sync").code == 0
    done = tfy_etl("diff", "--from", "1h")
    title, *_ = done.out.splitlines()
    assert (done.code, done.err) == (0, "")
    assert title.startswith("From 2")
    assert ". What the first run found counts as created: " in title
    one = tfy_etl("diff", first["name"], "--from", "1h", "--limit", "1").out.splitlines()
    assert first["name"] in one[1]
    found = json.loads(tfy_etl("diff", "--from", "1h", "--output", "json").out)
    assert {each["kind"] for each in found} == {"created"}
    assert tfy_etl("diff", "--dry-run").out == "From the tables to the source: 0 differences.\n"


def test_a_dry_run_uses_the_settings_of_sync(
    ready: Simulator, registry: Registry, tfy_etl: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tfy_etl("sync").code == 0
    for repo in ("1", "2"):
        model_of_repo = next(each for each in registry.records(MODELS) if each["ml_repo_id"] == repo)
        registry.set_tags(model_of_repo["latest_version"]["id"], ["production"])
    (folder / "etl.toml").write_text('versions = "latest"\nml-repo = ["1"]')
    monkeypatch.setenv("TFY_ETL_ACCEPT_COVERAGE", "1")
    ready.log.clear()
    with_file = tfy_etl("--config", "etl.toml", "diff", "--dry-run").out
    assert with_file.startswith("From the tables to the source: 2 differences.\n")
    assert {each.path.rpartition("/")[2] for each in ready.log} == {"ml-repos", "models"}
    with_option = tfy_etl("--config", "etl.toml", "diff", "--dry-run", "--ml-repo", "2").out
    assert with_option.startswith("From the tables to the source: 2 differences.\n")
    assert with_option != with_file


def test_a_comparison_ignores_sync_settings_of_config_file_and_environment(
    ready: Simulator, tfy_etl: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tfy_etl("sync").code == 0
    (folder / "etl.toml").write_text('ml-repo = ["1"]')
    monkeypatch.setenv("TFY_ETL_FULL", "1")
    done = tfy_etl("--config", "etl.toml", "diff", "--from", "1h", "--to", "0s")
    assert (done.code, done.err) == (0, "")


def test_diff_of_two_versions_names_the_version_that_has_each_tag(
    ready: Simulator, registry: Registry, tfy_etl: Cli
) -> None:
    model = registry.records(MODELS)[0]
    versions = [each for each in registry.records(MODEL_VERSIONS) if each["model_id"] == model["id"]]
    for version in versions:
        registry.set_tags(version["id"], [f"only-{version['fqn'].rpartition(':')[2]}"])
    assert tfy_etl("sync").code == 0
    title, *lines = tfy_etl("diff", model["name"], "--versions", "v1", "2").out.splitlines()
    assert title.startswith("v1 compared with v2: ")
    assert {"  tag only-1 only in v1", "  tag only-2 only in v2"} <= set(lines)
    missing = tfy_etl("diff", model["name"], "--versions", "1", "9" * 18)
    assert (missing.code, missing.out, len(missing.err.splitlines())) == (2, "", 1)
    found = json.loads(tfy_etl("diff", model["name"], "--versions", "1", "v2", "--output", "json").out)
    assert "tag only-1 only in v1" in {each["sentence"] for each in found}


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((), "Pass one of --from, --versions and --dry-run."),
        (("--from", "1h", "--dry-run"), "Pass one of --from, --versions and --dry-run."),
        (("--versions", "1", "2"), "--versions needs a MODEL."),
        (("fraud", "--dry-run"), "leave out MODEL."),
        (("--from", "1h", "--full"), "--full requires --dry-run: leave out --full."),
        (("--from", "1h", "--ml-repo", "1"), "--ml-repo requires --dry-run: leave out --ml-repo."),
        (("fraud", "--versions", "1", "2", "--full"), "--full requires --dry-run: leave out --full."),
        (("fraud", "--versions", "1", "2", "--to", "1h"), "--to requires --from: leave out --to."),
        (("--dry-run", "--to", "0s"), "--to requires --from: leave out --to."),
        (("--to", "1h"), "Pass one of --from, --versions and --dry-run."),
        (("--from", "0s", "--to", "2h"), "--from must name an earlier moment than --to."),
        (("--from", "1h", "--to", "2h"), "--from must name an earlier moment than --to."),
        (("--from", "soon"), "'soon' is not a moment"),
        (("fraud", "--versions", "1", "newest"), "'newest' is not the number of a version: use 5 or v5."),
        (("fraud", "--versions", "1", "5_0"), "'5_0' is not the number of a version: use 5 or v5."),
        (("fraud", "--versions", "1", "9" * 20), f"'{'9' * 20}' is not the number of a version: use 5 or v5."),
    ],
)
def test_invalid_arguments_are_an_error(arguments: tuple[str, ...], error: str, ready: Simulator, tfy_etl: Cli) -> None:
    if arguments and arguments[-1] == "2h":
        assert tfy_etl("sync").code == 0
    done = tfy_etl("diff", *arguments)
    assert (done.code, done.out) == (2, "")
    assert error in done.err
