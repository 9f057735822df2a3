"""A folder that takes the place of another, whole or not at all.

What is new is written into a hidden folder beside the old one, synced, and then renamed. Where the system can (Linux),
the two change places in one step: who looks always finds one of them, and never half of one.
"""

import ctypes
import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from etl.errors import ConfigError, EtlError
from etl.export import manifest

_AT_WORKING_DIRECTORY, _EXCHANGE = -100, 2  # of Linux' renameat2
_NO_EXCHANGE = {errno.ENOSYS, errno.EINVAL}
_PERMISSION = {errno.EACCES, errno.EPERM, errno.EROFS}
_DISK_FULL = {errno.ENOSPC, errno.EDQUOT}


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """A new folder, which becomes `target` in the end; an error leaves `target` as it was, and nothing beside it.

    Raises ConfigError where there is anything in its place but an empty folder or an export.
    """
    with _translate_errors(target):
        target = target.resolve()
        _check_target(target)
        scratch = target.with_name(f"{_prefix(target)}{uuid4().hex}")
        scratch.mkdir()
        handle = os.open(scratch, os.O_RDONLY)
        try:
            # As long as this process lives: what a dead one has left is told by it.
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield scratch
            _sync(scratch)
            _check_target(target)  # hours may have passed
            _swap(scratch, target)
            _sync_folder(target.parent)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
            os.close(handle)
        _remove_leftovers(target)


def _prefix(target: Path) -> str:
    return f".{target.name}.tfy-etl-"


def _check_target(target: Path) -> None:
    """ConfigError where the target cannot be replaced without loss."""
    if not target.parent.is_dir():
        raise ConfigError(f"The folder {target.parent} does not exist: create it, or name another.")
    if not target.exists():
        return
    if not target.is_dir():
        raise ConfigError(f"{target} is no folder: name another, or one that is not there yet.")
    there = {each.name for each in target.iterdir()}
    ours = manifest.files_of(target)
    if there and ours is None:
        raise ConfigError(f"{target} is not empty, and holds no export of tfy-etl: name another folder.")
    if strange := sorted(there - (ours or set())):
        raise ConfigError(
            f"{target} holds more than an export of tfy-etl, such as {strange[0]}: move that away, or name another "
            "folder."
        )


def _sync(folder: Path) -> None:
    """All that is in the folder is on the disk when this returns."""
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
    _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _swap(scratch: Path, target: Path) -> None:
    """Let `scratch` become `target`; where there was an export, that becomes `scratch`."""
    if not target.exists() or not any(target.iterdir()):
        scratch.rename(target)
        return
    shutil.copymode(target, scratch)
    if _exchange(scratch, target):
        return
    # Between the two there is no target for a moment; who dies in it leaves both, whole, under hidden names.
    old = target.with_name(f"{scratch.name}-old")
    target.rename(old)
    try:
        scratch.rename(target)
    except OSError:
        old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Let two folders change places in one step; False where system or file system cannot."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    here = _AT_WORKING_DIRECTORY
    if rename(here, os.fsencode(one), here, os.fsencode(other), _EXCHANGE) == 0:
        return True
    if (number := ctypes.get_errno()) in _NO_EXCHANGE:
        return False
    raise OSError(number, os.strerror(number), str(other))


def _remove_leftovers(target: Path) -> None:
    """Remove what processes left that died while they wrote this target."""
    for left in target.parent.iterdir():
        if left.name.startswith(_prefix(target)):
            # It is gone meanwhile, or of a process that lives.
            with suppress(OSError):
                handle = os.open(left, os.O_RDONLY)
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    # One that is empty may be about to be locked.
                    if any(left.iterdir()):
                        shutil.rmtree(left)
                finally:
                    os.close(handle)


@contextmanager
def _translate_errors(target: Path) -> Iterator[None]:
    """Turn what the system complains of into one line with the next step."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno in _DISK_FULL:
            raise EtlError(f"{reason}: make room, then run again; {target} is as it was.") from error
        if error.errno in _PERMISSION:
            raise ConfigError(
                f"Cannot write {target} ({reason}): mend the permissions of the folder that it is in, or name another."
            ) from error
        raise EtlError(f"Cannot write {target} ({reason}): see to it, then run again; it is as it was.") from error
