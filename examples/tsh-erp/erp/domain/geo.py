"""Distances on the globe, and what the points of one way add up to."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import pairwise
from math import asin, cos, radians, sin, sqrt
from typing import NamedTuple

EARTH_RADIUS_M = 6_371_000.0


class Fix(NamedTuple):
    """A point on a way: degrees north, degrees east, and when."""

    latitude: float
    longitude: float
    at: datetime


def distance_m(latitude_1: float, longitude_1: float, latitude_2: float, longitude_2: float) -> float:
    """Return the great-circle distance in metres between two points in degrees (haversine).

    >>> round(distance_m(33.3152, 44.3661, 33.3152, 44.3661))
    0
    >>> round(distance_m(0, 0, 0, 1))
    111195
    """
    north, east = radians(latitude_2 - latitude_1), radians(longitude_2 - longitude_1)
    chord = sin(north / 2) ** 2 + cos(radians(latitude_1)) * cos(radians(latitude_2)) * sin(east / 2) ** 2
    return 2 * EARTH_RADIUS_M * asin(min(1.0, sqrt(chord)))


def way_length_km(fixes: Iterable[Fix]) -> float:
    """Return the length in kilometres of the way through the fixes, in the order given."""
    steps = pairwise(fixes)
    return sum(distance_m(a.latitude, a.longitude, b.latitude, b.longitude) for a, b in steps) / 1000


def duration_hours(fixes: Sequence[Fix]) -> float:
    """Return the hours between the first and the last of fixes that are sorted by time."""
    return (fixes[-1].at - fixes[0].at).total_seconds() / 3600 if fixes else 0.0
