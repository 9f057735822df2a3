"""The part of the registry that a run covers."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

from etl.errors import ConfigError
from etl.records import IdentifiedRecord
from etl.setting_names import name_of
from etl.settings import Settings
from etl.source import Listing
from etl.store import RepoScope
from etl.store.scope_states import scope_label


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
        """Return the scope that the settings describe.

        ConfigError if a filter is empty: it could match every model, or none.
        """
        for name in ("ml_repo", "fqn", "name", "run_id"):
            value = getattr(settings, name)
            if value == "" or (name == "ml_repo" and "" in value):
                raise ConfigError(f"{name_of(name)} is empty: give a value, or leave it out.")
        return cls(
            ml_repos=tuple(sorted(set(settings.ml_repo))),
            fqn=settings.fqn,
            name=settings.name,
            run_id=settings.run_id,
            include_empty=settings.include_empty,
            versions=settings.versions,
        )

    @property
    def repos(self) -> RepoScope:
        """The ML repos that the run covers."""
        return RepoScope(self.ml_repos or None)

    def as_json(self) -> dict[str, Any]:
        """Return the filters that are set; empty for the whole registry."""
        default = Scope()
        found = {name: value for name, value in vars(self).items() if value != getattr(default, name)}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}

    def label(self) -> str:
        """Return `all`, or the filters as canonical JSON that may be cut."""
        return scope_label(self.as_json())

    @property
    def lists_every_model(self) -> bool:
        """Whether an unlisted model is missing: the scope is the whole registry or whole ML repos."""
        return self.include_empty and self.covers_every_version

    @property
    def covers_every_version(self) -> bool:
        """Whether the scope has all versions of the registry, or of whole ML repos.

        `include_empty` does not matter: empty models have no versions.
        """
        return not (self.fqn or self.name or self.run_id)

    def covers(self, identified: IdentifiedRecord) -> bool:
        """Whether a record is in the scope's ML repos: a server may ignore a filter.

        A record without an ML repo is accepted, because the server returned it for this filter.
        """
        return self.repos.is_all or identified.ml_repo_id is None or identified.ml_repo_id in self.ml_repos

    def model_listings(self) -> Iterator[Listing]:
        """Yield the lists of models to read, one for each ML repo of the scope."""
        named = {"fqn": self.fqn, "name": self.name, "run_id": self.run_id}
        filters = [(key, value) for key, value in named.items() if value is not None]
        if not self.include_empty:
            filters.append(("include_empty_models", "false"))
        for repo in self.ml_repos or (None,):
            of_repo = [("ml_repo_id", repo)] if repo is not None else []
            yield Listing("models", (*of_repo, *filters))
