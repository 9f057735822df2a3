"""The environment of every test and of every command that a test starts: bare, as cron's is.

A variable of the developer's own can hide a fault, as PYTHONUNBUFFERED does, or make a test fail that holds elsewhere.
"""

import os

_KEPT = {
    "PATH", "HOME", "TMPDIR",
    "CI", "DBT",  # what .ci/run and the Makefile say of the run
    "AIRFLOW_HOME",  # the tests of Airflow set it before they import Airflow
    # Behind a proxy or with an index of its own, a machine downloads the tests' tools by these. Tests do not see them.
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE",
}  # fmt: skip
_KEPT_PREFIXES = ("TFY_ETL_TEST_", "COVERAGE_", "COV_", "PYTEST_", "HYPOTHESIS_", "PLAYWRIGHT_", "PIP_", "UV_")


def make_bare() -> None:
    """Remove every variable from this process that tests do not need."""
    for name in tuple(os.environ):
        if name.upper() not in _KEPT and not name.startswith(_KEPT_PREFIXES):
            del os.environ[name]
    os.environ["LANG"] = "C.UTF-8"
