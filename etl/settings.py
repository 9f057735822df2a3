"""The settings: one frozen dataclass with the names of environment variables and all defaults.

Each field is an option of the command line; its metadata holds the option's help and variables. click resolves the
values (option, environment variable, config file, default), and this module validates them.
"""

import math
import os
import stat
from dataclasses import Field, dataclass, field, fields
from datetime import timedelta
from pathlib import Path
from typing import Any

from etl.errors import ConfigError
from etl.setting_names import name_of
from etl.token_file import read_token
from etl.urls import checked_url, checked_webhook_url, is_one_word, with_schema

DEFAULT_DATABASE_URL = "sqlite:///tfy-registry.db"
DEMO_FILE = "tfy-etl-demo.db"
TOKEN_ENV = "TFY_API_KEY"
CONFIG_ENV = "TFY_ETL_CONFIG"
DATABASE_URL_FILE_ENV = "TFY_ETL_DATABASE_URL_FILE"
_OWN_PREFIX = "TFY_ETL_"
_CONNECTION, _REQUESTS, _LOGS = "Control plane and database", "Requests", "Logs"
_SCOPE, _COMPARE, _DELETES, _RUN = "Scope", "Comparison", "Deletes", "Run"
_WORD_LISTS = ("production_tags", "lower_is_better", "higher_is_better")
_RETENTION, _MONITORING, _WORDS = "Retention", "Monitoring", "Words in views"


def _setting(default: Any, help: str, *, env: tuple[str, ...] = (), secret: bool = False, **metadata: Any) -> Any:
    """A field that is an option. `env` are variables that take precedence over `TFY_ETL_<OPTION>`, the first most."""
    return field(default=default, repr=not secret, metadata={"help": help, "env": env, **metadata})


def _global(group: str, default: Any, help: str, **metadata: Any) -> Any:
    """An option of every command, in a group of the help."""
    return _setting(default, help, scope="global", group=group, **metadata)


def _sync(group: str, default: Any, help: str, **metadata: Any) -> Any:
    """An option of `sync`, in a group of the help."""
    return _setting(default, help, scope="sync", group=group, **metadata)


def _prune(group: str, default: Any, help: str, **metadata: Any) -> Any:
    """An option of `prune`, in a group of the help."""
    return _setting(default, help, scope="prune", group=group, **metadata)


