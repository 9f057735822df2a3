"""The operator that makes a sync.

Airflow imports this module whenever it parses DAGs, so functions import what runs need.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import Asset, BaseOperator
from airflow.sdk.exceptions import AirflowSkipException, AirflowTaskTimeout

from etl.airflow import lineage
from etl.airflow.errors import ON_LOCK_HELD, fail_if_not_complete, translate_errors
from etl.airflow.hook import TrueFoundryHook, check_options, database_url_of, reject_password
from etl.airflow.links import ControlPlaneLink
from etl.airflow.ml_repos import as_list
from etl.airflow.positions import store_position, stored_positions
from etl.airflow.setting_names import use_task_names
from etl.errors import ConfigError, EtlError, UnknownMlRepo
from etl.redaction import Redactor, escape_unprintable, mask, passwords_of, secrets_of_webhook

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from airflow.sdk import Context

    from etl.settings import Settings
    from etl.sync import Interrupts, Summary

UI_COLOR = "#d7e8f5"
_PROGRESS_EVERY_S = 30.0
_MAX_NAMED = 50  # more names than Airflow shows


class TrueFoundrySyncOperator(BaseOperator):
    """One sync, of the given ML repos or of everything, into the database of a connection or URL.

    `options` are settings by name, and may contain templates: {"full": True}, {"fqn": "{{ params.fqn }}"}. With
    `metrics_file`, `notify_url` and the OTEL_* variables, runs are reported as those of the command. The task's XCom is
    the summary, with the ids of its ML repos under `ml_repo_ids`. Assets in `outlets` get an event only after a
    complete run that wrote: with `events="changed"` those of tables that changed, with `all` every one. An event covers
    all runs over these ML repos since the last event of the task, so it misses no change of a failed task. The first
    event covers its own DAG run.
    `on_lock_held` is the action if another run holds the lock: skip, reschedule (after `lock_retry_delay`) or retry.
    `skip_unknown_ml_repos` ignores ML repos that no longer exist, and syncs the others.
    """

    template_fields: ClassVar[Sequence[str]] = (
        "ml_repos",
        "options",
        "truefoundry_conn_id",
        "database_conn_id",
    )
    ui_color = UI_COLOR
    operator_extra_links = (ControlPlaneLink(),)

    def __init__(  # noqa: PLR0913 all are keywords
        self,
        *,
        truefoundry_conn_id: str = TrueFoundryHook.default_conn_name,
        database_conn_id: str | None = None,
        database_url: str | None = None,
        ml_repos: Sequence[str] | str = (),
        options: Mapping[str, Any] | None = None,
        fail_on_partial: bool = True,
        on_lock_held: str = "reschedule",
        lock_retry_delay: timedelta = timedelta(minutes=1),
        skip_unknown_ml_repos: bool = False,
        events: str = "changed",
        **kwargs: Any,
    ) -> None:
        """Raise ConfigError for errors of the DAG: two databases or none, a password, an unknown option."""
        super().__init__(**kwargs)
        if bool(database_conn_id) == bool(database_url):
            raise ConfigError("Pass exactly one of database_conn_id and database_url.")
        if on_lock_held not in ON_LOCK_HELD:
            raise ConfigError(f"Invalid on_lock_held {on_lock_held!r}: use one of {', '.join(ON_LOCK_HELD)}.")
        if events not in lineage.ASSET_EVENT_MODES:
            raise ConfigError(f"Invalid events {events!r}: use one of {', '.join(lineage.ASSET_EVENT_MODES)}.")
        check_options(options or {})
        self.truefoundry_conn_id = truefoundry_conn_id
        self.database_conn_id = database_conn_id
        self.database_url = database_url and reject_password(database_url)
        self.ml_repos = ml_repos
        self.options = dict(options or {})
        self.fail_on_partial = fail_on_partial
        self.on_lock_held = on_lock_held
        self.lock_retry_delay = lock_retry_delay
        self.skip_unknown_ml_repos = skip_unknown_ml_repos
        self.events = events
        self._interrupts: Interrupts | None = None
        self._finished: tuple[Settings, Summary] | None = None

    def execute(self, context: "Context") -> dict[str, Any]:
        """Run, and return the summary; `etl.airflow.errors` defines the state after a run that failed."""
        ml_repos = as_list(self.ml_repos)
        hook = TrueFoundryHook(self.truefoundry_conn_id)
        url = self.resolve_database_url()
        secrets = [hook.connection.password or "", *passwords_of(url)]
        try:
            with (
                translate_errors(secrets, on_lock_held=self.on_lock_held, wait=self.lock_retry_delay),
                self.use_names(),
            ):
                settings = hook.settings(self.run_options(), database_url=url)
                redactor = Redactor(
                    *passwords_of(url), *secrets_of_webhook(settings.notify_url), token=hook.connection.password
                )
                summary, done = self._run(settings, redactor, ml_repos)
                result = self.result(summary, settings)
        finally:
            self._name_ml_repos(context, url, secrets)
        result |= {
            "ml_repo_ids": done,
            "warnings": [mask(each, secrets) for each in summary.warnings],
        }
        with translate_errors(secrets), self.use_names():
            self._publish(context, settings, summary, result)
        return result

    def on_kill(self) -> None:
        """End the run cleanly: it writes no data, records its status and releases the lock."""
        if self._interrupts is not None:
            self._interrupts.interrupt()

    def result(self, summary: "Summary", settings: "Settings") -> dict[str, Any]:  # noqa: ARG002 for subclasses
        """The task's XCom."""
        return summary.as_json()

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:  # noqa: ARG002 the name is OpenLineage's
        """The lineage of the run. OpenLineage calls this method if it is installed."""
        return lineage.facets(*self._finished) if self._finished else None

    def run_ids(self, summary: "Summary") -> list[str]:
        """The runs of this DAG run, which an asset event announces together with those since the last event."""
        return [summary.run_id] if summary.run_id is not None else []

    def run_options(self) -> dict[str, Any]:
        """The settings of the run, by name."""
        return self.options

    def resolve_database_url(self) -> str:
        """The URL of the database."""
        if self.database_url:
            return self.database_url
        with translate_errors([]):
            return database_url_of(self.database_conn_id or "")

    def use_names(self) -> "AbstractContextManager[None]":
        """In messages, name the fields of the task's connections."""
        return use_task_names(self.database_conn_id, self.truefoundry_conn_id)

    def _run(self, settings: "Settings", redactor: Redactor, ml_repos: list[str]) -> tuple["Summary", list[str]]:
        """Make the run. Return its summary and its ML repos."""
        while True:
            try:
                return self._reported_run(replace(settings, ml_repo=tuple(ml_repos)), redactor), ml_repos
            except UnknownMlRepo as unknown:
                left = [each for each in ml_repos if each not in unknown.ml_repos]
                if not self.skip_unknown_ml_repos:
                    raise
                self.log.warning("these ML repos no longer exist: %s", ", ".join(unknown.ml_repos))
                if not left:
                    raise AirflowSkipException(
                        f"These ML repos no longer exist: {', '.join(unknown.ml_repos)}."
                    ) from None
                ml_repos = left

    def _reported_run(self, settings: "Settings", redactor: Redactor) -> "Summary":
        """Make one run, and report how it ended."""
        from etl.sync import Interrupts, ProgressLog, run, run_reporter

        with run_reporter(settings, redactor) as reporter:
            self._interrupts = Interrupts()
            try:
                progress = reporter.wrap_progress(ProgressLog(self.log, _PROGRESS_EVERY_S))
                summary = run(settings, interrupts=self._interrupts, progress=progress, monitor=reporter.monitor)
            except UnknownMlRepo:
                reporter.is_reported = not self.skip_unknown_ml_repos
                raise
            except AirflowTaskTimeout:
                reporter.stopped_by = EtlError("The run was stopped by AirflowTaskTimeout.")
                raise
            finally:
                self._interrupts = None  # a report can no longer be interrupted
            reporter.summary = summary
        return summary

    def _name_ml_repos(self, context: "Context", url: str, secrets: Sequence[str]) -> None:
        """Give the template of the map index the names of the ML repos, and the ids of those without a stored name."""
        from etl.store import open_readonly, queries

        ids = as_list(self.ml_repos)[:_MAX_NAMED]
        if not ids:
            return
        try:
            with open_readonly(url) as connection, connection.begin():
                names = queries.names.ml_repo_names(connection, ids)
        except EtlError as error:  # after a run that failed, for the same reason
            self.log.info("cannot read the names of the ML repos: %s", mask(str(error), secrets))
            return
        context["ml_repo_names"] = [escape_unprintable(names.get(each, each)) for each in ids]

    def _publish(self, context: "Context", settings: "Settings", summary: "Summary", result: dict[str, Any]) -> None:
        """Publish a complete run that wrote to assets and OpenLineage. Fail a partial or refused one."""
        if not summary.complete or summary.run_id is None:
            self.outlets: list[Any] = []
        ml_repos = as_list(self.ml_repos)
        position = self._emit(context, settings, self.run_ids(summary), ml_repos) if self.outlets else None
        self._finished = (settings, summary)
        if summary.exit_code:
            context["ti"].xcom_push("return_value", result)
            fail_if_not_complete(summary, result["warnings"], fail_on_partial=self.fail_on_partial)
        self._store_event(context, position, ml_repos)

    def _emit(
        self, context: "Context", settings: "Settings", own: Sequence[str], ml_repos: Sequence[str]
    ) -> str | None:
        """Keep the outlets whose tables have changed since the last event, and describe the changes in their events.

        Return the position of this event: the end of its newest run. `own` are the runs of this DAG run.
        """
        from etl.store import open_readonly, runs

        stored = map(datetime.fromisoformat, stored_positions(context, self.task_id, _hash(ml_repos)))
        after = max(stored, default=context["dag_run"].start_date)
        with open_readonly(settings.database()) as connection:
            earlier = runs.with_changes(connection, {"ml_repos": ml_repos}, after)
            ids = [*(each for each in earlier if each not in set(own)), *own]
            written = runs.written_by(connection, ids)
            ends = [row["finished_at"] for row in runs.by_ids(connection, ids)]
        if self.events == "changed":
            changed = lineage.changed_tables(written.counts)
            self.outlets = [each for each in self.outlets if lineage.has_changed(each, changed)]
        extra = {"run_ids": ids, "database": lineage.database_name(settings)} | written._asdict()
        for asset in (each for each in self.outlets if isinstance(each, Asset)):
            context["outlet_events"][asset].extra = extra
        return max(ends).isoformat() if ends else None

    def _store_event(self, context: "Context", position: str | None, ml_repos: Sequence[str]) -> None:
        """Store how far the event goes, at the end of a task that succeeds."""
        if position is not None:
            store_position(context, _hash(ml_repos), position)


def _hash(ml_repos: Sequence[str]) -> str:
    """A short name of these ML repos: a task may get others in each DAG run."""
    return hashlib.sha256(",".join(sorted(ml_repos)).encode(errors="surrogatepass")).hexdigest()[:16]
