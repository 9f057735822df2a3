"""DAGs to copy."""
