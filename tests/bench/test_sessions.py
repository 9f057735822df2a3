import threading
import time
from collections.abc import Callable

import psycopg

from bench.sessions import sampled
from tests.support.databases import libpq, new_database
from tests.support.patience import patience


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + patience()
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_merge_and_a_session_that_waits_for_it_are_counted(postgres_url: str, migrated_template: str) -> None:
    with (
        new_database(postgres_url, template=migrated_template) as database,
        sampled(libpq(database)) as samples,
        psycopg.connect(libpq(database)) as merging,
        psycopg.connect(libpq(database)) as waiting,
    ):
        merging.execute("SELECT pg_advisory_xact_lock(1)")
        merging.execute("INSERT INTO subjects (id, type, extra) VALUES ('a', 'user', '{}')")
        waiting_thread = threading.Thread(target=waiting.execute, args=("SELECT pg_advisory_xact_lock(1)",))
        wait_until(lambda: samples.merging_s > 0)
        assert (samples.waiting_s, samples.most_connections) == (0.0, 2)
        waiting_thread.start()
        wait_until(lambda: samples.waiting_s > 0)
        merging.rollback()
        waiting_thread.join()
    assert samples.merging_s >= samples.waiting_s > 0
