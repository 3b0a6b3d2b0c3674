"""Database sessions: one a request, committed before the answer goes out."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.orm import Session, sessionmaker


def open_session(request: Request) -> Iterator[Session]:
    """Give the request a session; what it did is committed when the handler returns and undone when it raises."""
    sessions: sessionmaker[Session] = request.app.state.sessions
    with sessions.begin() as session:
        yield session


# Function scope: the commit happens before the answer is sent, so that nobody is told of what was not kept.
Database = Annotated[Session, Depends(open_session, scope="function")]
