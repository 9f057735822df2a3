import json
from pathlib import Path

import pytest

from etl.simulator import MODEL_VERSIONS, MODELS, Registry, Simulator
from tests.e2e.cli.conftest import Cli


@pytest.fixture
def model(registry: Registry, ready: Simulator, tfy_etl: Cli) -> str:
    """Run sync twice; before the second run, tag version 2 of this model and delete another model."""
    assert tfy_etl("sync").code == 0
    first, *_, last = registry.records(MODELS)
    registry.set_tags(first["latest_version"]["id"], ["production"])
    registry.delete_model(last["id"])
    assert tfy_etl("sync").code == 0
    return str(first["name"])


def test_changes_are_printed_as_sentences_under_a_heading_with_the_run(model: str, tfy_etl: Cli) -> None:
    done = tfy_etl("changes", "--since", "1h")
    heading, *lines, not_shown = done.out.splitlines()
    assert (done.code, done.err) == (0, "")
    assert " UTC, run " in heading
    assert f"  {model} v2: tag production added" in lines
    assert sum(line.endswith(": deleted, with 2 versions") for line in lines) == 1
    assert not_shown.startswith("Not shown: ")


def test_json_output_has_every_change_with_its_sentence(model: str, tfy_etl: Cli) -> None:
    changes = json.loads(tfy_etl("changes", "--output", "json").out)
    assert {each["field"] for each in changes} >= {None, "tags", "updated_at"}
    (added,) = [each for each in changes if each["kind"] == "tag_added"]
    assert list(added) == [
        "run_id", "observed_at", "entity", "id", "name", "model", "version", "ml_repo", "kind", "field", "old", "new",
        "sentence",
    ]  # fmt: skip
    assert added | {"run_id": "", "observed_at": "", "id": ""} == {
        "run_id": "",
        "observed_at": "",
        "entity": "model_versions",
        "id": "",
        "name": f"{model} v2",
        "model": model,
        "version": 2,
        "ml_repo": "risk",
        "kind": "tag_added",
        "field": "tags",
        "old": None,
        "new": "production",
        "sentence": f"{model} v2: tag production added",
    }


def test_options_run_and_model_filter_the_changes(model: str, tfy_etl: Cli) -> None:
    run_id = json.loads(tfy_etl("changes", "--output", "json", "--limit", "1").out)[0]["run_id"]
    model_changes = tfy_etl("changes", "--run", run_id, "--model", model).out
    assert f"  {model} v2: tag production added\n" in model_changes
    assert "deleted" not in model_changes


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--until", "2000-01-01"), "There are no changes before 2000-01-01 00:00:00 UTC."),
        (("--since", "2999-01-01T01:00+01:00"), "There are no changes since 2999-01-01 00:00:00 UTC."),
        (("--since", "20260101", "--until", "2026-01-02T12:00"), "There are no changes since 2026-01-01 00:00:00 UTC"),
    ],
)
def test_without_matching_changes_one_line_is_printed(
    arguments: tuple[str, ...], message: str, model: str, tfy_etl: Cli
) -> None:
    done = tfy_etl("changes", *arguments)
    assert (done.code, done.err, done.out.count("\n")) == (0, "", 1)
    assert done.out.startswith(message)
    assert json.loads(tfy_etl("changes", *arguments, "--output", "json").out) == []


def test_after_the_first_run_a_line_explains_why_there_are_no_changes(ready: Simulator, tfy_etl: Cli) -> None:
    assert tfy_etl("sync").code == 0
    done = tfy_etl("changes")
    assert (done.code, done.out) == (0, "There are no changes. The first load of a scope records no changes.\n")


def test_after_a_prune_a_line_says_until_when_changes_were_pruned(model: str, tfy_etl: Cli) -> None:
    newest = json.loads(tfy_etl("changes", "--output", "json").out)[0]["observed_at"]
    assert tfy_etl("prune", "--keep", "0s").code == 0
    done = tfy_etl("changes")
    until = f"{newest[:10]} {newest[11:19]}"
    assert (done.code, done.out) == (0, f"There are no changes. Changes until {until} UTC were pruned.\n")
    later = tfy_etl("changes", "--since", "2999-01-01").out
    assert later.endswith("The first load of a scope records no changes.\n")


