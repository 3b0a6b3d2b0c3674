"""Who is asking: whoever holds a token of the ERP."""

from typing import Annotated

from fastapi import Depends, Request

from neurolink.settings import Settings
from neurolink.unread import Unread
from tshkit.bearer import BearerToken, read_claims, unauthorized
from tshkit.tokens import Claims


def _settings(request: Request) -> Settings:
    return request.app.state.settings


def _unread(request: Request) -> Unread:
    return request.app.state.unread


AppSettings = Annotated[Settings, Depends(_settings)]
UnreadCounts = Annotated[Unread, Depends(_unread)]


def current_claims(token: BearerToken, settings: AppSettings) -> Claims:
    """Return what the token says; 401 when it is no good."""
    return read_claims(token, settings.jwt_secret_key.get_secret_value())


def current_user_id(claims: Annotated[Claims, Depends(current_claims)]) -> int:
    """Return the id of the person behind the token; 401 when it names none."""
    if claims.user_id is None:
        raise unauthorized("Token names no user")
    return claims.user_id


CurrentClaims = Annotated[Claims, Depends(current_claims)]
CurrentUserId = Annotated[int, Depends(current_user_id)]
