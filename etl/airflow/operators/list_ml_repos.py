"""The operator that lists the ML repos."""

import heapq
import zlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator
from airflow.sdk.configuration import conf

from etl.airflow.errors import translate_errors
from etl.airflow.hook import TrueFoundryHook, check_options, database_url_of, reject_password
from etl.airflow.links import ControlPlaneLink
from etl.airflow.ml_repos import as_list, choose
from etl.airflow.operators.sync import UI_COLOR
from etl.airflow.setting_names import use_task_names
from etl.errors import ConfigError
from etl.redaction import passwords_of

if TYPE_CHECKING:
    from airflow.sdk import Context

_COST_OF_EMPTY_REPO = 100
"""The cost of syncing an ML repo without versions, in versions that could be compared instead."""


class TrueFoundryListMlReposOperator(BaseOperator):
    """Return the ML repos in batches, one for each sync task.

    Airflow maps no more batches than `core.max_map_length`. Up to that number, each ML repo has a batch of its own. If
    there are more, each batch has about the same number of stored versions; without a database, about the same number
    of ML repos. With `repos_per_task`, batches have about that many ML repos, or more if Airflow would map too many.
    Batches rarely change between runs.
    `ml_repos` selects some ML repos by id. `options` are settings by name, such as `timeout`.
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
        repos_per_task: int | None = None,
        ml_repos: Sequence[str] | str = (),
        options: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Raise ConfigError for two databases, a password in the URL, or an unknown option."""
        super().__init__(**kwargs)
        if database_conn_id and database_url:
            raise ConfigError("Pass only one of database_conn_id and database_url.")
        check_options(options or {})
        self.truefoundry_conn_id = truefoundry_conn_id
        self.database_conn_id = database_conn_id
        self.database_url = database_url and reject_password(database_url)
        self.repos_per_task = repos_per_task
        self.ml_repos = ml_repos
        self.options = dict(options or {})

    def execute(self, context: "Context") -> list[list[str]]:  # noqa: ARG002 the name is Airflow's
        """List the ML repos; fail unless the list is proven complete."""
        hook = TrueFoundryHook(self.truefoundry_conn_id)
        with translate_errors([hook.connection.password or ""]):
            ml_repos = hook.ml_repos(self.options)
        self.log.info("the control plane lists %d ML repos", len(ml_repos))
        ml_repos = choose(ml_repos, as_list(self.ml_repos))
        limit = conf.getint("core", "max_map_length", fallback=1024)
        if self.repos_per_task is not None:
            found = batches(ml_repos, self.repos_per_task, limit)
        elif len(ml_repos) <= limit:
            found = [[each] for each in ml_repos]
        else:
            stored = self._stored_versions()
            found = balanced_batches({each: stored.get(each, 0) for each in ml_repos}, limit)
        self.log.info("put %d of them into %d batches, one for each sync task", len(ml_repos), len(found))
        return found

    def _stored_versions(self) -> dict[str, int]:
        """The number of stored versions of each ML repo; empty before the first sync, or without a database."""
        from etl.store import open_readonly, totals

        with translate_errors([]):
            url = database_url_of(self.database_conn_id) if self.database_conn_id else self.database_url
        if not url:
            return {}
        with translate_errors(passwords_of(url)), use_task_names(self.database_conn_id, self.truefoundry_conn_id):
            try:
                with open_readonly(url) as connection:
                    return totals.versions_by_ml_repo(connection)
            except ConfigError as error:  # the sync tasks create or migrate the tables, or fail with the same message
                self.log.info("batches have the same number of ML repos, because no versions are stored: %s", error)
                return {}


def batches(ml_repos: Sequence[str], size: int, limit: int) -> list[list[str]]:
    """The ML repos in batches of about `size`: at most twice as many batches as necessary, and at most `limit`.

    A hash selects one of 2**n batches. So a new or deleted ML repo changes its own batch, and rarely the others.
    """
    if size <= 1 and len(ml_repos) <= limit:
        return [[each] for each in ml_repos]
    number = 1
    while number * size < len(ml_repos) and number * 2 <= limit:
        number *= 2
    found: defaultdict[int, list[str]] = defaultdict(list)
    for each in ml_repos:
        found[_hash(each) % number].append(each)
    return [found[key] for key in sorted(found)]


def balanced_batches(versions: Mapping[str, int], limit: int) -> list[list[str]]:
    """The ML repos in `limit` batches of about the same cost; `versions` has the number of versions of each.

    The most expensive ML repos are assigned first, each to the batch that costs least so far. Costs are rounded, so
    that a few new versions do not change batches.
    """
    costs = {each: _rounded(_COST_OF_EMPTY_REPO + number) for each, number in versions.items()}
    found: list[list[str]] = [[] for _ in range(limit)]
    least = [(0, place) for place in range(limit)]
    for each in sorted(costs, key=lambda each: (-costs[each], _hash(each))):
        cost, place = least[0]
        found[place].append(each)
        heapq.heapreplace(least, (cost + costs[each], place))
    return [batch for batch in found if batch]


def _rounded(cost: int) -> int:
    """The cost, rounded down to two significant bits."""
    low_bits = max(cost.bit_length() - 2, 0)
    return cost >> low_bits << low_bits


def _hash(ml_repo: str) -> int:
    return zlib.crc32(ml_repo.encode(errors="surrogatepass"))
