import http.client
import json
import ssl
import threading
from datetime import UTC
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import trustme

from etl.simulator import Registry, Simulator, fault
from etl.simulator.faults import Fault
from tests.support.patience import patience

MODELS = "/api/ml/v1/models"


@pytest.fixture
def registry() -> Registry:
    return Registry.generate(models=3, versions=1)


def client(simulator: Simulator, *, verify: ssl.SSLContext | bool = True) -> httpx.Client:
    headers = {"Authorization": f"Bearer {simulator.token}"}
    return httpx.Client(base_url=simulator.url, headers=headers, trust_env=False, verify=verify, timeout=patience())


def failing(registry: Registry, *faults: Fault) -> Simulator:
    return Simulator(registry, faults=faults)


def test_list_is_served_over_http_below_the_path_prefix(registry: Registry) -> None:
    with Simulator(registry, path_prefix="/tfy") as simulator, client(simulator) as http:
        answer = http.get(MODELS, params={"limit": 2})

    assert simulator.url.endswith("/tfy")
    assert answer.json()["data"] == registry.records("models")[:2]
    assert answer.headers["Content-Type"] == "application/json"
    assert parsedate_to_datetime(answer.headers["Date"]).tzinfo == UTC


def test_a_connection_is_kept_for_the_next_request(registry: Registry) -> None:
    with Simulator(registry) as simulator:
        connection = http.client.HTTPConnection(simulator.host, simulator.port)
        for _ in range(3):
            connection.request("GET", MODELS)
            assert connection.getresponse().read().startswith(b'{"statusCode":401')
            assert connection.sock is not None
        connection.close()


def test_the_log_keeps_each_request_but_no_token(registry: Registry) -> None:
    with Simulator(registry) as simulator, client(simulator) as http:
        http.get(MODELS, params={"offset": 1, "limit": 5000}, headers={"User-Agent": "tfy-etl/1"})
        httpx.get(simulator.url + "/", trust_env=False, timeout=patience())

    assert simulator.log == [
        ("GET", MODELS, {"offset": "1", "limit": "5000"}, 422),
        ("GET", "/", {}, 200),
    ]
    assert simulator.headers_seen[0]["user-agent"] == "tfy-etl/1"
    assert simulator.headers_seen[0]["authorization"] == "Bearer"
    assert "authorization" not in simulator.headers_seen[1]


def test_the_hook_can_move_rows_between_two_pages(registry: Registry) -> None:
    def delete_the_first(number: int, path: str, query: dict[str, list[str]]) -> None:
        if (number, path, query.get("offset")) == (2, MODELS, ["1"]):
            registry.delete_model(registry.ids("models")[0])

    first, _, third = registry.ids("models")
    with Simulator(registry, before_request=delete_the_first) as simulator, client(simulator) as http:
        pages = [http.get(MODELS, params={"offset": offset, "limit": 1}).json()["data"] for offset in (0, 1)]

    assert [page[0]["id"] for page in pages] == [first, third]


def test_another_process_changes_the_registry_unseen_by_faults_hook_and_log(registry: Registry) -> None:
    def forbidden(*_: object) -> None:
        raise AssertionError

    simulator = Simulator(registry, faults=(fault("flaky_500"),), before_request=forbidden)
    with simulator, client(simulator) as http:
        answer = http.post("/_simulator/delete_ml_repo", json={"id": "1"})

    assert answer.json() == {"ok": True, "result": None}
    assert registry.ids("ml-repos") == ["2", "3"]
    assert simulator.log == []


def test_failing_hook_is_reported_on_stderr(registry: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("the hook is broken")

    with (
        Simulator(registry, before_request=broken) as simulator,
        client(simulator) as http,
        pytest.raises(httpx.RemoteProtocolError),
    ):
        http.get(MODELS)

    assert "the hook is broken" in capsys.readouterr().err


def test_first_fault_is_outermost(registry: Registry) -> None:
    with (
        failing(registry, fault("flaky_500,times=1"), fault("forbid")) as simulator,
        client(simulator) as http,
    ):
        assert [http.get(MODELS).status_code for _ in range(2)] == [500, 403]


def test_reset_connection_sends_no_byte(registry: Registry) -> None:
    with (
        failing(registry, fault("reset")) as simulator,
        client(simulator) as http,
        pytest.raises(httpx.ReadError, match="reset"),
    ):
        http.get(MODELS)


def test_a_truncated_body_ends_before_its_announced_length(registry: Registry) -> None:
    with (
        failing(registry, fault("truncated_body")) as simulator,
        client(simulator) as http,
        pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"),
    ):
        http.get(MODELS)


def test_after_a_transient_fault_the_same_client_is_served_again(registry: Registry) -> None:
    with failing(registry, fault("truncated_body,times=1")) as simulator, client(simulator) as http:
        with pytest.raises(httpx.RemoteProtocolError):
            http.get(MODELS)
        assert http.get(MODELS).json()["pagination"]["total"] == 3


def test_stopped_simulator_closes_open_connections(registry: Registry) -> None:
    simulator = Simulator(registry).start()
    with client(simulator) as http:
        assert http.get(MODELS).status_code == 200
        simulator.stop()
        with pytest.raises(httpx.TransportError):
            http.get(MODELS)


def test_a_simulator_can_be_stopped_twice(registry: Registry) -> None:
    with Simulator(registry) as simulator:
        simulator.stop()


def test_pages_and_changes_from_many_threads_agree(registry: Registry) -> None:
    repo_id = registry.ids("ml-repos")[0]

    def change_and_read() -> None:
        with client(simulator) as http:
            for _ in range(20):
                http.post("/_simulator/add_model", json={"ml_repo_id": repo_id})
                page = http.get(MODELS, params={"limit": 1000}).json()
                assert len({model["id"] for model in page["data"]}) == page["pagination"]["total"]

    with Simulator(registry, faults=(fault("moving,endpoint=models"),)) as simulator:
        threads = [threading.Thread(target=change_and_read) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert len(registry.ids("models")) >= 3 + 4 * 20
    assert len(simulator.log) == 4 * 20
    assert {entry.status for entry in simulator.log} == {200}


def test_tls_serves_only_clients_that_trust_the_certificate(registry: Registry, tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    cert_file, key_file = tmp_path / "cert.pem", tmp_path / "key.pem"
    certificate.private_key_pem.write_to_path(str(key_file))
    for blob in certificate.cert_chain_pems:
        blob.write_to_path(str(cert_file), append=True)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)

    with Simulator(registry, tls=(cert_file, key_file)) as simulator:
        assert urlsplit(simulator.url).scheme == "https"
        with client(simulator) as http, pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            http.get(MODELS)
        with client(simulator, verify=trusting) as http:
            assert http.get(MODELS).json()["pagination"]["total"] == 3


def test_raw_record_is_served_verbatim_over_http(registry: Registry) -> None:
    registry.put_raw("models", "odd", b'{"id":"odd","value":NaN,"name":"\\ud800"}')

    with Simulator(registry) as simulator, client(simulator) as http:
        body = http.get(f"{MODELS}/odd").content

    assert body == b'{"data":{"id":"odd","value":NaN,"name":"\\ud800"}}'
    assert json.loads(body)["data"]["name"] == "\ud800"
