"""The run: plan, pages, rows, staging, proof, merge, and the record of it.

run         from lock to commit                scope       which part of the registry a run is about
intake      a page becomes staged rows         reading     which lists are read, and how versions are
plan        pure: how versions are read        summary     what a run did, for people and programs
interrupts  signals that wait for a commit
"""

from etl.sync.interrupts import Interrupts
from etl.sync.run import Progress, run
from etl.sync.summary import Summary

__all__ = ["Interrupts", "Progress", "Summary", "run"]
