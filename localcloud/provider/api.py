"""One request to the DigitalOcean API, through `pydo`.

`pydo` is imported with the first request, not with the provider: the import takes longer than the rest of the start.
Each operation is named as pydo names it (`droplets.get`). A 404 that pydo would hand over as if it were a droplet is
raised, statuses and messages come from the answer itself, and pydo's own retries are off, since they can't tell a
request that may be repeated from one that may not (`session` can).
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from localcloud.provider.backoff import TRIES, Outage
from localcloud.provider.errors import (
    ApiError,
    ConfigurationError,
    NotFoundError,
    OutcomeUnknownError,
    ProviderError,
    TransportError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Body = dict[str, Any]
"""A JSON object of the API."""

DEFAULT_ENDPOINT = "https://api.digitalocean.com"
_CONNECT_S = 10.0
_SUCCESS = range(200, 300)
_NOT_FOUND = 404


@dataclass(frozen=True)
class Settings:
    """How to reach the API."""

    endpoint: str
    token: str
    retries: int = TRIES - 1
    """How often a request is sent again; more than that is never done."""
    shortest_wait_s: float = 1.0
    longest_wait_s: float = 30.0
    requests_per_second: float = 0.0
    """0 for no limit of our own."""

    @classmethod
    def read(cls, config: Mapping[str, Any], environment: Mapping[str, str] = os.environ) -> Settings:
        """Take the provider's configuration, and what it leaves out from the environment.

        Raises ValueError for a number that is none, and for an endpoint that would send the token in the clear.
        """
        endpoint = config.get("apiEndpoint") or environment.get("DIGITALOCEAN_API_URL") or DEFAULT_ENDPOINT
        token = config.get("token") or next(
            (
                environment[name]
                for name in ("DIGITALOCEAN_TOKEN", "DIGITALOCEAN_ACCESS_TOKEN")
                if environment.get(name)
            ),
            "",
        )
        if not _is_safe(str(endpoint)):
            raise ValueError("apiEndpoint must be an https address, or a loopback one")
        return cls(
            endpoint=str(endpoint).rstrip("/"),
            token=str(token),
            retries=int(config.get("httpRetryMax", environment.get("DIGITALOCEAN_HTTP_RETRY_MAX", TRIES - 1))),
            shortest_wait_s=float(config.get("httpRetryWaitMin", 1.0)),
            longest_wait_s=float(config.get("httpRetryWaitMax", 30.0)),
            requests_per_second=float(
                config.get("requestsPerSecond", environment.get("DIGITALOCEAN_REQUESTS_PER_SECOND", 0.0))
            ),
        )


@dataclass(frozen=True)
class Refusal:
    """Whether and when a refused request may be sent again."""

    error: ProviderError
    status: int = 0
    retry_after_s: float | None = None


class RefusedError(Exception):
    """A request that failed; carries the refusal to whoever decides on a retry."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(str(refusal.error))
        self.refusal = refusal


