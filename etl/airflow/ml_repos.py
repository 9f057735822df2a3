"""Lists of ML repos, as arguments and parameters name them."""

from collections.abc import Iterable, Sequence
from typing import Any

from airflow.sdk.exceptions import AirflowFailException


def as_list(ml_repos: Sequence[str] | str | Iterable[Any]) -> list[str]:
    """The ids as a list; a template gives them as text, with commas."""
    if isinstance(ml_repos, str):
        return [each.strip() for each in ml_repos.split(",") if each.strip()]
    return [str(each) for each in ml_repos]


def choose(found: Sequence[str], asked: Sequence[str]) -> list[str]:
    """Those of the ML repos that were asked for, or all. Fail without retry if one does not exist."""
    if unknown := sorted(set(asked) - set(found)):
        raise AirflowFailException(
            f"The control plane lists no ML repo with the id {', '.join(unknown)}: correct the parameter ml_repos."
        )
    return [each for each in found if each in set(asked)] if asked else list(found)
