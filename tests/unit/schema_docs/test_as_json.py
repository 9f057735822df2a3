import json

from etl.schema_docs import as_json
from tests.unit.schema_docs.builders import CONTENTS


def test_json_has_all_fields_and_its_format_number() -> None:
    document = json.loads(as_json.write(CONTENTS))
    teams, pets = document.pop("tables")
    (counts,) = document.pop("views")
    assert document == {"format": 1, "release": "1.2.3", "revision": "0042"}
    assert (teams["name"], teams["primary_key"], pets["primary_key"]) == ("teams", ["id"], ["team_id", "place"])
    assert pets["description"] == "Their pets."
    team_id, place, mood, twin_id, _ = pets["columns"]
    assert team_id["refers_to"] == {"table": "teams", "column": "id", "enforced": True}
    assert twin_id["refers_to"] == {"table": "teams", "column": "id", "enforced": False}
    assert place == {
        "name": "place",
        "description": "What place is.",
        "types": {"postgresql": "bigint", "sqlite": "integer"},
        "nullable": False,
        "refers_to": None,
        "values": None,
    }
    assert (mood["nullable"], mood["values"]) == (True, ["happy", "null"])
    assert (counts["name"], counts["columns"][0]["nullable"]) == ("pet_counts", None)
    assert "primary_key" not in counts
