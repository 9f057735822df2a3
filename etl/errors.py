"""Every error that the project raises on purpose, by what the operator should do next.

EtlError                      exit 1   read the message; a later run may succeed
├── ConfigError               exit 2   change a setting or an option; another run would fail too
│   ├── TokenRefused                   set a token that is valid (401) or has the permission (403)
│   ├── NotAControlPlane               set the URL of a control plane
│   ├── ExtraMissing                   install the extra that the command needs
│   ├── UnknownMlRepo                  name existing ML repos; the error has the unknown ids
│   └── SchemaMismatch                 migrate the database, or upgrade tfy-etl
├── SourceError               exit 1   the control plane did not respond as expected
│   ├── SourceUnavailable              all retries failed; run again later
│   └── RequestRefused                 the server refused the request; the error has status and body
├── StoreError                exit 1   the database failed; fix it, then run again
│   └── DatabaseLocked                 another session holds a lock on the tables; end it, then run again
├── TimeLimitExceeded         exit 1   the run took too long; raise --max-run-time, or find out why it is slow
├── LockHeld                  exit 4   another run holds the lock; wait for it, or pass --lock-wait
├── DeleteLimitExceeded       exit 5   check that the deletes are right, then pass --allow-mass-delete
└── Interrupted               exit 130 stopped by a signal; nothing was written

A message is one line: what failed, then what to do. It never contains the token or a password.
"""

from etl.enums import RunStatus


class EtlError(Exception):
    """Base class: `str(error)` is the line to show, `exit_code` that of the process.

    `run_status` is the status of the run's row.
    """

    exit_code = 1
    run_status = RunStatus.FAILED


class ConfigError(EtlError):
    """A setting or an option must change before the next run."""

    exit_code = 2


class TokenRefused(ConfigError):
    """401 or 403: the token is invalid, or lacks a permission that the run needs."""


class NotAControlPlane(ConfigError):
    """The host responds, but not as a TrueFoundry control plane does."""


class ExtraMissing(ConfigError):
    """A library that only some commands need is not installed."""


def missing_extra(what: str, extra: str, *, alternative: str = "") -> ExtraMissing:
    """The error for an optional part of tfy-etl that is not installed. It works without a package index."""
    return ExtraMissing(
        f"{what} needs the extra {extra!r}, which is not installed: run pip install '.[{extra}]' in a checkout of "
        f"tfy-etl, or pip install 'WHEEL[{extra}]' with the path of its wheel{alternative and f', or {alternative}'}."
    )


class UnknownMlRepo(ConfigError):
    """The control plane does not list ML repos that the settings name; `ml_repos` are their ids."""

    def __init__(self, message: str, *, ml_repos: tuple[str, ...]) -> None:
        super().__init__(message)
        self.ml_repos = ml_repos


class SchemaMismatch(ConfigError):
    """The database's schema is behind or ahead of this release."""


class SourceError(EtlError):
    """The control plane did not respond as expected."""


class SourceUnavailable(SourceError):
    """All attempts failed, within the limits of retries and time."""


class RequestRefused(SourceError):
    """The server refused the request, and no retry helps.

    `status` is the HTTP status, `body` the start of the response without secrets.
    """

    def __init__(self, message: str, *, status: int, body: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.body = body


class StoreError(EtlError):
    """The database could not be read or written."""


class DatabaseLocked(StoreError):
    """Another session holds a lock on the tables."""


class TimeLimitExceeded(EtlError):
    """The run took longer than its limit: nothing was written."""


class LockHeld(EtlError):
    """Another run holds the lock of this database and scope."""

    exit_code = 4


class DeleteLimitExceeded(EtlError):
    """The run would delete more than the delete limit allows: nothing was written."""

    exit_code = 5
    run_status = RunStatus.REFUSED


class Interrupted(EtlError):
    """SIGINT, SIGTERM or SIGHUP: the run ended cleanly and wrote nothing."""

    exit_code = 130
    run_status = RunStatus.INTERRUPTED
