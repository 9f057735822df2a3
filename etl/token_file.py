"""Read the token from a file, without quoting what may be the token itself."""

import os
from pathlib import Path

from etl.errors import ConfigError
from etl.setting_names import name_of

_MAX_TOKEN_LENGTH = 2**16


def read_token(path: Path) -> str:
    """Return the text of the file. ConfigError if it cannot be read, or is too long for a token."""
    try:
        with path.open(encoding="utf-8-sig") as file:  # editors on Windows add a byte order mark
            text = file.read(_MAX_TOKEN_LENGTH + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        # The cause of a ValueError quotes the file's content.
        named = f"the file named by {name_of('api_key_file')}" if may_be_token(path) else path
        raise ConfigError(f"Cannot read the token from {named}: {reason}.") from None
    if len(text) > _MAX_TOKEN_LENGTH:  # such as a device without end
        raise ConfigError(f"The token file {path} has more than {_MAX_TOKEN_LENGTH} characters: name another.")
    return text


def may_be_token(path: Path) -> bool:
    """Whether the name of a token file may be the token itself: there is no such file, and it names no folder."""
    return not os.path.exists(path) and len(path.parts) == 1  # noqa: PTH110 it accepts any name
