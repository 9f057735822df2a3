from pathlib import Path

import pytest

from etl.simulator import Simulator
from tests.e2e.cli.conftest import Cli


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("a = 1\nhost = https://x", "is not valid TOML: Invalid value (at line 2, column 8)"),
        ('log-level = "info"\npage-sise = 3', "line 2: unknown setting 'page-sise'"),
        ("\n[sync]\nfull = true", "line 2: unknown setting 'sync'"),
        ('config = "b.toml"', "line 1: unknown setting 'config'"),
        ('host = "https://x"\npage-size = "many"', "line 2: page-size: expected an integer."),
        ("page-size = 1.5", "line 1: page-size: expected an integer."),
        ("page-size = true", "line 1: page-size: expected an integer."),
        ("page-size = 0", "line 1: page-size: --page-size must be at least 1, not 0."),
        ("max-delete-share = nan", "line 1: max-delete-share: --max-delete-share must be between 0 and 1, not nan."),
        ('max_delete_share = "half"', "line 1: max_delete_share: expected a number."),
        ('full = "yes"', "line 1: full: expected true or false."),
        ("full-every = 24", "line 1: full-every: expected a quoted string."),
        ('full-every = "often"', "line 1: full-every: 'often' is not a duration"),
        ('output = "xml"', "line 1: output: 'xml' is not one of 'text', 'json'."),
        ('ml-repo = "12"', "line 1: ml-repo: expected a list, each item a quoted string."),
        ("ml-repo = [12]", "line 1: ml-repo: expected a list, each item a quoted string."),
        ('host = ["https://x"]', "line 1: host: expected a quoted string."),
        ('"api-key" = "abc"', "line 1: a config file must not contain the token: set TFY_API_KEY"),
        ('# mine\nTFY_API_KEY = "abc"', "a config file must not contain the token"),
        ('token = "abc"', "line 1: a config file must not contain the token"),
        ('"p\\u0061ge" = 1', "etl.toml: unknown setting 'page'"),
        ("version = true", "line 1: unknown setting 'version'"),
        ("help = true", "line 1: unknown setting 'help'"),
        (f"page-size = {'[' * 2000}{']' * 2000}", "etl.toml nests too many lists or tables"),
        (f"# {'x' * 2**20}", "etl.toml has more than 1048576 characters"),
    ],
)
def test_an_error_in_the_file_names_line_and_key(text: str, error: str, folder: Path, tfy_etl: Cli) -> None:
    (folder / "etl.toml").write_text(text, encoding="utf-8")
    done = tfy_etl("--config", "etl.toml", "sync")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("Error: ")
    assert "etl.toml" in done.err
    assert error in done.err
    assert len(done.err.splitlines()) == 1


def test_a_value_of_the_wrong_kind_is_not_quoted(folder: Path, tfy_etl: Cli) -> None:
    (folder / "etl.toml").write_text('database-url = ["postgresql://u:hush@h/d"]')
    assert "hush" not in tfy_etl("--config", "etl.toml", "sync").err


def test_an_unreadable_file_is_an_error(folder: Path, tfy_etl: Cli) -> None:
    assert "Cannot read the config file none.toml: No such file" in tfy_etl("sync", "--config", "none.toml").err
    (folder / "binary.toml").write_bytes(b"\xff\xfe\x00")
    done = tfy_etl("sync", "--config", "binary.toml")
    assert (done.code, done.err) == (2, "Error: The config file binary.toml is not UTF-8 text.\n")


def test_a_file_sets_options_of_every_kind(plane: Simulator, folder: Path, tfy_etl: Cli) -> None:
    (folder / "token").write_text(f"{plane.token}\n")
    (folder / "token").chmod(0o600)
    (folder / "etl.toml").write_text(f"""
        host = "{plane.url}"
        api_key_file = "token"
        database-url = "sqlite:///named.db"
        timeout = 5
        max-retries = 0
        log-level = "error"
        progress = false
        ml-repo = ["1", "2"]
        full-every = "2d"
        max-delete-share = 0.5
        page-size = 7
        dry-run = true
        output = "json"
    """)
    done = tfy_etl("sync", "--config", "etl.toml", "--no-delete")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith('{"run_id": null')
    limits = {each.query.get("limit") for each in plane.log}
    assert limits == {"1", "7"}  # a probe asks for one record


@pytest.mark.parametrize("option", ["--config", "--api-key-file"])
def test_an_endless_file_is_an_error(option: str, ready: Simulator, tfy_etl: Cli) -> None:
    done = tfy_etl("sync", option, "/dev/zero")
    assert done.code == 2
    assert "/dev/zero has more than" in done.err
