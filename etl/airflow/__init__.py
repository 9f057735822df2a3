"""Run tfy-etl in Airflow: a connection, operators, and a DAG that distributes one sync over many workers.

`hook`           The connection: URL, token, settings; the list of ML repos.
`operators`      List ML repos, sync some or all of them, verify a DAG run.
`sensors`        Wait for changes of the registry.
`triggers`       Wait in the triggerer, for the sensor and for AssetWatcher.
`change_events`  The changes that sensors and triggers report.
`setting_names`  The names of settings in messages: fields of connections, and options.
`setting_values` The values of settings, from options and connections.
`links`          The link from a task to the control plane.
`errors`         The state of a task after a run with an error.
`positions`      How far the earlier runs of a task came.
`ml_repos`       Lists of ML repos, as arguments name them.
`lineage`        Assets, and the facets of OpenLineage.
`task_groups`    The tasks, for one's own DAG.
`dags`           The DAG that maps a sync over the ML repos.
`example_dags`   DAG files to copy.

Airflow calls `provider_info` often, so this module imports nothing else.
"""

from typing import Any

CONNECTION_TYPE = "truefoundry"

_INTEGRATION = "TrueFoundry"
_TEXT = {"type": ["string", "null"]}


def provider_info() -> dict[str, Any]:
    """The metadata of the provider, in Airflow's schema."""
    return {
        "package-name": "tfy-etl",
        "name": "TrueFoundry model registry",
        "description": "Copies a TrueFoundry control plane's model registry into a relational database.",
        "integrations": [
            {
                "integration-name": _INTEGRATION,
                "external-doc-url": "https://www.truefoundry.com/docs",
                "tags": ["software"],
            }
        ],
        "operators": [_modules("operators", "list_ml_repos", "sync", "verify")],
        "sensors": [_modules("sensors", "changes")],
        "triggers": [_modules("triggers", "changes")],
        "hooks": [{"integration-name": _INTEGRATION, "python-modules": ["etl.airflow.hook"]}],
        "extra-links": ["etl.airflow.links.ControlPlaneLink"],
        "asset-uris": [{"schemes": ["tfy-etl"], "handler": "etl.airflow.lineage.normalize_asset_uri"}],
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


def _modules(package: str, *names: str) -> dict[str, Any]:
    """The modules of a package of the provider."""
    return {"integration-name": _INTEGRATION, "python-modules": [f"etl.airflow.{package}.{name}" for name in names]}
