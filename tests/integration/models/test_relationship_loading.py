import os
import subprocess
import sys

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import Session, defer, joinedload, load_only, raiseload, selectinload

from etl.models import (
    MlRepo,
    Model,
    ModelVersion,
    ModelVersionMetric,
)
from tests.integration.models.builders import store_many
from tests.support.sync_env import TOKEN, sync_env

EAGER = (
    joinedload(Model.ml_repo).raiseload("*"),
    joinedload(Model.latest_version).options(
        load_only(ModelVersion.version, raiseload=True), selectinload(ModelVersion.tags)
    ),
    selectinload(Model.versions).options(
        defer(ModelVersion.manifest, raiseload=True),
        selectinload(ModelVersion.metrics.and_(ModelVersionMetric.key == "k1")),
    ),
    raiseload("*"),
)


@pytest.mark.parametrize("models", [1, 40])
def test_eager_query_takes_four_statements_for_any_number_of_models(
    engine: Engine, session: Session, statements: list[str], models: int
) -> None:
    store_many(engine, models)
    statements.clear()

    found = session.scalars(select(Model).order_by(Model.id).options(*EAGER)).all()
    for model in found:
        assert model.ml_repo is not None
        assert model.ml_repo.name == "risk"
        assert model.latest_version is not None
        assert [tag.tag for tag in model.latest_version.tags] == ["t0", "t1", "t2"]
        assert [[each.value for each in version.metrics] for version in model.versions] == [[1.0], [1.0]]
    assert len(statements) == 4  # models with repo and latest version; tags; versions; metrics
    assert len(found) == len(set(found)) == models


def test_eager_query_multiplies_no_rows(engine: Engine, session: Session) -> None:
    store_many(engine, 5)

    rows: list[int] = []
    with engine.connect() as connection:
        rows.append(len(connection.execute(select(Model).options(*EAGER)).all()))
        rows.append(len(connection.execute(select(Model).options(joinedload(Model.versions))).all()))
    assert rows == [5, 10]  # joinedload of a list repeats its parent, selectinload does not


@pytest.mark.parametrize(("models", "expected"), [(500, 2), (501, 3)])
def test_a_list_takes_another_statement_for_each_500_parents(
    engine: Engine, session: Session, statements: list[str], models: int, expected: int
) -> None:
    store_many(engine, models, versions=1, lists=1)
    statements.clear()

    session.scalars(select(Model).options(selectinload(Model.versions))).all()
    assert len(statements) == expected


def test_back_reference_runs_no_statement(engine: Engine, session: Session, statements: list[str]) -> None:
    store_many(engine, 3)
    options = selectinload(MlRepo.models).selectinload(Model.versions).selectinload(ModelVersion.tags)
    repo = session.scalars(select(MlRepo).options(options, raiseload("*", sql_only=True))).one()
    statements.clear()

    tags = [tag for model in repo.models for version in model.versions for tag in version.tags]
    models = [tag.model_version.model for tag in tags]
    assert {model and model.ml_repo for model in models} == {repo}
    assert statements == []


def test_raiseload_rejects_relationships_not_in_the_query(engine: Engine, session: Session) -> None:
    store_many(engine, 1)

    model = session.scalars(select(Model).options(*EAGER)).one()
    with pytest.raises(InvalidRequestError, match=r"Model\.run_steps"):
        _ = model.run_steps
    with pytest.raises(InvalidRequestError, match=r"ModelVersion\.packages"):
        _ = model.versions[0].packages
    with pytest.raises(InvalidRequestError, match=r"ModelVersion\.manifest"):
        _ = model.versions[0].manifest


def test_load_only_leaves_out_large_columns(engine: Engine, session: Session, statements: list[str]) -> None:
    store_many(engine, 2)
    statements.clear()

    whole = session.scalars(select(ModelVersion)).all()
    assert [version.manifest["text"] for version in whole if version.manifest] == ["a\x00b"] * 4
    assert len(statements) == 1
    session.expunge_all()
    (narrow, *_) = session.scalars(select(ModelVersion).options(load_only(ModelVersion.version)))
    assert all(f"model_versions.{name}" not in statements[-1] for name in ("manifest", "extra", "usage_code_snippet"))
    assert narrow.manifest
    assert len(statements) == 3


def test_a_sync_configures_no_mapper(migrated_url: str) -> None:
    code = (
        "import sys\n"
        "from sqlalchemy import event\n"
        "from sqlalchemy.orm import Mapper, configure_mappers\n"
        "event.listen(Mapper, 'before_configured', lambda: print('configured', file=sys.stderr))\n"
        "from etl.cli import main\n"
        "try:\n"
        "    main()\n"
        "finally:\n"
        "    print('synced', file=sys.stderr)\n"
        "    configure_mappers()\n"
    )
    with sync_env(migrated_url) as env:
        environment = {"TFY_HOST": env.plane.url, "TFY_API_KEY": TOKEN, "TFY_ETL_DATABASE_URL": migrated_url}
        for _ in range(2):  # the first load, and a run without changes
            process = subprocess.run(
                [sys.executable, "-c", code, "--log-level", "error", "sync", "--no-progress"],
                env=os.environ | environment,
                capture_output=True,
                text=True,
                check=True,
            )
            assert process.stderr.split() == ["synced", "configured"]
            assert "Up to date: " in process.stdout
