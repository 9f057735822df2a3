"""dlt's `rest_api` source over the registry: merge by id, incremental on `updated_at`.

    TFY_HOST=… TFY_API_KEY=… python -m bench.peers.dlt_pipeline sqlite:///FILE | postgresql://… [--workers 2]

The state of earlier runs is kept below the working directory. The pipeline follows dlt's documentation of REST
APIs. It uses the offset paginator with the path of the total, `id` as primary key, the `merge` disposition for all
resources, and the cursor as `incremental` of the endpoint. The API cannot filter by the cursor, so dlt drops older
records itself. It also follows dlt's page on performance: `parallelized` resources, uncompressed files, COPY from CSV
for PostgreSQL, and with --workers a process pool that normalizes files of bounded size.
"""

import argparse
import os
from typing import Any

from dlt import destinations, pipeline
from dlt.sources.rest_api import RESTAPIConfig, rest_api_source

DATASET = {"sqlite": "main", "postgresql": "registry"}
"""SQLite has its tables in the file itself by this name, PostgreSQL in a schema."""

FILE_FORMAT: dict[str, Any] = {"sqlite": None, "postgresql": "csv"}

_SETTINGS = {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "ERROR",
    "DATA_WRITER__DISABLE_COMPRESSION": "true",
    "NORMALIZE__DATA_WRITER__DISABLE_COMPRESSION": "true",
}
# SQLite has one writer at a time, for which dlt's loaders wait a second: with the usual 20 of them some gave up.
_ONE_WRITER = {"LOAD__WORKERS": "1"}
_IN_PARALLEL = {
    "NORMALIZE__START_METHOD": "spawn",
    "SOURCES__DATA_WRITER__FILE_MAX_ITEMS": "5000",
    "NORMALIZE__DATA_WRITER__FILE_MAX_ITEMS": "50000",
}


def source(page_size: int) -> Any:
    """Return the source with the three lists."""
    config: RESTAPIConfig = {
        "client": {
            "base_url": f"{os.environ['TFY_HOST']}/api/ml/v1/",
            "auth": {"type": "bearer", "token": os.environ["TFY_API_KEY"]},
            "paginator": {"type": "offset", "limit": page_size, "total_path": "pagination.total"},
        },
        "resource_defaults": {
            "primary_key": "id",
            "write_disposition": "merge",
            "parallelized": True,
            "endpoint": {"data_selector": "data"},
        },
        "resources": [
            {"name": "ml_repos", "endpoint": {"path": "ml-repos"}},
            {
                "name": "models",
                "endpoint": {"path": "models", "incremental": {"cursor_path": "updated_at"}},
                "processing_steps": [{"map": without_embedded_version}],
            },
            {
                "name": "model_versions",
                "endpoint": {"path": "model-versions", "incremental": {"cursor_path": "updated_at"}},
                # Free-form JSON, which would become an unbounded number of columns and tables.
                "columns": {"manifest__metadata": {"data_type": "json"}},
            },
        ],
    }
    return rest_api_source(config)


def without_embedded_version(model: dict[str, Any]) -> dict[str, Any]:
    """Replace the latest version of a model by its id; the version itself is in the list of versions."""
    latest = model.pop("latest_version", None)
    return model | {"latest_version_id": latest and latest["id"]}


def destination(url: str) -> Any:
    """Return dlt's destination for this database."""
    if url.startswith("sqlite"):
        return destinations.sqlalchemy(url)
    # dlt requires a host and a password; libpq prefers the host in the query, the folder of the socket.
    return destinations.postgres(url.replace("postgres@/", "postgres:none@localhost/"))


def main() -> None:
    """Run the pipeline once."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--page-size", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=1)
    args = parser.parse_args()
    parallel = _IN_PARALLEL | {"NORMALIZE__WORKERS": str(args.workers)} if args.workers > 1 else {}
    kind = args.url.split(":")[0]
    os.environ |= _SETTINGS | parallel | (_ONE_WRITER if kind == "sqlite" else {})
    loading = pipeline(
        "registry",
        pipelines_dir="dlt",
        destination=destination(args.url),
        dataset_name=DATASET[kind],
    )
    loading.run(source(args.page_size), loader_file_format=FILE_FORMAT[kind]).raise_on_failed_jobs()


if __name__ == "__main__":
    main()
