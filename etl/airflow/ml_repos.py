"""Lists of ML repos, as arguments and parameters name them."""

import ast
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from airflow.sdk.exceptions import AirflowFailException

from etl.airflow.setting_values import is_given

_PARSERS: tuple[Callable[[str], Any], ...] = (json.loads, ast.literal_eval)


def as_list(ml_repos: Any) -> list[str]:
    """The ids as a list, empty for everything. Fail without retry for a value that is not an id.

    A template gives text: ids with commas, or a list as Python or JSON write it. With `render_template_as_native_obj`,
    it gives a list, a number or None.
    """
    if not is_given(ml_repos):
        return []
    if isinstance(ml_repos, str):
        return _ids_in(ml_repos)
    if isinstance(ml_repos, Iterable) and not isinstance(ml_repos, Mapping | bytes):
        return [_id(each) for each in ml_repos]
    return [_id(ml_repos)]


def _ids_in(text: str) -> list[str]:
    if text.strip().startswith("["):
        for parse in _PARSERS:
            with suppress(ValueError, SyntaxError):
                return [_id(each) for each in parse(text.strip())]
    return [each.strip() for each in text.split(",") if each.strip()]


def _id(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise AirflowFailException(
        f"Invalid ml_repos: {value!r} is not the id of an ML repo. Pass ids as text, or a list of them."
    )


def choose(found: Sequence[str], asked: Sequence[str]) -> list[str]:
    """Those of the ML repos that were asked for, or all. Fail without retry if one does not exist."""
    if unknown := sorted(set(asked) - set(found)):
        raise AirflowFailException(
            f"The control plane lists no ML repo with the id {', '.join(unknown)}: correct the parameter ml_repos."
        )
    return [each for each in found if each in set(asked)] if asked else list(found)
