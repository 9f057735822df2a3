from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl.changes import (
    NamedChange,
    PlannedChanges,
    as_json,
    deleted_record_names,
    difference,
    name,
    record_lines,
    sentence,
)
from etl.cli.sanitize import redact, sanitize, set_secrets

MODEL = NamedChange(None, None, "models", "m1", "updated", model="fraud-scorer", ml_repo="risk")
VERSION = MODEL._replace(entity="model_versions", id="v1", version=3, fqn="model:acme/risk/fraud-scorer:3")
REPO = NamedChange(None, None, "ml_repos", "1", "updated", ml_repo="risk")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (REPO._replace(kind="deleted"), "ML repo risk: deleted"),
        (MODEL._replace(kind="created"), "fraud-scorer: created"),
        (MODEL._replace(kind="created", versions=1), "fraud-scorer: created, with 1 version"),
        (VERSION._replace(kind="created", tags=("production",)), "fraud-scorer v3: created, with tag production"),
        (VERSION._replace(kind="created", tags=("a b", "c")), 'fraud-scorer v3: created, with tags "a b", c'),
        (
            VERSION._replace(kind="created", tags=tuple("abcde")),
            "fraud-scorer v3: created, with tags a, b, c and 2 more",
        ),
        (MODEL._replace(kind="deleted", versions=5), "fraud-scorer: deleted, with 5 versions"),
        (VERSION._replace(kind="restored"), "fraud-scorer v3: restored"),
        (
            VERSION._replace(kind="tag_added", field="tags", new="production"),
            "fraud-scorer v3: tag production added",
        ),
        (
            VERSION._replace(kind="tag_removed", field="tags", old="needs review"),
            'fraud-scorer v3: tag "needs review" removed',
        ),
    ],
)
def test_a_change_of_a_whole_record_or_tag_is_one_sentence(change: NamedChange, expected: str) -> None:
    assert sentence(change, sanitize) == expected


@pytest.mark.parametrize(
    ("field", "old", "new", "expected"),
    [
        ("description", "Trained on week 2.", "Retrained.", "description changed"),
        ("description", None, "Retrained.", "description added"),
        ("description", "Trained on week 2.", None, "description removed"),
        ("version_alias", None, "champion", "alias set to champion"),
        ("version_alias", "champion", "v2", "alias changed from champion to v2"),
        ("version_alias", "champion", None, "alias champion removed"),
        ("python_version", "3.10", "3.11", "Python changed from 3.10 to 3.11"),
        ("deployable", "false", "true", "can be deployed now"),
        ("deployable", "true", "false", "can no longer be deployed"),
        ("deployable", None, "false", "deployable set to false"),
        ("run_id", "8d1f", "77ab", "training run changed"),
        ("metrics.auc", "0.91", "0.93", "metric auc changed from 0.91 to 0.93"),
        ("metrics.val/auc", None, "0.93", "metric val/auc 0.93 logged"),
        ("metrics.auc", "0.91", None, "metric auc 0.91 removed"),
        ("packages.torch", "torch==2.4.0", "torch==2.6.0", "package torch==2.4.0 changed to torch==2.6.0"),
        ("packages.torch", None, "torch==2.6.0", "package torch==2.6.0 added"),
        ("packages.torch", "torch==2.4.0", None, "package torch==2.4.0 removed"),
        ("metadata.team", "risk", "fraud", "metadata team changed from risk to fraud"),
        ("metadata.a.b", None, "", 'metadata a.b set to ""'),
        ("manifest.framework.model_schema", "{}", None, "manifest framework.model_schema {} removed"),
        ("extra.stage", None, "live now", 'field stage set to "live now"'),
        ("source_uri", "s3://bucket/a", "s3://bucket/b", "source changed from s3://bucket/a to s3://bucket/b"),
        ("description", "a", "b" * 90, "description changed"),
        ("artifact_size_bytes", "7230570507", None, "artifact size 7,230,570,507 bytes removed"),
        ("step", "1", "2" * 90, f"step changed from 1 to {'2' * 39}…"),
    ],
)
def test_a_change_of_a_field_names_the_field_and_its_values(
    field: str, old: str | None, new: str | None, expected: str
) -> None:
    change = VERSION._replace(field=field, old=old, new=new)
    assert sentence(change, sanitize) == f"fraud-scorer v3: {expected}"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (VERSION._replace(kind="tag_removed", field="tags", old="prod"), "tag prod only in v5"),
        (VERSION._replace(kind="tag_added", field="tags", new="staging"), "tag staging only in v8"),
        (VERSION._replace(field="version_alias", old="v5.0"), "alias v5.0 only in v5"),
        (VERSION._replace(field="framework_type", old="pytorch", new="keras"), "framework pytorch in v5, keras in v8"),
        (VERSION._replace(field="artifact_size_bytes", new="1024"), "artifact size 1,024 bytes only in v8"),
        (VERSION._replace(field="metrics.auc", old="0.9", new="0.8"), "metric auc 0.9 in v5, 0.8 in v8"),
        (VERSION._replace(field="packages.torch", old="torch==2", new="torch"), "package torch==2 in v5, torch in v8"),
        (VERSION._replace(field="metadata.team", new="risk"), "metadata team risk only in v8"),
        (VERSION._replace(field="description", old="a"), "description only in v5"),
        (VERSION._replace(field="description", old="a", new="b"), "description differs"),
        (VERSION._replace(field="created_by_id", old="u1", new="u2", old_name="Ada", new_name="Grace"),
         "creator Ada in v5, Grace in v8"),
        (VERSION._replace(field="created_by_id", old="u1", new="u2"), "creator differs"),
    ],
)  # fmt: skip
def test_a_difference_names_the_version_that_has_each_value(change: NamedChange, expected: str) -> None:
    assert difference(change, sanitize, "v5", "v8") == expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (MODEL._replace(field="name", old="scorer", new="fraud-scorer"), "renamed from scorer to fraud-scorer"),
        (
            MODEL._replace(field="ml_repo_id", old="1", new="2", old_name="research", new_name="risk"),
            "moved from ML repo research to risk",
        ),
        (MODEL._replace(field="ml_repo_id", old="1", new="2", new_name="risk"), "ML repo changed"),
        (
            MODEL._replace(field="created_by_id", old="u1", new="u2", old_name="Ada", new_name="Grace"),
            "creator changed from Ada to Grace",
        ),
        (MODEL._replace(field="created_by_id", new="u2", new_name="Grace"), "creator set to Grace"),
        (MODEL._replace(field="created_by_id", new="u2"), "creator added"),
        (MODEL._replace(field="latest_version_id", old="5", new="6"), "latest version changed"),
    ],
)
def test_a_changed_id_is_described_by_names_and_never_by_ids(change: NamedChange, expected: str) -> None:
    assert sentence(change, sanitize) == f"fraud-scorer: {expected}"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (VERSION._replace(shares_name=True), "risk/fraud-scorer v3"),
        (MODEL._replace(shares_name=True), "risk/fraud-scorer"),
        (MODEL._replace(shares_name=True, ml_repo=None), "fraud-scorer"),
        (VERSION._replace(model=None), "acme/risk/fraud-scorer:3"),
        (VERSION._replace(model=None, fqn=None), "v1"),
        (VERSION._replace(version=None), "fraud-scorer, version v1"),
        (MODEL._replace(model=None), "m1"),
        (REPO._replace(ml_repo=None), "ML repo 1"),
        (MODEL._replace(model="x" * 90), f"{'x' * 59}…"),
    ],
)
def test_a_record_is_named_by_the_best_fields_that_exist(change: NamedChange, expected: str) -> None:
    assert name(change, sanitize) == expected


