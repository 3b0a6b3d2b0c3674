"""Access tokens: HS256 JWTs that the ERP signs and that every service of the stack accepts with the same key."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import jwt

ALGORITHM = "HS256"


class TokenError(Exception):
    """The token is malformed, expired, signed with another key, or no access token."""


@dataclass(frozen=True)
class Claims:
    """What a valid token says: who, which token, and until when."""

    subject: str
    token_id: str
    expires_at: datetime
    user_id: int | None = None
    role: str = ""


def issue(key: str, *, subject: str, user_id: int, role: str, minutes: int) -> str:
    """Sign an access token for `subject` (an e-mail address) that is good for `minutes`."""
    now = datetime.now(UTC)
    claims = {
        "sub": subject,
        "type": "access",
        "jti": uuid4().hex,
        "uid": user_id,
        "role": role,
        "iat": now,
        "exp": now + timedelta(minutes=minutes),
    }
    return jwt.encode(claims, key, algorithm=ALGORITHM)


def read(token: str, key: str) -> Claims:
    """Check signature, expiry and type of a token; raise TokenError when it is no good."""
    try:
        claims = jwt.decode(token, key, algorithms=[ALGORITHM], options={"require": ["sub", "exp"]})
    except jwt.PyJWTError as error:
        raise TokenError(str(error)) from error
    if claims.get("type") != "access":
        raise TokenError("No access token")
    return Claims(
        subject=str(claims["sub"]),
        token_id=str(claims.get("jti", "")),
        expires_at=datetime.fromtimestamp(claims["exp"], tz=UTC),
        user_id=claims.get("uid"),
        role=str(claims.get("role", "")),
    )
