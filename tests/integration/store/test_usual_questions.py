"""The rows of each view for a usual question, for a registry whose records are all defined here."""

import math
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table

from etl.models import SyncRun, views
from etl.simulator import Registry
from tests.support.databases import new_database
from tests.support.record_builders import Record, a_manifest, a_metric, a_model, a_subject, a_version, an_ml_repo
from tests.support.sync_env import SyncEnv, sync_env

ADA = a_subject(subjectId="s-ada", subjectDisplayName="Ada")
CI = a_subject(subjectId="s-ci", subjectType="serviceaccount", subjectSlug="ci", subjectDisplayName=None)
LEFT = a_subject(subjectId="s-left", subjectDisplayName="Left")
TEAM = a_subject(subjectId="s-team", subjectType="team", subjectSlug=None, subjectDisplayName=None)
BEYOND_ALL_SIZES = 2**62


def version(id: str, model: str, day: int | None, **fields: Any) -> Record:
    """Return a version with only these fields; those that a version lacks are put into its manifest."""
    top = {
        key: fields.pop(key)
        for key in ("tags", "metrics", "deployable", "created_by_subject", "ml_repo_id")
        if key in fields
    }
    size, python, metadata = fields.pop("size", None), fields.pop("python", None), fields.pop("metadata", {})
    manifest = a_manifest(
        **{"version": None, "version_alias": None, "description": None, "framework": None} | fields,
        metadata={".truefoundry": {"artifact_size": size}} | metadata,
        environment={"python_version": python, "pip_packages": fields.pop("packages", [])},
    )
    manifest.pop("packages", None)
    usual: Record = {"tags": None, "metrics": None, "deployable": None, "created_by_subject": None, "ml_repo_id": "1"}
    created_at = None if day is None else f"2024-01-{day:02}T23:30:00Z"
    return a_version(id=id, model_id=model, fqn=None, created_at=created_at, manifest=manifest, **usual | top)


SKLEARN = {"type": "sklearn"}
BERT = {"type": "transformers", "base_model": "bert"}

VERSIONS = [
    version("v-1", "m-churn", 1, version=1, description="a tree", framework=SKLEARN, size=100, python="3.9.18",
            packages=["NumPy==1.26", "not one!"], tags=["prod", "x"], deployable=True, created_by_subject=ADA,
            metadata={"team": "risk", "pii": True, "tier": 2, "score": 0.5, "none": None, "odd": math.nan,
                      "big": -1e300, "list": [1], "␛\0": "␛\0"},
            metrics=[a_metric(key="auc", value=0.9), a_metric(key="auc", value=0.1, step=0)]),
    version("v-2", "m-churn", 2, version=2, framework=SKLEARN, size=200, python="3.11", packages=["numpy"],
            tags=["Prod", "env:PROD", "reproduce", "prod:1"], deployable=False, created_by_subject=ADA,
            metrics=[a_metric(key="auc", value=0.8), a_metric(key="loss", value=math.nan)]),
    version("v-3", "m-churn", 2, version=3, framework=BERT, description=" \n\t", python="python3.12",
            version_alias="v3-prod", created_by_subject=CI,
            metrics=[a_metric(key="auc", value=0), a_metric(key="loss", value=2), a_metric(key="up", value=1e308)]),
    version("v-5", "m-churn", 3, version=5, framework=BERT, version_alias="v5-pre-prod", created_by_subject=CI,
            python="", size=-1,
            metrics=[a_metric(key="auc", value=0.5), a_metric(key="up", value=-1e308),
                     a_metric(key="loss", value=None)]),
    version("v-none", "m-fraud", None, framework=BERT, size=BEYOND_ALL_SIZES, ml_repo_id=None,
            description="A good one.", tags=["stage=Production"], deployable=True, python="3.12.1",
            metrics=[a_metric(key="auc", value=0.9)]),
    version("v-of-gone", "m-gone", 1, version=1, tags=["prod"], size=7, metrics=[a_metric(key="auc", value=5)]),
]  # fmt: skip
MODELS = [
    a_model(id="m-churn", ml_repo_id="1", name="churn", created_by_subject=ADA, latest_version=VERSIONS[3],
            created_at="2024-01-01T23:30:00Z"),
    a_model(id="m-fraud", ml_repo_id="1", name="fraud", created_by_subject=TEAM, latest_version=VERSIONS[4],
            created_at="2024-01-02T00:30:00+01:00"),
    a_model(id="m-empty", ml_repo_id="1", name="empty", created_by_subject=None, latest_version=None, created_at=None),
    a_model(id="m-lost", ml_repo_id=None, name=None, created_by_subject=ADA, latest_version=None,
            created_at="2024-01-04T00:00:00Z"),
    a_model(id="m-gone", ml_repo_id="1", name="gone", latest_version=VERSIONS[5], created_by_subject=LEFT),
]  # fmt: skip
REPOS = [
    an_ml_repo(id="1", manifest={"name": "risk"}),
    an_ml_repo(id="2", manifest={"name": "idle"}),
]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SyncEnv]:
    """The registry above, in a database of each kind; m-gone is deleted between the two runs."""
    registry = Registry()
    for entity, records in (("ml-repos", REPOS), ("models", MODELS), ("model-versions", VERSIONS)):
        for record in records:
            registry.put_raw(entity, record["id"], record)
    for url in _urls(request, tmp_path_factory.mktemp("known")):
        with sync_env(url, registry) as env:
            assert env.sync().status == "succeeded"
            registry.delete_model("m-gone")
            env.sync(allow_mass_delete=True)
            yield env


