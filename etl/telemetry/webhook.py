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
from etl.telemetry.report import Report

SECONDS = 10.0
"""From the first look at the address to its answer."""

_MOST_WARNINGS = 5


def send(url: str, report: Report, ca_file: Path | None, seconds: float = SECONDS) -> str | None:
    """Post the message; gives back why that failed, in words that do not hold the address, which may be a secret."""
    ended: SimpleQueue[str | None] = SimpleQueue()
    # A thread, because httpx bounds each read by itself, and an answer may drip for ever.
    Thread(target=lambda: ended.put(_post(url, report, ca_file, seconds)), name="notify", daemon=True).start()
    try:
        return ended.get(timeout=seconds)
    except Empty:
        return f"no response within {seconds:g} s"


def body(report: Report) -> dict[str, Any]:
    """The message. `text` is for those who show only that."""
    why = report.error or "; ".join(report.warnings[:_MOST_WARNINGS])
    return {
        # Chats take what stands in angle brackets for links and mentions, and people name ML repos.
        "text": escape(
            f"tfy-etl sync of {report.host}: {report.status} (exit code {report.exit_code})" + (why and f": {why}"),
            quote=False,
        ),
        "tool": "tfy-etl",
        "version": etl.__version__,
        "run_id": report.run_id,
        "scope": report.scope,
        "host": report.host,
        "status": report.status,
        "exit_code": report.exit_code,
        "error": report.error,
        "warnings": list(report.warnings),
        "rejected": sum(outcomes.get("rejected", 0) for outcomes in report.records.values()),
        "started_at": report.started_at.isoformat(),
        "finished_at": report.finished_at.isoformat(),
        "last_complete_at": report.last_complete_at and report.last_complete_at.isoformat(),
    }


def _post(url: str, report: Report, ca_file: Path | None, seconds: float) -> str | None:
    try:
        trust = ssl.create_default_context(cafile=ca_file) if ca_file else httpx.create_ssl_context()
        headers = {"User-Agent": f"tfy-etl/{etl.__version__}", "Content-Type": "application/json"}
        with (
            httpx.Client(timeout=seconds, verify=trust, headers=headers, follow_redirects=False) as http,
            # In ASCII, which holds whatever the registry's people wrote. What is answered is not read.
            http.stream("POST", url, content=json.dumps(body(report)).encode()) as answer,
        ):
            return None if answer.is_success else f"HTTP status {answer.status_code}"
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, ImportError) as error:
        # Their texts may quote the address, or that of a proxy.
        return f"{type(error).__name__}"
