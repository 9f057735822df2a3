"""What the house rules say and neither ruff nor import-linter can hold."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted(path.relative_to(ROOT) for room in ("etl", "bench", "tests") for path in (ROOT / room).rglob("*.py"))
OURS = [path for path in MODULES if path.parts[0] == "etl"]
CLOCKS = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.time_ns"}
ENVIRONMENT = {"os.environ", "os.getenv", "os.putenv"}
HANDS_ON_ALL_ERRORS = {Path("etl/source/pool.py")}  # to who awaits the result
CLOCK_ROOMS = {"sync", "report", "simulator"}  # a page says when it was made; the far side of the wire has its own


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_no_file_is_longer_than_350_lines(path: Path) -> None:
    assert len((ROOT / path).read_text(encoding="utf-8").splitlines()) <= 350


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_no_function_is_longer_than_50_lines(path: Path) -> None:
    functions = [node for node in _nodes(path) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert [node.name for node in functions if (node.end_lineno or 0) - node.lineno >= 50] == []


@pytest.mark.parametrize("path", OURS, ids=str)
def test_no_error_is_caught_without_being_named(path: Path) -> None:
    handlers = [node for node in _nodes(path) if isinstance(node, ast.ExceptHandler)]
    caught = {node.lineno: set(_dotted(node.type)) for node in handlers}
    broad = {line for line, names in caught.items() if not names or names & {"Exception", "BaseException"}}
    assert bool(broad) == (path in HANDS_ON_ALL_ERRORS)


@pytest.mark.parametrize("path", OURS, ids=str)
def test_only_settings_reads_the_environment(path: Path) -> None:
    assert path.name == "settings.py" or _uses(path) & ENVIRONMENT == set()


@pytest.mark.parametrize("path", OURS, ids=str)
def test_only_the_run_reads_the_clock(path: Path) -> None:
    assert path.parts[1].removesuffix(".py") in CLOCK_ROOMS or _uses(path) & CLOCKS == set()


def _nodes(path: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8")))


def _uses(path: Path) -> set[str]:
    """The last two parts of every dotted name: `datetime.datetime.now` is `datetime.now`."""
    return {".".join(dotted.split(".")[-2:]) for node in _nodes(path) for dotted in _dotted(node)}


def _dotted(node: ast.AST | None) -> Iterator[str]:
    """The names that an expression is, or is a tuple of."""
    if isinstance(node, ast.Tuple):
        for element in node.elts:
            yield from _dotted(element)
    elif isinstance(node, ast.Attribute | ast.Name):
        yield ast.unparse(node)
    elif isinstance(node, ast.ImportFrom):
        yield from (f"{node.module}.{alias.name}" for alias in node.names)
