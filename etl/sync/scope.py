"""Which part of the registry a run is about."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

from etl.records import IdentifiedRecord
from etl.settings import Settings
from etl.source import Listing
from etl.store.runs import WHOLE

# What an index can hold: filters by hundreds of ML repos are longer.
_LONGEST_KEY = 500


@dataclass(frozen=True)
class Scope:
    """The filters of a run, as the API takes them."""

    ml_repos: tuple[str, ...] = ()
    fqn: str | None = None
    name: str | None = None
    run_id: str | None = None
    include_empty: bool = True
    versions: str = "all"

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The scope that the settings describe."""
        return cls(
            ml_repos=tuple(sorted(set(settings.ml_repo))),
            fqn=settings.fqn,
            name=settings.name,
            run_id=settings.run_id,
            include_empty=settings.include_empty,
            versions=settings.versions,
        )

    def as_json(self) -> dict[str, Any]:
        """The filters that are set; empty for everything."""
        default = Scope()
        found = {name: value for name, value in vars(self).items() if value != getattr(default, name)}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}

    def label(self) -> str:
        """The key of `sync_scopes`: `all`, or the filters as canonical JSON, cut and hashed where it is too long."""
        if self == Scope():
            return WHOLE
        text = json.dumps(self.as_json(), sort_keys=True, separators=(",", ":"))
        if len(text) <= _LONGEST_KEY:
            return text
        digest = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
        return f"{text[: _LONGEST_KEY - len(digest)]}{digest}"

    @property
    def lists_every_model(self) -> bool:
        """Whether a model that is not listed is gone: in the whole registry, or in whole ML repos."""
        return self.include_empty and self.covers_every_version

    @property
    def covers_every_version(self) -> bool:
        """Whether all versions of the registry, or of whole ML repos, are meant: empty models have none."""
        return not (self.fqn or self.name or self.run_id)

    def covers(self, identified: IdentifiedRecord) -> bool:
        """Whether a record that came is within the ML repos asked for: a server may ignore a filter.

        One that does not say its repo is taken at the server's word.
        """
        return not self.ml_repos or identified.ml_repo_id is None or identified.ml_repo_id in self.ml_repos

    def model_listings(self) -> Iterator[Listing]:
        """The lists of models to read, one for each ML repo that was asked for."""
        named = {"fqn": self.fqn, "name": self.name, "run_id": self.run_id}
        filters = [(key, value) for key, value in named.items() if value is not None]
        if not self.include_empty:
            filters.append(("include_empty_models", "false"))
        for repo in self.ml_repos or (None,):
            of_repo = [("ml_repo_id", repo)] if repo is not None else []
            yield Listing("models", (*of_repo, *filters))
