"""The fixed words of the tables: entities, outcomes, statuses of runs, coverage."""

from enum import StrEnum


class Entity(StrEnum):
    """The kinds of records. Each value is the name of the kind's table."""

    ML_REPOS = "ml_repos"
    MODELS = "models"
    MODEL_VERSIONS = "model_versions"


class Outcome(StrEnum):
    """The effect of a run on a record that it has read."""

    INSERTED = "inserted"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    RESTORED = "restored"
    REJECTED = "rejected"


class RunStatus(StrEnum):
    """The status in a run's row."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"
    REFUSED = "refused"
    INTERRUPTED = "interrupted"


STATUSES_THAT_WROTE = frozenset({RunStatus.SUCCEEDED, RunStatus.PARTIAL})
"""The statuses of runs that have written records."""


class Coverage(StrEnum):
    """The versions that a run can copy: all, or only each model's latest."""

    ALL = "all"
    LATEST = "latest"
