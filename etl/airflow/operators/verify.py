"""The task that ends the DAG: every ML repo was synced in this DAG run, and the whole is what the source has."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk.exceptions import AirflowFailException

from etl.airflow.errors import translate_errors
from etl.airflow.hook import TrueFoundryHook
from etl.airflow.operators.sync import TrueFoundrySyncOperator
from etl.errors import ConfigError, StoreError
from etl.redaction import passwords_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from etl.settings import Settings
    from etl.sync import Summary

_MAX_NAMED = 10
_NARROWING = frozenset({"fqn", "include_empty", "name", "run_id", "versions"})


class TrueFoundryVerifyOperator(TrueFoundrySyncOperator):
    """Proves the tasks before it, then makes the one run over everything that only lists what is left to them.

    That run reads the lists of ML repos and models, and the versions of models that look changed since their ML
    repo was synced. It marks as deleted what is gone, ML repos that vanished and all, within the same bounds as any
    run; and it moves the scope of the whole registry on, which `tfy-etl status` and `sync_freshness` look at.

    `listed` are the lists of ML repos that were to be synced, `synced` the summaries of the tasks that did it.
    """

    template_fields: ClassVar[Sequence[str]] = (*TrueFoundrySyncOperator.template_fields, "listed", "synced")

    def __init__(
        self, *, listed: Sequence[Sequence[str]], synced: Sequence[Mapping[str, Any] | None], **kwargs: Any
    ) -> None:
        """Both come from tasks before this one. ConfigError for options by which a run is over less than the whole."""
        super().__init__(**kwargs)
        if narrowing := sorted(_NARROWING & self.options.keys()):
            raise ConfigError(f"The verify task must cover everything: remove {', '.join(narrowing)} from its options.")
        self.listed = listed
        self.synced = synced
        self._proven: dict[str, Any] = {}

    def execute(self, context: "Context") -> dict[str, Any]:
        """Fail, without a try to mend it, when an ML repo was left out; else run over the whole, and compare."""
        self._proven = self._refuse_gaps()
        return super().execute(context)

    def run_options(self) -> dict[str, Any]:
        """Every version was compared by the tasks before, each when it was due."""
        from etl.sync import NEVER

        return {"full_every": NEVER} | self.options

    def result(self, summary: "Summary", settings: "Settings") -> dict[str, Any]:
        """What was proven, beside the summary. StoreError when the tables do not hold what the lists did."""
        found = super().result(summary, settings)
        if not summary.complete or summary.run_id is None:
            return found
        return found | {"verification": self._proven | _compared(summary, settings.database_url)}

    def _refuse_gaps(self) -> dict[str, Any]:
        """What the database says of the runs before. An ML repo that went meanwhile is no gap."""
        from etl.store import reading, runs

        if self.listed is None:
            raise AirflowFailException("This DAG run has no list of ML repos: clear the task list_ml_repos.")
        hook, url = TrueFoundryHook(self.truefoundry_conn_id), self.resolve_database_url()
        # As a slice, all of them come in one request; Airflow would fetch one after another.
        ids = [each["run_id"] for each in (self.synced or ())[:] if each and each["run_id"]]
        listed = {ml_repo for batch in self.listed for ml_repo in batch}
        with translate_errors([hook.connection.password or "", *passwords_of(url)]):
            with reading(url) as connection:
                rows = [row for row in runs.by_ids(connection, ids) if self._is_done(row)]
            left = listed - {ml_repo for row in rows for ml_repo in row["scope"].get("ml_repos", ())}
            missing = left & set(hook.ml_repos()) if left else left
        if missing:
            raise AirflowFailException(
                f"{len(missing)} of {len(listed)} ML repos have no complete sync in this DAG run: "
                f"{', '.join(sorted(missing)[:_MAX_NAMED])}. Clear the failed tasks and their downstream tasks."
            )
        oldest = min((row["started_at"] for row in rows), default=None)
        return {"ml_repos": len(listed), "vanished": sorted(left), "oldest_sync_at": oldest and oldest.isoformat()}

    def _is_done(self, row: Mapping[str, Any]) -> bool:
        """Whether a run counts: a partial one that was complete rejected records, which may be let pass."""
        whole = row["scope"].keys() == {"ml_repos"}  # and not some of its models alone
        return whole and bool(row["complete"]) and (row["status"] == "succeeded" or not self.fail_on_partial)


def _compared(summary: "Summary", url: str) -> dict[str, Any]:
    """The tables against the lists, unless another run has written since; their counts and age."""
    from etl.store import reading, runs

    with reading(url) as connection:
        (newest,) = runs.latest(connection, 1)
        fresh = {row["scope"]: row for row in runs.freshness(connection)}[runs.WHOLE]
    alone, seen = newest["id"] == summary.run_id, summary.tallies["models"].seen
    if alone and not summary.rejected and fresh["models"] != seen:
        raise StoreError(f"The lists have {seen} models, but the tables have {fresh['models']}: run again with --full.")
    told = ("models", "model_versions", "age_seconds", "last_complete_run_id")
    return {name: fresh[name] for name in told} | {"compared": alone}
