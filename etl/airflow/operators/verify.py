"""The last task of the DAG: check that every ML repo was synced in this DAG run, then sync everything."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from etl.airflow.errors import translate_errors
from etl.airflow.hook import TrueFoundryHook
from etl.airflow.ml_repos import as_list
from etl.airflow.operators.sync import TrueFoundrySyncOperator
from etl.enums import Entity
from etl.errors import ConfigError, StoreError
from etl.redaction import passwords_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from etl.settings import Settings
    from etl.sync import Summary

_MAX_NAMED = 10
_NARROWING = frozenset({"fqn", "include_empty", "name", "run_id", "versions"})


class TrueFoundryVerifyOperator(TrueFoundrySyncOperator):
    """Check the tasks before it, then make one run over everything.

    That run reads the lists of ML repos and models, and the versions of models that changed since their ML repo was
    synced. It marks missing records and ML repos as deleted, within the same delete limit as any run. It also updates
    the state of the whole registry, which `tfy-etl status` and `sync_freshness` show.

    `listed` are the batches of ML repos to sync, `synced` the summaries of the sync tasks. If `ml_repos` names some,
    the DAG run was for these alone: the task then only checks that they were synced, and makes no run.
    """

    template_fields: ClassVar[Sequence[str]] = (*TrueFoundrySyncOperator.template_fields, "listed", "synced")

    def __init__(
        self, *, listed: Sequence[Sequence[str]], synced: Sequence[Mapping[str, Any] | None], **kwargs: Any
    ) -> None:
        """Raise ConfigError for options that exclude a part of the registry, and for `dry_run`."""
        super().__init__(**kwargs)
        if narrowing := sorted(_NARROWING & self.options.keys()):
            raise ConfigError(f"The verify task must cover everything: remove {', '.join(narrowing)} from its options.")
        if "dry_run" in self.options:
            raise ConfigError("The verify task checks what the syncs have written: remove dry_run from its options.")
        self.listed = listed
        self.synced = synced
        self._verified: dict[str, Any] = {}

    def execute(self, context: "Context") -> dict[str, Any]:
        """Fail without retry if an ML repo was not synced; else sync everything, and compare the counts."""
        if self.listed is None:
            self._end_without_list(context)
        self._verified = self._check_all_synced()
        asked = as_list(self.ml_repos)
        return self._end_without_run(context, asked) if asked else super().execute(context)

    def run_options(self) -> dict[str, Any]:
        """The options of the run, without a full comparison, because the sync tasks make those."""
        from etl.sync import NEVER

        return self.options | {"full": False, "full_every": NEVER}

    def run_ids(self, summary: "Summary") -> list[str]:
        """The runs of the sync tasks, and the own run."""
        return [*self._synced_ids(), *super().run_ids(summary)]

    def result(self, summary: "Summary", settings: "Settings") -> dict[str, Any]:
        """The summary, with the facts that were verified. StoreError if tables and lists do not agree."""
        found = super().result(summary, settings)
        if not summary.complete:
            return found
        return found | {"verification": self._verified | _compared(summary, settings)}

    def _end_without_run(self, context: "Context", ml_repos: list[str]) -> dict[str, Any]:
        """Publish what the sync tasks wrote. Nothing is deleted, and the state of the whole registry stays."""
        self.log.info("only some ML repos were requested: the rest of the registry is neither read nor verified")
        url = self.resolve_database_url()
        hook = TrueFoundryHook(self.truefoundry_conn_id)
        with translate_errors([hook.connection.password or "", *passwords_of(url)]), self.use_names():
            position = self._emit(context, hook.settings(self.run_options(), database_url=url), self._synced_ids(), ())
        self._store_event(context, position, ())
        return {"run_id": None, "ml_repo_ids": ml_repos, "verification": self._verified}

    def _end_without_list(self, context: "Context") -> NoReturn:
        """Skip the task if all tasks before it were skipped, as in a branch that was not chosen; else fail."""
        task = context["ti"]
        names = sorted(self.upstream_task_ids)
        states = task.get_task_states(dag_id=self.dag_id, task_ids=names, run_ids=[task.run_id]).get(task.run_id, {})
        if names and all(states.get(each) == "skipped" for each in names):
            raise AirflowSkipException("The tasks before this one were skipped.")
        raise AirflowFailException("This DAG run has no list of ML repos: clear the task list_ml_repos.")

    def _check_all_synced(self) -> dict[str, Any]:
        """Check in the database that every ML repo was synced. A deleted ML repo counts as synced."""
        from etl.store import open_readonly, runs

        hook, url = TrueFoundryHook(self.truefoundry_conn_id), self.resolve_database_url()
        ids = self._synced_ids()
        listed = {ml_repo for batch in self.listed for ml_repo in batch}
        with translate_errors([hook.connection.password or "", *passwords_of(url)]), self.use_names():
            with open_readonly(url) as connection:
                rows = [row for row in runs.by_ids(connection, ids) if self._is_done(row)]
            left = listed - {ml_repo for row in rows for ml_repo in row["scope"].get("ml_repos", ())}
            missing = left & set(hook.ml_repos(self.run_options())) if left else left
        if missing:
            raise AirflowFailException(
                f"{len(missing)} of {len(listed)} ML repos have no complete sync in this DAG run: "
                f"{', '.join(sorted(missing)[:_MAX_NAMED])}. Clear the failed tasks and their downstream tasks."
            )
        oldest = min((row["started_at"] for row in rows), default=None)
        return {"ml_repos": len(listed), "vanished": sorted(left), "oldest_sync_at": oldest and oldest.isoformat()}

    def _synced_ids(self) -> list[str]:
        # `synced` is a lazy sequence of XComs: a slice fetches all in one request, iteration needs one for each.
        return [each["run_id"] for each in (self.synced or ())[:] if each and each["run_id"]]

    def _is_done(self, row: Mapping[str, Any]) -> bool:
        """Whether the run is complete. Rejected records are allowed only if `fail_on_partial` is off."""
        whole = row["scope"].keys() == {"ml_repos"}  # and not only some of its models
        return whole and bool(row["complete"]) and (row["status"] == "succeeded" or not self.fail_on_partial)


def _compared(summary: "Summary", settings: "Settings") -> dict[str, Any]:
    """Compare tables and lists, and return the counts and age of the tables.

    They may differ if another run wrote since, records were rejected, or deletes are off: then compare nothing.
    """
    from etl.store import open_readonly, runs

    with open_readonly(settings.database()) as connection:
        (newest,) = runs.latest(connection, 1)
        fresh = {row["scope"]: row for row in runs.freshness(connection)}[runs.WHOLE_REGISTRY]
    compared = newest["id"] == summary.run_id and not summary.rejected and not settings.no_delete
    seen = summary.tallies[Entity.MODELS].seen
    if compared and fresh["models"] != seen:
        raise StoreError(
            f"The control plane lists {seen} models, but the tables have {fresh['models']}: run again with the option "
            "full."
        )
    names = ("models", "model_versions", "age_seconds", "last_complete_run_id")
    return {name: fresh[name] for name in names} | {"compared": compared}
