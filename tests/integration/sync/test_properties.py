import shutil
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl.simulator import Registry
from tests.support.sync_env import sync_env

ORDERS = ("created", "created_desc", "name", "recent")


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    page_size=st.integers(2, 40),  # pages of one record do not overlap: without a total they prove nothing
    concurrency=st.integers(1, 5),
    order=st.sampled_from(ORDERS),
    listing=st.sampled_from(["tenant", "ml_repo", "model"]),
    total=st.booleans(),
)
def test_any_split_into_pages_in_any_order_gives_the_same_tables(
    migrated_file: Path, tmp_path: Path, *, page_size: int, concurrency: int, order: str, listing: str, total: bool
) -> None:
    path = shutil.copy(migrated_file, tmp_path / "registry.db")
    registry = Registry.generate(seed=3, models=6, versions=2, metrics=1)
    registry.order = order
    with sync_env(f"sqlite:///{path}", registry, versions_listing=listing, total=total) as env:
        summary = env.sync(page_size=page_size, concurrency=concurrency)

        assert summary.complete
        assert env.held() == env.served()