def _words(default: Any, help: str) -> Any:
    """An option of `sync` and `db upgrade`: words that views look for."""
    return _setting(default, help, scope="words", group=_WORDS, metavar="WORDS")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of a run. Raises ConfigError for invalid values."""

    host: str | None = _global(
        _CONNECTION,
        None,
        "URL of the control plane, including any path prefix.",
        env=("TFY_HOST", "TFY_BASE_URL", "TFY_API_HOST"),
        metavar="URL",
    )
    api_key_file: Path | None = _global(
        _CONNECTION,
        None,
        f"File that contains the API token; alternative to the environment variable {TOKEN_ENV}.",
        env=("TFY_API_KEY_FILE",),
        metavar="FILE",
    )
    api_prefix: str | None = _global(
        _CONNECTION, None, "Path of the API below the host; detected by default.", metavar="PATH"
    )
    ca_bundle: Path | None = _global(
        _CONNECTION,
        None,
        "CA certificates to trust. Default: SSL_CERT_FILE, then REQUESTS_CA_BUNDLE, then the built-in ones.",
        metavar="FILE",
    )
    allow_insecure_http: bool = _global(
        _CONNECTION, False, "Allow plain HTTP to hosts other than this machine; the token is sent unencrypted."
    )
    database_url: str = _global(
        _CONNECTION,
        DEFAULT_DATABASE_URL,
        "sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE. Set a URL with a password in "
        "TFY_ETL_DATABASE_URL, because process lists show options.",
        metavar="URL",
        secret=True,
    )
    schema: str | None = _global(
        _CONNECTION, None, "PostgreSQL schema of the tables, one for each control plane.", metavar="NAME"
    )
    model_url: str | None = _global(
        _CONNECTION,
        None,
        "URL of a model's page, for links in the report, with {model}, {model_id}, {ml_repo} or {ml_repo_id}, such as "
        "https://your-control-plane.example/models/{model_id}.",
        metavar="URL",
    )
    timeout: float = _global(
        _REQUESTS,
        60.0,
        "Seconds to wait for a part of a response; the whole may take five times as long.",
        minimum=0.001,
        maximum=86_400,
    )
    max_retries: int = _global(
        _REQUESTS,
        5,
        "Retries after a transient failure. If the first request finds no server, retrying ends within a second.",
        minimum=0,
    )
    max_retry_time: float = _global(_REQUESTS, 300.0, "Stop retrying a request after this many seconds.", minimum=0)
    requests_per_second: float = _global(
        _REQUESTS, 0.0, "Maximum requests per second, including retries; 0 means no limit.", minimum=0
    )
    log_format: str = _global(_LOGS, "console", "Log format.", choices=("console", "json"))
    log_level: str | None = _global(
        _LOGS,
        None,
        "Minimum log level. Default: warning for console lines on a terminal, else info.",
        choices=("debug", "info", "warning", "error"),
    )
    quiet: bool = _global(
        _LOGS, False, "Log errors only, show no progress, and print the result of sync as one line.", short="-q"
    )
    verbose: bool = _global(_LOGS, False, "Log info lines on a terminal too.", short="-v")
    progress: bool | None = _global(_LOGS, None, "Show progress bars on stderr. Default: only on a terminal.")
    metrics_file: Path | None = _global(
        _MONITORING,
        None,
        "Update run metrics in this file, for the Prometheus textfile collector (*.prom).",
        metavar="FILE",
    )
    notify_url: str | None = _global(
        _MONITORING,
        None,
        "POST a JSON message to this URL when a run exits with a code other than 0, 4 or 130. Set a secret URL in "
        "TFY_ETL_NOTIFY_URL.",
        metavar="URL",
        secret=True,
    )

    ml_repo: tuple[str, ...] = _sync(_SCOPE, (), "Sync only this ML repo, by id; repeatable.", metavar="ID")
    fqn: str | None = _sync(_SCOPE, None, "Sync only the model with this FQN.")
    name: str | None = _sync(_SCOPE, None, "Sync only models with this name.")
    run_id: str | None = _sync(_SCOPE, None, "Sync only models that this training run logged.", metavar="ID")
    include_empty: bool = _sync(_SCOPE, True, "Include models without versions.", negative="exclude-empty")
    versions: str = _sync(
        _SCOPE, "all", "Sync all versions of each model, or only the latest.", choices=("all", "latest")
    )
    accept_coverage: bool = _sync(
        _SCOPE, False, "Accept fewer lists than in the last run. Otherwise the run deletes nothing, and exits with 3."
    )
    full: bool = _sync(_COMPARE, False, "Compare every version, not only those that seem changed.")
    full_every: timedelta = _sync(
        _COMPARE, timedelta(hours=24), "Compare every version if the last full comparison is older than this (24h, 7d)."
    )
    no_delete: bool = _sync(_DELETES, False, "Do not mark anything as deleted.")
    max_delete_share: float = _sync(
        _DELETES,
        0.2,
        "Refuse the run if it would delete more than this fraction of a table.",
        minimum=0,
        maximum=1,
    )
    confirm_deletes: int = _sync(
        _DELETES,
        50,
        "Before a delete, fetch each missing model and version by id, unless more than this many are missing.",
        minimum=0,
    )
    allow_mass_delete: bool = _sync(_DELETES, False, "Disable the delete limit for this run.")
    page_size: int = _sync(_REQUESTS, 500, "Records per request.", minimum=1)
    concurrency: int = _sync(_REQUESTS, 4, "Maximum concurrent requests.", minimum=1, maximum=64)
    max_sweeps: int = _sync(_REQUESTS, 3, "Maximum sweeps over a list to prove that it was read completely.", minimum=1)
    max_records: int = _sync(
        _REQUESTS,
        10_000_000,
        "Stop reading the lists of one kind of record after this many, because they seem endless.",
        minimum=1,
    )
    dry_run: bool = _sync(_RUN, False, "Print the plan and the counts without writing anything.")
    max_run_time: timedelta = _sync(
        _RUN, timedelta(0), "Stop the run if it takes longer than this (90m, 6h), and write nothing; 0s means no limit."
    )
    lock_wait: float = _sync(_RUN, 0.0, "Seconds to wait if another run holds the lock.", minimum=0)
    accept_host: bool = _sync(
        _RUN, False, "Continue even if the database was filled from another host, because the control plane moved."
    )
    output: str = _sync(_RUN, "text", "Output format.", choices=("text", "json"))

    production_tags: str | None = _words(
        None,
        "Tags and aliases that mark production, comma-separated, such as prod,serving. They replace the stored words, "
        "at first prod,production,live,champion.",
    )
    lower_is_better: str | None = _words(
        None, "More words in the names of metrics that are better if lower: churn,spend."
    )
    higher_is_better: str | None = _words(None, "More words in the names of metrics that are better if higher: uplift.")

    keep: timedelta | None = _prune(_RETENTION, None, "Keep run history younger than this, such as 90d or 26w.")

    api_key: str | None = field(default=None, repr=False)
    """The token, for callers in Python; the command line has no such option."""

    def __post_init__(self) -> None:
        for each in fields(self):
            value, minimum = getattr(self, each.name), each.metadata.get("minimum")
            # This form also rejects NaN, which fails every comparison, and infinity.
            if minimum is not None and not (minimum <= value <= each.metadata.get("maximum", value) < math.inf):
                raise ConfigError(f"{name_of(each.name)} must be {_bounds(each)}, not {value}.")
        if self.quiet and self.verbose:
            raise ConfigError(f"{name_of('quiet')} and {name_of('verbose')} contradict each other: pass one of them.")

    def min_log_level(self, *, terminal: bool) -> str:
        """The level from which lines are logged. `--quiet` and `--verbose` override `--log-level`."""
        if self.quiet:
            return "error"
        if self.verbose:
            return "debug" if self.log_level == "debug" else "info"
        return self.log_level or ("warning" if terminal and self.log_format == "console" else "info")

    def wants_progress(self) -> bool | None:
        """Whether to show progress; None for the default, which depends on the terminal."""
        return False if self.quiet else self.progress

    def words(self) -> tuple[tuple[str, ...] | None, ...]:
        """The words for production, for metrics where less is better, and where more is; None where not set.

        ConfigError if a setting names no word.
        """
        return tuple(_split(name, getattr(self, name)) for name in _WORD_LISTS)

    def database(self) -> str:
        """The URL of the database, with the schema as its search path. ConfigError if the two do not fit."""
        return with_schema(self.database_url, self.schema)

    def base_url(self) -> str:
        """The control plane's URL without a trailing slash. ConfigError if it is missing or invalid."""
        if not self.host:
            raise ConfigError(f"No host is set: {_set_host()}.")
        return checked_url(self.host, allow_insecure_http=self.allow_insecure_http)

    def require_source(self) -> None:
        """Raise one ConfigError if both the host and the token are missing."""
        if not (self.host or self.api_key or self.api_key_file):
            raise ConfigError(f"No host and no token are set: {_set_host()}; {_set_token()}.")

    def webhook_url(self) -> str | None:
        """The URL for messages about runs that did not succeed. ConfigError if it is invalid."""
        if self.notify_url is None:
            return None
        return checked_webhook_url(self.notify_url, allow_insecure_http=self.allow_insecure_http)

    def token(self) -> str:
        """The token, from the caller or the token file, which is read now. ConfigError without a valid token."""
        token = self.api_key or (read_token(self.api_key_file) if self.api_key_file else "")
        token = token.strip()
        if not token and self.api_key_file:
            raise ConfigError(f"The file named by {name_of('api_key_file')} is empty: write the token to it.")
        if not token:
            raise ConfigError(f"No token is set: {_set_token()}.")
        if not (token.isascii() and is_one_word(token)):
            raise ConfigError("The token contains invalid characters: remove any quotes and line breaks.")
        return token

    def find_token(self) -> str | None:
        """The token, or None without a valid one: for redaction."""
        try:
            return self.token()
        except ConfigError:
            return None

    def world_readable_token_file(self) -> Path | None:
        """The token file, if every user of this machine can read it."""
        path = None if self.api_key else self.api_key_file
        return path if path and os.path.isfile(path) and path.stat().st_mode & stat.S_IROTH else None  # noqa: PTH113 it accepts any name

    def ca_file(self) -> Path | None:
        """The CA file to trust; None for the default of httpx, which respects SSL_CERT_FILE."""
        if self.ca_bundle is not None:
            return self.ca_bundle
        if os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR"):
            return None
        bundle = os.environ.get("REQUESTS_CA_BUNDLE")
        return Path(bundle) if bundle else None


