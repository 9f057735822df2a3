"""The type of options that name a moment: how long ago it was, or its time in ISO 8601."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from etl.durations import parse_moment
from etl.errors import ConfigError

if TYPE_CHECKING:  # only type checkers know its parameter before click 8.4
    MomentType = click.ParamType[timedelta | datetime]
else:
    MomentType = click.ParamType


class MomentParam(MomentType):
    """The type of options such as --since: 7d (seven days ago), 2026-11-20 or 2026-11-20T10:00+01:00."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta | datetime:
        """Parse the text, or fail with the forms that are valid. A time without an offset is in UTC."""
        if isinstance(value, timedelta | datetime):
            return value
        try:
            return parse_moment(value)
        except ConfigError:
            self.fail(f"{value!r} is not a moment: use 6h or 7d (ago), 2026-11-20, or 2026-11-20T10:00Z.", param, ctx)


def moment_at(moment: timedelta | datetime | None, now: datetime) -> datetime | None:
    """Return the time of a moment. ConfigError if it is before the year 1."""
    if not isinstance(moment, timedelta):
        return moment
    try:
        return now - moment
    except OverflowError as error:
        raise ConfigError("The duration is too long: name a moment after the year 1.") from error
