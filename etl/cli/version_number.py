"""The number of a version as an option: 5 or v5, as it is printed."""

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:  # only type checkers know its parameter before click 8.4
    NumberType = click.ParamType[int]
else:
    NumberType = click.ParamType


class VersionNumber(NumberType):
    """The type of --versions."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Parse the text, or fail with the forms that are valid."""
        try:
            return int(str(value).removeprefix("v"))
        except ValueError:
            self.fail(f"{value!r} is not the number of a version: use 5 or v5.", param, ctx)
