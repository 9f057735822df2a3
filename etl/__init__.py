"""Copies a TrueFoundry control plane's model registry into a relational database.

cli          the command line: commands, options, exit codes
airflow      the integration with Airflow: connection, operators, a DAG
settings     one frozen dataclass of settings; names of environment variables, defaults
errors       all errors, by what the operator should do next
redaction    find secrets in text, in every encoding
run_context  the id of the current run, for log lines
source       the control plane, seen from here: HTTP, paging, the proof of completeness
records    pure: JSON in, rows out
models     SQLAlchemy mappings of every table and view
store      all SQL: staging, merge, tombstones, lock, and what others read
telemetry    reports of runs: metrics file, OpenTelemetry, webhook
report     a page on the registry for people
explore    the database in a browser, by Datasette
export     tables and views as files, for a lake or a warehouse
sync       the run: plan, pages, rows, staging, proof, merge
schema_docs documentation of the schema: Markdown, JSON, Mermaid, dbt
simulator  a control plane to develop, demonstrate and test against
"""

__version__ = "0.1.0"
