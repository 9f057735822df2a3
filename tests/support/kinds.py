"""The kinds of tests that `make test-fast` leaves out, by folder or file.

e2e    starts the command, a browser or another program
slow   runs many examples or many syncs
bench  tests the benchmarks
"""

from pathlib import Path

import pytest

_TESTS = Path(__file__).parents[1]
_KINDS = {
    "bench": ["bench"],
    "e2e": [
        "airflow", "cli", "dbt", "deploy", "docs/test_site.py", "explore", "monitoring", "report/test_browser.py",
        "store/test_readers.py", "store/test_schema.py", "sync/test_signals.py", "test_package.py", "test_readme.py",
        "test_database_death.py", "test_crash_safety.py", "test_disks.py", "test_concurrency.py", "test_promises.py",
        "test_secret_leaks.py",
    ],
    "slow": [
        "docs/test_sql.py", "export", "history", "records/test_properties.py", "report",
        "simulator/test_official_sdk.py", "source/test_paging_properties.py", "source/test_listing.py", "store", "sync",
        "test_against_sdk.py", "test_bad_answers.py", "test_bad_records.py", "test_cost.py", "test_deletes.py",
        "test_moving_lists.py", "test_soak.py",
    ],
}  # fmt: skip


def mark(item: pytest.Item) -> None:
    """Mark a test by its path."""
    for kind, places in _KINDS.items():
        if any(item.path.is_relative_to(_TESTS / place) for place in places):
            item.add_marker(kind)


def missing() -> list[str]:
    """Return the paths of the table that do not exist."""
    return [place for places in _KINDS.values() for place in places if not (_TESTS / place).exists()]
