from etl.explore import columns
from etl.explore.columns import TABLES, VIEWS
from etl.explore.description import columns as columns_of
from etl.explore.description import metadata, relation_groups
from etl.explore.questions import QUESTIONS


def test_no_question_has_the_name_of_a_table_or_view() -> None:
    assert {question.name for question in QUESTIONS}.isdisjoint({*TABLES, *VIEWS})


def test_every_column_of_every_table_and_view_is_described() -> None:
    tables = metadata("r")["databases"]["r"]["tables"]
    for table in (*TABLES.values(), *VIEWS.values()):
        assert tables[table.name]["description"]
        assert [name for name, about in columns_of(table.name).items() if about] == [
            each.name for each in table.columns
        ]


def test_every_table_and_view_is_in_one_group_of_the_start_page() -> None:
    assert sorted(entry.name for group in relation_groups() for entry in group.entries) == sorted([*TABLES, *VIEWS])


def test_a_column_whose_comment_names_the_id_of_a_table_is_joined_with_it() -> None:
    for table in (*TABLES.values(), *VIEWS.values()):
        expected = {
            column.name: other
            for column in table.columns
            if column.comment and column.name != "id"
            for other in TABLES
            if column.comment.startswith(f"{other}.id")
        }
        assert columns.id_columns(table.name) == expected


def test_an_id_is_hidden_only_where_another_column_names_its_record() -> None:
    assert columns.hidden_columns(["model_id", "model_name", "model_version_id", "key"], None) == {"model_id"}
    assert columns.link_columns(("id", "name", "fqn"), "models") == {"name": columns.Link("id", "models")}
    assert columns.hidden_columns(["entity", "entity_id", "model_name", "version"], "model_timeline") == {"entity_id"}
    assert columns.hidden_columns(["entity", "entity_id"], "changes") == set()
