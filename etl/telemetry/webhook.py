"""A message to an address when a run did not go well.

HTTP, though not in `source`: what is there sends the token along with every request, to one address, and tries again
for minutes. A message goes elsewhere, carries nothing of the kind, and is sent once.
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

TIMEOUT_SECONDS = 10.0
"""From the first look at the address to its answer."""

_MOST_WARNINGS = 5


def send(url: str, run: RunOutcome, ca_file: Path | None, seconds: float = TIMEOUT_SECONDS) -> str | None:
    """Post the message; gives back why that failed, in words that do not hold the address, which may be a secret."""
    ended: SimpleQueue[str | None] = SimpleQueue()
    # A thread, because httpx bounds each read by itself, and an answer may drip for ever.
    Thread(target=lambda: ended.put(_post(url, run, ca_file, seconds)), name="notify", daemon=True).start()
    try:
        return ended.get(timeout=seconds)
    except Empty:
        return f"no response within {seconds:g} s"


def body(run: RunOutcome) -> dict[str, Any]:
    """The message. `text` is for those who show only that."""
    why = run.error or "; ".join(run.warnings[:_MOST_WARNINGS])
    return {
        # Chats take what stands in angle brackets for links and mentions, and people name ML repos.
        "text": escape(
            f"tfy-etl sync of {run.host}: {run.status} (exit code {run.exit_code})" + (why and f": {why}"),
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
        "rejected": sum(outcomes.get("rejected", 0) for outcomes in run.records.values()),
        "started_at": run.started_at.isoformat(),
        "finished_at": run.finished_at.isoformat(),
        "last_complete_at": run.last_complete_at and run.last_complete_at.isoformat(),
    }


def _post(url: str, run: RunOutcome, ca_file: Path | None, seconds: float) -> str | None:
    try:
        trust = ssl.create_default_context(cafile=ca_file) if ca_file else httpx.create_ssl_context()
        headers = {"User-Agent": f"tfy-etl/{etl.__version__}", "Content-Type": "application/json"}
        with (
            httpx.Client(timeout=seconds, verify=trust, headers=headers, follow_redirects=False) as http,
            # In ASCII, which holds whatever the registry's people wrote. What is answered is not read.
            http.stream("POST", url, content=json.dumps(body(run)).encode()) as answer,
        ):
            return None if answer.is_success else f"HTTP status {answer.status_code}"
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, ImportError) as error:
        # Their texts may quote the address, or that of a proxy.
        return f"{type(error).__name__}"
