"""The declarations of the commands: their options, arguments and help.

A command imports its implementation when it runs; see `etl.cli.lazy`.

runs           sync, check, status, rejected, prune
database       db
data           changes, diff, report, export, explore, schema
configuration  config
simulation     demo, simulate
"""

from etl.cli.commands.configuration import config
from etl.cli.commands.data import changes, diff, explore, export, report, schema
from etl.cli.commands.database import db
from etl.cli.commands.runs import check, prune, rejected, status, sync
from etl.cli.commands.simulation import demo, simulate

COMMANDS = (
    sync,
    check,
    status,
    changes,
    diff,
    rejected,
    prune,
    db,
    config,
    report,
    export,
    explore,
    schema,
    demo,
    simulate,
)
