"""Runs by Airflow: a connection, operators, and a DAG that spreads one sync over many workers.

hook          the connection: address, token, settings; the list of ML repos
operators     list ML repos, sync some of them or all
proof         the task that ends the DAG: nothing is missing
outcomes      how a run's end becomes a task's end
lineage       assets, and what OpenLineage is told
dags          the DAG that maps one sync over each ML repo
example_dags  one file to copy

Airflow looks for `provider_info` here, and reads it often: what is imported beside it stands in the other modules.
"""

from typing import Any

CONNECTION_TYPE = "truefoundry"

_TEXT = {"type": ["string", "null"]}


def provider_info() -> dict[str, Any]:
    """What Airflow wants to know of a provider, by the names of its own schema."""
    return {
        "package-name": "tfy-etl",
        "name": "TrueFoundry model registry",
        "description": "Copies a TrueFoundry control plane's model registry into a relational database.",
        "connection-types": [
            {
                "connection-type": CONNECTION_TYPE,
                "hook-name": "TrueFoundry",
                "hook-class-name": "etl.airflow.hook.TrueFoundryHook",
                "ui-field-behaviour": {
                    "hidden-fields": ["schema", "login", "port", "extra"],
                    "relabeling": {"host": "Control plane", "password": "Token"},
                    "placeholders": {"host": "https://your-control-plane.example"},
                },
                "conn-fields": {
                    "api_prefix": {
                        "label": "API prefix",
                        "description": "Path of the API below the host; detected by default.",
                        "schema": _TEXT,
                    },
                    "ca_bundle": {
                        "label": "CA bundle",
                        "description": "File with CA certificates to trust, on the worker.",
                        "schema": _TEXT,
                    },
                    "allow_insecure_http": {
                        "label": "Allow plain HTTP",
                        "description": "Allow plain HTTP to other hosts; the token is sent unencrypted.",
                        "schema": {"type": ["boolean", "null"], "default": False},
                    },
                },
            }
        ],
    }
