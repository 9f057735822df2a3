"""A minimal environment for all tests and for the commands that they start, like that of cron.

Variables of a developer can hide errors, as PYTHONUNBUFFERED does, or make tests fail on one machine only.
"""

import os

_KEPT = {
    "PATH", "HOME", "TMPDIR",
    "CI", "DBT", "ORCHESTRATORS",  # set by .ci/run and the Makefile
    "AIRFLOW_HOME",  # set by the tests of Airflow before they import it
    # Needed to download tools behind a proxy; a fixture hides them from tests.
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE",
}  # fmt: skip
_KEPT_PREFIXES = ("TFY_ETL_TEST_", "COVERAGE_", "COV_", "PYTEST_", "HYPOTHESIS_", "PLAYWRIGHT_", "PIP_", "UV_")


def make_bare() -> None:
    """Remove all variables from this process that tests do not need."""
    for name in tuple(os.environ):
        if name.upper() not in _KEPT and not name.startswith(_KEPT_PREFIXES):
            del os.environ[name]
    os.environ["LANG"] = "C.UTF-8"
