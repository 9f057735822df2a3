import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, assert_type

import pytest
from sqlalchemy import Engine, create_engine, event, insert, inspect, select
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import Session, defer, joinedload, load_only, raiseload, selectinload

from etl.models import (
    Base,
    MlRepo,
    Model,
    ModelRunStep,
    ModelVersion,
    ModelVersionMetric,
    ModelVersionPackage,
    ModelVersionTag,
    Subject,
)
from tests.support.sync_env import TOKEN, sync_env

NOW = datetime(2024, 1, 1, tzinfo=UTC)
SYNCED: dict[str, Any] = {"content_hash": "", "first_seen_at": NOW, "last_changed_at": NOW}
MANIFEST = {"text": "a\x00b", "loss": math.nan, "bound": -math.inf, "large": 1e23}


@pytest.fixture
def engine(migrated_url: str) -> Iterator[Engine]:
    """What a reader opens: an engine without any setting of this project."""
    engine = create_engine(migrated_url)
    yield engine
    engine.dispose()


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    with Session(engine) as session:
        yield session


@pytest.fixture
def statements(engine: Engine) -> list[str]:
    """Every statement that the engine has run since."""
    seen: list[str] = []

    @event.listens_for(engine, "before_cursor_execute")
    def _note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    return seen


def store(engine: Engine, of: type[Base], *rows: dict[str, Any]) -> None:
    """Insert rows as the sync does: by a Core statement, each row with the values that it needs."""
    synced = SYNCED if "content_hash" in Base.metadata.tables[of.__tablename__].c else {}
    with engine.begin() as connection:
        for row in rows:
            connection.execute(insert(Base.metadata.tables[of.__tablename__]), synced | row)


def fill(engine: Engine) -> None:
    """One repo, two models, three versions, and a list of each kind, none in its own order."""
    store(engine, Subject, {"id": "ada", "display_name": "Ada\x00"})
    store(engine, MlRepo, {"id": "1", "name": "risk", "created_by_id": "ada", "is_derived": False})
    store(
        engine,
        Model,
        {"id": "m2", "name": "zebra", "ml_repo_id": "1"},
        {"id": "m1", "name": "ant", "ml_repo_id": "1", "created_by_id": "ada", "latest_version_id": "v2"},
    )
    store(
        engine,
        ModelVersion,
        {"id": "v2", "model_id": "m1", "version": 2, "created_by_id": "ada", "manifest": MANIFEST},
        {"id": "v1", "model_id": "m1", "version": 1, "description": "a\x00b\u241b", "extra": {"n": [math.nan]}},
        {"id": "v0", "model_id": "m1", "version": None},
    )
    lists: tuple[tuple[type[Base], str, Sequence[Any]], ...] = (
        (ModelVersionTag, "tag", ("prod", "eu")),
        (ModelVersionMetric, "key", ("auc", "loss")),
        (ModelVersionPackage, "requirement", ("torch", "numpy")),
    )
    for of, column, values in lists:
        rows = [{"model_version_id": "v2", "position": place, column: value} for place, value in enumerate(values)]
        store(engine, of, *reversed(rows))
    store(engine, ModelRunStep, *({"model_id": "m1", "position": place, "step": 10 - place} for place in (1, 0)))


def many(engine: Engine, models: int, versions: int = 2, lists: int = 3) -> None:
    """Models with versions, each with that many tags and metrics."""
    model_ids = [f"m{number:04}" for number in range(models)]
    version_ids = [(model, number, f"{model}-{number}") for model in model_ids for number in range(versions)]
    places = [(version, place) for _, _, version in version_ids for place in range(lists)]
    rows: dict[str, list[dict[str, Any]]] = {
        "ml_repos": [SYNCED | {"id": "1", "name": "risk", "is_derived": False}],
        "models": [
            SYNCED | {"id": model, "name": model, "ml_repo_id": "1", "latest_version_id": f"{model}-{versions - 1}"}
            for model in model_ids
        ],
        "model_versions": [
            SYNCED | {"id": version, "model_id": model, "version": number, "manifest": MANIFEST}
            for model, number, version in version_ids
        ],
        "model_version_tags": [
            {"model_version_id": version, "position": place, "tag": f"t{place}"} for version, place in places
        ],
        "model_version_metrics": [
            {"model_version_id": version, "position": place, "key": f"k{place}", "value": place}
            for version, place in places
        ],
    }
    with engine.begin() as connection:
        for table, of_table in rows.items():
            connection.execute(insert(Base.metadata.tables[table]), of_table)


def test_a_repo_gives_its_models_by_name_and_a_model_its_repo(engine: Engine, session: Session) -> None:
    fill(engine)
    store(engine, Model, {"id": "m3", "name": None, "ml_repo_id": "1"}, {"id": "m0", "name": "ant", "ml_repo_id": "1"})

    repo = session.get_one(MlRepo, "1")
    assert_type(repo.models, list[Model])
    assert [model.id for model in repo.models] == ["m0", "m1", "m2", "m3"]
    assert_type(repo.models[0].ml_repo, MlRepo | None)
    assert {model.ml_repo for model in repo.models} == {repo}


