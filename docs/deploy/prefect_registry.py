"""A Prefect flow that is a run of tfy-etl, every fifteen minutes. See docs/how-to/prefect.md."""

import json
import subprocess
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.tasks import exponential_backoff

COMMAND = ("tfy-etl", "sync", "--no-progress", "--output", "json")
LOCK_HELD = 4
NEEDS_A_CHANGE = (2, 5)  # configuration, or too many deletes


class TransientFailure(Exception):
    """A failure that another try may not have."""


class PermanentFailure(Exception):
    """A failure that comes again until somebody changes something."""


def is_transient(_task: Any, _run: Any, state: Any) -> bool:
    """Whether Prefect tries again."""
    try:
        state.result()
    except PermanentFailure:
        return False
    except Exception:  # noqa: BLE001 also what this file does not raise, such as a missing command
        return True
    return False


@task(retries=3, retry_delay_seconds=exponential_backoff(60), retry_condition_fn=is_transient)
def sync() -> dict[str, Any]:
    """Copy the model registry of the control plane into the database; return the result of the run."""
    done = subprocess.run(COMMAND, stdout=subprocess.PIPE, text=True, check=False)  # stderr is the flow's log
    result: dict[str, Any] = json.loads(done.stdout or "{}")
    if done.returncode == LOCK_HELD:
        get_run_logger().info(result["error"])
    elif done.returncode:
        reason = result.get("error") or " ".join(result.get("warnings", ())) or f"exit code {done.returncode}"
        # A complete run with rejected records, and what needs a change first, fail in the same way again.
        permanent = result.get("complete") or done.returncode in NEEDS_A_CHANGE
        raise (PermanentFailure if permanent else TransientFailure)(reason)
    return result


@flow(name="model-registry")
def model_registry() -> dict[str, Any]:
    """Make one run."""
    result: dict[str, Any] = sync()
    return result


if __name__ == "__main__":
    model_registry.serve(cron="*/15 * * * *")
