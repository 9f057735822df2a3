"""The package hides a user's folder `etl` at the end of the path, where Airflow appends it."""

import subprocess
import sys
from pathlib import Path

import pytest


def run_python(folder: Path, code: str) -> str:
    """Run code with the folder at the end of `sys.path`; return the last line of stderr."""
    start = f"import sys; sys.path.append({str(folder)!r})\n"
    done = subprocess.run([sys.executable, "-c", start + code], capture_output=True, text=True, check=False)
    return done.stderr.strip().rpartition("\n")[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with `etl/jobs.py` and `etl/tools/`."""
    (tmp_path / "etl" / "tools").mkdir(parents=True)
    (tmp_path / "etl" / "jobs.py").write_text("NAME = 'jobs'\n", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    "code",
    [
        "import etl.jobs",
        "from etl.jobs import NAME",
        "from etl import jobs",
        "import etl.tools",
        "from etl.tools.deep import x",
    ],
)
def test_an_import_from_a_hidden_folder_explains_the_conflict_and_the_fix(folder: Path, code: str) -> None:
    line = run_python(folder, code)
    assert line.startswith("ModuleNotFoundError: No module named 'etl.")
    assert f"hides your folder {folder}/etl. Rename your folder, or install tfy-etl into an environment" in line


def test_an_import_of_a_missing_module_fails_as_usual(folder: Path) -> None:
    assert run_python(folder, "import etl.nothing") == "ModuleNotFoundError: No module named 'etl.nothing'"
    assert run_python(folder, "from etl import nothing").startswith(
        "ImportError: cannot import name 'nothing' from 'etl'"
    )
    assert run_python(folder, "import nothing.jobs") == "ModuleNotFoundError: No module named 'nothing'"


def test_the_modules_of_tfy_etl_are_imported_despite_such_a_folder(folder: Path) -> None:
    (folder / "etl" / "settings.py").write_text("raise SystemExit('the wrong one')\n", encoding="utf-8")
    assert run_python(folder, "import etl.cli, etl.sync; from etl import settings") == ""
