import ast
import re
from pathlib import Path

from etl.setting_names import name_of, use_names
from etl.settings import Settings, env_names
from tests.support.paths import ROOT

BELOW_THE_FRONT_ENDS = ("source", "records", "store", "models", "sync", "telemetry", "urls.py", "token_file.py")
OPTION_OR_VARIABLE = re.compile(r"(?<![\w-])--[a-z]|TFY_[A-Z]")
COMMAND_LINE = re.compile(r"tfy-etl [a-z ]+--\w+")


def sources() -> list[Path]:
    found = [ROOT / "etl" / name for name in BELOW_THE_FRONT_ENDS]
    return [path for each in found for path in ([each] if each.is_file() else sorted(each.rglob("*.py")))]


def texts(path: Path) -> list[str]:
    """The literals of a module, without its docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = {id(each.value) for each in ast.walk(tree) if isinstance(each, ast.Expr)}
    literals = [each for each in ast.walk(tree) if isinstance(each, ast.Constant) and id(each) not in docstrings]
    return [each.value for each in literals if isinstance(each.value, str)]


def test_a_setting_is_named_by_its_option_or_by_its_variable_and_its_option() -> None:
    assert name_of("page_size") == "--page-size"
    for setting in ("host", "database_url", "api_key_file"):
        variable, option = sorted(name_of(setting).split(" or "), reverse=True)
        assert variable in env_names(setting)
        assert option == f"--{setting.replace('_', '-')}"
        assert hasattr(Settings(), setting)


def test_other_names_apply_only_inside_the_context() -> None:
    with use_names(lambda setting: f"the option {setting}"):
        assert name_of("page_size") == "the option page_size"
        with use_names(str.upper):
            assert name_of("page_size") == "PAGE_SIZE"
        assert name_of("page_size") == "the option page_size"
    assert name_of("page_size") == "--page-size"


def test_messages_below_the_front_ends_contain_no_literal_option_or_variable() -> None:
    found = {
        text for path in sources() for text in texts(path) if OPTION_OR_VARIABLE.search(COMMAND_LINE.sub("", text))
    }
    assert found == set()
