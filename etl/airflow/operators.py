"""Operators: list the ML repos, and sync some of them or all.

What does the work is imported when there is work: Airflow imports this module whenever it looks at DAGs.
"""

import zlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import Asset, BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from etl.airflow import lineage
from etl.airflow.hook import TrueFoundryHook, check_options, database_url_of, refuse_password
from etl.airflow.outcomes import ON_LOCK_HELD, as_task, refuse_partial
from etl.errors import ConfigError, UnknownMlRepo
from etl.secrecy import passwords_of, spelled

if TYPE_CHECKING:
    from airflow.sdk import Context

    from etl.settings import Settings
    from etl.sync import Interrupts, Summary

_COLOUR = "#d7e8f5"


class TrueFoundryListMlReposOperator(BaseOperator):
    """Gives the ML repos in lists of about `repos_per_task`, each of which is for one task to sync.

    What is in a list together stays together as long as possible: the state of a sync is kept for its ML repos.
    """

    template_fields: ClassVar[Sequence[str]] = ("truefoundry_conn_id",)
    ui_color = _COLOUR

    def __init__(
        self,
        *,
        truefoundry_conn_id: str = TrueFoundryHook.default_conn_name,
        repos_per_task: int = 1,
        **kwargs: Any,
    ) -> None:
        """The connection is read when the task runs."""
        super().__init__(**kwargs)
        self.truefoundry_conn_id = truefoundry_conn_id
        self.repos_per_task = repos_per_task

    def execute(self, context: "Context") -> list[list[str]]:  # noqa: ARG002 Airflow's word for it
        """Ask the control plane; only a list that is proven to be read in full will do."""
        hook = TrueFoundryHook(self.truefoundry_conn_id)
        with as_task([hook.connection.password or ""]):
            ml_repos = hook.ml_repos()
        self.log.info("the control plane lists %d ML repos", len(ml_repos))
        return batches(ml_repos, self.repos_per_task)


