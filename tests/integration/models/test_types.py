import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Dialect, cast, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import StatementError
from sqlalchemy.orm import Session

from etl.models import ModelVersion, Subject
from etl.models.types import ESCAPE, JsonText, RegistryJson, UtcDateTime, escape, escaped_all, unescape
from etl.records import SubjectRow
from etl.store import Staging, open_engine
from etl.store.staging_tables import STAGES

SQLITE: Dialect = sqlite.dialect()
POSTGRESQL: Dialect = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy's

TEXTS = st.text(st.characters() | st.sampled_from(["\x00", ESCAPE, "\ud800", "\udfff", "0", "D", "e", "+"]))
NUMBERS = st.integers() | st.floats() | st.sampled_from([10**400, 2**63, 1e16, 1e22, 1e23, 1.7e308, 5e-324, -0.0])
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda deeper: st.lists(deeper, max_size=3) | st.dictionaries(TEXTS, deeper, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(TEXTS, JSON, max_size=4)
MOMENTS = st.datetimes(timezones=st.just(UTC))

# Each example undoes its writes, so all may share the database of a fixture.
database_settings = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def connection(migrated_url: str) -> Iterator[Connection]:
    engine = open_engine(migrated_url)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@given(TEXTS)
def test_every_text_round_trips(text: str) -> None:
    assert unescape(escape(text)) == text


@given(TEXTS, TEXTS)
def test_different_texts_stay_different(one: str, other: str) -> None:
    assert (escape(one) == escape(other)) is (one == other)


@given(TEXTS)
def test_escaped_text_is_valid_in_every_database(text: str) -> None:
    stored = escape(text)

    assert "\x00" not in stored
    assert stored.encode("utf-8").decode("utf-8") == stored


@pytest.mark.parametrize(
    ("text", "stored"),
    [("plain", "plain"), ("a\x00b", "a␛0000b"), ("\ud800", "␛D800"), ("␛", "␛241B"), ("␛0000", "␛241B0000")],
)
def test_escape_matches_the_docstring(text: str, stored: str) -> None:
    assert escape(text) == stored


@pytest.mark.parametrize("dialect", [SQLITE, POSTGRESQL], ids=lambda each: each.name)
@given(value=OBJECTS)
def test_every_json_value_round_trips(dialect: Dialect, value: Any) -> None:
    kind = RegistryJson()
    (text,) = kind.encoder(dialect)([value])
    json.loads(text, parse_constant=_refuse)

    assert _same(kind.process_result_value(json.loads(text) if dialect.name == "postgresql" else text, dialect), value)


@given(st.lists(st.none() | TEXTS))
def test_escaped_all_escapes_as_escape_does(column: list[str | None]) -> None:
    assert list(escaped_all(column)) == [text and escape(text) for text in column]


@given(TEXTS)
def test_text_is_never_read_as_a_number(text: str) -> None:
    kind, dialect = RegistryJson(), SQLITE
    for value in (text, f"{ESCAPE}{text}", f"{ESCAPE}NaN", f"{ESCAPE}1e+23", f"\x00e+5{text}"):
        assert kind.process_result_value(kind.encoder(dialect)([value])[0], dialect) == value


@given(JSON)
@example([float("nan"), float("inf"), {"\ud800": float("-inf")}, 1e23])
def test_json_text_has_names_for_numbers_that_json_lacks(value: Any) -> None:
    (stored,) = RegistryJson().encoder(SQLITE)([value])
    text = JsonText().process_result_value(stored, SQLITE)

    assert text is None or repr(json.loads(text, parse_constant=_refuse)) == repr(with_named_floats(value))


@database_settings
@given(text=TEXTS.filter(bool), value=OBJECTS)
def test_orm_reads_what_it_writes(connection: Connection, text: str, value: dict[str, Any]) -> None:
    with Session(connection) as session:
        session.add(Subject(id=text, slug=text, extra=value))
        session.flush()
        session.expire_all()
        (read,) = session.scalars(select(Subject).where(Subject.id == text))
        assert (read.id, read.slug) == (text, text)
        assert _same(read.extra, value)
        session.rollback()


@database_settings
@given(text=TEXTS.filter(bool), value=OBJECTS)
def test_orm_reads_what_bulk_loads_write(migrated_url: str, text: str, value: dict[str, Any]) -> None:
    engine = open_engine(migrated_url)
    stage = STAGES["subjects"]
    with engine.connect() as connection:
        Staging(connection).stage({"subjects": [(*SubjectRow(text, text, None, None, None, value), None)]})
        row = connection.execute(select(stage.c.id, stage.c.type, cast(stage.c.extra, RegistryJson))).one()
    engine.dispose()

    assert (row[0], row[1]) == (text, text)
    assert _same(row[2], value)


@database_settings
@given(moment=MOMENTS)
def test_every_time_round_trips_in_utc(connection: Connection, moment: datetime) -> None:
    with Session(connection) as session:
        session.add(a_version(created_at=moment))
        session.flush()
        session.expire_all()
        read = session.get_one(ModelVersion, "v")
        assert (read.created_at, read.created_at and read.created_at.tzinfo) == (moment, UTC)
        session.rollback()


@pytest.mark.parametrize("moment", [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)])
def test_first_and_last_time_can_be_read_in_any_time_zone_of_the_server(
    connection: Connection, moment: datetime
) -> None:
    with Session(connection) as session:
        session.add(a_version(created_at=moment))
        session.flush()
        assert session.scalar(select(ModelVersion.created_at)) == moment
        session.rollback()


