"""Who is asking, and whose matters they may see."""

from typing import Annotated

from fastapi import Depends, HTTPException, Request, status
from sqlalchemy import select

from erp.models import User
from erp.sessions import Sessions
from erp.settings import Settings
from tshkit.bearer import BearerToken, read_claims, unauthorized
from tshkit.sessions import Database


def _settings(request: Request) -> Settings:
    return request.app.state.settings


def _sessions(request: Request) -> Sessions:
    return request.app.state.login_sessions


AppSettings = Annotated[Settings, Depends(_settings)]
LoginSessions = Annotated[Sessions, Depends(_sessions)]


def current_user(token: BearerToken, settings: AppSettings, sessions: LoginSessions, database: Database) -> User:
    """Return the user behind the token; 401 when the token is no good or the account is closed."""
    claims = read_claims(token, settings.secret_key.get_secret_value())
    if sessions.is_revoked(claims):
        raise unauthorized("Token has been logged out")
    user = database.scalar(select(User).where(User.email == claims.subject.lower()))
    if user is None or not user.is_active:
        raise unauthorized()
    return user


CurrentUser = Annotated[User, Depends(current_user)]


def forbidden(detail: str) -> HTTPException:
    """Build the 403 for somebody who is known but may not."""
    return HTTPException(status.HTTP_403_FORBIDDEN, detail)


def not_found(what: str) -> HTTPException:
    """Build the 404 for something that is not there."""
    return HTTPException(status.HTTP_404_NOT_FOUND, f"{what} not found")


def current_manager(user: CurrentUser) -> User:
    """Return the user when they are a manager, else 403."""
    if not user.is_manager:
        raise forbidden("Only managers may do this")
    return user


CurrentManager = Annotated[User, Depends(current_manager)]


def whose(database: Database, user: User, salesperson_id: int | None) -> User:
    """Return the salesperson that is meant: oneself when nobody is named, somebody else for managers only."""
    if salesperson_id is None or salesperson_id == user.id:
        return user
    if not user.is_manager:
        raise forbidden("You may see only your own data")
    other = database.get(User, salesperson_id)
    if other is None:
        raise not_found("Salesperson")
    return other


def for_whom(database: Database, user: User, salesperson_id: int | None) -> User:
    """Return the salesperson that new data belongs to; 403 when that is nobody who sells."""
    owner = whose(database, user, salesperson_id)
    if not owner.is_salesperson:
        raise forbidden("Only salespeople have data of this kind")
    return owner


def only_own(user: User) -> int | None:
    """Return the id that a user's lists are limited to, None for managers, who see everybody's."""
    return None if user.is_manager else user.id