class TrueFoundrySyncOperator(BaseOperator):
    """One sync, of the ML repos given or of everything, into the database of a connection or URL.

    `options` are settings by their names, templates allowed: {"full": True}, {"fqn": "{{ params.fqn }}"}. The summary
    is the task's XCom. Assets among `outlets` are told of only after a complete run that wrote. `on_lock_held` says
    what becomes of the task while another run is at work: skip, reschedule (after `lock_retry_delay`) or retry.
    `skip_unknown_ml_repos`: one that is gone by now is no mistake of this task, and it syncs the others.
    """

    template_fields: ClassVar[Sequence[str]] = (
        "ml_repos",
        "options",
        "truefoundry_conn_id",
        "database_conn_id",
    )
    ui_color = _COLOUR

    def __init__(  # noqa: PLR0913 each by its name
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
        **kwargs: Any,
    ) -> None:
        """ConfigError where the DAG itself is wrong: two databases or none, a password, an unknown option."""
        super().__init__(**kwargs)
        if (database_conn_id is None) == (database_url is None):
            raise ConfigError("Pass exactly one of database_conn_id and database_url.")
        if on_lock_held not in ON_LOCK_HELD:
            raise ConfigError(f"Invalid on_lock_held {on_lock_held!r}: use one of {', '.join(ON_LOCK_HELD)}.")
        check_options(options or {})
        self.truefoundry_conn_id = truefoundry_conn_id
        self.database_conn_id = database_conn_id
        self.database_url = database_url and refuse_password(database_url)
        self.ml_repos = ml_repos
        self.options = dict(options or {})
        self.fail_on_partial = fail_on_partial
        self.on_lock_held = on_lock_held
        self.lock_retry_delay = lock_retry_delay
        self.skip_unknown_ml_repos = skip_unknown_ml_repos
        self._interrupts: Interrupts | None = None
        self._told: tuple[Settings, Summary] | None = None

    def execute(self, context: "Context") -> dict[str, Any]:
        """Run, and give the summary; see `outcomes` for what becomes of a run that did not end well."""
        hook = TrueFoundryHook(self.truefoundry_conn_id)
        url = self.database()
        secrets = [hook.connection.password or "", *passwords_of(url)]
        with as_task(secrets, on_lock_held=self.on_lock_held, wait=self.lock_retry_delay):
            settings = hook.settings(self.settings_given(), database_url=url)
            summary, done = self._run(settings, _listed(self.ml_repos))
            result = self.result(summary, settings)
        result |= {"ml_repos": done, "warnings": [spelled(*secrets).sub("***", each) for each in summary.warnings]}
        self._tell(context, settings, summary, result)
        return result

    def on_kill(self) -> None:
        """End the run cleanly: nothing of it is written, its row says so, the lock is free."""
        if self._interrupts is not None:
            self._interrupts.interrupt()

    def result(self, summary: "Summary", settings: "Settings") -> dict[str, Any]:  # noqa: ARG002 for who proves more
        """The task's XCom."""
        return summary.as_json()

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> Any:  # noqa: ARG002 OpenLineage's word for it
        """What was read, what was written, and how much of it; OpenLineage calls this where it is installed."""
        return lineage.facets(*self._told) if self._told else None

    def settings_given(self) -> dict[str, Any]:
        """The settings of the run, by their names."""
        return self.options

    def database(self) -> str:
        """The URL of the database."""
        if self.database_url is not None:
            return self.database_url
        with as_task([]):
            return database_url_of(self.database_conn_id or "")

    def _run(self, settings: "Settings", ml_repos: list[str]) -> tuple["Summary", list[str]]:
        """The run, and the ML repos that it was about."""
        from etl.sync import Interrupts, run

        while True:
            self._interrupts = Interrupts()
            try:
                told = replace(settings, ml_repo=tuple(ml_repos))
                return run(told, interrupts=self._interrupts, progress=_Logged(self.log)), ml_repos
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
            finally:
                self._interrupts = None

    def _tell(self, context: "Context", settings: "Settings", summary: "Summary", result: dict[str, Any]) -> None:
        """Tell assets and OpenLineage of a complete run that wrote; fail a partial one, if that is asked for."""
        if not summary.complete or summary.run_id is None:
            self.outlets: list[Any] = []
        for asset in (each for each in self.outlets if isinstance(each, Asset)):
            context["outlet_events"][asset].extra = {"run_id": summary.run_id, "database": lineage.name_of(settings)}
        self._told = (settings, summary)
        if self.fail_on_partial and summary.exit_code:
            context["ti"].xcom_push("return_value", result)
            refuse_partial(summary, result["warnings"])


class _Logged:
    """Progress as lines of the task's log: a line for each part of the run."""

    def __init__(self, log: Any) -> None:
        self._log = log

    def phase(self, name: str) -> None:
        self._log.info("phase: %s", name)

    def advance(self, entity: str, records: int, total: int | None) -> None:
        """Say nothing: pages are many."""


def batches(ml_repos: Sequence[str], size: int) -> list[list[str]]:
    """The ML repos in lists of about `size`, and never more lists than twice those that would do.

    By a hash, in a power of two of lists: one that comes or goes changes its own list, and rarely the others.
    """
    if size <= 1:
        return [[each] for each in ml_repos]
    number = 1
    while number * size < len(ml_repos):
        number *= 2
    lists: defaultdict[int, list[str]] = defaultdict(list)
    for each in ml_repos:
        lists[zlib.crc32(each.encode(errors="surrogatepass")) % number].append(each)
    return [lists[key] for key in sorted(lists)]


def _listed(ml_repos: Sequence[str] | str | Iterable[Any]) -> list[str]:
    """As a list: a template gives text, with commas."""
    if isinstance(ml_repos, str):
        return [each.strip() for each in ml_repos.split(",") if each.strip()]
    return [str(each) for each in ml_repos]
