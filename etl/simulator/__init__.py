"""A control plane to develop, demonstrate and test against: the registry's API over HTTP, with made-up data.

exchange   one request, one answer
data       records of a made-up company, the same for the same seed
entry      one record, and what lists sort and filter by
registry   the state, its lists and its changes, under one lock
routes     paths, authorization, filters, limits
faults     what goes wrong, by name
server     all of it on a socket
"""

from etl.simulator.faults import FAULTS, Fault, fault
from etl.simulator.registry import NoSuchRecord, Registry
from etl.simulator.server import Simulator
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
    "Simulator",
    "fault",
]
