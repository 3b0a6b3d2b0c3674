"""The one way to PostgreSQL: the engine, and the clock that columns without time zone expect."""

from datetime import UTC, datetime

from sqlalchemy import URL, Engine, create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from tshkit.checks import Check, first_line

CONNECT_TIMEOUT_S = 3


def driver_url(url: str) -> URL:
    """Turn `postgresql://...`, as operators write it, into the URL of the driver that is installed."""
    return make_url(url).set(drivername="postgresql+psycopg")


def make_engine(url: str, *, pool_size: int = 10) -> Engine:
    """Make an engine that notices broken connections and never waits long for a new one."""
    return create_engine(
        driver_url(url),
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=True,
        connect_args={"connect_timeout": CONNECT_TIMEOUT_S, "options": "-c timezone=UTC"},
    )


def utcnow() -> datetime:
    """Return the time in UTC as the database keeps it: without a zone."""
    return datetime.now(UTC).replace(tzinfo=None)


def reason(error: SQLAlchemyError) -> str:
    """Return what the driver said, in one line."""
    return first_line(getattr(error, "orig", None) or error)


def check_connection(engine: Engine) -> Check:
    """Ask the database whether it is there."""
    try:
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
    except SQLAlchemyError as error:
        return Check(ok=False, reason=reason(error))
    return Check(ok=True)


def as_utc(moment: datetime) -> datetime:
    """Bring a client's time to UTC without a zone; one that has no zone is taken as UTC."""
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
