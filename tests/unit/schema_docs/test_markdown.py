from etl.schema_docs import markdown, mermaid
from tests.unit.schema_docs.builders import CONTENTS

OUTPUT = markdown.write(CONTENTS)


def test_markdown_of_a_table_has_types_nulls_keys_and_references() -> None:
    assert OUTPUT.partition("### pets\n")[2].partition("## Views")[0] == (
        "\nTheir pets.\n\n"
        "| column | type | NULL | key | refers to | is |\n"
        "| --- | --- | --- | --- | --- | --- |\n"
        "| `team_id` | text |  | yes | [teams](#teams).id | What team_id is. |\n"
        "| `place` | bigint |  | yes |  | What place is. |\n"
        '| `mood` | text | yes |  |  | "happy" \\| "null": as it is: \\o/ |\n'
        "| `twin_id` | text | yes |  | [teams](#teams).id, by id | What twin_id is. |\n"
        "| `born_at` | timestamp with time zone |  |  |  | What born_at is. |\n\n"
    )


def test_markdown_of_a_view_has_columns_types_and_descriptions() -> None:
    assert OUTPUT.endswith(
        "## Views\n\n### pet_counts\n\nPets of each team.\n\n"
        "| column | type | is |\n| --- | --- | --- |\n| `pets` | bigint | What pets is. |"
    )


def test_markdown_begins_with_the_revision_and_contains_the_diagram_of_the_keys() -> None:
    assert OUTPUT.startswith("# The schema\n\nEvery table and view at revision 0042, as `tfy-etl schema` prints them.")
    assert f"```mermaid\n{mermaid.write(CONTENTS, keys_only=True)}\n```\n\n## Tables" in OUTPUT
