"""The shipped queries of a moment, for one model or all."""

from etl.models.queries import shipped_query


def of_model(name: str, order: str) -> str:
    """Return a shipped query, with a filter on the model."""
    query = shipped_query(name, "sqlite")
    return f"SELECT * FROM (\n{query}\n)\nWHERE :model IN ('', model_id, model_name)\nORDER BY {order}"  # noqa: S608 our own text
