"""Moments that a person types: a time, a date, or how long from now, or ago."""

import re
from datetime import datetime, timedelta
from typing import Any

import click

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class _Moment(click.ParamType[datetime]):
    name = "WHEN"
    sign = 1
    wrong = ""
    """What is wrong with a moment on the other side of now."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Read `2030-01-31T18:00`, `2030-01-31`, `90m`, `8h`, `3d` or `2w`; local time."""
        if isinstance(value, datetime):
            return value
        now = datetime.now().astimezone()
        if found := re.fullmatch(r"([0-9]{1,4})([mhdw])", str(value)):
            return now + self.sign * timedelta(**{_UNITS[found.group(2)]: int(found.group(1))})
        try:
            moment = datetime.fromisoformat(str(value)).astimezone()
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is no time: give 2030-01-31T18:00, or 8h, or 3d", param, ctx)
        if (moment - now) * self.sign <= timedelta(0):
            self.fail(f"{value!r} {self.wrong}", param, ctx)
        return moment


class ComingMoment(_Moment):
    """A moment that is still to come."""

    wrong = "is over already"


class PastMoment(_Moment):
    """A moment that is over: `30d` is thirty days ago."""

    sign = -1
    wrong = "is still to come"
