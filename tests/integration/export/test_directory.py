import ctypes
import fcntl
import json
import os
import threading
from pathlib import Path

import pytest

from etl.errors import ConfigError, EtlError
from etl.export.directory import replacing

SCRATCH = ".export.tfy-etl-0123"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "export"


def write_export(target: Path, **files: str) -> None:
    """Write an export of these files."""
    with replacing(target) as scratch:
        fill(scratch, **files)


def fill(scratch: Path, **files: str) -> None:
    for name, text in files.items():
        (scratch / name).write_text(text)
    manifest = {"kind": "tfy-etl export", "files": [{"file": name} for name in files]}
    (scratch / "manifest.json").write_text(json.dumps(manifest))


def files_in(target: Path) -> dict[str, str]:
    return {each.name: each.read_text() for each in target.iterdir() if each.name != "manifest.json"}


def siblings(target: Path) -> list[str]:
    return sorted(each.name for each in target.parent.iterdir())


def test_new_folder_appears_complete_with_default_permissions(target: Path) -> None:
    usual = target.with_name("usual")
    usual.mkdir()
    with replacing(target) as scratch:
        fill(scratch, a="1")
        assert not target.exists()

    assert files_in(target) == {"a": "1"}
    assert target.stat().st_mode == usual.stat().st_mode
    assert siblings(target) == ["export", "usual"]


def test_empty_folder_is_filled(target: Path) -> None:
    target.mkdir()
    write_export(target, a="1")

    assert files_in(target) == {"a": "1"}


def test_replaced_export_is_complete_and_keeps_its_permissions(target: Path) -> None:
    write_export(target, a="1", b="2")
    target.chmod(0o750)
    write_export(target, b="3")

    assert files_in(target) == {"b": "3"}
    assert target.stat().st_mode & 0o777 == 0o750
    assert siblings(target) == ["export"]


def test_export_is_replaced_even_if_the_system_cannot_exchange_folders(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda *_arguments, **_options: object())
    write_export(target, a="1", b="2")
    write_export(target, b="3")

    assert files_in(target) == {"b": "3"}
    assert siblings(target) == ["export"]


def test_reader_always_finds_an_export_during_replacement(target: Path) -> None:
    write_export(target, number="0")
    found, stop = list[bool](), threading.Event()

    def check() -> None:
        while not stop.is_set():
            found.append(target.is_dir())

    reader = threading.Thread(target=check)
    reader.start()
    for number in range(100):
        write_export(target, number=str(number))
    stop.set()
    reader.join()

    assert found
    assert all(found)
    assert files_in(target) == {"number": "99"}


@pytest.mark.parametrize("before", [None, {"a": "1"}])
def test_error_leaves_the_target_unchanged_and_no_other_folder(before: dict[str, str] | None, target: Path) -> None:
    if before:
        write_export(target, **before)

    def fail() -> None:
        with replacing(target) as scratch:
            fill(scratch, a="2")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert siblings(target) == (["export"] if before else [])
    assert before is None or files_in(target) == before


def test_replacing_a_link_replaces_its_target(target: Path) -> None:
    elsewhere = target.parent / "disk" / "export"
    elsewhere.parent.mkdir()
    target.symlink_to(elsewhere)
    write_export(target, a="1")
    write_export(target, a="2")

    assert target.is_symlink()
    assert files_in(elsewhere) == {"a": "2"}
    assert siblings(elsewhere) == ["export"]


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"notes.txt": "mine"}, "is not empty, and holds no export of tfy-etl"),
        ({"manifest.json": "{}"}, "is not empty, and holds no export of tfy-etl"),
        ({"manifest.json": "["}, "is not empty, and holds no export of tfy-etl"),
        ({"manifest.json": '{"kind": "tfy-etl export"}'}, "is not empty, and holds no export of tfy-etl"),
        ({"manifest.json": '{"kind": "tfy-etl export", "files": [7]}'}, "is not empty, and holds no export of tfy-etl"),
        ({"manifest.json": '["tfy-etl export"]'}, "is not empty, and holds no export of tfy-etl"),
        (
            {"manifest.json": '{"kind": "tfy-etl export", "files": [{"file": "a"}]}', "a": "", "notes.txt": "mine"},
            "holds other files than an export of tfy-etl, such as notes.txt",
        ),
    ],
)
def test_folder_with_other_files_is_refused_and_unchanged(files: dict[str, str], reason: str, target: Path) -> None:
    target.mkdir()
    for name, text in files.items():
        (target / name).write_text(text)
    with pytest.raises(ConfigError, match=reason), replacing(target):
        raise AssertionError

    assert {each.name: each.read_text() for each in target.iterdir()} == files
    assert siblings(target) == ["export"]


def test_file_added_during_the_export_is_not_lost(target: Path) -> None:
    write_export(target, a="1")

    def replace_while_notes_are_added() -> None:
        with replacing(target) as scratch:
            fill(scratch, a="2")
            (target / "notes.txt").write_text("mine")

    with pytest.raises(ConfigError, match=r"such as notes\.txt"):
        replace_while_notes_are_added()

    assert files_in(target) == {"a": "1", "notes.txt": "mine"}
    assert siblings(target) == ["export"]


def test_a_file_is_refused(target: Path) -> None:
    target.write_text("mine")
    with pytest.raises(ConfigError, match="is not a folder: name another"), replacing(target):
        raise AssertionError

    assert target.read_text() == "mine"


def test_missing_parent_folder_is_not_created(target: Path) -> None:
    with pytest.raises(ConfigError, match=r"The folder .*/export does not exist: create it"), replacing(target / "a"):
        raise AssertionError

    assert siblings(target) == []


def test_too_long_name_raises_etl_error(tmp_path: Path) -> None:
    with pytest.raises(EtlError, match="File name too long"), replacing(tmp_path / ("n" * 250)):
        raise AssertionError


def test_folders_of_dead_processes_are_removed_and_those_of_running_ones_kept(target: Path) -> None:
    dead, living = target.with_name(SCRATCH), target.with_name(f"{SCRATCH}4")
    for each in (dead, living):
        each.mkdir()
        fill(each, a="0")
    handle = os.open(living, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    write_export(target, a="1")
    os.close(handle)

    assert siblings(target) == [living.name, "export"]
    assert files_in(living) == {"a": "0"}


def test_two_concurrent_exports_succeed_and_one_remains(target: Path) -> None:
    write_export(target, a="0")
    with replacing(target) as one:
        fill(one, a="1")
        write_export(target, b="2")

    assert files_in(target) == {"a": "1"}
    assert siblings(target) == ["export"]
