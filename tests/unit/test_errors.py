import inspect
import re

import pytest

from etl import errors


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn = re.findall(r"^[│ ]*(?:[├└]── )?(\w+)(?: +exit (\d+))?  ", str(errors.__doc__), re.MULTILINE)
    classes = {name for name, each in inspect.getmembers(errors, inspect.isclass)}
    assert {name for name, _ in drawn} == classes
    for name, code in drawn:
        assert not code or getattr(errors, name).exit_code == int(code)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.EtlError, 1),
        (errors.ConfigError, 2),
        (errors.TokenRefused, 2),
        (errors.NotAControlPlane, 2),
        (errors.SchemaMismatch, 2),
        (errors.SourceUnavailable, 1),
        (errors.StoreError, 1),
        (errors.LockHeld, 4),
        (errors.DeleteLimitExceeded, 5),
        (errors.Interrupted, 130),
    ],
)
def test_an_error_has_its_message_and_exit_code(error: type[errors.EtlError], code: int) -> None:
    assert (str(error("what to do")), error("what to do").exit_code) == ("what to do", code)


def test_a_refused_request_keeps_status_and_body() -> None:
    refused = errors.RequestRefused("no", status=422, body="limit")
    assert (str(refused), refused.status, refused.body, refused.exit_code) == ("no", 422, "limit", 1)
