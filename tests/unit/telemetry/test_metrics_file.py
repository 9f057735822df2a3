import os
import socket
import threading
from pathlib import Path

import pytest
from filelock import FileLock
from prometheus_client.parser import text_string_to_metric_families

from etl.telemetry import metrics_file
from etl.telemetry.metrics_file import COUNTERS, GAUGES, MetricsFileError, write
from tests.unit.telemetry.outcomes import FINISHED, STARTED, outcome


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tfy-etl.prom"


def metric_values(path: Path, **labels: str) -> dict[str, float]:
    """The samples with these labels, by name and other labels."""
    found = {}
    for family in text_string_to_metric_families(path.read_text()):
        for sample in family.samples:
            if labels.items() <= sample.labels.items():
                others = [value for name, value in sample.labels.items() if name not in labels]
                found[" ".join([sample.name, *others])] = sample.value
    return found


def test_every_metric_has_help_and_type_and_a_name_by_convention(path: Path) -> None:
    write(path, outcome())
    families = {family.name: family for family in text_string_to_metric_families(path.read_text())}
    assert set(families) == {*COUNTERS, *GAUGES}
    assert all(family.documentation for family in families.values())
    assert {name: families[name].type for name in (*COUNTERS, *GAUGES)} == {
        **dict.fromkeys(COUNTERS, "counter"),
        **dict.fromkeys(GAUGES, "gauge"),
    }
    text = path.read_text()
    for name in COUNTERS:
        assert f"# TYPE {name}_total counter\n" in text
        assert f"# HELP {name}_total {families[name].documentation}\n" in text
    assert "_created" not in text


def test_the_metrics_of_a_run_have_base_units(path: Path) -> None:
    write(path, outcome())
    metrics = metric_values(path, scope="all")
    assert metrics["tfy_etl_last_run_duration_seconds"] == 30.5
    assert metrics["tfy_etl_last_run_timestamp_seconds"] == FINISHED.timestamp()
    assert metrics["tfy_etl_last_complete_run_timestamp_seconds"] == STARTED.timestamp()
    assert metrics["tfy_etl_last_run_exit_code"] == 0
    assert metrics["tfy_etl_http_received_bytes_total"] == 1000


def test_counters_accumulate_over_runs(path: Path) -> None:
    for status, code in (("succeeded", 0), ("failed", 1), ("failed", 1), ("partial", 3)):
        assert write(path, outcome(status=status, exit_code=code))
    metrics = metric_values(path, scope="all")
    assert {name: metrics[f"tfy_etl_runs_total {name}"] for name in ("succeeded", "failed", "partial", "refused")} == {
        "succeeded": 1, "failed": 2, "partial": 1, "refused": 0,
    }  # fmt: skip
    assert (metrics["tfy_etl_http_requests_total"], metrics["tfy_etl_http_retries_total"]) == (16, 4)
    assert metrics["tfy_etl_records_total models inserted"] == 12
    assert metrics["tfy_etl_records_total models deleted"] == 0
    assert metrics["tfy_etl_last_run_exit_code"] == 3


def test_a_failed_run_keeps_the_time_of_the_last_complete_run(path: Path) -> None:
    write(path, outcome())
    write(path, outcome(status="failed", exit_code=1, last_complete_at=None, records={}))
    metrics = metric_values(path, scope="all")
    assert metrics["tfy_etl_last_complete_run_timestamp_seconds"] == STARTED.timestamp()
    assert metrics["tfy_etl_last_run_exit_code"] == 1


def test_without_a_complete_run_its_time_is_missing(path: Path) -> None:
    write(path, outcome(status="failed", exit_code=1, last_complete_at=None))
    assert "tfy_etl_last_complete_run_timestamp_seconds" not in metric_values(path, scope="all")


def test_a_run_that_found_the_lock_held_is_counted_and_is_not_the_last_run(path: Path) -> None:
    write(path, outcome(status="failed", exit_code=1))
    write(path, outcome(status="locked", exit_code=4, duration_s=0.1))
    metrics = metric_values(path, scope="all")
    assert metrics["tfy_etl_runs_total locked"] == 1
    assert (metrics["tfy_etl_last_run_exit_code"], metrics["tfy_etl_last_run_duration_seconds"]) == (1, 30.5)


def test_scopes_share_a_file_and_do_not_mix(path: Path) -> None:
    odd = '{"name":"a \\"b\\"\\n\\\\"}\n'
    write(path, outcome())
    write(path, outcome(scope=odd, requests=7))
    write(path, outcome())
    assert metric_values(path, scope="all")["tfy_etl_http_requests_total"] == 8
    assert metric_values(path, scope=odd)["tfy_etl_http_requests_total"] == 7


