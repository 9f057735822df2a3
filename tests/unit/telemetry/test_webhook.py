import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import trustme

from etl.telemetry.webhook import body, send
from tests.support.otlp_receiver import OtlpReceiver, receiver
from tests.unit.telemetry.outcomes import outcome

FAILED = {"status": "failed", "exit_code": 1, "error": "The database failed.", "records": {}}


@pytest.fixture
def webhook() -> Iterator[OtlpReceiver]:
    with receiver() as listening:
        yield listening


def test_a_message_is_one_object_with_the_outcome(webhook: OtlpReceiver) -> None:
    assert send(f"{webhook.url}/hook?key=1", outcome(**FAILED), None) is None
    (post,) = webhook.posts
    assert (post.path, post.headers["Content-Type"]) == ("/hook?key=1", "application/json")
    assert post.headers["User-Agent"].startswith("tfy-etl/")
    message = post.json()
    assert message.pop("version")
    assert message == {
        "text": "tfy-etl sync of https://plane.example: failed (exit code 1): The database failed.",
        "tool": "tfy-etl",
        "run_id": "1f0c",
        "scope": "all",
        "host": "https://plane.example",
        "status": "failed",
        "exit_code": 1,
        "error": "The database failed.",
        "warnings": [],
        "rejected": 0,
        "started_at": "2026-11-01T12:00:00+00:00",
        "finished_at": "2026-11-01T12:00:30+00:00",
        "last_complete_at": "2026-11-01T12:00:00+00:00",
    }


def test_the_message_of_a_partial_run_counts_rejected_records_and_has_warnings(webhook: OtlpReceiver) -> None:
    partial = outcome(status="partial", exit_code=3, warnings=("one", "two"), last_complete_at=None)
    assert send(webhook.url, partial, None) is None
    message = webhook.posts[0].json()
    reason = "1 record was rejected; one; two"
    assert message["text"] == f"tfy-etl sync of https://plane.example: partial (exit code 3): {reason}"
    assert (message["rejected"], message["warnings"], message["last_complete_at"]) == (1, ["one", "two"], None)


@pytest.mark.parametrize(
    ("models", "versions", "reason"),
    [(0, 0, ""), (0, 1, ": 1 record was rejected"), (1, 1_999, ": 2,000 records were rejected")],
)
def test_the_text_has_the_number_of_rejected_records(models: int, versions: int, reason: str) -> None:
    records = {"models": {"rejected": models}, "model_versions": {"inserted": 3, "rejected": versions}}
    message = body(outcome(status="partial", exit_code=3, records=records))
    assert message["text"] == f"tfy-etl sync of https://plane.example: partial (exit code 3){reason}"
    assert message["rejected"] == models + versions


@pytest.mark.parametrize("status", [400, 404, 500, 503])
def test_an_error_status_is_returned_without_retry(status: int, webhook: OtlpReceiver) -> None:
    webhook.status = status
    assert send(webhook.url, outcome(**FAILED), None) == f"HTTP status {status}"
    assert len(webhook.posts) == 1


def test_a_redirect_is_not_followed(webhook: OtlpReceiver) -> None:
    with receiver() as elsewhere:
        webhook.status, webhook.location = 307, elsewhere.url
        assert send(webhook.url, outcome(**FAILED), None) == "HTTP status 307"
        assert elsewhere.posts == []


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/secret-hook", "http://no-such-host.invalid/secret-hook", "http://[::1/secret-hook"]
)
def test_a_connection_error_is_returned_without_the_url(url: str) -> None:
    error = send(url, outcome(**FAILED), None)
    assert error
    assert "secret-hook" not in error


def test_an_endless_response_times_out(webhook: OtlpReceiver) -> None:
    webhook.drips = True
    assert send(webhook.url, outcome(**FAILED), None, seconds=0.5) == "no response within 0.5 s"


def test_a_certificate_is_trusted_only_with_its_ca_file(tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    bodies = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        url = f"https://127.0.0.1:{server.server_port}"
        try:
            assert send(url, outcome(**FAILED), None) == "ConnectError"
            assert bodies == []
            assert send(url, outcome(**FAILED), ca_file) is None
            assert send(url, outcome(**FAILED), tmp_path / "no-such.pem") == "FileNotFoundError"
        finally:
            server.shutdown()
            thread.join()
    assert len(bodies) == 1


def test_markup_of_chat_services_is_escaped() -> None:
    message = body(outcome(status="failed", exit_code=1, error="<!channel> <https://evil.example|see> & more"))
    assert message["text"].endswith("&lt;!channel&gt; &lt;https://evil.example|see&gt; &amp; more")
    assert message["error"] == "<!channel> <https://evil.example|see> & more"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "localhost"])
def test_a_message_to_this_machine_bypasses_the_proxy(
    host: str, webhook: OtlpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", webhook.url)
    assert send(f"http://{host}:1/hook", outcome(**FAILED), None) == "ConnectError"
    assert webhook.posts == []
