import re
import subprocess
import sys
from pathlib import Path

import pytest

from etl.errors import missing_extra
from etl.simulator import Simulator
from tests.e2e.cli.commands import COMMAND, TOKEN, execute
from tests.e2e.cli.conftest import Cli
from tests.e2e.cli.test_status import execute_sql
from tests.support.databases import new_database
from tests.support.patience import patience

PAGE = "<!DOCTYPE html>"


def test_the_report_is_written_and_its_path_printed(ready: Simulator, tfy_etl: Cli, folder: Path) -> None:
    tfy_etl("sync")
    done = tfy_etl("report", "--out", "report.html")
    assert (done.code, done.out) == (0, "")
    assert done.err.startswith("Wrote report.html, ")
    html = (folder / "report.html").read_text(encoding="utf-8")
    assert html.lstrip().startswith(PAGE)
    assert TOKEN not in html


def test_the_report_has_the_same_figures_on_both_databases(
    postgres_url: str, migrated_template: str, ready: Simulator, tfy_etl: Cli, folder: Path
) -> None:
    figures = []
    with new_database(postgres_url, template=migrated_template) as server:
        for url in ("sqlite:///registry.db", server):
            tfy_etl("sync", "--database-url", url)
            assert tfy_etl("report", "--out", "report.html", "--database-url", url).code == 0
            html = (folder / "report.html").read_text(encoding="utf-8")
            figures.append(dict(re.findall(r'<dt>([^<]+)</dt><dd class="value">([^<]+)', html)))
    assert figures[0] == figures[1]
    assert (figures[0]["Models"], figures[0]["Versions"], figures[0]["ML repos"]) == ("6", "12", "2")
    assert figures[0].keys() == {"Models", "Versions", "ML repos", "Models in production", "Size of artifacts"}


def test_the_report_can_be_written_to_stdout_alone(ready: Simulator, tfy_etl: Cli, folder: Path) -> None:
    tfy_etl("sync")
    done = execute(sys.executable, "-m", "etl", "report", "--out", "-", cwd=folder, env={"PYTHONIOENCODING": "ascii"})
    assert (done.code, done.err) == (0, "")
    assert done.out.lstrip().startswith(PAGE)
    assert done.out.rstrip().endswith("</html>")
    assert "−" in done.out
    assert not (folder / "-").exists()


def test_a_pipe_that_is_closed_early_ends_the_report_silently(ready: Simulator, tfy_etl: Cli) -> None:
    tfy_etl("sync")
    with subprocess.Popen(
        [COMMAND, "report", "--out", "-"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0, pipesize=4096
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.read(10) == PAGE[:10].encode()
        process.stdout.close()  # the rest of the page does not fit into the pipe
        assert (process.wait(patience()), process.stderr.read()) == (1, b"")


def test_without_out_the_report_is_written_to_its_default_file(ready: Simulator, tfy_etl: Cli, folder: Path) -> None:
    tfy_etl("sync")
    assert tfy_etl("report").code == 0
    assert (folder / "tfy-registry.html").read_text(encoding="utf-8").startswith(PAGE)


def test_an_unwritable_path_is_a_one_line_error(ready: Simulator, tfy_etl: Cli) -> None:
    tfy_etl("sync")
    done = tfy_etl("report", "--out", "no-such/report.html")
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "Error: Cannot write no-such/report.html (No such file or directory): "
        "fix its folder, or name another file with --out.\n"
    )


def test_a_database_without_runs_is_a_one_line_error(migrated_url: str, tfy_etl: Cli, folder: Path) -> None:
    done = tfy_etl("report", "--out", "report.html", "--database-url", migrated_url)
    assert (done.code, done.out) == (1, "")
    assert done.err == "Error: No run has written anything yet: run tfy-etl sync, then tfy-etl report.\n"
    assert not (folder / "report.html").exists()


def test_a_missing_database_is_a_one_line_error(tfy_etl: Cli) -> None:
    done = tfy_etl("report", "--out", "report.html")
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "Error: tfy-registry.db does not exist: tfy-etl sync creates it, or change "
        "TFY_ETL_DATABASE_URL or --database-url.\n"
    )


def test_an_old_schema_is_an_error_and_keeps_the_old_report(ready: Simulator, tfy_etl: Cli, folder: Path) -> None:
    tfy_etl("sync")
    execute_sql("UPDATE tfy_etl_version SET version_num = '0001'")
    (folder / "report.html").write_text("old", encoding="utf-8")
    done = tfy_etl("report", "--out", "report.html")
    assert (done.code, done.out) == (2, "")
    assert "tfy-etl db upgrade" in done.err
    assert (folder / "report.html").read_text(encoding="utf-8") == "old"


def test_report_options_change_the_page(ready: Simulator, tfy_etl: Cli, folder: Path) -> None:
    tfy_etl("sync")
    assert tfy_etl("report", "--out", "report.html").code == 0
    assert "Read with care" not in (folder / "report.html").read_text(encoding="utf-8")
    assert tfy_etl("report", "--out", "report.html", "--max-age", "0s", "--stale-after", "7d").code == 0
    html = (folder / "report.html").read_text(encoding="utf-8")
    assert "Read with care" in html
    assert "without a new version for more than 7 days" in html


def test_models_link_to_the_url_that_a_setting_names(
    ready: Simulator, tfy_etl: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tfy_etl("sync")
    monkeypatch.setenv("TFY_ETL_MODEL_URL", "https://plane.example/{ml_repo_id}/{model}")
    assert tfy_etl("report", "--out", "report.html").code == 0
    html = (folder / "report.html").read_text(encoding="utf-8")
    model = ready.registry.records("models")[0]
    assert f'href="https://plane.example/{model["ml_repo_id"]}/{model["name"]}" rel="noreferrer"' in html
    done = tfy_etl("report", "--out", "report.html", "--model-url", "javascript:alert(1)//{model}")
    assert (done.code, done.out) == (2, "")
    assert "--model-url is not a valid URL" in done.err


def test_a_failed_run_is_shown_at_the_top(ready: Simulator, tfy_etl: Cli, folder: Path) -> None:
    tfy_etl("sync")
    tfy_etl("sync", "--ml-repo", "<b>no-such</b>")
    assert tfy_etl("report", "--out", "report.html").code == 0
    html = (folder / "report.html").read_text(encoding="utf-8")
    assert "UTC, failed. The figures below are from the previous run" in html
    assert "&lt;b&gt;no-such&lt;/b&gt;" in html


@pytest.mark.parametrize("missing", ["jinja2", "markupsafe"])
def test_a_missing_library_of_the_report_is_an_error_that_names_the_extra(missing: str, folder: Path) -> None:
    script = (
        "import importlib.abc, sys\n"
        "class Absent(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, *_):\n"
        f"        if name == {missing!r}: raise ModuleNotFoundError('missing', name=name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        "from etl.cli import main; main()"
    )
    done = execute(sys.executable, "-c", script, "report", "--out", "report.html", cwd=folder)
    assert (done.code, done.out) == (2, "")
    assert done.err == f"Error: {missing_extra('tfy-etl report', 'report')}\n"
