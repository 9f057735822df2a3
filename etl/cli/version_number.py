"""The number of a version as an option: 5 or v5, as it is printed."""

import re
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:  # only type checkers know its parameter before click 8.4
    NumberType = click.ParamType[int]
else:
    NumberType = click.ParamType

_NUMBER = re.compile(r"v?([0-9]{1,18})")  # larger ones do not fit the column


class VersionNumber(NumberType):
    """The type of --versions."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Parse the text, or fail with the forms that are valid."""
        found = _NUMBER.fullmatch(str(value))
        if not found:
            self.fail(f"{value!r} is not the number of a version: use 5 or v5.", param, ctx)
        return int(found[1])
