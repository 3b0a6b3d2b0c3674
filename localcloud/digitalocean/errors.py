"""How the API says no: one exception that carries the status, its short word and the text that clients match on."""

from __future__ import annotations

__all__ = ["ApiError", "conflict", "forbidden", "not_found", "precondition_failed", "unprocessable"]

WORDS = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    409: "conflict",
    412: "precondition_failed",
    422: "unprocessable_entity",
    429: "too_many_requests",
    500: "server_error",
}

MISSING = "The resource you were accessing could not be found."
"""Matched literally by the official provider."""

PENDING_EVENT = "Droplet already has a pending event."


class ApiError(Exception):
    """An answer other than 2xx; raised anywhere below a handler."""

    def __init__(self, status: int, message: str, *, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers or {}

    @property
    def word(self) -> str:
        """The short identifier that goes with the status."""
        return WORDS[self.status]


def not_found(message: str = MISSING) -> ApiError:
    """404."""
    return ApiError(404, message)


def unprocessable(message: str) -> ApiError:
    """422: the request is understood and refused."""
    return ApiError(422, message)


def conflict(message: str) -> ApiError:
    """409."""
    return ApiError(409, message)


def forbidden(message: str) -> ApiError:
    """403."""
    return ApiError(403, message)


def precondition_failed(message: str) -> ApiError:
    """412."""
    return ApiError(412, message)
