"""The `Authorization: Bearer` header: 403 when it is not there, 401 when what it carries is no good."""

from typing import Annotated

from fastapi import Depends, HTTPException, status
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from tshkit import tokens

_header = HTTPBearer(auto_error=False, description="Token from POST /api/auth/login")


def bearer_token(credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_header)]) -> str:
    """Return the token of the request; 403 when there is none, as clients of this API have always seen it."""
    if credentials is None:
        raise HTTPException(status.HTTP_403_FORBIDDEN, "Not authenticated")
    return credentials.credentials


BearerToken = Annotated[str, Depends(bearer_token)]


def unauthorized(detail: str = "Could not validate credentials") -> HTTPException:
    """Build the 401 for a token or password that was refused."""
    return HTTPException(status.HTTP_401_UNAUTHORIZED, detail, headers={"WWW-Authenticate": "Bearer"})


def read_claims(token: str, key: str) -> tokens.Claims:
    """Read the token's claims; 401 when it is no good."""
    try:
        return tokens.read(token, key)
    except tokens.TokenError as error:
        raise unauthorized() from error
