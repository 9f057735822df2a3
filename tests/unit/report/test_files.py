import os
from pathlib import Path

import pytest

from etl.errors import ConfigError
from etl.report.files import replace


def test_replace_creates_or_replaces_a_file_and_leaves_no_other(tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    for text in ("long " * 1000, "short é"):
        replace(file, text)
        assert file.read_text(encoding="utf-8") == text
    assert list(tmp_path.iterdir()) == [file]


def test_open_reader_of_the_old_file_is_not_affected_by_replace(tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    replace(file, "old")
    with file.open() as reader:
        replace(file, "new")
        assert reader.read() == "old"


def test_new_file_has_the_mode_of_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        replace(tmp_path / "report.html", "text")
    finally:
        os.umask(before)
    assert (tmp_path / "report.html").stat().st_mode & 0o777 == 0o644


def test_replace_keeps_a_link_and_replaces_its_target(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    link = tmp_path / "report.html"
    link.symlink_to("shared/report.html")
    replace(link, "text")
    assert link.is_symlink()
    assert (tmp_path / "shared" / "report.html").read_text(encoding="utf-8") == "text"


def test_a_device_is_written_to_and_not_replaced() -> None:
    replace(Path("/dev/null"), "text")
    assert Path("/dev/null").is_char_device()


def test_replace_accepts_the_longest_file_name(tmp_path: Path) -> None:
    replace(tmp_path / ("n" * 255), "text")


@pytest.mark.parametrize("name", ["no-such-folder/report.html", ".", "n" * 256])
def test_unwritable_target_raises_config_error_and_leaves_no_file(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^Cannot write .*: fix its folder, or name another file with --out\.$"):
        replace(tmp_path / name, "text")
    assert list(tmp_path.iterdir()) == []


def test_a_write_that_fails_halfway_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    replace(file, "old")
    with pytest.raises(UnicodeEncodeError):
        replace(file, "lone \ud800")
    assert file.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_replace_keeps_the_mode_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text("old")
    file.chmod(0o600)
    replace(file, "new")
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("new", 0o600)
