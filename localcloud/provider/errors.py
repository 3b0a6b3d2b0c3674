"""Every error that the provider raises on purpose.

    ProviderError                 what failed, and the next step
    ├── ConfigurationError        no token, or settings that can't be used
    ├── ApiError                  the API refused: status, its short code and its message
    │   └── NotFoundError         404: the thing is gone
    ├── TransportError            the API could not be asked; nothing was sent
    ├── OutcomeUnknownError       a request was sent, and its answer got lost
    ├── StillbornError            a droplet never came to life
    ├── DeadlineError             waited as long as was allowed
    ├── CancelledError            the engine asked the provider to stop
    └── PartialError              the thing exists, but is not finished: its id, and why

Messages never hold the API token: the one place that sends it (`api`) removes it from every text that it raises.
"""

from __future__ import annotations


class ProviderError(Exception):
    """Base of the tree: a message, and a hint that says what to do next."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  next: {self.hint}" if self.hint else self.message


class ConfigurationError(ProviderError):
    """The provider's own settings can't be used."""


class ApiError(ProviderError):
    """The API answered with an error."""

    def __init__(self, operation: str, status: int, code: str, message: str, *, request_id: str = "") -> None:
        self.operation = operation
        self.status = status
        self.code = code
        self.reason = message
        traced = f" (request {request_id})" if request_id else ""
        super().__init__(
            f"{operation}: the API answered {status} {code}: {message}{traced}",
            hint=_HINTS.get(status, _SERVER_HINT if status >= _SERVER_ERROR else ""),
        )


class NotFoundError(ApiError):
    """The API answered 404."""


class TransportError(ProviderError):
    """The API could not be reached; the request was never sent."""


class OutcomeUnknownError(ProviderError):
    """A request was sent, but whether it was carried out is not known."""


class StillbornError(ProviderError):
    """A droplet was made, but its first boot failed; it never held anything."""


class DeadlineError(ProviderError):
    """Something took longer than the operation's timeout."""


class CancelledError(ProviderError):
    """The engine cancelled the run."""


class PartialError(ProviderError):
    """A resource was made, but it is not what was asked for yet; the next run goes on from here."""

    def __init__(self, identity: str, cause: ProviderError) -> None:
        self.identity = identity
        super().__init__(cause.message, hint=cause.hint)


_SERVER_ERROR = 500
_SERVER_HINT = "try again; if it stays, look at https://status.digitalocean.com"
_HINTS = {
    401: "give a valid API token: set DIGITALOCEAN_TOKEN, or `pulumi config set --secret digitalocean:token`",
    403: "check that the token may write, and that nothing else still uses the resource",
    404: "refresh the stack, something was deleted behind its back",
    409: "choose another name, or import what exists",
    422: "correct the resource's inputs in the program",
    429: "wait for the rate limit to pass, or lower digitalocean:requestsPerSecond",
}
