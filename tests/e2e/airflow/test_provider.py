import json
from importlib import import_module
from importlib.metadata import entry_points
from importlib.resources import files
from pkgutil import iter_modules

import jsonschema
import pytest
from airflow.providers_manager import ProvidersManager
from airflow.sdk import Asset
from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime

from etl.airflow import CONNECTION_TYPE, provider_info
from etl.airflow.hook import TrueFoundryHook
from etl.airflow.lineage import registry_asset


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
    own_fields = {each.field_name: each.field for each in fields.values() if each.package_name == "tfy-etl"}
    assert {name: field["schema"]["title"] for name, field in own_fields.items()} == {
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


def test_the_extra_installs_the_providers_of_the_databases() -> None:
    assert {"postgres", "sqlite", CONNECTION_TYPE} <= set(ProvidersManagerTaskRuntime().hooks)


def test_the_provider_is_found_by_its_entry_point() -> None:
    (entry,) = entry_points(group="apache_airflow_provider", name="provider_info", value="etl.airflow:provider_info")
    assert entry.load()() == provider_info()


def test_the_provider_info_follows_the_schema_of_airflow() -> None:
    schema = json.loads(files("airflow").joinpath("provider_info.schema.json").read_text(encoding="utf-8"))
    assert provider_info().keys() <= schema["properties"].keys()
    jsonschema.validate(provider_info(), schema)


@pytest.mark.parametrize("kind", ["operators", "sensors", "triggers"])
def test_the_provider_info_lists_every_module(kind: str) -> None:
    (listed,) = provider_info()[kind]
    package = import_module(f"etl.airflow.{kind}")
    assert listed["python-modules"] == [f"{package.__name__}.{each.name}" for each in iter_modules(package.__path__)]
    assert listed["integration-name"] == provider_info()["integrations"][0]["integration-name"]


def test_airflow_finds_the_link_and_the_hook_by_the_provider_info() -> None:
    assert "etl.airflow.links.ControlPlaneLink" in ProvidersManager().extra_links_class_names
    ((hook,),) = (each["python-modules"] for each in provider_info()["hooks"])
    assert hook == TrueFoundryHook.__module__


def test_airflow_knows_the_assets_of_the_tables_and_refuses_others() -> None:
    assert Asset(uri="TFY-ETL://registry_db/models/?a=b").uri == registry_asset("registry_db", "models").uri
    for invalid in ("tfy-etl://registry_db/model", "tfy-etl:///models", "tfy-etl://registry_db"):
        with pytest.raises(ValueError, match="is not the asset of a table"):
            Asset(uri=invalid)
