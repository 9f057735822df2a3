"""One frozen Settings: the only place that knows names of variables and options' defaults.

A field is an option of the command line; its metadata is the option's help and environment names.
click resolves the values (option, environment, config file, default); here they are checked.
"""

import ipaddress
import os
import re
from dataclasses import dataclass, field, fields
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from etl.errors import ConfigError

DEFAULT_DATABASE_URL = "sqlite:///tfy-registry.db"
TOKEN_ENV = "TFY_API_KEY"
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def _setting(default: Any, help: str, *, env: tuple[str, ...] = (), **metadata: Any) -> Any:
    """A field that is an option: `env` are names beside `TFY_ETL_<OPTION>`, first wins."""
    return field(default=default, metadata={"help": help, "env": env, **metadata})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything a run can be told. Raises ConfigError when a value makes no sense."""

    host: str | None = _setting(
        None,
        "Address of the control plane, path prefix and all.",
        env=("TFY_HOST", "TFY_BASE_URL", "TFY_API_HOST"),
        scope="global",
    )
    database_url: str = _setting(
        DEFAULT_DATABASE_URL, "SQLAlchemy URL of the database: sqlite:/// or postgresql://.", scope="global"
    )
    api_key_file: Path | None = _setting(
        None, f"File that holds the token ({TOKEN_ENV} in the environment also gives it).",
        env=("TFY_API_KEY_FILE",), scope="global",
    )  # fmt: skip
    api_prefix: str | None = _setting(
        None, "Path of the API below the host; found by itself when not given.", scope="global"
    )
    ca_bundle: Path | None = _setting(
        None,
        "File of CA certificates to trust (else SSL_CERT_FILE, REQUESTS_CA_BUNDLE, the usual ones).",
        scope="global",
    )
    allow_insecure_http: bool = _setting(
        False, "Send the token over plain http to a host that is not this machine.", scope="global"
    )
    timeout: float = _setting(60.0, "Seconds to wait for an answer.", scope="global")
    max_retries: int = _setting(5, "Further tries after a request failed in passing.", scope="global")
    max_retry_time: float = _setting(300.0, "Seconds after which a request is tried no more.", scope="global")
    log_format: str = _setting("console", "How log lines look.", choices=("console", "json"), scope="global")
    log_level: str = _setting(
        "info", "Least level that is logged.", choices=("debug", "info", "warning", "error"), scope="global"
    )
    progress: bool | None = _setting(
        None, "Progress bars on stderr; by itself on a terminal only.", scope="global"
    )

    full: bool = _setting(False, "Compare every version, not only those that look changed.", scope="sync")
    full_every: timedelta = _setting(
        timedelta(hours=24), "Compare every version when the last such run is older (24h, 7d).", scope="sync"
    )
    ml_repo: tuple[str, ...] = _setting((), "Only this ML repo, by id; may be repeated.", scope="sync")
    fqn: str | None = _setting(None, "Only the model of this fqn.", scope="sync")
    name: str | None = _setting(None, "Only models of this name.", scope="sync")
    run_id: str | None = _setting(None, "Only models that this run logged.", scope="sync")
    include_empty: bool = _setting(
        True, "Also models without a version.", negative="exclude-empty", scope="sync"
    )
    versions: str = _setting(
        "all", "All versions of a model, or its latest alone.", choices=("all", "latest"), scope="sync"
    )
    page_size: int = _setting(500, "Records asked for in one request.", scope="sync")
    concurrency: int = _setting(4, "Requests under way at once.", scope="sync")
    max_sweeps: int = _setting(3, "Times a list is read until its completeness is proven.", scope="sync")
    dry_run: bool = _setting(False, "Print the plan and the counts; write nothing.", scope="sync")
    no_delete: bool = _setting(False, "Mark nothing as deleted.", scope="sync")
    allow_mass_delete: bool = _setting(False, "Mark deletes however many they are.", scope="sync")
    max_delete_share: float = _setting(
        0.2, "Share of a table that may go in one run (0 to 1); more refuses the run.", scope="sync"
    )
    lock_wait: float = _setting(0.0, "Seconds to wait while another run holds the lock.", scope="sync")
    output: str = _setting("text", "How the result is printed.", choices=("text", "json"), scope="sync")

    api_key: str | None = field(default=None, repr=False)
    """The token, given by a caller in Python; the command line has no such option."""

    def __post_init__(self) -> None:
        """Check what can be checked without asking anyone."""
        for name, least in (
            ("page_size", 1), ("concurrency", 1), ("max_sweeps", 1), ("max_retries", 0), ("lock_wait", 0),
            ("max_retry_time", 0),
        ):  # fmt: skip
            if getattr(self, name) < least:
                raise ConfigError(f"{flag(name)} must be at least {least}, not {getattr(self, name)}.")
        if not self.timeout > 0:
            raise ConfigError(f"--timeout must be more than 0 seconds, not {self.timeout}.")
        if not 0 <= self.max_delete_share <= 1:
            raise ConfigError(f"--max-delete-share must lie between 0 and 1, not {self.max_delete_share}.")

    def base_url(self) -> str:
        """The control plane's address, without a slash at its end; ConfigError if it cannot be one."""
        if not self.host:
            raise ConfigError("No host: set TFY_HOST or give --host https://your-control-plane.example.")
        return _checked_url(self.host, allow_insecure_http=self.allow_insecure_http)

    def token(self) -> str:
        """The token, read now: from the caller, the named file or the environment. ConfigError without one."""
        token = self.api_key or (_token_of_file(self.api_key_file) if self.api_key_file else "")
        token = token.strip()
        if not token:
            raise ConfigError(f"No token: set {TOKEN_ENV}, or name a file that holds it with --api-key-file.")
        if not (token.isascii() and token.isprintable()) or " " in token:
            raise ConfigError(
                "The token holds characters that no token has: look for a stray quote or line break."
            )
        return token

    def token_if_any(self) -> str | None:
        """The token, where there is one: what must not show in a log."""
        try:
            return self.token()
        except ConfigError:
            return None

    def ca_file(self) -> Path | None:
        """The CA file to trust instead of httpx's own choice (which honours SSL_CERT_FILE by itself)."""
        if self.ca_bundle is not None:
            return self.ca_bundle
        if os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR"):
            return None
        bundle = os.environ.get("REQUESTS_CA_BUNDLE")
        return Path(bundle) if bundle else None


