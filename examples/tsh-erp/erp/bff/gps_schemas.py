"""Bodies of the GPS endpoints."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, NaiveDatetime

from erp.bff.common import BatchOutcome

Text50 = Annotated[str, Field(max_length=50)]
Text100 = Annotated[str, Field(max_length=100)]
RowId = Annotated[int, Field(gt=0, le=2**31 - 1)]


class GpsPoint(BaseModel):
    """A position as a device measured it: degrees, metres, metres per second, percent."""

    location_uuid: UUID | None = None
    latitude: Annotated[Decimal, Field(ge=-90, le=90)]
    longitude: Annotated[Decimal, Field(ge=-180, le=180)]
    timestamp: AwareDatetime | NaiveDatetime
    accuracy: Annotated[float | None, Field(ge=0)] = None
    altitude: float | None = None
    speed: Annotated[float | None, Field(ge=0)] = None
    heading: Annotated[float | None, Field(ge=0, le=360)] = None
    activity_type: Text50 | None = None
    is_customer_visit: bool = False
    customer_id: RowId | None = None
    battery_level: Annotated[int | None, Field(ge=0, le=100)] = None
    is_charging: bool | None = None
    device_id: Text100 | None = None


class Batch(BaseModel):
    """Positions that were collected while the device was offline."""

    salesperson_id: RowId | None = None
    locations: Annotated[list[GpsPoint], Field(min_length=1, max_length=1000)]


class GpsBatchOutcome(BatchOutcome):
    """What became of a batch of positions."""

    uploaded: int


class Location(BaseModel):
    """A stored position."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    location_uuid: str | None
    salesperson_id: int
    latitude: Decimal
    longitude: Decimal
    timestamp: datetime
    accuracy: float | None
    altitude: float | None
    speed: float | None
    heading: float | None
    activity_type: str | None
    is_customer_visit: bool | None
    customer_id: int | None
    visit_verified: bool | None
    distance_from_customer: float | None
    battery_level: int | None
    is_charging: bool | None
    device_id: str | None
    is_synced: bool | None
    created_at: datetime | None


class History(BaseModel):
    """Positions, the newest first."""

    salesperson_id: int
    start_date: datetime
    end_date: datetime
    total: int
    locations: list[Location]


class SyncStatus(BaseModel):
    """Whether everything that a device collected has arrived."""

    pending_locations: int
    last_sync: datetime | None
    is_syncing: bool
    sync_errors: list[str]


class Summary(BaseModel):
    """A salesperson's day on the road."""

    salesperson_id: int
    date: date
    total_distance_km: Decimal
    total_duration_hours: Decimal
    customer_visits: int
    verified_visits: int
    gps_points_count: int
    transfers_made: int


class RoutePoint(BaseModel):
    """A point of a way."""

    latitude: Decimal
    longitude: Decimal
    timestamp: datetime
    is_customer_visit: bool | None
    customer_id: int | None


class Route(BaseModel):
    """A way, in the order in which it was gone."""

    salesperson_id: int
    date: date
    start_time: datetime | None
    end_time: datetime | None
    total_distance_km: Decimal
    points: list[RoutePoint]


class Stats(BaseModel):
    """A period on the road."""

    salesperson_id: int
    period_start: date
    period_end: date
    total_points: int
    active_days: int
    total_distance_km: Decimal
    average_accuracy_m: float | None
    customer_visits: int
    verified_visits: int


class NotesIn(BaseModel):
    """A remark."""

    notes: Annotated[str, Field(min_length=1, max_length=2000)]


class NotesOut(BaseModel):
    """The remark that a position has now."""

    location_id: int
    notes: str
    updated_at: datetime


class CleanupIn(BaseModel):
    """What may go: positions that are older than so many days."""

    salesperson_id: RowId | None = None
    older_than_days: Annotated[int, Field(ge=1, le=3650)] = 90


class CleanupOut(BaseModel):
    """What went."""

    deleted: int
    cutoff: datetime
