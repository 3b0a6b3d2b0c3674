"""The one way to PostgreSQL: engine, sessions, and the clock that its columns without time zone expect."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import URL, Engine, create_engine, make_url
from sqlalchemy.orm import Session, sessionmaker

CONNECT_TIMEOUT_S = 3


def driver_url(url: str) -> URL:
    """Turn `postgresql://...`, as operators write it, into the URL of the driver that is installed."""
    return make_url(url).set(drivername="postgresql+psycopg")


def make_engine(url: str) -> Engine:
    """Make an engine that notices broken connections and never waits long for a new one."""
    return create_engine(
        driver_url(url),
        pool_size=10,
        max_overflow=10,
        pool_pre_ping=True,
        connect_args={"connect_timeout": CONNECT_TIMEOUT_S, "options": "-c timezone=UTC"},
    )


def open_session(request: Request) -> Iterator[Session]:
    """Give the request a session; what it did is committed when the handler returns and undone when it raises."""
    sessions: sessionmaker[Session] = request.app.state.sessions
    with sessions.begin() as session:
        yield session


# Function scope: the commit happens before the answer is sent, so that nobody is told of what was not kept.
Database = Annotated[Session, Depends(open_session, scope="function")]


def utcnow() -> datetime:
    """Return the time in UTC as the database keeps it: without a zone."""
    return datetime.now(UTC).replace(tzinfo=None)


def as_utc(moment: datetime) -> datetime:
    """Bring a client's time to UTC without a zone; one that has no zone is taken as UTC."""
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
