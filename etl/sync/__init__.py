"""The run: plan, pages, rows, staging, proof, merge, and the record of it.

run         from lock to commit                scope       which part of the registry a run is about
intake      a page becomes staged rows         reading     which lists are read, and how versions are
plan        pure: how versions are read        rereading   rejected records, asked for again by themselves
interrupts  signals that wait for a commit     doubt       is what is missing really gone
summary     what a run did, for people and programs
watch       what is known of a run however it ends
prune       housekeeping in what runs wrote down of themselves
garbage     when Python looks for what refers to itself
"""

from etl.sync.context import Progress
from etl.sync.monitor import RunMonitor
from etl.sync.plan import NEVER
from etl.sync.prune import Pruned, prune
from etl.sync.retry_rejected import Fate, RejectedRetry
from etl.sync.run import run
from etl.sync.scope import Scope
from etl.sync.signals import Interrupts
from etl.sync.summary import Summary

__all__ = [
    "NEVER",
    "Fate",
    "Interrupts",
    "Progress",
    "Pruned",
    "RejectedRetry",
    "RunMonitor",
    "Scope",
    "Summary",
    "prune",
    "run",
]
