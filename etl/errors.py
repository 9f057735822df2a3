"""Every error the project raises on purpose, ordered by what the operator should do next.

EtlError                      exit 1   read the line; trying again later may help
├── ConfigError               exit 2   change a setting or an option; trying again will not help
│   ├── TokenRefused                   give a token that the control plane accepts (401) or allows (403)
│   ├── NotAControlPlane               give the address of a control plane
│   ├── UnknownMlRepo                  name ML repos that there are; it carries those that there are not
│   └── SchemaMismatch                 migrate the database, or upgrade tfy-etl
├── SourceError               exit 1   the control plane did not answer as it should
│   ├── SourceUnavailable              every retry failed; try again later
│   └── RequestRefused                 a 4xx that no retry mends; carries the status and the body
├── StoreError                exit 1   the database failed; see to it, then run again
├── LockHeld                  exit 4   another run is at work; wait for it, or give --lock-wait
├── MassDelete                exit 5   look whether so much really went; then --allow-mass-delete
└── Interrupted               exit 130 stopped by a signal; nothing was written

A message is one line, says what happened and what to do, and never holds the token or a password.
"""


class EtlError(Exception):
    """Root of the tree: `str(error)` is the one line shown, `exit_code` what the process ends with.

    `run_status` is how the row of a run tells that it ended so.
    """

    exit_code = 1
    run_status = "failed"


class ConfigError(EtlError):
    """A setting or an option must change before a next try."""

    exit_code = 2


class TokenRefused(ConfigError):
    """401 or 403: the token is not accepted, or may not read what the run needs."""


class NotAControlPlane(ConfigError):
    """The host answers, but not as a TrueFoundry control plane does."""


class UnknownMlRepo(ConfigError):
    """The run was asked for ML repos that the control plane does not list.

    `ml_repos` are their ids.
    """

    def __init__(self, message: str, *, ml_repos: tuple[str, ...]) -> None:
        """Keep the ids for callers that know that an ML repo may have gone meanwhile."""
        super().__init__(message)
        self.ml_repos = ml_repos


class SchemaMismatch(ConfigError):
    """The database's schema is behind or ahead of this release."""


class SourceError(EtlError):
    """The control plane did not answer as it should."""


class SourceUnavailable(SourceError):
    """No good answer came within the allowed attempts and time."""


class RequestRefused(SourceError):
    """A 4xx that no retry mends.

    `status` is the HTTP status, `body` the start of the answer, shortened and scrubbed.
    """

    def __init__(self, message: str, *, status: int, body: str = "") -> None:
        """Keep the status and the body for callers that can go another way."""
        super().__init__(message)
        self.status = status
        self.body = body


class StoreError(EtlError):
    """The database could not be read or written."""


class LockHeld(EtlError):
    """Another run holds the lock of this database and scope."""

    exit_code = 4


class DeleteLimitExceeded(EtlError):
    """The deletes of this run would pass the limit: nothing was written."""

    exit_code = 5
    run_status = "refused"


class Interrupted(EtlError):
    """SIGINT, SIGTERM or SIGHUP: the run ended cleanly and wrote nothing."""

    exit_code = 130
    run_status = "interrupted"
