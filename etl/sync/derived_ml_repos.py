"""Pure: ML repos that no list has, derived from their models."""

from collections.abc import Collection, Iterable
from typing import Any

from etl.records import Record, derived_ml_repo


class DerivedMlRepos:
    """The ML repos of the models that were read.

    Models may disagree on the name. The choice does not depend on their order, so it is the same in every run.
    """

    def __init__(self) -> None:
        self._by_id: dict[str, Record] = {}

    def add(self, models: Iterable[Any]) -> None:
        """Derive the ML repo of each model; what is no model, or names no ML repo, is passed over."""
        for model in models:
            derived = derived_ml_repo(model) if isinstance(model, dict) else None
            if derived is not None:
                known = self._by_id.setdefault(derived["id"], derived)
                self._by_id[derived["id"]] = max(known, derived, key=_rank)

    def missing_in(self, listed: Collection[str], *, wanted: Collection[str]) -> list[Record]:
        """Those that are not listed and, if any are `wanted`, are among these."""
        return [each for key, each in self._by_id.items() if key not in listed and (not wanted or key in wanted)]


def _rank(ml_repo: Record) -> tuple[str, str]:
    return (str(ml_repo.get("tenant_name", "")), str(ml_repo.get("manifest", {}).get("name", "")))
