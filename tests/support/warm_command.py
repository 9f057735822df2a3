"""Import the command's modules and compile the statements of a sync, for all processes forked from this one."""

# ruff: noqa: F401 the imports are the purpose

import encodings.idna
from pathlib import Path
from tempfile import TemporaryDirectory

import alembic.command
import psycopg

import etl.cli.changes
import etl.cli.check
import etl.cli.config
import etl.cli.db
import etl.cli.diff
import etl.cli.export
import etl.cli.progress
import etl.cli.prune
import etl.cli.rejected_retry
import etl.cli.report
import etl.cli.result
import etl.cli.schema
import etl.cli.status
import etl.cli.sync
import etl.store.dialects.postgresql
from etl.settings import Settings
from etl.simulator import Registry, Simulator
from etl.sync import Interrupts, run
from tests.support.shared_statements import share_compiled_statements


class _Silent:
    def phase(self, name: str) -> None: ...

    def advance(self, entity: str, records: int, total: int | None) -> None: ...


share_compiled_statements()
with (
    TemporaryDirectory() as folder,
    Simulator(Registry.generate(seed=1, ml_repos=1, models=2, versions=2, metrics=1), token="warm") as plane,
):
    url = f"sqlite:///{Path(folder, 'registry.db')}"
    run(Settings(host=plane.url, api_key="warm", database_url=url), interrupts=Interrupts(), progress=_Silent())
