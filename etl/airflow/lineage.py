"""Assets for the tables, and the datasets and facets of OpenLineage."""

import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from airflow.sdk import Asset

if TYPE_CHECKING:
    from etl.settings import Settings
    from etl.sync import Summary

_SEARCH_PATH = re.compile(r"-c\s*search_path=((?:\\.|[^\\\s])*)")
_NAME = re.compile(r'"((?:[^"]|"")*)"|([^\s,"]+)')

TABLES = (
    "ml_repos",
    "models",
    "model_versions",
    "model_version_tags",
    "model_version_metrics",
    "model_version_packages",
    "model_run_steps",
    "subjects",
)
"""The tables that a complete run synchronizes with the registry."""


ASSET_EVENT_MODES = ("changed", "all")
"""Which assets get an event after a complete run: those of tables that changed, or all."""

_TABLES_OF = {
    "ml_repos": {"ml_repos"},
    "models": {"models", "model_run_steps"},
    "model_versions": {
        "model_versions", "model_version_tags", "model_version_metrics", "model_version_packages",
    },
}  # fmt: skip
"""The tables that may change with each entity; `subjects` may change with any."""


def changed_tables(counts: Mapping[str, Mapping[str, int]]) -> set[str]:
    """The tables that may have changed, by the number of records that runs wrote."""
    entities = [entity for entity, kinds in counts.items() if any(kinds.values())]
    return set().union(*(_TABLES_OF[entity] for entity in entities), {"subjects"} if entities else ())


def has_changed(asset: Any, changed: Collection[str]) -> bool:
    """Whether the asset's table is one of these. Any other asset changes with any table."""
    table = asset.name.rpartition("/")[2] if isinstance(asset, Asset) and asset.uri.startswith("tfy-etl:") else None
    return table in changed if table in TABLES else bool(changed)


def registry_assets(database: str) -> list[Asset]:
    """An asset for each table, in the database of this name, usually the id of its connection.

    A DAG with `schedule=registry_assets("registry_db")` starts when there is new data.
    """
    return [Asset(name=f"{database}/{table}", uri=f"tfy-etl://{database}/{table}") for table in TABLES]


def normalize_asset_uri(uri: SplitResult) -> SplitResult:
    """Return the address of an asset, `tfy-etl://DATABASE/TABLE`, or raise ValueError: Airflow calls it for each."""
    if not uri.netloc or uri.path.removeprefix("/") not in TABLES:
        raise ValueError(
            f"{uri.geturl()} is not the asset of a table: use registry_asset, or tfy-etl://DATABASE/TABLE with one of "
            f"{', '.join(TABLES)}."
        )
    return uri._replace(query="")


def registry_asset(database: str, table: str) -> Asset:
    """The asset of one table."""
    return registry_assets(database)[TABLES.index(table)]


def database_name(settings: "Settings") -> str:
    """The address of the database, without user and password."""
    namespace, database = _address(settings.database())
    return f"{namespace}/{database}"


def facets(settings: "Settings", summary: "Summary") -> Any:
    """The lineage of a run: the registry as input, the tables as outputs with their written rows."""
    from airflow.providers.openlineage.extractors import OperatorLineage
    from openlineage.client.event_v2 import InputDataset, OutputDataset
    from openlineage.client.generated.output_statistics_output_dataset import OutputStatisticsOutputDatasetFacet

    namespace, database = _address(settings.database())
    tallies = {entity.value: tally for entity, tally in summary.tallies.items()}
    outputs = []
    for table in TABLES if summary.run_id is not None else ():
        tally = tallies.get(table)
        written = tally and tally.inserted + tally.updated + tally.deleted + tally.restored
        output_facets = (
            {} if written is None else {"outputStatistics": OutputStatisticsOutputDatasetFacet(rowCount=written)}
        )
        outputs.append(OutputDataset(namespace=namespace, name=f"{database}.{table}", outputFacets=output_facets))
    return OperatorLineage(inputs=[InputDataset(namespace=settings.base_url(), name="model-registry")], outputs=outputs)


def _address(database_url: str) -> tuple[str, str]:
    """Namespace and name of a database, as OpenLineage defines them; for PostgreSQL with the schema."""
    parts = urlsplit(database_url)
    if parts.scheme.startswith("sqlite"):
        return "file", parts.path.removeprefix("/")
    query = parse_qs(parts.query)
    host = parts.hostname or query.get("host", ["localhost"])[0]
    port = parts.port or query.get("port", ["5432"])[0]
    schema = _schema(" ".join(query.get("options", ())))
    return f"postgres://{host}:{port}", f"{unquote(parts.path.strip('/'))}.{schema}"


def _schema(options: str) -> str:
    """The first schema of the search path in libpq's `options`."""
    found = _SEARCH_PATH.search(options)
    path = re.sub(r"\\(.)", r"\1", found[1]) if found else ""
    names = (quoted.replace('""', '"') or plain for quoted, plain in _NAME.findall(path))
    return next((name for name in names if name != "$user"), "public")
