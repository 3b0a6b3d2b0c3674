"""Logging in and out: /api/auth."""

from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException, status
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from sqlalchemy import select

from erp import passwords
from erp.access import AppSettings, CurrentUser, LoginSessions, forbidden
from erp.models import User
from erp.models.people import WEB_ROLES
from tshkit import tokens
from tshkit.bearer import BearerToken, read_claims, unauthorized
from tshkit.database import utcnow
from tshkit.sessions import Database

router = APIRouter(prefix="/api/auth", tags=["auth"])


class Credentials(BaseModel):
    """What one logs in with."""

    email: Annotated[str, Field(max_length=255)]
    password: Annotated[SecretStr, Field(max_length=1024)]


class Account(BaseModel):
    """A user as others may see them."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str
    email: str
    role_name: str
    is_salesperson: bool


class Login(BaseModel):
    """A token and whose it is."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 it is the kind of the token
    expires_in: int
    user: Account


def _log_in(credentials: Credentials, sessions: LoginSessions, database: Database) -> User:
    email = credentials.email.lower()
    if not sessions.may_try(email):
        raise HTTPException(status.HTTP_429_TOO_MANY_REQUESTS, "Too many failed logins; try again in five minutes")
    user = database.scalar(select(User).where(User.email == email))
    hashed = user.password if user is not None and user.is_active else None
    if not passwords.matches(credentials.password.get_secret_value(), hashed) or user is None:
        sessions.failed(email)
        raise unauthorized("Incorrect email or password")
    sessions.succeeded(email)
    user.last_login = utcnow()
    return user


def _answer(user: User, settings: AppSettings) -> Login:
    minutes = settings.access_token_expire_minutes
    token = tokens.issue(
        settings.secret_key.get_secret_value(),
        subject=user.email,
        user_id=user.id,
        role=user.role_name,
        minutes=minutes,
    )
    return Login(access_token=token, expires_in=minutes * 60, user=Account.model_validate(user))


@router.post("/login")
def log_in(credentials: Credentials, settings: AppSettings, sessions: LoginSessions, database: Database) -> Login:
    """Log in to the web application: for those who run, own, lead or guard."""
    user = _log_in(credentials, sessions, database)
    if user.role_name not in WEB_ROLES:
        raise forbidden("This account may use the mobile application only")
    return _answer(user, settings)


@router.post("/login/mobile")
def log_in_mobile(
    credentials: Credentials, settings: AppSettings, sessions: LoginSessions, database: Database
) -> Login:
    """Log in to the mobile application: for everybody with an account."""
    return _answer(_log_in(credentials, sessions, database), settings)


@router.get("/me")
def me(user: CurrentUser) -> Account:
    """Tell who is asking."""
    return Account.model_validate(user)


@router.post("/logout", status_code=status.HTTP_204_NO_CONTENT)
def log_out(token: BearerToken, settings: AppSettings, sessions: LoginSessions, _user: CurrentUser) -> None:
    """Make the token of this request worthless."""
    sessions.revoke(read_claims(token, settings.secret_key.get_secret_value()))
