import gc
import weakref

import pytest

from etl.sync.gc_control import GcControl


class Knot:
    """An object that refers to itself."""

    def __init__(self) -> None:
        """Tie it."""
        self.itself = self


@pytest.fixture(autouse=True)
def usual() -> None:
    assert gc.isenabled()


def test_garbage_goes_once_enough_records_came_and_not_before() -> None:
    with GcControl() as garbage:
        gone = weakref.ref(Knot())
        garbage.page(15_000)
        assert gone() is not None
        garbage.page(5_000)
        assert gone() is None


def test_many_pages_of_few_records_count_as_well() -> None:
    with GcControl() as garbage:
        gone = weakref.ref(Knot())
        for _ in range(50):
            garbage.page(1)
        assert gone() is None


@pytest.mark.parametrize("enabled", [True, False])
def test_afterwards_python_looks_as_it_did_before(*, enabled: bool) -> None:
    try:
        if not enabled:
            gc.disable()
        with GcControl():
            assert not gc.isenabled()
        assert gc.isenabled() == enabled
    finally:
        gc.enable()
