"""The names of settings in messages of Airflow: fields of connections, and options of operators."""

from contextlib import AbstractContextManager

from etl.airflow import provider_info
from etl.setting_names import use_names

_FIELDS = {"host": "host", "api_key": "password"}


def use_connection_names(conn_id: str, database: str = "the database") -> AbstractContextManager[None]:
    """In messages that are made inside, name the fields of the connection `conn_id`, and `database`."""
    labels = _labels()

    def name_of(setting: str) -> str:
        if setting == "database_url":
            return database
        if setting == "schema":  # part of the connection, so that operators, sensors and triggers read the same tables
            return f"options=-csearch_path=NAME in {database}"
        if label := labels.get(setting):
            return f"the field {label} ({_FIELDS.get(setting, setting)}) of the connection {conn_id!r}"
        return f"the option {setting}"

    return use_names(name_of)


def use_task_names(database_conn_id: str | None, conn_id: str = "truefoundry_default") -> AbstractContextManager[None]:
    """In messages that are made inside, name the connections of a task, or its argument for a database's URL."""
    database = f"the connection {database_conn_id!r}" if database_conn_id else "the argument database_url"
    return use_connection_names(conn_id, database)


def _labels() -> dict[str, str]:
    """The labels of the connection's form, by setting."""
    (form,) = provider_info()["connection-types"]
    relabelled = form["ui-field-behaviour"]["relabeling"]
    extra = {name: field["label"] for name, field in form["conn-fields"].items()}
    return extra | {setting: relabelled[field] for setting, field in _FIELDS.items()}
