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
    kept = (ROOT / file).read_text(encoding="utf-8")
    printed = tfy_etl("schema", "--format", "dbt" if file.endswith("yml") else "markdown").out
    assert f"\n{printed}" in kept


def test_an_unknown_format_is_refused_with_the_known_ones(tfy_etl: Cli) -> None:
    done = tfy_etl("schema", "--format", "xml")
    assert (done.code, done.out) == (2, "")
    assert "'markdown', 'json', 'mermaid', 'dbt'" in done.err
