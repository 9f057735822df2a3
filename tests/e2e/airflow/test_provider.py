from importlib.metadata import entry_points

from airflow.providers_manager import ProvidersManager
from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime

from etl.airflow import CONNECTION_TYPE, provider_info
from etl.airflow.hook import TrueFoundryHook


def test_airflow_finds_the_provider_and_its_hook() -> None:
    hook = ProvidersManagerTaskRuntime().hooks["truefoundry"]
    assert ProvidersManager().providers["tfy-etl"].data["name"] == "TrueFoundry model registry"
    assert hook is not None
    assert (hook.hook_name, hook.hook_class_name) == ("TrueFoundry", "etl.airflow.hook.TrueFoundryHook")
    assert (hook.connection_id_attribute_name, hook.package_name) == ("truefoundry_conn_id", "tfy-etl")


def test_the_form_has_control_plane_and_token_and_no_unused_field() -> None:
    form = ProvidersManager().field_behaviours["truefoundry"]
    assert form["relabeling"] == {"host": "Control plane", "password": "Token"}
    assert set(form["hidden_fields"]) == {"schema", "login", "port", "extra"}


def test_the_form_has_a_field_for_each_extra() -> None:
    fields = ProvidersManager()._connection_form_widgets_from_metadata
    ours = {each.field_name: each.field for each in fields.values() if each.package_name == "tfy-etl"}
    assert {name: field["schema"]["title"] for name, field in ours.items()} == {
        "api_prefix": "API prefix",
        "ca_bundle": "CA bundle",
        "allow_insecure_http": "Allow plain HTTP",
    }


def test_the_hook_agrees_with_the_provider_info() -> None:
    (connection_type,) = provider_info()["connection-types"]
    assert (connection_type["connection-type"], connection_type["hook-name"]) == (
        TrueFoundryHook.conn_type,
        TrueFoundryHook.hook_name,
    )


def test_the_extra_brings_the_providers_of_the_databases() -> None:
    assert {"postgres", "sqlite", CONNECTION_TYPE} <= set(ProvidersManagerTaskRuntime().hooks)


def test_the_provider_is_found_by_its_entry_point() -> None:
    (entry,) = entry_points(group="apache_airflow_provider", name="provider_info", value="etl.airflow:provider_info")
    assert entry.load()() == provider_info()
