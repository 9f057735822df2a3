import math
from collections.abc import Callable, Sequence
from typing import Any, assert_type

import pytest
from sqlalchemy import Engine, inspect, select
from sqlalchemy.orm import Session, joinedload, selectinload

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
from tests.integration.models.builders import NOW, fill, store


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


def test_repos_models_and_versions_give_their_creator(engine: Engine, session: Session) -> None:
    fill(engine)

    ada = session.get_one(Subject, "ada")
    created: list[MlRepo | Model | ModelVersion]
    created = [session.get_one(MlRepo, "1"), session.get_one(Model, "m1"), session.get_one(ModelVersion, "v2")]
    for each in created:
        assert_type(each.creator, Subject | None)
        assert each.creator is ada


@pytest.mark.parametrize("missing", [None, "not-stored"])
def test_relationship_by_an_id_that_is_null_or_not_stored_is_none(
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
def test_each_relationship_is_the_same_for_each_way_to_load_it(
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
            assert any(given.values()), relationship  # at least one row has a related row
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
