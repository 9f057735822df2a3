"""The operator that lists the ML repos."""

import zlib
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator
from airflow.sdk.configuration import conf

from etl.airflow.errors import translate_errors
from etl.airflow.hook import TrueFoundryHook
from etl.airflow.links import ControlPlaneLink
from etl.airflow.ml_repos import as_list, choose
from etl.airflow.operators.sync import UI_COLOR

if TYPE_CHECKING:
    from airflow.sdk import Context


class TrueFoundryListMlReposOperator(BaseOperator):
    """Return the ML repos in batches of about `repos_per_task`, one for each sync task.

    Airflow maps no more batches than `core.max_map_length`, so with more ML repos the batches are larger. Batches are
    stable between runs, because the state of a sync belongs to its set of ML repos. `ml_repos` selects some by id.
    """

    template_fields: ClassVar[Sequence[str]] = ("truefoundry_conn_id", "ml_repos")
    ui_color = UI_COLOR
    operator_extra_links = (ControlPlaneLink(),)

    def __init__(
        self,
        *,
        truefoundry_conn_id: str = TrueFoundryHook.default_conn_name,
        repos_per_task: int = 1,
        ml_repos: Sequence[str] | str = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.truefoundry_conn_id = truefoundry_conn_id
        self.repos_per_task = repos_per_task
        self.ml_repos = ml_repos

    def execute(self, context: "Context") -> list[list[str]]:  # noqa: ARG002 the name is Airflow's
        """List the ML repos; fail unless the list is proven complete."""
        hook = TrueFoundryHook(self.truefoundry_conn_id)
        with translate_errors([hook.connection.password or ""]):
            ml_repos = hook.ml_repos()
        self.log.info("the control plane lists %d ML repos", len(ml_repos))
        ml_repos = choose(ml_repos, as_list(self.ml_repos))
        found = batches(ml_repos, self.repos_per_task, conf.getint("core", "max_map_length", fallback=1024))
        if len(found) * self.repos_per_task < len(ml_repos):
            self.log.info("put them into %d batches, because core.max_map_length allows no more", len(found))
        return found


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
        found[zlib.crc32(each.encode(errors="surrogatepass")) % number].append(each)
    return [found[key] for key in sorted(found)]