def flag(name: str) -> str:
    """The option of a field: `page_size` is `--page-size`."""
    return "--" + name.replace("_", "-")


def env_names(name: str) -> tuple[str, ...]:
    """The variables that set a field, the one users already have first."""
    own = {f.name: f.metadata.get("env", ()) for f in fields(Settings)}[name]
    return (*own, f"TFY_ETL_{name.upper()}")


def token_of_environment() -> str | None:
    """The token of the environment, if it has one."""
    return os.environ.get(TOKEN_ENV) or None


def duration(text: str) -> timedelta:
    """`90s`, `15m`, `6h`, `90d` or `2w` as a time span; ConfigError for anything else."""
    match = _DURATION.fullmatch(text.strip().lower())
    if not match:
        raise ConfigError(f"{text!r} is no time span: write 90s, 15m, 6h, 90d or 2w.")
    return timedelta(seconds=float(match[1]) * _SECONDS[match[2]])


def _token_of_file(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ConfigError(f"Cannot read the token from {path}: {reason}.") from error


def _checked_url(host: str, *, allow_insecure_http: bool) -> str:
    url = host.strip().rstrip("/")
    if "://" not in url:
        url = f"https://{url}"
    try:
        parts = urlsplit(url)
        name, _port = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigError(f"{host!r} is no address: write https://your-control-plane.example.") from error
    if parts.scheme not in {"http", "https"} or not name or re.search(r"\s", url):
        raise ConfigError(f"{host!r} is no address: write https://your-control-plane.example.")
    if parts.username or parts.password:
        raise ConfigError("The host must not hold a user or password: give the token by TFY_API_KEY.")
    if parts.query or parts.fragment:
        raise ConfigError(f"{host!r} has a query or fragment: give the address up to the path alone.")
    if parts.scheme == "http" and not allow_insecure_http and not _is_loopback(name):
        raise ConfigError(
            f"Plain http to {name} would show the token to the network: use https, or --allow-insecure-http."
        )
    return url


def _is_loopback(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def database_url_of_environment() -> str:
    """For tools that take no options, such as Alembic's own command."""
    return os.environ.get("TFY_ETL_DATABASE_URL") or DEFAULT_DATABASE_URL
