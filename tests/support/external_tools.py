"""External tools that check files for other programs, from the machine or from Debian packages.

A test is skipped if its tool is not available; in CI that is an error.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from filelock import FileLock

from tests.support.paths import ROOT

_CACHE = ROOT / ".pytest_cache" / "debian"


class ToolMissing(Exception):
    """A tool is not available; the message names the package to install."""


def require_tool(name: str, package: str, *, starts_a_service: bool = False) -> str:
    """Return the path of a tool, and install its Debian package if needed.

    A package that would start a service is unpacked to the cache of the tests instead.
    """
    try:
        return _found(name) or (_unpacked if starts_a_service else _installed)(name, package)
    except (ToolMissing, OSError, subprocess.CalledProcessError) as error:
        message = f"{name} is missing: install Debian's package {package} ({error})"
        if os.environ.get("CI"):
            raise ToolMissing(message) from error
        pytest.skip(message)


def _found(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")  # often missing from a user's PATH


def _installed(name: str, package: str) -> str:
    _CACHE.mkdir(parents=True, exist_ok=True)
    with FileLock(_CACHE / "apt.lock"):  # only one of several workers installs
        if not (found := _found(name)):
            _as_root("apt-get", "update", "-qq")
            _as_root(
                "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-qq", "--no-install-recommends", package
            )
            found = _found(name)
    if not found:
        raise ToolMissing("its package does not contain it")
    return found


def _unpacked(name: str, package: str) -> str:
    tool = _CACHE / package / "usr" / "bin" / name
    _CACHE.mkdir(parents=True, exist_ok=True)
    with FileLock(_CACHE / "apt.lock"), tempfile.TemporaryDirectory() as folder:
        if not tool.exists():
            Path(folder).chmod(0o755)  # apt downloads as another user
            if not _fetched(package, folder):
                _as_root("apt-get", "update", "-qq")
                if not _fetched(package, folder):
                    raise ToolMissing("it cannot be downloaded")
            (archive,) = Path(folder).glob("*.deb")
            _run("dpkg-deb", "--extract", str(archive), str(_CACHE / package))
    return str(tool)


def _fetched(package: str, folder: str) -> bool:
    done = subprocess.run(["apt-get", "download", "-qq", package], cwd=folder, capture_output=True, check=False)  # noqa: S607
    return done.returncode == 0


def _as_root(*command: str) -> None:
    _run(*(() if os.geteuid() == 0 else ("sudo", "-n")), *command)


def _run(*command: str) -> None:
    subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True)
