"""The file that a report goes into: whole, or as it was before."""

import os
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
        beside = target.with_name(f".tfy-etl-report-{os.getpid()}.tmp")  # short, however long the name is
        try:
            beside.write_text(text, encoding="utf-8")
            beside.replace(target)
        finally:
            with suppress(OSError):  # after a replacement it is gone
                beside.unlink()
    except OSError as error:
        reason = error.strerror or error
        raise ConfigError(f"Cannot write {path} ({reason}): mend its folder, or name another file in --out.") from error
