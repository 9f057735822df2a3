"""A Singer tap for the registry, written by the guide of singer-sdk.

    python -m bench.peers.singer_tap --config FILE [--state FILE]

It has a stream for each endpoint. Objects and lists are not flattened, and become JSONB in PostgreSQL. The API cannot
filter by `updated_at`, so the tap drops records that are older than its bookmark itself. It writes messages with
msgspec, the faster of the two writers of singer-sdk.
"""

from typing import Any

from requests import Response
from singer_sdk import RESTStream, Tap
from singer_sdk import typing as th
from singer_sdk.authenticators import BearerTokenAuthenticator
from singer_sdk.contrib.msgspec import MsgSpecWriter
from singer_sdk.pagination import OffsetPaginator

PAGE_SIZE = 1000

_ANY_OBJECT = th.CustomType({"type": ["object", "null"]})
_SUBJECT = th.Property("created_by_subject", _ANY_OBJECT)
_TIMES = (th.Property("created_at", th.DateTimeType), th.Property("updated_at", th.DateTimeType))
_METRIC = th.ObjectType(
    th.Property("key", th.StringType),
    th.Property("value", th.NumberType),
    th.Property("timestamp", th.IntegerType),
    th.Property("step", th.NumberType),
)


class TotalPaginator(OffsetPaginator):
    """Requests pages until it has read the total."""

    def has_more(self, response: Response) -> bool:
        """Return whether the list has further records."""
        total = response.json()["pagination"]["total"]
        return bool(self.current_value + self.page_size < total)


class RegistryStream(RESTStream[int]):
    """A list of the registry."""

    records_jsonpath = "$.data[*]"
    primary_keys = ("id",)

    @property
    def url_base(self) -> str:
        """The base URL of the API."""
        return f"{self.config['host']}/api/ml/v1"

    @property
    def authenticator(self) -> BearerTokenAuthenticator:
        """The token, as a header."""
        return BearerTokenAuthenticator(token=self.config["token"])

    def get_new_paginator(self) -> TotalPaginator:
        """Return a paginator by offset."""
        return TotalPaginator(start_value=0, page_size=PAGE_SIZE)

    def get_url_params(self, context: Any, next_page_token: int | None) -> dict[str, Any]:  # noqa: ARG002 the SDK's signature
        """Return offset and limit of a page."""
        return {"offset": next_page_token or 0, "limit": PAGE_SIZE}

    def post_process(self, row: dict[str, Any], context: Any = None) -> dict[str, Any] | None:
        """Return the record, or None if it is older than the bookmark."""
        bookmark = self.get_starting_replication_key_value(context) if self.replication_key else None
        return None if bookmark and row[self.replication_key] < bookmark else row


class MlReposStream(RegistryStream):
    """ML repos: they have no `updated_at`."""

    name = "ml_repos"
    path = "/ml-repos"
    schema = th.PropertiesList(
        th.Property("id", th.StringType, required=True),
        th.Property("tenant_name", th.StringType),
        th.Property("account_id", th.StringType),
        th.Property("manifest", _ANY_OBJECT),
        _SUBJECT,
        th.Property("created_at", th.DateTimeType),
        th.Property("num_runs", th.IntegerType),
        th.Property("datasets_count", th.IntegerType),
    ).to_dict()


class ModelsStream(RegistryStream):
    """Models, with the id of their latest version only."""

    name = "models"
    path = "/models"
    replication_key = "updated_at"
    schema = th.PropertiesList(
        th.Property("id", th.StringType, required=True),
        *(th.Property(name, th.StringType) for name in ("ml_repo_id", "type", "name", "fqn", "latest_version_id")),
        _SUBJECT,
        *_TIMES,
        th.Property("run_steps", th.ArrayType(th.NumberType)),
    ).to_dict()

    def post_process(self, row: dict[str, Any], context: Any = None) -> dict[str, Any] | None:
        """Replace the latest version of a model by its id."""
        latest = row.pop("latest_version", None)
        row["latest_version_id"] = latest and latest["id"]
        return super().post_process(row, context)


class ModelVersionsStream(RegistryStream):
    """Model versions."""

    name = "model_versions"
    path = "/model-versions"
    replication_key = "updated_at"
    schema = th.PropertiesList(
        th.Property("id", th.StringType, required=True),
        *(th.Property(name, th.StringType) for name in ("fqn", "model_id", "ml_repo_id", "usage_code_snippet")),
        _SUBJECT,
        *_TIMES,
        th.Property("manifest", _ANY_OBJECT),
        th.Property("tags", th.ArrayType(th.StringType)),
        th.Property("metrics", th.ArrayType(_METRIC)),
        th.Property("deployable", th.BooleanType),
    ).to_dict()


class TapRegistry(Tap):
    """The tap."""

    name = "tap-registry"
    message_writer_class = MsgSpecWriter
    config_jsonschema = th.PropertiesList(
        th.Property("host", th.StringType, required=True),
        th.Property("token", th.StringType, required=True, secret=True),
    ).to_dict()

    def discover_streams(self) -> list[RegistryStream]:
        """Return the streams of the three lists."""
        return [MlReposStream(self), ModelsStream(self), ModelVersionsStream(self)]


if __name__ == "__main__":
    TapRegistry.cli()
