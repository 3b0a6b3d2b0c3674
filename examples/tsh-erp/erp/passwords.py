"""Passwords, hashed with Argon2id."""

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_hasher = PasswordHasher()


@cache
def _nobody() -> str:
    """Return what is checked when an account does not exist, so that the time of the answer does not tell."""
    return _hasher.hash("nobody has this password")


def hash_password(password: str) -> str:
    """Return the hash to keep."""
    return _hasher.hash(password)


def matches(password: str, hashed: str | None) -> bool:
    """Tell whether the password is the one that was hashed; takes as long when there is no hash at all."""
    try:
        return _hasher.verify(_nobody() if hashed is None else hashed, password) and hashed is not None
    except (VerificationError, InvalidHashError):
        return False
