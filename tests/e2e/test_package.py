"""Build the wheel, install it into an empty environment, and run it outside the checkout."""

import subprocess
import sys
from collections.abc import Iterator
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import pytest

import etl
from tests.support.paths import ROOT

SUFFIXES = {".py", ".sql", ".j2", ".css", ".html", ".js"}

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    _pip(sys.executable, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, ROOT)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` folder of an environment with the locked dependencies and the wheel."""
    environment = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    install = ("--python", environment, "install", "--no-compile")
    _pip(sys.executable, *install, "--require-hashes", "--requirement", ROOT / "requirements" / "runtime.txt")
    _pip(sys.executable, *install, "--no-deps", "--no-index", wheel)
    return environment / "bin"


@pytest.fixture
def files(wheel: Path) -> Iterator[ZipFile]:
    with ZipFile(wheel) as archive:
        yield archive


def test_the_wheel_contains_every_module_query_template_migration_and_py_typed(files: ZipFile) -> None:
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "etl").rglob("*") if path.suffix in SUFFIXES}
    migrations = {
        f"etl/{path.relative_to(ROOT).as_posix()}"
        for path in (ROOT / "migrations").rglob("*")
        if path.suffix in {".py", ".mako", ".sql"}
    }
    contained = {name for name in files.namelist() if ".dist-info/" not in name}
    assert contained == modules | migrations | {"etl/py.typed"}


def test_the_wheel_names_its_command_licence_and_version(files: ZipFile) -> None:
    info = f"tfy_etl-{etl.__version__}.dist-info"
    assert "tfy-etl = etl.cli:main" in files.read(f"{info}/entry_points.txt").decode()
    assert f"{info}/licenses/LICENSE" in files.namelist()
    assert Parser().parsestr(files.read(f"{info}/METADATA").decode())["Version"] == etl.__version__


def test_the_installed_command_prints_its_version(installed: Path, tmp_path: Path) -> None:
    assert etl.__version__ in _run(tmp_path, installed / "tfy-etl", "--version")


def test_the_installed_package_is_not_the_checkout(installed: Path, tmp_path: Path) -> None:
    imported = _run(tmp_path, installed / "python", "-c", "import etl.store.schema as schema; print(schema.__file__)")
    assert Path(imported.strip()).is_relative_to(installed.parent)


def test_the_installed_demo_runs_in_any_folder(installed: Path, tmp_path: Path) -> None:
    assert _run(tmp_path, installed / "tfy-etl", "demo").strip()


def _run(folder: Path, *command: str | Path) -> str:
    """Run a command that must succeed, and return its output."""
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _pip(python: str | Path, *arguments: str | Path) -> None:
    _run(ROOT, python, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments)
