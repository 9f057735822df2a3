"""The tools to compare: their commands, their preparation, and queries of their rows."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench import dataset
from bench.databases import DATABASES, POSTGRESQL, Queries
from bench.dataset import EDITED_TAG, EDITED_TEXT

FIRST, AGAIN, CHANGED, DELETED = RUNS = ("first load", "nothing new", "1 % changed", "1 % deleted")
STATES = {FIRST: dataset.BASE, AGAIN: dataset.BASE, CHANGED: dataset.CHANGED, DELETED: dataset.DELETED}
"""State of the dataset that is served in each run."""

PAGE_SIZE = 1000
"""The maximum of the API, which all tools use."""

# The queries contain only constants of the benchmark.
# ruff: noqa: S608
_LIVE = "WHERE model_version_id IN (SELECT id FROM model_versions WHERE deleted_at IS NULL)"
OUR_TABLES: Queries = {
    "ml_repos": "SELECT count(*) FROM ml_repos WHERE deleted_at IS NULL",
    "models": "SELECT count(*) FROM models WHERE deleted_at IS NULL",
    "model_versions": "SELECT count(*) FROM model_versions WHERE deleted_at IS NULL",
    "tags": f"SELECT count(*) FROM model_version_tags {_LIVE}",
    "metrics": f"SELECT count(*) FROM model_version_metrics {_LIVE}",
    "packages": f"SELECT count(*) FROM model_version_packages {_LIVE}",
    "edited descriptions": f"SELECT count(*) FROM model_versions WHERE description = '{EDITED_TEXT}'",
    "edited tags": f"SELECT count(*) FROM model_version_tags WHERE tag = '{EDITED_TAG}'",
}
_LISTS = {name: f"SELECT count(*) FROM {name}" for name in ("ml_repos", "models", "model_versions")}
DLT_TABLES: Queries = {
    **_LISTS,
    "tags": "SELECT count(*) FROM model_versions__tags",
    "metrics": "SELECT count(*) FROM model_versions__metrics",
    "packages": "SELECT count(*) FROM model_versions__manifest__environment__pip_packages",
    "edited descriptions": f"SELECT count(*) FROM model_versions WHERE manifest__description = '{EDITED_TEXT}'",
    "edited tags": f"SELECT count(*) FROM model_versions__tags WHERE value = '{EDITED_TAG}'",
}
_SINGER: Queries = {
    **_LISTS,
    "tags": "SELECT sum(cardinality(tags)) FROM model_versions",
    "metrics": "SELECT sum(cardinality(metrics)) FROM model_versions",
    "packages": (
        "SELECT sum(jsonb_array_length(manifest #> '{environment,pip_packages}')) FROM model_versions "
        "WHERE jsonb_typeof(manifest #> '{environment,pip_packages}') = 'array'"
    ),
    "edited descriptions": f"SELECT count(*) FROM model_versions WHERE manifest ->> 'description' = '{EDITED_TEXT}'",
    "edited tags": f"SELECT count(*) FROM model_versions WHERE '{EDITED_TAG}' = ANY (tags)",
}


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A tool to compare. `{url}` in its commands is the URL of the database."""

    name: str
    command: Sequence[str]
    before: Sequence[str] = ()
    """A command to run once on a fresh database; it is not measured."""
    found: Queries = field(default_factory=dict)
    """Queries of the loaded rows; a tool without them prints what it read."""
    databases: Sequence[str] = DATABASES
    runs: Sequence[str] = RUNS
    ours: bool = False
    """This is tfy-etl itself, which must succeed and load all rows."""

    def at(self, url: str) -> list[str]:
        """Return the command for this database."""
        return _filled(self.command, url)

    def before_at(self, url: str) -> list[str]:
        """Return the preparing command for this database; empty if there is none."""
        return _filled(self.before, url)


def _filled(command: Sequence[str], url: str) -> list[str]:
    return [word.replace("{url}", url) for word in command]


def peer(module: str, *options: str) -> tuple[str, ...]:
    """Return the command of a program in bench/peers."""
    return (sys.executable, "-m", f"bench.peers.{module}", *options)


def tfy_etl(*arguments: str) -> tuple[str, ...]:
    """Return a command of tfy-etl."""
    return (sys.executable, "-m", "etl", "--database-url", "{url}", "--log-level", "error", *arguments)


def sync(page_size: int, *options: str) -> tuple[str, ...]:
    """Return the command `tfy-etl sync`."""
    return tfy_etl("sync", "--page-size", str(page_size), "--output", "json", *options)


OURS = Tool(name="tfy-etl", before=tfy_etl("db", "upgrade"), command=sync(PAGE_SIZE), found=OUR_TABLES, ours=True)
TOOLS = (
    OURS,
    Tool(name="dlt", command=peer("dlt_pipeline", "{url}"), found=DLT_TABLES),
    Tool(
        name="Singer",
        command=peer("singer", "{url}"),
        found=_SINGER,
        databases=(POSTGRESQL,),
        runs=(FIRST, AGAIN, CHANGED),
    ),
    Tool(
        name="direct load",
        before=tfy_etl("db", "upgrade"),
        command=peer("direct", "{url}"),
        found=OUR_TABLES,
        runs=(FIRST,),
    ),
    Tool(name="fetch and parse", command=peer("fetch")),
)
