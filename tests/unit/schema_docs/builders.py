"""A small schema for tests."""

from typing import Any

from etl.models.describe import ColumnDescription, Reference, RelationDescription
from etl.schema_docs.schema_description import SchemaDescription


def column(name: str, **changes: Any) -> ColumnDescription:
    defaults: dict[str, Any] = {
        "postgresql": "text",
        "sqlite": "text",
        "nullable": False,
        "key": False,
        "refers_to": None,
        "one_of": (),
        "description": f"What {name} is.",
    }
    return ColumnDescription(name=name, **defaults | changes)


TEAMS = RelationDescription("teams", "Who works here.", (column("id", key=True),))
PETS = RelationDescription(
    "pets",
    "Their pets.",
    (
        column("team_id", key=True, refers_to=Reference("teams", "id", enforced=True)),
        column("place", key=True, postgresql="bigint", sqlite="integer"),
        column("mood", nullable=True, one_of=("happy", "null"), description='"happy" | "null": as it is: \\o/'),
        column("twin_id", nullable=True, refers_to=Reference("teams", "id", enforced=False)),
        column("born_at", postgresql="timestamp with time zone", sqlite="datetime"),
    ),
)
COUNTS = RelationDescription("pet_counts", "Pets of each team.", (column("pets", nullable=None, postgresql="bigint"),))

CONTENTS = SchemaDescription(release="1.2.3", revision="0042", tables=(TEAMS, PETS), views=(COUNTS,))
