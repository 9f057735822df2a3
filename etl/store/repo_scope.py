"""Which ML repos a run covers."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, true


@dataclass(frozen=True)
class RepoScope:
    """All ML repos, or those with the given ids."""

    ids: tuple[str, ...] | None = None
    """None for all ML repos."""

    @property
    def is_all(self) -> bool:
        """Whether the scope is all ML repos."""
        return self.ids is None

    def contains(self, ml_repo_id: ColumnElement[str | None]) -> ColumnElement[bool]:
        """Whether a column's ML repo is in the scope."""
        return true() if self.ids is None else ml_repo_id.in_(self.ids)


ALL_REPOS = RepoScope()
"""The scope of all ML repos."""