def test_metrics_of_another_release_are_replaced_and_reported(path: Path) -> None:
    path.write_text('# TYPE tfy_etl_runs_total counter\ntfy_etl_runs_total{other="label"} 3\n')
    assert not write(path, outcome())
    assert metric_values(path, scope="all")["tfy_etl_runs_total succeeded"] == 1
    assert write(path, outcome())


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"no metrics {{", "not a metrics file"),
        (b"\x80", "not a metrics file"),
        (b"SQLite format 3\0" + bytes(4000), "not a metrics file"),
        (b"[sync]\npage-size = 1\n", "not a metrics file"),
        (b"tfy_etl_runs_total{} 1\n" * 10**6, "not a metrics file"),
        (b"node_load1 0.5\n", "not a metrics file"),
        (b'tfy_etl_runs_total{scope="all",status="failed"} 3\nnode_load1 0.5\n', "other programs, such as node_load1"),
    ],
)
def test_a_file_with_other_content_is_refused_and_kept(content: bytes, reason: str, path: Path) -> None:
    path.write_bytes(content)
    with pytest.raises(MetricsFileError, match=reason):
        write(path, outcome())
    assert path.read_bytes() == content


def test_an_empty_file_becomes_a_metrics_file(path: Path) -> None:
    path.touch()
    assert write(path, outcome())
    assert metric_values(path, scope="all")["tfy_etl_runs_total succeeded"] == 1


@pytest.mark.parametrize("exists", [True, False])
def test_a_link_stays_and_its_target_is_replaced(*, exists: bool, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    target, link = tmp_path / "elsewhere" / "tfy-etl.prom", tmp_path / "link.prom"
    link.symlink_to("elsewhere/tfy-etl.prom")
    if exists:
        write(target, outcome())
    write(link, outcome())
    assert link.is_symlink()
    assert metric_values(target, scope="all")["tfy_etl_runs_total succeeded"] == 1 + exists


def test_a_link_to_itself_is_an_error(path: Path) -> None:
    path.symlink_to(path.name)
    with pytest.raises(MetricsFileError, match="symbolic links"):
        write(path, outcome())
    assert path.is_symlink()


def test_a_pipe_gets_the_metrics_of_the_run_and_stays(path: Path) -> None:
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    assert write(path, outcome())
    text = os.read(reader, 100_000).decode()
    os.close(reader)
    assert 'tfy_etl_runs_total{scope="all",status="succeeded"} 1.0' in text
    assert path.is_fifo()
    assert list(path.parent.iterdir()) == [path]


def test_a_pipe_without_a_reader_does_not_block(path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(MetricsFileError, match="No such device"):
        write(path, outcome())


@pytest.mark.parametrize("device", ["null", "zero", "full"])
def test_a_device_is_neither_read_nor_replaced(device: str) -> None:
    path = Path("/dev", device)
    before = path.stat()
    if device == "full":
        with pytest.raises(MetricsFileError, match="No space left"):
            write(path, outcome())
    else:
        assert write(path, outcome())
    assert path.is_char_device()
    assert path.stat().st_ino == before.st_ino
    assert not Path(f"{path}.lock").exists()


def test_a_socket_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("x.prom")  # relative, because the name of a socket must be short
        with pytest.raises(MetricsFileError, match="name a file"):
            write(Path("x.prom"), outcome())
    assert Path("x.prom").is_socket()


def test_the_file_is_replaced_atomically_without_leftovers(path: Path) -> None:
    write(path, outcome())
    inode = path.stat().st_ino
    with path.open() as reader:
        write(path, outcome())
        assert "tfy_etl_runs_total" in reader.read()
    assert path.stat().st_ino != inode
    assert [each.name for each in path.parent.glob("*.prom*")] in (
        ["tfy-etl.prom"],
        ["tfy-etl.prom", "tfy-etl.prom.lock"],
    )


def test_the_files_permissions_follow_the_umask(path: Path) -> None:
    before = os.umask(0o022)
    try:
        write(path, outcome())
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o644


def test_jobs_that_end_at_the_same_time_lose_no_count(path: Path) -> None:
    threads = [threading.Thread(target=write, args=(path, outcome(scope=f"{number % 3}"))) for number in range(24)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert [metric_values(path, scope=scope)["tfy_etl_http_requests_total"] for scope in "012"] == [32, 32, 32]


def test_a_missing_folder_is_not_created(tmp_path: Path) -> None:
    with pytest.raises(MetricsFileError, match="the folder does not exist"):
        write(tmp_path / "no" / "x.prom", outcome())
    assert list(tmp_path.iterdir()) == []


def test_a_write_error_has_a_reason(tmp_path: Path) -> None:
    (tmp_path / "x.prom").mkdir()
    with pytest.raises(MetricsFileError, match="directory"):
        write(tmp_path / "x.prom", outcome())


def test_a_held_file_lock_times_out(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_file, "_LOCK_SECONDS", 0.1)
    with FileLock(f"{path}.lock"), pytest.raises(MetricsFileError, match="another run has held its lock"):
        write(path, outcome())
