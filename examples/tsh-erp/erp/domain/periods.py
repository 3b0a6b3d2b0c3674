"""Named periods as first and last day. Weeks start on Monday; a period ends with its last day, even in the future."""

from calendar import monthrange
from datetime import date, timedelta
from typing import Literal, NamedTuple

Name = Literal["today", "week", "month", "quarter", "year", "all"]
TargetName = Literal["monthly", "quarterly", "yearly"]

_TARGET_PERIODS: dict[TargetName, Name] = {"monthly": "month", "quarterly": "quarter", "yearly": "year"}


class Period(NamedTuple):
    """First and last day, both included."""

    start: date
    end: date

    @property
    def days(self) -> int:
        """Number of days in the period."""
        return (self.end - self.start).days + 1


def _last_of_month(year: int, month: int) -> date:
    return date(year, month, monthrange(year, month)[1])


def period(name: Name, day: date) -> Period:
    """Return the period of that name that holds `day`."""
    match name:
        case "today":
            return Period(day, day)
        case "week":
            monday = day - timedelta(days=day.weekday())
            return Period(monday, monday + timedelta(days=6))
        case "month":
            return Period(day.replace(day=1), _last_of_month(day.year, day.month))
        case "quarter":
            first = 3 * ((day.month - 1) // 3) + 1
            return Period(date(day.year, first, 1), _last_of_month(day.year, first + 2))
        case "year":
            return Period(date(day.year, 1, 1), date(day.year, 12, 31))
        case "all":
            return Period(date(2000, 1, 1), date(2999, 12, 31))


def target_period(name: TargetName, day: date) -> Period:
    """Return the period that a target of this kind covers when it starts on a day within it."""
    return period(_TARGET_PERIODS[name], day)


def months_back(day: date, count: int) -> list[Period]:
    """Return the month of `day` and the ones before it, `count` in all, oldest first."""
    months = [period("month", day)]
    while len(months) < count:
        months.append(period("month", months[-1].start - timedelta(days=1)))
    return months[::-1]