def _urls(request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{shutil.copy(request.getfixturevalue('migrated_file'), folder / 'registry.db')}"
        return
    template = request.getfixturevalue("migrated_template")
    with new_database(request.getfixturevalue("postgres_url"), template=template) as url:
        yield url


def rows_of(env: SyncEnv, view: Table, *names: str) -> list[tuple[Any, ...]]:
    """Return the rows of a view, with all columns or these, in the same order for each database."""
    rows = [tuple(row[name] for name in names or view.columns.keys()) for row in env.rows(view)]
    return sorted(rows, key=lambda row: [(cell is not None, str(cell)) for cell in row])


def at(day: int) -> datetime:
    return datetime(2024, 1, day, 23, 30, tzinfo=UTC)


def test_inventory_counts_each_version_once_and_shows_empty_models(filled: SyncEnv) -> None:
    assert rows_of(filled, views.inventory) == [
        (None, None, "Ada", None, 1, 0, 0, 0),
        ("1", "risk", None, None, 1, 0, 0, 0),
        ("1", "risk", "Ada", "sklearn", 1, 2, 300, 0),
        ("1", "risk", "Ada", "transformers", 1, 2, None, 2),
        ("1", "risk", "s-team", "transformers", 1, 1, None, 1),
    ]


def test_production_versions_show_their_tag_or_alias_and_their_start(filled: SyncEnv) -> None:
    names = ("tag", "model_version_id", "model_name", "ml_repo_name", "version", "version_alias", "created_by",
             "python_version", "base_model", "deployable", "created_at", "since_is_exact")  # fmt: skip

    assert rows_of(filled, views.production_versions, *names) == [
        ("Prod", "v-2", "churn", "risk", 2, None, "Ada", "3.11", None, False, at(2), False),
        ("env:PROD", "v-2", "churn", "risk", 2, None, "Ada", "3.11", None, False, at(2), False),
        ("prod", "v-1", "churn", "risk", 1, None, "Ada", "3.9.18", None, True, at(1), False),
        ("stage=Production", "v-none", "fraud", "risk", None, None, None, "3.12.1", "bert", True, None, False),
        ("v3-prod", "v-3", "churn", "risk", 3, "v3-prod", "ci", "python3.12", "bert", None, at(2), False),
    ]
    first = min(row["started_at"] for row in filled.rows(SyncRun))
    assert {row["since_at"] for row in filled.rows(views.production_versions)} == {first}


def test_undocumented_models_lack_description_creator_or_tags_and_blanks_are_no_description(filled: SyncEnv) -> None:
    names = ("model_id", "created_by", "has_description", "has_creator", "has_tags", "is_empty")

    assert rows_of(filled, views.undocumented_models, *names) == [
        ("m-churn", "Ada", False, True, True, False),
        ("m-empty", None, False, False, False, True),
        ("m-lost", "Ada", False, True, False, True),
    ]


def test_model_activity_has_all_models_with_their_days(filled: SyncEnv) -> None:
    rows = {row["model_id"]: row for row in filled.rows(views.model_activity)}
    first_seen = min(row["started_at"] for row in filled.rows(SyncRun))

    assert {each: (row["version_count"], row["last_version_at"]) for each, row in rows.items()} == {
        "m-churn": (4, at(3)), "m-fraud": (1, first_seen), "m-empty": (0, None), "m-lost": (0, None),
    }  # fmt: skip
    days = (datetime.now(UTC) - at(3)).days
    assert rows["m-churn"]["days_since_last_version"] in {days - 1, days}
    assert rows["m-fraud"]["days_since_last_version"] == 0
    assert rows["m-empty"]["days_since_last_version"] is None
    assert rows["m-empty"]["days_since_last_activity"] == 0


def test_stale_models_are_old_ones_without_a_new_version(filled: SyncEnv) -> None:
    assert {row["model_id"] for row in filled.rows(views.stale_models)} == {"m-churn", "m-lost"}


def test_deployability_counts_models_by_their_latest_version(filled: SyncEnv) -> None:
    assert rows_of(filled, views.deployability) == [
        ("1", "risk", None, 1, 2), ("1", "risk", False, 0, 1), ("1", "risk", True, 1, 2),
    ]  # fmt: skip


def test_base_models_are_counted_by_model_and_version(filled: SyncEnv) -> None:
    assert rows_of(filled, views.base_model_usage) == [("bert", 2, 3)]


def test_python_versions_are_shown_as_written_and_by_their_first_two_numbers(filled: SyncEnv) -> None:
    assert rows_of(filled, views.python_usage) == [
        ("3.11", "3.11", 1, 1), ("3.12.1", "3.12", 1, 1), ("3.9.18", "3.9", 1, 1), ("python3.12", None, 1, 1),
    ]  # fmt: skip


def test_package_usage_includes_requirements_that_do_not_parse(filled: SyncEnv) -> None:
    assert rows_of(filled, views.package_usage) == [
        (None, None, None, False, "v-1", "m-churn", "churn", "risk", 1, False, "not one!"),
        ("numpy", "", None, False, "v-2", "m-churn", "churn", "risk", 2, False, "numpy"),
        ("numpy", "==1.26", "1.26", True, "v-1", "m-churn", "churn", "risk", 1, False, "NumPy==1.26"),
    ]


def test_leaderboard_ranks_last_finite_values_both_ways_and_equal_ones_equally(filled: SyncEnv) -> None:
    names = ("key", "position", "rank_ascending", "model_version_id", "version", "value")

    assert rows_of(filled, views.metric_leaderboard, *names) == [
        ("auc", 1, 4, "v-1", 1, 0.9),
        ("auc", 1, 4, "v-none", None, 0.9),
        ("auc", 3, 3, "v-2", 2, 0.8),
        ("auc", 4, 2, "v-5", 5, 0.5),
        ("auc", 5, 1, "v-3", 3, 0.0),
        ("loss", 1, 1, "v-3", 3, 2.0),
        ("up", 1, 2, "v-3", 3, 1e308),
        ("up", 2, 1, "v-5", 5, -1e308),
    ]


def test_metric_changes_compare_each_version_with_the_previous_one_that_has_the_metric(filled: SyncEnv) -> None:
    names = ("model_name", "key", "from_version", "to_version", "from_value", "to_value")

    assert rows_of(filled, views.metric_changes, *names) == [
        ("churn", "auc", 1, 2, 0.9, 0.8),
        ("churn", "auc", 2, 3, 0.8, 0.0),
        ("churn", "auc", 3, 5, 0.0, 0.5),
        ("churn", "up", 3, 5, 1e308, -1e308),
    ]


def test_change_of_a_metric_is_null_if_a_double_cannot_hold_it(filled: SyncEnv) -> None:
    rows = {(row["key"], row["from_version"]): row for row in filled.rows(views.metric_changes)}

    assert rows["auc", 1]["change"] == pytest.approx(-0.1)
    assert rows["auc", 1]["relative_change"] == pytest.approx(-1 / 9)
    assert (rows["auc", 3]["change"], rows["auc", 3]["relative_change"]) == (0.5, None)
    assert (rows["up", 3]["change"], rows["up", 3]["relative_change"]) == (None, None)


def test_improvement_is_known_if_the_direction_is_and_is_scaled_by_the_largest_value(
    filled: SyncEnv,
) -> None:
    rows = {(row["key"], row["from_version"]): row for row in filled.rows(views.metric_changes)}

    assert {each: (row["better"], row["is_improvement"]) for each, row in rows.items()} == {
        ("auc", 1): ("higher", False), ("auc", 2): ("higher", False), ("auc", 3): ("higher", True),
        ("up", 3): (None, None),
    }  # fmt: skip
    assert rows["auc", 2]["scaled_change"] == pytest.approx(-0.8 / 0.9)
    assert rows["auc", 3]["scaled_change"] == pytest.approx(0.5 / 0.9)  # its relative change would be infinite
    assert rows["up", 3]["scaled_change"] is None


def test_metadata_has_a_row_for_each_key_of_a_version(filled: SyncEnv) -> None:
    view = views.version_metadata
    rows = filled.rows(view, view.c.model_version_id == "v-1")
    values = {row["key"]: row["value"] for row in rows}
    number = values.pop("big")

    assert float(number) == -1e300
    assert values.pop(".truefoundry").replace(" ", "") == '{"artifact_size":100}'
    assert values == {
        "team": "risk", "pii": "true", "tier": "2", "score": "0.5", "none": None, "odd": "NaN", "list": "[1]",
        "␛\0": "␛\0",
    }  # fmt: skip
    assert {(row["model_name"], row["ml_repo_name"], row["version"], row["is_latest"]) for row in rows} == {
        ("churn", "risk", 1, False)
    }
    assert "v-of-gone" not in {row["model_version_id"] for row in filled.rows(view)}


def test_best_version_of_a_model_is_known_if_the_direction_is(filled: SyncEnv) -> None:
    names = ("model_name", "key", "version", "position", "rank_ascending", "is_best")

    assert rows_of(filled, views.model_leaderboard, *names) == [
        ("churn", "auc", 1, 1, 4, True),
        ("churn", "auc", 2, 2, 3, False),
        ("churn", "auc", 3, 4, 1, False),
        ("churn", "auc", 5, 3, 2, False),
        ("churn", "loss", 3, 1, 1, True),
        ("churn", "up", 3, 1, 2, None),
        ("churn", "up", 5, 2, 1, None),
        ("fraud", "auc", None, 1, 1, True),
    ]


def test_storage_by_month_counts_deleted_versions_until_their_deletion(filled: SyncEnv) -> None:
    this_month = max(row["started_at"] for row in filled.rows(SyncRun)).strftime("%Y-%m")
    names = ("month", "ml_repo_name", "versions_added", "versions_removed", "versions", "versions_without_size",
             "bytes_added", "bytes_removed", "artifact_size_bytes")  # fmt: skip

    assert rows_of(filled, views.storage_by_month, *names) == [
        ("2024-01", "risk", 5, 0, 5, 2, 307, 0, 307),
        (this_month, "risk", 1, 1, 5, 3, None, 7, 300),
    ]


def test_storage_shows_every_ml_repo_and_counts_no_impossible_size(filled: SyncEnv) -> None:
    assert rows_of(filled, views.storage_by_ml_repo) == [
        (None, None, 1, 0, 0, 0), ("1", "risk", 3, 5, 3, 300), ("2", "idle", 0, 0, 0, 0),
    ]  # fmt: skip


def test_authors_are_people_or_accounts_or_have_the_type_of_the_source(filled: SyncEnv) -> None:
    assert rows_of(filled, views.authorship) == [
        ("person", "s-ada", "Ada", 2, 2, 2, datetime(2024, 1, 4, tzinfo=UTC)),
        ("service account", "s-ci", "ci", 0, 2, 1, at(3)),
        ("team", "s-team", "s-team", 1, 0, 0, at(1)),
        ("unknown", None, None, 1, 1, 1, None),
    ]


def test_former_authors_created_only_deleted_records(filled: SyncEnv) -> None:
    second = max(row["started_at"] for row in filled.rows(SyncRun))

    assert rows_of(filled, views.former_authors) == [
        ("person", "s-left", "Left", 1, 0, datetime(2024, 5, 1, 10, tzinfo=UTC), second)
    ]


def test_growth_counts_by_the_day_in_utc(filled: SyncEnv) -> None:
    assert rows_of(filled, views.growth) == [
        ("2024-01-01", "1", "risk", 2, 1),
        ("2024-01-02", "1", "risk", 0, 2),
        ("2024-01-03", "1", "risk", 0, 1),
        ("2024-01-04", None, None, 1, 0),
    ]


def test_version_coverage_counts_numbers_that_were_never_stored(filled: SyncEnv) -> None:
    assert rows_of(filled, views.version_coverage) == [
        ("m-churn", "churn", "risk", 5, 4, 1),
        ("m-empty", "empty", "risk", None, 0, 0),
        ("m-fraud", "fraud", "risk", None, 1, 0),
        ("m-lost", None, None, None, 0, 0),
    ]


def test_only_views_of_history_show_deleted_records(filled: SyncEnv) -> None:
    shown = {
        view.name
        for view in views.metadata.tables.values()
        for row in filled.rows(view)
        if {"m-gone", "v-of-gone", "gone"} & {str(cell) for cell in row.values()}
    }

    assert shown == {"tag_history", "production_label_history", "production_history", "model_timeline"}


@pytest.mark.parametrize("view", views.metadata.tables.values(), ids=lambda view: view.name)
def test_every_view_gives_values_of_the_types_that_its_mapping_names(filled: SyncEnv, view: Table) -> None:
    for row in filled.rows(view):
        for column in view.columns:
            value = row[column.name]
            kind = getattr(column.type, "impl_instance", column.type).python_type
            assert value is None or type(value) is kind, column
