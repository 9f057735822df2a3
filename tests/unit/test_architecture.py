"""Rules of the architecture that neither ruff nor import-linter can check."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.support.paths import ROOT

MODULES = sorted(
    path.relative_to(ROOT) for folder in ("etl", "bench", "tests") for path in (ROOT / folder).rglob("*.py")
)
ETL_MODULES = [path for path in MODULES if path.parts[0] == "etl"]
CLOCKS = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.time_ns"}
ENVIRONMENT = {"os.environ", "os.getenv", "os.putenv"}
READ_THE_ENVIRONMENT = {"settings.py", "environment.py"}
RERAISES_ERRORS = {Path("etl/source/fetch_pool.py")}  # it raises each error again where the result is awaited
# The report shows when it was rendered; the simulator has a clock of its own.
READ_THE_CLOCK = {"sync", "report", "explore", "simulator"}
# Declarations of columns, each with its description.
DECLARATIONS = {Path("etl/models/registry.py"), Path("etl/models/views.py")}


def test_no_file_is_longer_than_350_lines() -> None:
    checked = [path for path in MODULES if path not in DECLARATIONS]
    lengths = {str(path): len((ROOT / path).read_text(encoding="utf-8").splitlines()) for path in checked}
    assert {path: length for path, length in lengths.items() if length > 350} == {}


def test_no_function_is_longer_than_50_lines() -> None:
    functions = [
        (path, node)
        for path in MODULES
        for node in _nodes(path)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert [f"{path}: {node.name}" for path, node in functions if (node.end_lineno or 0) - node.lineno >= 50] == []


def test_no_error_is_caught_without_being_named() -> None:
    handlers = [(path, node) for path in ETL_MODULES for node in _nodes(path) if isinstance(node, ast.ExceptHandler)]
    caught = [(path, set(_dotted(node.type))) for path, node in handlers]
    broad = {path for path, names in caught if not names or names & {"Exception", "BaseException"}}
    assert broad == RERAISES_ERRORS


def test_only_the_settings_and_their_module_read_the_environment() -> None:
    used = {str(path): _uses(path) & ENVIRONMENT for path in ETL_MODULES if path.name not in READ_THE_ENVIRONMENT}
    assert {path: names for path, names in used.items() if names} == {}


def test_only_runs_pages_and_the_simulator_read_the_clock() -> None:
    used = {
        str(path): _uses(path) & CLOCKS
        for path in ETL_MODULES
        if path.parts[1].removesuffix(".py") not in READ_THE_CLOCK
    }
    assert {path: names for path, names in used.items() if names} == {}


def _nodes(path: Path) -> Iterator[ast.AST]:
    return ast.walk(_parsed(path))


@cache
def _parsed(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"))


def _uses(path: Path) -> set[str]:
    """The last two parts of every dotted name: `datetime.datetime.now` is `datetime.now`."""
    return {".".join(dotted.split(".")[-2:]) for node in _nodes(path) for dotted in _dotted(node)}


def _dotted(node: ast.AST | None) -> Iterator[str]:
    """The dotted names in a name, an attribute, a tuple of them, or an import."""
    if isinstance(node, ast.Tuple):
        for element in node.elts:
            yield from _dotted(element)
    elif isinstance(node, ast.Attribute | ast.Name):
        yield ast.unparse(node)
    elif isinstance(node, ast.ImportFrom):
        yield from (f"{node.module}.{alias.name}" for alias in node.names)
