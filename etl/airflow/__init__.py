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
                        "description": "Path of the API below the host; found by itself when not given.",
                        "schema": _TEXT,
                    },
                    "ca_bundle": {
                        "label": "CA bundle",
                        "description": "File of CA certificates to trust, on the machine where tasks run.",
                        "schema": _TEXT,
                    },
                    "allow_insecure_http": {
                        "label": "Allow plain http",
                        "description": "Send the token over plain http to a host that is not the worker itself.",
                        "schema": {"type": ["boolean", "null"], "default": False},
                    },
                },
            }
        ],
    }
