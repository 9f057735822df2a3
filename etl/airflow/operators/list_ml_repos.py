"""The operator that lists the ML repos."""

import zlib
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator

from etl.airflow.errors import translate_errors
from etl.airflow.hook import TrueFoundryHook
from etl.airflow.operators.sync import UI_COLOR

if TYPE_CHECKING:
    from airflow.sdk import Context


class TrueFoundryListMlReposOperator(BaseOperator):
    """Gives the ML repos in lists of about `repos_per_task`, each of which is for one task to sync.

    What is in a list together stays together as long as possible: the state of a sync is kept for its ML repos.
    """

    template_fields: ClassVar[Sequence[str]] = ("truefoundry_conn_id",)
    ui_color = UI_COLOR

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
        with translate_errors([hook.connection.password or ""]):
            ml_repos = hook.ml_repos()
        self.log.info("the control plane lists %d ML repos", len(ml_repos))
        return batches(ml_repos, self.repos_per_task)


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
