"""Replace the report file in one step."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from etl.errors import ConfigError


def replace(path: Path, text: str) -> None:
    """Write the text to the file in one step. Raises ConfigError if that fails."""
    target = Path(os.path.realpath(path))  # replace the target of a link, not the link
    try:
        if path.exists() and not path.is_file():  # a pipe or a device cannot be replaced, nor resolved (/dev/stdout)
            path.write_text(text, encoding="utf-8")
            return
        handle, beside = tempfile.mkstemp(prefix=".tfy-etl-report-", dir=target.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fchmod(handle, _mode(target))
                os.fsync(handle)
            Path(beside).replace(target)
        finally:
            with suppress(OSError):  # after the replacement there is no such file
                Path(beside).unlink()
    except OSError as error:
        reason = error.strerror or error
        raise ConfigError(
            f"Cannot write {path} ({reason}): fix its folder, or name another file with --out."
        ) from error


def _mode(target: Path) -> int:
    """Return the mode of the target, or the default mode of a new file."""
    if target.exists():
        return target.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