def _split(name: str, text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    words = tuple(word.strip() for word in text.split(",") if word.strip())
    if not words:
        raise ConfigError(f"{name_of(name)} names no word: write words with commas between them, or leave it out.")
    return words


def _set_host() -> str:
    return f"set {name_of('host')} to https://your-control-plane.example"


def _set_token() -> str:
    return f"set {name_of('api_key')}"


def env_names(name: str) -> tuple[str, ...]:
    """The environment variables of a field, by precedence."""
    return (*Settings.__dataclass_fields__[name].metadata.get("env", ()), f"{_OWN_PREFIX}{name.upper()}")


def variable_in_use(name: str) -> str | None:
    """The environment variable that sets a field; None if there is none."""
    return next((each for each in env_names(name) if os.environ.get(each)), None)


def unknown_variables() -> dict[str, str | None]:
    """Unknown `TFY_ETL_*` variables in the environment, each with a similar known name, if any."""
    known = {CONFIG_ENV, DATABASE_URL_FILE_ENV}.union(
        *(env_names(each.name) for each in fields(Settings) if each.metadata)
    )
    own = {name for name in os.environ if name.startswith(_OWN_PREFIX) and not name.startswith(f"{_OWN_PREFIX}TEST_")}
    unknown = sorted(own - known)
    if not unknown:
        return {}
    from difflib import get_close_matches  # noqa: PLC0415 rarely needed

    # The variable of the token does not start with TFY_ETL_.
    near = {f"{_OWN_PREFIX}API_KEY": TOKEN_ENV}
    return {
        name: near.get(name) or next(iter(get_close_matches(name, known, 1, cutoff=0.85)), None) for name in unknown
    }


def token_of_environment() -> str | None:
    """The token in the environment, if any."""
    return os.environ.get(TOKEN_ENV) or None


def _bounds(setting: Field[Any]) -> str:
    minimum, maximum = setting.metadata["minimum"], setting.metadata.get("maximum")
    if maximum is not None:
        return f"between {minimum} and {maximum}"
    return f"at least {minimum}" + (", and finite" if isinstance(setting.default, float) else "")
