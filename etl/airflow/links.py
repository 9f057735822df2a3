"""The link from a task to the control plane that it reads."""

from typing import Any

from airflow.sdk import BaseOperatorLink

from etl.airflow.hook import TrueFoundryHook


class ControlPlaneLink(BaseOperatorLink):
    """Open the control plane of the task's connection."""

    name = "Control plane"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ARG002 the names are Airflow's
        """The address of the control plane. The worker calls this at the end of the task, and Airflow stores it."""
        return TrueFoundryHook(operator.truefoundry_conn_id).settings().base_url()
