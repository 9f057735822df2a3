"""The run: plan, pages, rows, staging, proof, merge, and the run's record.

`run`              A run from the lock to the commit.
`context`          The inputs and the state of one run.
`scope`            Which part of the registry a run covers.
`extract`          Reads lists of ML repos, models and versions.
`find_ml_repo`     Gets one ML repo without reading the list of all.
`plan`             Pure: chooses how versions are read.
`stage_pages`      Turns a page into staged rows.
`version_batch`    Gathers versions of several models, to stage them together.
`messages`         Pure: the wording of warnings about lists.
`confirm_deletes`  Fetches missing models and versions by id before they are marked as deleted.
`missing_latest`   Reads models again whose latest version no list of versions returned.
`unlisted_models`  Reads the versions of models that no list of models had.
`delete_limit`     Refuses a run that would delete too much.
`planned_changes`  The changes that a dry run has staged, by name.
`retry_rejected`   Fetches rejected records again, one by one.
`signals`          Ends a run after a signal, except during and after its commit.
`summary`          The result of a run, for people and programs.
`derived_ml_repos`  Pure: derives ML repos that no list has from their models.
`monitor`          The state of a run for telemetry, even if the run fails.
`progress_log`     The progress of a run as log lines.
`run_reporter`     Reports of a run to metrics file, OTLP collector and webhook.
`prune`            Deletes old run history.
"""

from etl.sync.context import Progress
from etl.sync.monitor import RunMonitor
from etl.sync.plan import NEVER
from etl.sync.planned_changes import NAMED_RECORDS
from etl.sync.progress_log import ProgressLog
from etl.sync.prune import Pruned, prune
from etl.sync.retry_rejected import RejectedRetry, RetryResult
from etl.sync.run import run
from etl.sync.run_reporter import RunReporter, run_reporter, status_of
from etl.sync.scope import Scope
from etl.sync.signals import Interrupts
from etl.sync.summary import Summary

__all__ = [
    "NAMED_RECORDS",
    "NEVER",
    "Interrupts",
    "Progress",
    "ProgressLog",
    "Pruned",
    "RejectedRetry",
    "RetryResult",
    "RunMonitor",
    "RunReporter",
    "Scope",
    "Summary",
    "prune",
    "run",
    "run_reporter",
    "status_of",
]
