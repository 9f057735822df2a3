"""Copies a TrueFoundry control plane's model registry into a relational database.

cli        click commands: wiring, exit codes
airflow    the same for Airflow: connection, operators, a DAG
settings   one frozen Settings; names of variables and defaults
errors     the tree of errors, by what the operator should do next
secrecy    what must not show, in every spelling
current    which run the code is at work for
source     the control plane, seen from here: HTTP, paging, the proof of completeness
records    pure: JSON in, rows out
models     SQLAlchemy mappings of every table and view
store      all SQL: staging, merge, tombstones, lock, and what others read
telemetry  what a run tells to those who watch over it
report     a page on the registry for people
explore    the database in a browser, by Datasette
export     tables and views as files, for a lake or a warehouse
sync       the run: plan, pages, rows, staging, proof, merge
schema_docs documentation of the schema: Markdown, JSON, Mermaid, dbt
simulator  a control plane to develop, demonstrate and test against
"""

__version__ = "0.1.0"
