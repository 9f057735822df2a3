import json
import sys
from pathlib import Path

import pytest

from etl.errors import missing_extra
from etl.simulator import Simulator
from tests.e2e.cli.commands import execute
from tests.e2e.cli.conftest import Cli


@pytest.fixture
def synced(ready: Simulator, tfy_etl: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """A synced database, without TFY_HOST and TFY_API_KEY, because an export needs neither."""
    assert tfy_etl("sync").code == 0
    for name in ("TFY_HOST", "TFY_API_KEY"):
        monkeypatch.delenv(name)


def test_the_export_prints_its_tables_and_rows(synced: None, folder: Path, tfy_etl: Cli) -> None:
    done = tfy_etl("export", "out", "--table", "models", "--table", "model_versions")
    manifest = json.loads((folder / "out" / "manifest.json").read_text())
    *tables, last = done.out.splitlines()

    assert [line.split() for line in tables] == [["model_versions", "12"], ["models", "6"]]
    assert last == (
        f"out: parquet, 0.0 MB, as of {manifest['exported_at']}; "
        f"the last complete run is {manifest['last_complete_run']['id']}"
    )
    assert (done.code, done.err) == (0, "")


def test_json_output_equals_the_manifest(synced: None, folder: Path, tfy_etl: Cli) -> None:
    done = tfy_etl("export", "--format", "csv", "--output", "json", "out")

    assert done.code == 0
    assert json.loads(done.out) == json.loads((folder / "out" / "manifest.json").read_text())


def test_an_export_before_the_first_run_says_so(folder: Path, tfy_etl: Cli) -> None:
    assert tfy_etl("db", "upgrade").code == 0
    assert tfy_etl("export", "--format", "csv", "out").out.endswith("; there is no complete run yet\n")


@pytest.mark.parametrize("format", ["parquet", "csv", "jsonl", "duckdb"])
def test_an_older_export_is_replaced_by_one_of_any_format(
    format: str, synced: None, folder: Path, tfy_etl: Cli
) -> None:
    assert tfy_etl("export", "--format", "jsonl", "out").code == 0
    assert tfy_etl("export", "--format", format, "--table", "models", "out").code == 0
    name = "registry.duckdb" if format == "duckdb" else f"models.{format}"
    assert {each.name for each in (folder / "out").iterdir()} == {"manifest.json", name}


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["out", "--format", "csv"], "out is not empty, and holds no export of tfy-etl: name another folder."),
        (["file", "--format", "csv"], "file is not a folder: name another, or one that does not exist yet."),
        (["none/out", "--format", "csv"], "none does not exist: create it, or name another."),
        (["new", "--format", "csv", "--table", "modells"], "no table or view 'modells': did you mean models?"),
        (["new", "--raw"], "--raw requires --format csv. See tfy-etl export --help."),
        (["new", "--format", "xlsx"], "'xlsx' is not one of 'parquet', 'csv', 'jsonl', 'duckdb'."),
        ([], "Missing argument 'DIR'. See tfy-etl export --help."),
    ],
)
def test_an_invalid_export_is_a_one_line_error_with_code_2(
    arguments: list[str], line: str, synced: None, folder: Path, tfy_etl: Cli
) -> None:
    (folder / "out").mkdir()
    (folder / "out" / "notes.txt").write_text("mine")
    (folder / "file").write_text("mine")
    done = tfy_etl("export", *arguments)

    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert line in done.err
    assert not (folder / "new").exists()


@pytest.mark.parametrize("library", ["pyarrow", "duckdb"])
def test_a_missing_library_is_an_error_that_names_the_extra(library: str, synced: None, folder: Path) -> None:
    script = f"import sys; sys.modules[{library!r}] = None; from etl.cli import main; main()"
    done = execute(sys.executable, "-c", script, "export", "--format", "duckdb", "out", cwd=folder)
    assert (done.code, done.out) == (2, "")
    expected = missing_extra("The format duckdb", "export", alternative="use --format csv or jsonl")
    assert done.err == f"Error: {expected}\n"
    assert not (folder / "out").exists()
    for kind in ("csv", "jsonl"):
        assert execute(sys.executable, "-c", script, "export", "--format", kind, kind, cwd=folder).code == 0
