"""A simulated control plane for development, demos and tests: the registry's API over HTTP, with synthetic data.

`http_types`     A request and an answer.
`data`           Synthetic records, the same for the same seed.
`stored_record`  A record, and the fields that lists sort and filter by.
`registry`       The records, their lists and changes to them, under one lock.
`edits`          Random edits, as a team makes them.
`showcase`       A registry with recognisable names, and a day of work in it, for the demonstration.
`routes`         Paths, authorization, filters and limits.
`faults`         Named faults, to inject into answers.
`server`         The HTTP server.
"""

from etl.simulator.edits import make_edit
from etl.simulator.faults import FAULTS, Fault, fault
from etl.simulator.registry import NoSuchRecord, Registry
from etl.simulator.server import Simulator
from etl.simulator.showcase import Showcase
from etl.simulator.stored_record import ENTITIES, ML_REPOS, MODEL_VERSIONS, MODELS

__all__ = [
    "ENTITIES",
    "FAULTS",
    "ML_REPOS",
    "MODELS",
    "MODEL_VERSIONS",
    "Fault",
    "NoSuchRecord",
    "Registry",
    "Showcase",
    "Simulator",
    "fault",
    "make_edit",
]
