"""Questions that are asked often. A parameter that is left empty means what each says of itself."""

from typing import NamedTuple


class Query(NamedTuple):
    """A question under a name that its address holds."""

    name: str
    title: str
    about: str
    sql: str


QUERIES = (
    Query(
        "versions_with_tag",
        "Versions that carry a tag",
        "Without a tag: those of every tag.",
        """
SELECT t.tag, t.ml_repo_name, t.model_name, t.version, v.created_by, v.created_at, t.fqn
FROM tag_assignments t
JOIN current_model_versions v ON v.id = t.model_version_id
WHERE :tag = '' OR t.tag = :tag
ORDER BY t.tag, t.ml_repo_name, t.model_name, t.version
""",
    ),
)
