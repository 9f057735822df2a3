"""The file that a report goes into: whole, or as it was before."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from etl.errors import ConfigError


def replace(path: Path, text: str) -> None:
    """Put the text into the file, in one step. ConfigError when that cannot be done."""
    target = Path(os.path.realpath(path))  # through a link, the file behind it
    try:
        if target.exists() and not target.is_file():  # a pipe or a device cannot be replaced
            target.write_text(text, encoding="utf-8")
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
            with suppress(OSError):  # after a replacement it is gone
                Path(beside).unlink()
    except OSError as error:
        reason = error.strerror or error
        raise ConfigError(f"Cannot write {path} ({reason}): mend its folder, or name another file in --out.") from error


def _mode(target: Path) -> int:
    """Who may read it: as before, else as any new file."""
    if target.exists():
        return target.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
