import json
from pathlib import Path

import pytest
import yaml

from etl.schema_docs import WRITERS, render
from tests.e2e.cli.conftest import Cli
from tests.support.paths import ROOT


def test_a_data_dictionary_is_printed_without_a_database(folder: Path, tfy_etl: Cli) -> None:
    done = tfy_etl("schema")
    assert (done.code, done.err) == (0, "")
    assert done.out == f"{render('markdown')}\n"
    assert "### model_versions" in done.out
    assert list(folder.iterdir()) == []


def test_each_format_is_printed_by_its_name(tfy_etl: Cli) -> None:
    printed = {name: tfy_etl("schema", "--format", name).out for name in WRITERS}
    assert printed["markdown"].startswith("# The schema")
    assert printed["mermaid"].startswith("erDiagram\n")
    names = {table["name"] for table in json.loads(printed["json"])["tables"]}
    (source,) = yaml.safe_load(printed["dbt"])["sources"]
    assert {"models", "model_versions", "sync_runs"} <= names <= {table["name"] for table in source["tables"]}


@pytest.mark.parametrize("file", ["docs/reference/schema.md", "docs/dbt/models/sources.yml"])
def test_the_files_in_docs_equal_the_printed_schema(file: str, tfy_etl: Cli) -> None:
    content = (ROOT / file).read_text(encoding="utf-8")
    printed = tfy_etl("schema", "--format", "dbt" if file.endswith("yml") else "markdown").out
    assert f"\n{printed}" in content


def test_an_unknown_format_is_refused_with_the_known_ones(tfy_etl: Cli) -> None:
    done = tfy_etl("schema", "--format", "xml")
    assert (done.code, done.out) == (2, "")
    assert "'markdown', 'json', 'mermaid', 'dbt'" in done.err


@pytest.mark.parametrize("names", [("models",), ("inventory", "models")])
def test_only_the_named_tables_and_views_are_printed_in_the_order_of_the_schema(
    names: tuple[str, ...], tfy_etl: Cli
) -> None:
    printed = {name: tfy_etl("schema", *names, "--format", name).out for name in WRITERS}
    titles = [line.removeprefix("### ") for line in printed["markdown"].splitlines() if line.startswith("#")]
    assert titles == sorted(names, reverse=True)
    described = json.loads(printed["json"])
    assert [each["name"] for each in (*described["tables"], *described["views"])] == titles
    (source,) = yaml.safe_load(printed["dbt"])["sources"]
    assert [each["name"] for each in source["tables"]] == titles
    assert "    models {" in printed["mermaid"]


@pytest.mark.parametrize(("format", "reference"), [("dbt", ", 'ml_repos')"), ("mermaid", "o{ models : ml_repo_id")])
def test_references_to_other_tables_are_left_out_where_they_would_be_invalid(
    format: str, reference: str, tfy_etl: Cli
) -> None:
    assert reference in tfy_etl("schema", "models", "ml_repos", "--format", format).out
    assert reference not in tfy_etl("schema", "models", "--format", format).out


def test_an_unknown_table_is_refused_with_a_suggestion(tfy_etl: Cli) -> None:
    done = tfy_etl("schema", "model_version")
    assert (done.code, done.out, done.err) == (
        2,
        "",
        "Error: There is no table or view 'model_version': did you mean model_versions?\n",
    )
    assert "use one of alias_history, " in tfy_etl("schema", "xyz").err
