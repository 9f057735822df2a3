from datetime import UTC, datetime

from etl.enums import Entity
from etl.records import MlRepoRow, derived_ml_repo, identify, to_rows
from etl.source.responses import LongInteger
from tests.support.rebuild_records import rebuild
from tests.support.record_builders import an_ml_repo


def test_ml_repo_becomes_its_row_and_its_creators() -> None:
    identified = identify(Entity.ML_REPOS, an_ml_repo())
    rows = to_rows(identified)
    assert rows["ml_repos"] == [
        MlRepoRow(
            id="12",
            tenant_name="acme",
            name="churn",
            description="who leaves",
            storage_integration_fqn="acme:s3",
            created_by_id="user-1",
            created_at=datetime(2024, 5, 1, 10, tzinfo=UTC),
            is_derived=False,
            extra={
                "manifest": {"collaborators": [{"subject": "team:ml", "role_id": "admin"}]},
                "account_id": "a-1",
                "num_runs": 7,
            },
            content_hash=identified.content_hash,
        )
    ]
    assert rows["subjects"] == [("user-1", "user", "ada@example.com", "Ada", None, None)]


def test_empty_odd_and_absent_manifests_stay_distinct() -> None:
    for manifest in ({}, {"name": 5}, {"name": "churn"}, {"name": "churn", "owner": "ada"}, ["odd"], None):
        record = {"id": "12", "tenant_name": "acme"} | ({} if manifest is None else {"manifest": manifest})
        assert rebuild(Entity.ML_REPOS, to_rows(identify(Entity.ML_REPOS, record))) == record


def test_number_of_too_many_digits_names_no_derived_ml_repo() -> None:
    latest = {"manifest": {"ml_repo": LongInteger("9" * 5000)}}
    assert derived_ml_repo({"ml_repo_id": "1", "fqn": "odd", "latest_version": latest}) == {"id": "1"}
