"""A small disk, to fill up or to make read-only."""

import errno
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_AS_ROOT = () if os.geteuid() == 0 else ("sudo", "-n")


class Disk:
    """A disk mounted at `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def fill(self, but: int = 0) -> None:
        """Fill the disk, except for `but` bytes."""
        with self._filler.open("wb") as file:
            while True:
                free = os.statvfs(self.folder)
                try:
                    os.posix_fallocate(file.fileno(), 0, max(free.f_bavail * free.f_bsize - but, 1))
                except OSError as error:
                    if error.errno == errno.ENOSPC:  # another process wrote at the same time
                        continue
                    raise
                return

    def make_room(self) -> None:
        """Undo `fill`."""
        self._filler.unlink()

    def forbid_writing(self) -> None:
        """Make the disk read-only, also for root."""
        _mount("-o", "remount,ro", str(self.folder))

    def forbid_writing_to(self, file: Path) -> None:
        """Make one file read-only, also for root."""
        _mount("--bind", str(file), str(file))
        _mount("-o", "remount,bind,ro", str(file))


@contextmanager
def small_disk(megabytes: int) -> Iterator[Disk]:
    """Yield a disk in memory. If it cannot be mounted, the test is skipped, or fails in CI."""
    # Paths of sockets must be short, and TMPDIR may be long.
    folder = Path(tempfile.mkdtemp(prefix="tfy-etl-disk-", dir="/tmp"))
    try:
        _mount("-t", "tmpfs", "-o", f"size={megabytes}m,mode=0777", "tfy-etl", str(folder))
        try:
            yield Disk(folder)
        finally:
            subprocess.run([*_AS_ROOT, "umount", "--recursive", "--lazy", folder], check=True)
    finally:
        folder.rmdir()


def _mount(*arguments: str) -> None:
    try:
        subprocess.run([*_AS_ROOT, "mount", *arguments], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = f"A small disk needs mount, as root or by sudo without a password: {getattr(error, 'stderr', error)}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
