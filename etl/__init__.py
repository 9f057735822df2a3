"""Copies a TrueFoundry control plane's model registry into a relational database.

`cli`            Click commands: wiring, exit codes.
`airflow`        The same for Airflow: connection, operators, a DAG.
`settings`       One frozen Settings: names of variables, and defaults.
`environment`    Environment variables read without settings.
`token_file`     Reads the token file.
`durations`      Parses and formats durations.
`enums`          Fixed words: entities, outcomes, statuses.
`errors`         The tree of errors, by what the operator should do next.
`urls`           Checks and completes the URLs in the settings.
`redaction`      Removes secrets from text, however they are encoded.
`run_context`    The id of the current run.
`setting_names`  The names of settings in messages, as the command line or Airflow has them.
`source`         The client of the control plane: HTTP, paging, the proof of completeness.
`records`        Pure: converts JSON to rows.
`changes`        Pure: the wording of changes, in sentences with names.
`models`         SQLAlchemy mappings of every table and view.
`store`          All SQL: lock, staging, reconcile, merge, and the queries of other commands.
`telemetry`      Sends a run's outcome to monitoring: metrics file, OTLP, webhook.
`report`         An HTML page about the registry.
`explore`        The database in a browser, through Datasette.
`export`         Tables and views as files, for a data lake or a warehouse.
`sync`           The run: plan, pages, rows, staging, proof, merge.
`schema_docs`    Schema documentation (Markdown, JSON, Mermaid, dbt) and SQL union views.
`simulator`      A simulated control plane for development, demonstrations and tests.
`hidden_folder`  Explains a failed import from a folder `etl` of the user's own.
"""

from typing import TYPE_CHECKING

from etl import hidden_folder

__version__ = "0.1.0"

hidden_folder.install()

if not TYPE_CHECKING:  # for mypy, a name that is missing here is an error

    def __getattr__(name: str) -> object:
        """Explain `from etl import name`, for which Python ignores the error of the finder."""
        hidden_folder.explain(name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