def test_a_model_gives_its_versions_by_number_then_id_and_a_version_its_model(engine: Engine, session: Session) -> None:
    fill(engine)
    store(engine, ModelVersion, {"id": "v3", "model_id": "m1", "version": 1}, {"id": "v9", "model_id": "m2"})

    model = session.get_one(Model, "m1")
    assert_type(model.versions, list[ModelVersion])
    assert [version.id for version in model.versions] == ["v0", "v1", "v3", "v2"]
    assert_type(model.versions[0].model, Model | None)
    assert {version.model for version in model.versions} == {model}


def test_a_model_gives_its_latest_version_and_its_run_steps_in_order(engine: Engine, session: Session) -> None:
    fill(engine)

    model = session.get_one(Model, "m1")
    assert_type(model.latest_version, ModelVersion | None)
    assert model.latest_version is model.versions[-1]
    assert_type(model.run_steps, list[ModelRunStep])
    assert [step.step for step in model.run_steps] == [10, 9]
    assert_type(model.run_steps[0].model, Model)
    assert {step.model for step in model.run_steps} == {model}


def test_a_version_gives_its_lists_in_the_order_of_the_source_and_each_row_its_version(
    engine: Engine, session: Session
) -> None:
    fill(engine)

    version = session.get_one(ModelVersion, "v2")
    assert_type(version.tags, list[ModelVersionTag])
    assert_type(version.metrics, list[ModelVersionMetric])
    assert_type(version.packages, list[ModelVersionPackage])
    assert [tag.tag for tag in version.tags] == ["prod", "eu"]
    assert [metric.key for metric in version.metrics] == ["auc", "loss"]
    assert [package.requirement for package in version.packages] == ["torch", "numpy"]
    assert_type(version.tags[0].model_version, ModelVersion)
    rows: list[ModelVersionTag | ModelVersionMetric | ModelVersionPackage]
    rows = [*version.tags, *version.metrics, *version.packages]
    for row in rows:
        assert row.model_version is version
    assert session.get_one(ModelVersion, "v1").tags == []


def test_repos_models_and_versions_give_who_created_them(engine: Engine, session: Session) -> None:
    fill(engine)

    ada = session.get_one(Subject, "ada")
    created: list[MlRepo | Model | ModelVersion]
    created = [session.get_one(MlRepo, "1"), session.get_one(Model, "m1"), session.get_one(ModelVersion, "v2")]
    for each in created:
        assert_type(each.creator, Subject | None)
        assert each.creator is ada


@pytest.mark.parametrize("missing", [None, "not-stored"])
def test_an_id_that_is_null_or_of_no_stored_row_gives_none(
    engine: Engine, session: Session, missing: str | None
) -> None:
    store(engine, MlRepo, {"id": "1", "created_by_id": missing, "is_derived": False})
    ids = {"ml_repo_id": missing, "created_by_id": missing, "latest_version_id": missing}
    store(engine, Model, {"id": "m1"} | ids)
    store(engine, ModelVersion, {"id": "v1", "model_id": "not-stored", "created_by_id": missing})

    for load in (joinedload, selectinload):
        options = [load(Model.ml_repo), load(Model.creator), load(Model.latest_version)]
        model = session.scalars(select(Model).options(*options)).one()
        assert (model.ml_repo, model.creator, model.latest_version, model.versions) == (None, None, None, [])
        session.expunge_all()
    version = session.get_one(ModelVersion, "v1")
    assert (version.model, version.creator) == (None, None)
    repo = session.get_one(MlRepo, "1")
    assert (repo.creator, repo.models) == (None, [])


@pytest.mark.parametrize("load", [joinedload, selectinload])
def test_each_relationship_gives_the_same_however_it_is_loaded(
    engine: Engine, session: Session, load: Callable[..., Any]
) -> None:
    fill(engine)
    entities: tuple[type[Base], ...] = (
        MlRepo, Model, ModelVersion, ModelVersionTag, ModelVersionMetric, ModelVersionPackage, ModelRunStep,
    )  # fmt: skip
    for of in entities:
        for relationship in inspect(of).relationships:
            eager = select(of).options(load(relationship.class_attribute))
            rows: Sequence[Base] = session.scalars(eager).unique().all()
            given = {inspect(row).identity: _identities(getattr(row, relationship.key)) for row in rows}
            session.expunge_all()
            rows = session.scalars(select(of)).all()
            assert given == {inspect(row).identity: _identities(getattr(row, relationship.key)) for row in rows}
            assert any(given.values()), relationship  # the rows tell one from another
            session.expunge_all()


def _identities(related: Any) -> Any:
    if isinstance(related, list):
        return [inspect(each).identity for each in related]
    return related and inspect(related).identity


