import re

from etl import schema_docs
from etl.schema_docs import mermaid
from tests.unit.schema_docs.builders import CONTENTS

# The part of the grammar of Mermaid 11 that these diagrams use.
WORD = "[A-Za-z_][A-Za-z0-9_]*"
LINE = re.compile(rf"    {WORD} (\|\||\|o)(--|\.\.)(o\||o\{{) {WORD} : {WORD}")
ENTITY = re.compile(rf"    {WORD} \{{\n(        {WORD} {WORD}( (PK|FK)(, (PK|FK))*)?\n)+    \}}\n")


def test_mermaid_lines_show_references_cardinality_and_foreign_keys() -> None:
    assert mermaid.write(CONTENTS).splitlines() == [
        "erDiagram",
        "    teams ||--o{ pets : team_id",
        "    teams |o..o{ pets : twin_id",
        "    teams {",
        "        text id PK",
        "    }",
        "    pets {",
        "        text team_id PK, FK",
        "        bigint place PK",
        "        text mood",
        "        text twin_id FK",
        "        timestamptz born_at",
        "    }",
    ]


def test_mermaid_with_keys_only_leaves_out_other_columns() -> None:
    without = mermaid.write(CONTENTS, keys_only=True)
    assert "mood" not in without
    assert "born_at" not in without
    assert "text twin_id FK" in without


def test_mermaid_of_the_real_schema_follows_the_grammar() -> None:
    for keys_only in (False, True):
        head, _, body = (mermaid.write(schema_docs.describe_schema(), keys_only=keys_only) + "\n").partition("\n")
        lines = [line for line in body.splitlines() if " : " in line]
        assert head == "erDiagram"
        assert [line for line in lines if not LINE.fullmatch(line)] == []
        assert ENTITY.sub("", body).splitlines() == lines != []
