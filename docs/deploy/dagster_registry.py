"""A Dagster asset that is a run of tfy-etl, every fifteen minutes. See docs/how-to/dagster.md."""

import json
import subprocess
from collections.abc import Iterator

import dagster as dg

COMMAND = ("tfy-etl", "sync", "--no-progress", "--output", "json")
LOCK_HELD = 4
NEEDS_A_CHANGE = (2, 5)  # configuration, or too many deletes


@dg.asset(
    output_required=False,
    retry_policy=dg.RetryPolicy(max_retries=3, delay=60, backoff=dg.Backoff.EXPONENTIAL),
)
def model_registry(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:
    """Copy the model registry of the control plane into the database."""
    done = subprocess.run(COMMAND, stdout=subprocess.PIPE, text=True, check=False)  # stderr is the step's log
    result = json.loads(done.stdout or "{}")
    if done.returncode == 0:
        changes = {f"{name} {kind}": n for name in ("models", "model_versions") for kind, n in result[name].items()}
        yield dg.MaterializeResult(metadata={"run_id": result["run_id"], "coverage": result["coverage"]} | changes)
    elif done.returncode == LOCK_HELD:
        context.log.info(result["error"])
    else:
        reason = result.get("error") or " ".join(result.get("warnings", ())) or f"exit code {done.returncode}"
        # A complete run with rejected records, and what needs a change first, fail in the same way again.
        retry = not result.get("complete") and done.returncode not in NEEDS_A_CHANGE
        raise dg.Failure(reason, allow_retries=retry)


defs = dg.Definitions(
    assets=[model_registry],
    schedules=[dg.ScheduleDefinition("every_15_minutes", cron_schedule="*/15 * * * *", target=[model_registry])],
)