class Api:
    """A client that is made on first use and may be shared by threads."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.outage = Outage()
        self._lock = threading.Lock()
        self._made: Any = None
        self._next_at = 0.0

    def send(self, operation: str, timeout_s: float, arguments: Mapping[str, Any]) -> Body:
        """Send one request and give the answer's body, {} where there is none.

        Raises RefusedError with an ApiError, a TransportError (never sent) or an OutcomeUnknownError (sent, no answer).
        """
        client = self._client()
        self._throttle()
        group, method = operation.split(".")
        function: Callable[..., Any] = getattr(getattr(client, group), method)
        from azure.core.exceptions import AzureError  # noqa: PLC0415 (loaded with pydo, on the first request)

        try:
            status, body, headers = function(
                **arguments,
                cls=_whole_answer,
                enforce_https=not self.settings.endpoint.startswith("http://"),
                connection_timeout=min(_CONNECT_S, timeout_s),
                read_timeout=timeout_s,
            )
        except AzureError as error:
            status, body, headers = _failed_answer(operation, error, self.settings)
        if status in _SUCCESS:
            return body
        raise RefusedError(self._refusal(operation, status, body, headers))

    def _refusal(self, operation: str, status: int, body: Body, headers: Mapping[str, str]) -> Refusal:
        kind = NotFoundError if status == _NOT_FOUND else ApiError
        text = self._without_token(str(body.get("message", "no message")))
        request_id = str(body.get("request_id") or headers.get("x-request-id", ""))
        error = kind(operation, status, str(body.get("id", "error")), text, request_id=request_id)
        return Refusal(error, status, _seconds(headers.get("retry-after")))

    def _without_token(self, text: str) -> str:
        return text.replace(self.settings.token, "[secret]")

    def _client(self) -> Any:
        with self._lock:
            if self._made is None:
                if not self.settings.token:
                    raise ConfigurationError(
                        "There is no DigitalOcean API token",
                        hint="set DIGITALOCEAN_TOKEN, or run `pulumi config set --secret digitalocean:token`",
                    )
                self._made = _connect(self.settings)
            return self._made

    def _throttle(self) -> None:
        if self.settings.requests_per_second <= 0:
            return
        with self._lock:
            now = time.monotonic()
            at = max(now, self._next_at)
            self._next_at = at + 1 / self.settings.requests_per_second
        time.sleep(at - now)


def _connect(settings: Settings) -> Any:
    import pydo  # noqa: PLC0415 (a slow import; only a run that calls the API pays for it)
    from azure.core.pipeline.transport import RequestsTransport  # noqa: PLC0415 (loaded with pydo)

    # A proxy from the environment can't reach this machine's loopback addresses.
    direct = settings.endpoint.startswith("http://")
    return pydo.Client(
        token=settings.token,
        endpoint=settings.endpoint,
        retry_total=0,
        transport=RequestsTransport(use_env_settings=not direct),
    )


def _is_safe(endpoint: str) -> bool:
    parts = urlsplit(endpoint)
    host = parts.hostname or ""
    if parts.scheme == "https":
        return bool(host)
    return parts.scheme == "http" and (host in {"localhost", "::1"} or host.startswith("127."))


def _whole_answer(pipeline: Any, body: Any, _headers: Any) -> tuple[int, Body, Mapping[str, str]]:
    response = pipeline.http_response
    return response.status_code, _mapping(body), response.headers


def _failed_answer(operation: str, error: Exception, settings: Settings) -> tuple[int, Body, Mapping[str, str]]:
    """Take an answer out of pydo's exception, or raise for the lack of one."""
    response = getattr(error, "response", None)
    if response is not None:
        try:
            return response.status_code, _mapping(response.json()), response.headers
        except ValueError:
            if response.status_code not in _SUCCESS:
                return response.status_code, {"message": "the answer is no JSON"}, response.headers
    cause = type(getattr(error, "inner_exception", None) or error).__name__
    if _never_sent(error):
        failure: ProviderError = TransportError(
            f"{operation}: {settings.endpoint} can't be reached ({cause})",
            hint="check the network and digitalocean:apiEndpoint; for the local cloud run `greenroom cloud start`",
        )
    else:
        failure = OutcomeUnknownError(
            f"{operation}: no answer from {settings.endpoint} ({cause}); whether it was done is unknown",
            hint="run the command again: it looks for what was made before it makes anything",
        )
    raise RefusedError(Refusal(failure)) from error


def _never_sent(error: BaseException) -> bool:
    """Whether no connection came about. pydo's own classes say "request" for a connection that broke later, too."""
    from urllib3.exceptions import ConnectTimeoutError, NewConnectionError  # noqa: PLC0415 (loaded with pydo)

    return any(isinstance(each, NewConnectionError | ConnectTimeoutError) for each in _causes(error))


def _causes(error: BaseException) -> Iterator[BaseException]:
    pending, seen = [error], set[int]()
    while pending:
        each = pending.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        named = (getattr(each, name, None) for name in ("inner_exception", "reason"))
        linked = [each.__cause__, each.__context__, *named, *each.args]
        pending += [link for link in linked if isinstance(link, BaseException)]


def _mapping(value: Any) -> Body:
    return cast("Body", value) if isinstance(value, dict) else {}


def _seconds(header: str | None) -> float | None:
    try:
        return max(0.0, float(header)) if header else None
    except ValueError:
        return None
