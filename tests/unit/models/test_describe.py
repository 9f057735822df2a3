from collections.abc import Callable
from itertools import chain

from etl.models import Base, describe, views
from etl.models.describe import ColumnDescription

TABLES = {table.name: table for table in describe.tables()}
VIEWS = {view.name: view for view in describe.views()}
COLUMNS = {
    f"{relation.name}.{column.name}": column
    for relation in (*TABLES.values(), *VIEWS.values())
    for column in relation.columns
}


def test_every_mapping_is_described_with_all_of_its_columns() -> None:
    described_ones = {name: [each.name for each in one.columns] for name, one in (TABLES | VIEWS).items()}
    assert described_ones == {
        table.name: [column.name for column in table.columns]
        for table in chain(Base.metadata.tables.values(), views.metadata.tables.values())
    }


def test_every_table_and_view_has_a_sentence_as_description() -> None:
    assert [name for name, each in (TABLES | VIEWS).items() if not each.description.endswith(".")] == []


def test_every_column_description_adds_to_the_name() -> None:
    assert (
        _columns(
            lambda column: column.description.rstrip(".").lower() in {"", column.name, column.name.replace("_", " ")}
        )
        == []
    )


def test_only_nullable_columns_explain_null() -> None:
    assert (
        _columns(lambda column: column.nullable is not None and column.nullable != ("NULL" in column.description)) == []
    )


def test_time_columns_name_their_time_zone() -> None:
    assert (
        _columns(lambda column: column.postgresql == "timestamp with time zone" and "UTC" not in column.description)
        == []
    )


def test_column_with_fixed_values_lists_them() -> None:
    assert _columns(lambda column: not all(value in column.description for value in column.one_of)) == []


def test_referenced_column_exists_has_the_same_type_and_is_named() -> None:
    def is_wrong(column: ColumnDescription) -> bool:
        to = column.refers_to
        if to is None:
            return False
        targets = [(each.postgresql, each.key) for each in TABLES[to.table].columns if each.name == to.column]
        return targets != [(column.postgresql, True)] or f"{to.table}.{to.column}" not in column.description

    assert _columns(is_wrong) == []


def _columns(is_wrong: Callable[[ColumnDescription], bool]) -> list[str]:
    """Return the names of all columns that match."""
    return [name for name, column in COLUMNS.items() if is_wrong(column)]


def test_types_keys_and_references_match_the_databases() -> None:
    columns = {column.name: column for column in TABLES["model_versions"].columns}
    assert TABLES["model_versions"].key == ("id",)
    assert (columns["created_at"].postgresql, columns["created_at"].sqlite) == ("timestamp with time zone", "datetime")
    assert (columns["manifest"].postgresql, columns["manifest"].sqlite) == ("jsonb", "text")
    assert columns["model_id"].refers_to == describe.Reference("models", "id", enforced=False)
    assert (columns["model_id"].nullable, columns["version"].nullable) == (False, True)
    tags = TABLES["model_version_tags"]
    assert tags.key == ("model_version_id", "position")
    assert tags.columns[0].refers_to == describe.Reference("model_versions", "id", enforced=True)


def test_view_has_no_keys_and_unknown_nullability() -> None:
    view = VIEWS["current_models"]
    assert view.key == ()
    assert {column.nullable for column in view.columns} == {None}
