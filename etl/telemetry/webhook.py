"""Send a message to a URL when a run did not succeed.

This module does not use the HTTP client of `source`, which sends the token with every request and retries for
minutes. A message goes to another server, must not contain the token, and is sent once.
"""

import json
import ssl
from html import escape
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

import httpx

import etl
from etl.telemetry.run_outcome import RunOutcome
from etl.urls import is_loopback

TIMEOUT_SECONDS = 10.0
"""The time for the whole request, from name resolution to the end of the response."""

_MAX_WARNINGS = 5


def send(url: str, run: RunOutcome, ca_file: Path | None, seconds: float = TIMEOUT_SECONDS) -> str | None:
    """Post the message. Return the reason of a failure, without the URL, which may be a secret; else None."""
    ended: SimpleQueue[str | None] = SimpleQueue()
    # In a thread, because httpx limits each read only, and a slow response could take for ever.
    Thread(target=lambda: ended.put(_post(url, run, ca_file, seconds)), name="notify", daemon=True).start()
    try:
        return ended.get(timeout=seconds)
    except Empty:
        return f"no response within {seconds:g} s"


def body(run: RunOutcome) -> dict[str, Any]:
    """The message as JSON. Chat services show `text`."""
    rejected = sum(outcomes.get("rejected", 0) for outcomes in run.records.values())
    count = [f"{rejected:,} {'record was' if rejected == 1 else 'records were'} rejected"] if rejected else []
    reason = run.error or "; ".join([*count, *run.warnings[:_MAX_WARNINGS]])
    return {
        # Chat services read angle brackets as links and mentions, and names of ML repos may contain them.
        "text": escape(
            f"tfy-etl sync of {run.host}: {run.status} (exit code {run.exit_code})" + (reason and f": {reason}"),
            quote=False,
        ),
        "tool": "tfy-etl",
        "version": etl.__version__,
        "run_id": run.run_id,
        "scope": run.scope,
        "host": run.host,
        "status": run.status,
        "exit_code": run.exit_code,
        "error": run.error,
        "warnings": list(run.warnings),
        "rejected": rejected,
        "started_at": run.started_at.isoformat(),
        "finished_at": run.finished_at.isoformat(),
        "last_complete_at": run.last_complete_at and run.last_complete_at.isoformat(),
    }


def _post(url: str, run: RunOutcome, ca_file: Path | None, seconds: float) -> str | None:
    try:
        trust = ssl.create_default_context(cafile=ca_file) if ca_file else httpx.create_ssl_context()
        headers = {"User-Agent": f"tfy-etl/{etl.__version__}", "Content-Type": "application/json"}
        with (
            httpx.Client(
                timeout=seconds,
                verify=trust,
                headers=headers,
                follow_redirects=False,
                trust_env=not is_loopback(url),
            ) as http,
            # json.dumps escapes all but ASCII. The body of the response is not read.
            http.stream("POST", url, content=json.dumps(body(run)).encode()) as response,
        ):
            return None if response.is_success else f"HTTP status {response.status_code}"
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, ImportError) as error:
        # The text of the error may contain the URL, or that of a proxy.
        return f"{type(error).__name__}"