def test_relationships_include_soft_deleted_rows_unless_filtered(engine: Engine, session: Session) -> None:
    fill(engine)
    store(engine, ModelVersion, {"id": "v3", "model_id": "m1", "version": 3, "deleted_at": NOW})

    model = session.get_one(Model, "m1")
    assert [version.id for version in model.versions] == ["v0", "v1", "v2", "v3"]
    session.expunge_all()
    live = selectinload(Model.versions.and_(ModelVersion.deleted_at.is_(None)))
    model = session.scalars(select(Model).where(Model.id == "m1").options(live)).one()
    assert [version.id for version in model.versions] == ["v0", "v1", "v2"]


def test_escaped_values_are_restored_through_relationships(engine: Engine, session: Session) -> None:
    fill(engine)

    repo = session.get_one(MlRepo, "1")
    assert repo.creator is not None
    assert repo.creator.display_name == "Ada\x00"
    unnumbered, first, second = repo.models[0].versions
    assert (unnumbered.manifest, unnumbered.extra) == (None, None)
    assert first.description == "a\x00b\u241b"
    assert first.extra is not None
    assert math.isnan(first.extra["n"][0])
    loss = second.manifest.pop("loss")  # type: ignore[union-attr]  # it is a dict here
    assert math.isnan(loss)
    assert second.manifest == {"text": "a\x00b", "bound": -math.inf, "large": 1e23}
    assert second.first_seen_at == NOW
    assert session.scalars(select(ModelVersion.id).where(ModelVersion.description == "a\x00b\u241b")).all() == ["v1"]


def test_assigning_to_a_relationship_writes_nothing(engine: Engine) -> None:
    fill(engine)

    with Session(engine) as session:
        session.get_one(Model, "m1").versions.clear()
        session.get_one(Model, "m1").ml_repo = None
        session.get_one(ModelVersion, "v2").tags.clear()
        session.commit()
    with Session(engine) as session:
        model = session.get_one(Model, "m1")
        assert len(model.versions) == 3
        assert model.ml_repo_id == "1"
        assert len(model.versions[-1].tags) == 2


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
def test_an_eager_query_takes_as_many_statements_and_rows_for_few_models_as_for_many(
    engine: Engine, session: Session, statements: list[str], models: int
) -> None:
    many(engine, models)
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


def test_an_eager_query_multiplies_no_rows(engine: Engine, session: Session) -> None:
    many(engine, 5)

    rows: list[int] = []
    with engine.connect() as connection:
        rows.append(len(connection.execute(select(Model).options(*EAGER)).all()))
        rows.append(len(connection.execute(select(Model).options(joinedload(Model.versions))).all()))
    assert rows == [5, 10]  # the second is what selectinload spares


@pytest.mark.parametrize(("models", "expected"), [(500, 2), (501, 3)])
def test_a_list_takes_another_statement_for_each_500_parents(
    engine: Engine, session: Session, statements: list[str], models: int, expected: int
) -> None:
    many(engine, models, versions=1, lists=1)
    statements.clear()

    session.scalars(select(Model).options(selectinload(Model.versions))).all()
    assert len(statements) == expected


def test_back_reference_runs_no_statement(engine: Engine, session: Session, statements: list[str]) -> None:
    many(engine, 3)
    options = selectinload(MlRepo.models).selectinload(Model.versions).selectinload(ModelVersion.tags)
    repo = session.scalars(select(MlRepo).options(options, raiseload("*", sql_only=True))).one()
    statements.clear()

    tags = [tag for model in repo.models for version in model.versions for tag in version.tags]
    models = [tag.model_version.model for tag in tags]
    assert {model and model.ml_repo for model in models} == {repo}
    assert statements == []


def test_raiseload_rejects_relationships_not_in_the_query(engine: Engine, session: Session) -> None:
    many(engine, 1)

    model = session.scalars(select(Model).options(*EAGER)).one()
    with pytest.raises(InvalidRequestError, match=r"Model\.run_steps"):
        _ = model.run_steps
    with pytest.raises(InvalidRequestError, match=r"ModelVersion\.packages"):
        _ = model.versions[0].packages
    with pytest.raises(InvalidRequestError, match=r"ModelVersion\.manifest"):
        _ = model.versions[0].manifest


def test_load_only_leaves_out_large_columns(engine: Engine, session: Session, statements: list[str]) -> None:
    many(engine, 2)
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
    with sync_env(migrated_url) as mirror:
        named = {"TFY_HOST": mirror.plane.url, "TFY_API_KEY": TOKEN, "TFY_ETL_DATABASE_URL": migrated_url}
        for _ in range(2):  # the first load, and a run that finds the same
            ended = subprocess.run(
                [sys.executable, "-c", code, "--log-level", "error", "sync", "--no-progress"],
                env=os.environ | named,
                capture_output=True,
                text=True,
                check=True,
            )
            assert ended.stderr.split() == ["synced", "configured"]
            assert "succeeded" in ended.stdout