def test_another_zone_is_stored_as_utc(connection: Connection) -> None:
    moment = datetime(2024, 5, 1, 12, tzinfo=timezone(timedelta(hours=5, minutes=45)))
    with Session(connection) as session:
        session.add(a_version(created_at=moment))
        session.flush()
        assert session.scalar(select(ModelVersion.created_at)) == datetime(2024, 5, 1, 6, 15, tzinfo=UTC)
        session.rollback()


def test_time_without_a_zone_is_rejected(connection: Connection) -> None:
    naive = select(ModelVersion.id).where(ModelVersion.created_at == datetime(2024, 5, 1))  # noqa: DTZ001 that is the point
    with pytest.raises(StatementError, match="without a time zone"):
        connection.execute(naive)


def test_times_sort_as_text_in_sqlite() -> None:
    encode = UtcDateTime().encoder(SQLITE)
    moments = [datetime(1, 1, 1, tzinfo=UTC), datetime(999, 1, 1, 0, 0, 0, 1, UTC), datetime(2024, 1, 1, tzinfo=UTC)]

    assert encode is not None
    assert encode([*moments, None]) == [
        "0001-01-01 00:00:00.000000",
        "0999-01-01 00:00:00.000001",
        "2024-01-01 00:00:00.000000",
        None,
    ]
    assert UtcDateTime().encoder(POSTGRESQL) is None


def test_json_is_found_by_its_whole_value(connection: Connection) -> None:
    value = {"a": [1, "\x00"], "b": math.inf}
    with Session(connection) as session:
        session.add(Subject(id="s", extra=value))
        session.flush()
        assert session.scalars(select(Subject.id).where(Subject.extra == value)).all() == ["s"]
        assert session.scalars(select(Subject.id).where(Subject.extra == {"a": 1})).all() == []
        session.rollback()


def test_none_is_stored_as_null(connection: Connection) -> None:
    with Session(connection) as session:
        session.add(Subject(id="s", slug=None, extra=None))
        session.flush()
        assert session.scalars(select(Subject.id).where(Subject.extra.is_(None), Subject.slug.is_(None))).all() == ["s"]
        session.rollback()


def a_version(**given: Any) -> ModelVersion:
    now = datetime(2024, 1, 1, tzinfo=UTC)
    return ModelVersion(id="v", model_id="m", content_hash="", first_seen_at=now, last_changed_at=now, **given)


def _same(one: Any, other: Any) -> bool:
    """Compare two values by their JSON text, so that NaN equals itself."""
    return json.dumps(_plain(one), sort_keys=True) == json.dumps(_plain(other), sort_keys=True)


def _plain(value: Any) -> Any:
    """Normalize numbers that JSONB may write differently: 1.0 and 1, 0.0 and -0.0."""
    match value:
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list():
            return [_plain(item) for item in value]
        case float() if value.is_integer():
            return int(value)
    return value


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


def with_named_floats(value: Any) -> Any:
    """Replace each float that JSON lacks by its name."""
    if isinstance(value, dict):
        return {key: with_named_floats(item) for key, item in value.items()}
    if isinstance(value, list):
        return [with_named_floats(item) for item in value]
    return json.dumps(value) if isinstance(value, float) and not math.isfinite(value) else value
