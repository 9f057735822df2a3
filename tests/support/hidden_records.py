"""Hide records from all lists of a simulated control plane, as a lost permission does, or a list that lags behind."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from tests.support.sync_env import SyncEnv


def hide(env: SyncEnv, monkeypatch: pytest.MonkeyPatch, is_hidden: Callable[[Any], bool]) -> None:
    """Hide records from all lists. The models still embed hidden versions."""
    matching = env.registry._matching

    def shown(entity: str, filters: Any) -> Iterable[Any]:
        return [each for each in matching(entity, filters) if not is_hidden(each)]

    monkeypatch.setattr(env.registry, "_matching", shown)
    env.registry._lists.clear()