def test_without_a_run_a_line_says_how_to_start(tfy_etl: Cli) -> None:
    missing = tfy_etl("changes")
    assert missing.code == 2
    assert missing.err.startswith("Error: tfy-registry.db does not exist: tfy-etl sync creates it")
    assert tfy_etl("db", "upgrade").code == 0
    for arguments in ((), ("--model", "fraud-scorer")):
        done = tfy_etl("changes", *arguments)
        assert (done.code, done.out) == (0, "There are no runs yet: start the first with tfy-etl sync.\n")


def test_a_limited_list_prints_the_total_number_of_changes(model: str, tfy_etl: Cli) -> None:
    done = tfy_etl("changes", "--limit", "1")
    number = len([line for line in tfy_etl("changes").out.splitlines() if line.startswith("  ")])
    assert f"Showing the newest 1 of {number}. Show all with --limit {number}." in done.out


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("--since", "soon"), "Invalid value for '--since': 'soon' is not a moment: use 6h or 7d (ago), 2026-11-20"),
        (("--since", "99999999d"), "The duration is too long"),
        (("--since", "0001-01-01T00:00+10:00"), "is not a moment"),
        (("--since", "1d", "--until", "2d"), "--since must name an earlier moment than --until."),
        (("--run", "f00"), "No run has the id f00"),
        (("--limit", "0"), "Invalid value for '--limit'"),
    ],
)
def test_an_invalid_option_is_a_one_line_error(
    arguments: tuple[str, ...], error: str, model: str, tfy_etl: Cli
) -> None:
    done = tfy_etl("changes", *arguments)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert error in done.err


def test_an_unknown_model_is_an_error_with_a_suggestion(model: str, tfy_etl: Cli) -> None:
    done = tfy_etl("changes", "--model", f"{model}s")
    assert (done.code, done.err) == (2, f"Error: No model is called {model}s: did you mean {model}?\n")


def test_text_from_the_registry_is_safe_to_print(
    registry: Registry, ready: Simulator, tfy_etl: Cli, folder: Path
) -> None:
    assert tfy_etl("sync").code == 0
    version = registry.ids(MODEL_VERSIONS)[0]
    registry.set_tags(version, ["[red]\x1b[31m\u202e:smile:\r"])
    registry.set_alias(version, "token-that-nobody-may-see")
    assert tfy_etl("sync").code == 0
    done = tfy_etl("changes")
    assert all(line.isprintable() for line in done.out.splitlines())
    assert "[red]" in done.out
    assert "alias" in done.out
    for out in (done.out, tfy_etl("changes", "--output", "json").out):
        assert "***" in out
        assert "token-that-nobody-may-see" not in out


def test_a_dry_run_names_the_records_that_would_change(registry: Registry, ready: Simulator, tfy_etl: Cli) -> None:
    assert tfy_etl("sync").code == 0
    assert "What would change" not in tfy_etl("sync", "--dry-run").out
    first, *_, last = registry.records(MODELS)
    registry.set_tags(first["latest_version"]["id"], ["production"])
    registry.delete_model(last["id"])
    done = tfy_etl("sync", "--dry-run")
    assert done.code == 0
    lines = done.out.partition("What would change:\n")[2].splitlines()
    assert f"  {last['name']}: deleted, with 2 versions" in lines
    assert sum("tag production added" in line for line in lines) == 1
    result = json.loads(tfy_etl("sync", "--dry-run", "--output", "json").out)
    assert result["changed_records"] == 2
    assert f"{last['name']}: deleted, with 2 versions" in [each["sentence"] for each in result["changes"]]
    assert "changes" not in json.loads(tfy_etl("sync", "--output", "json").out)


def test_the_error_line_of_a_refused_run_names_the_missing_records(
    registry: Registry, ready: Simulator, tfy_etl: Cli
) -> None:
    assert tfy_etl("sync").code == 0
    for model in registry.ids(MODELS)[:4]:
        registry.delete_model(model)
    done = tfy_etl("sync")
    assert (done.code, done.err.count("Missing: ")) == (5, 1)
    assert done.err.splitlines()[-1].count(" with 2 versions") == 4
    assert "Missing: " in tfy_etl("status").out
