"""Replaces a folder with a new one in one step.

The new files are written to a hidden folder next to the old one, synced to disk, and then renamed. On Linux the two
folders are exchanged atomically, so that a reader always finds one complete folder.
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
    """Yield a new folder that replaces `target` at the end; an error leaves `target` unchanged.

    Raises ConfigError unless `target` is missing, empty or an earlier export.
    """
    with _translate_errors(target):
        target = target.resolve()
        _check_target(target)
        scratch = target.with_name(f"{_prefix(target)}{uuid4().hex}")
        scratch.mkdir()
        handle = os.open(scratch, os.O_RDONLY)
        try:
            # The lock ends with the process, so that a later export can recognize folders of dead processes.
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield scratch
            _sync(scratch)
            _check_target(target)  # it may have changed during the export
            _swap(scratch, target)
            _sync_folder(target.parent)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
            os.close(handle)
        _remove_leftovers(target)


def _prefix(target: Path) -> str:
    return f".{target.name}.tfy-etl-"


def _check_target(target: Path) -> None:
    """Raise ConfigError if replacing the target would lose files of others."""
    if not target.parent.is_dir():
        raise ConfigError(f"The folder {target.parent} does not exist: create it, or name another.")
    if not target.exists():
        return
    if not target.is_dir():
        raise ConfigError(f"{target} is not a folder: name another, or one that does not exist yet.")
    names = {each.name for each in target.iterdir()}
    ours = manifest.files_of(target)
    if names and ours is None:
        raise ConfigError(f"{target} is not empty, and holds no export of tfy-etl: name another folder.")
    if foreign := sorted(names - (ours or set())):
        raise ConfigError(
            f"{target} holds other files than an export of tfy-etl, such as {foreign[0]}: move them, or name another "
            "folder."
        )


def _sync(folder: Path) -> None:
    """Flush the folder and its files to disk."""
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
    """Rename `scratch` to `target`; an earlier export at `target` becomes `scratch`."""
    if not target.exists() or not any(target.iterdir()):
        scratch.rename(target)
        return
    shutil.copymode(target, scratch)
    if _exchange(scratch, target):
        return
    # Between the two renames there is no target. A process killed here leaves both folders under hidden names.
    old = target.with_name(f"{scratch.name}-old")
    target.rename(old)
    try:
        scratch.rename(target)
    except OSError:
        old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two folders atomically; return False if the system does not support it."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    here = _AT_WORKING_DIRECTORY
    if rename(here, os.fsencode(one), here, os.fsencode(other), _EXCHANGE) == 0:
        return True
    if (code := ctypes.get_errno()) in _NO_EXCHANGE:
        return False
    raise OSError(code, os.strerror(code), str(other))


def _remove_leftovers(target: Path) -> None:
    """Remove the folders of processes that died while they wrote this target."""
    for left in target.parent.iterdir():
        if left.name.startswith(_prefix(target)):
            # Another process has removed the folder, or is still writing to it.
            with suppress(OSError):
                handle = os.open(left, os.O_RDONLY)
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    # An empty folder may belong to a process that has not locked it yet.
                    if any(left.iterdir()):
                        shutil.rmtree(left)
                finally:
                    os.close(handle)


@contextmanager
def _translate_errors(target: Path) -> Iterator[None]:
    """Translate an OSError to an EtlError with the next step."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno in _DISK_FULL:
            raise EtlError(f"{reason}: free disk space, then run again; {target} is unchanged.") from error
        if error.errno in _PERMISSION:
            raise ConfigError(
                f"Cannot write {target} ({reason}): fix the permissions of the folder above it, or name another."
            ) from error
        raise EtlError(f"Cannot write {target} ({reason}): fix the cause, then run again; it is unchanged.") from error