@given(st.builds(NamedChange, *[st.none()] * 2, *[st.text()] * 3, *[st.text() | st.none()] * 4))
def test_a_sentence_is_one_printable_line_of_bounded_length(change: NamedChange) -> None:
    line = sentence(change, sanitize)
    assert line.isprintable()
    assert len(line) < 250


def test_a_secret_is_redacted_before_the_value_is_cut() -> None:
    set_secrets(["s3cret-of-40-characters-or-even-some-more"])
    try:
        change = VERSION._replace(field="source_type", new="x" * 20 + "s3cret-of-40-characters-or-even-some-more")
        assert sentence(change, redact) == f"fraud-scorer v3: source type set to {'x' * 20}***"
    finally:
        set_secrets([])


def test_a_record_has_one_line_with_its_first_three_changes() -> None:
    tags = [VERSION._replace(kind="tag_added", field="tags", new=each) for each in "abcde"]
    planned = PlannedChanges([MODEL._replace(kind="deleted", versions=2), *tags, REPO._replace(kind="created")], 40)
    assert record_lines(planned, sanitize, limit=2) == [
        "fraud-scorer: deleted, with 2 versions",
        "fraud-scorer v3: tag a added, tag b added, tag c added, and 2 more",
        "and 38 more",
    ]


def test_no_line_counts_omitted_records_if_there_are_none() -> None:
    planned = PlannedChanges([REPO._replace(kind="created")], 1)
    assert record_lines(planned, sanitize, limit=10) == ["ML repo risk: created"]
    assert record_lines(PlannedChanges([], 0), sanitize, limit=10) == []


def test_deleted_records_are_named_in_one_line() -> None:
    planned = PlannedChanges([REPO, MODEL._replace(versions=1), MODEL._replace(model="churn", versions=5), VERSION], 6)
    names = "ML repo risk, fraud-scorer with 1 version, churn with 5 versions, fraud-scorer v3"
    assert deleted_record_names(planned, sanitize) == f"{names} and 2 more"
    assert deleted_record_names(planned._replace(records=4), sanitize) == names


def test_json_has_the_values_as_recorded_and_the_sentence() -> None:
    change = MODEL._replace(
        run_id="r1", observed_at=datetime(2026, 1, 2, 3, tzinfo=UTC), field="ml_repo_id", old="1", new="2", new_name="b"
    )
    assert as_json(change, str.upper) == {
        "run_id": "R1",
        "observed_at": "2026-01-02T03:00:00+00:00",
        "entity": "MODELS",
        "id": "M1",
        "name": "FRAUD-SCORER",
        "model": "FRAUD-SCORER",
        "version": None,
        "ml_repo": "RISK",
        "kind": "UPDATED",
        "field": "ML_REPO_ID",
        "old": "1",
        "new": "2",
        "sentence": "FRAUD-SCORER: ML REPO CHANGED",
    }
