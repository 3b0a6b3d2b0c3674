"""The API as an ASGI application: exact paths, bearer tokens, rate limits, request ids, errors, and a log that is loud.

A request is read in the event loop and answered in a worker thread. What is not served is answered as by the real API
(404, or the field ignored) and written to the log in capitals with its name.
"""

from __future__ import annotations

__all__ = ["Api"]

import json
import logging
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from localcloud.digitalocean import (
    account,
    actions,
    alerts,
    domains,
    droplet_actions,
    droplets,
    firewalls,
    images,
    projects,
    regions,
    reserved_ips,
    sizes,
    snapshots,
    ssh_keys,
    tags,
    volumes,
    vpcs,
)
from localcloud.digitalocean.calls import Call, Endpoint, Reply
from localcloud.digitalocean.errors import MISSING, ApiError
from localcloud.digitalocean.fields import Fields

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.types import Receive, Scope, Send

    from localcloud.digitalocean.control import ControlPlane
    from localcloud.digitalocean.limits import RateLimiter

log = logging.getLogger("greenroom.cloud")

NOUNS = (
    account,
    ssh_keys,
    actions,
    droplet_actions,
    droplets,
    images,
    snapshots,
    sizes,
    regions,
    tags,
    vpcs,
    firewalls,
    reserved_ips,
    volumes,
    domains,
    projects,
    alerts,
)
READ_METHODS = {"GET", "HEAD"}
AUTHENTICATION_FAILED = "Unable to authenticate you"
SERVER_FAILED = "Server was unable to give you a response."


@dataclass(frozen=True)
class Asked:
    """A request as it came over the wire."""

    method: str
    path: str
    parameters: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    base_url: str
    content: bytes


class Routes:
    """The route tables of all nouns, matched exactly: a trailing slash is another path."""

    def __init__(self) -> None:
        self._rows = [(self._pattern(row.path), row) for noun in NOUNS for row in noun.ENDPOINTS]

    @staticmethod
    def _pattern(path: str) -> re.Pattern[str]:
        return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path))

    def find(self, method: str, path: str) -> tuple[Endpoint, dict[str, str]] | None:
        """Return the row and the path's parameters, or None."""
        wanted = "GET" if method == "HEAD" else method
        for pattern, row in self._rows:
            match = pattern.fullmatch(path) if row.method == wanted else None
            if match:
                return row, match.groupdict()
        return None


class Api:
    """The ASGI application over one control plane."""

    def __init__(
        self, cloud: ControlPlane, limiter: RateLimiter, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._cloud = cloud
        self._limiter = limiter
        self._monotonic = monotonic
        self._routes = Routes()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        asked = Asked(
            method=request.method,
            path=request.url.path,
            parameters=tuple(request.query_params.multi_items()),
            headers=request.headers,
            base_url=f"{request.url.scheme}://{request.url.netloc}",
            content=await request.body(),
        )
        response = await run_in_threadpool(self.answer, asked)
        await response(scope, receive, send)

    def answer(self, asked: Asked) -> Response:
        """Return the response to a request, whatever happens on the way."""
        began, request_id = self._monotonic(), self._cloud.new_uuid()
        headers = {"x-request-id": request_id}
        try:
            reply = self._decide(asked, headers)
            status, body = reply.status, reply.body
        except ApiError as error:
            headers |= error.headers
            status, body = error.status, {"id": error.word, "message": error.message, "request_id": request_id}
        except Exception:  # the outermost boundary: a bug or a machine's failure becomes the API's 500
            log.exception("%s %s failed (%s)", asked.method, asked.path, request_id)
            status = 500
            body = {"id": "server_error", "message": SERVER_FAILED, "request_id": request_id}
        took_ms = round((self._monotonic() - began) * 1000)
        log.info("%s %s -> %d in %d ms", asked.method, asked.path, status, took_ms)
        content = b"" if body is None or asked.method == "HEAD" else json.dumps(body).encode()
        return Response(content, status, headers, "application/json; charset=utf-8" if body is not None else None)

    def _decide(self, asked: Asked, headers: dict[str, str]) -> Reply:
        token = bearer(asked.headers.get("authorization", ""))
        verdict = self._limiter.admit(token, asked.method, asked.path)
        headers |= verdict.headers
        if verdict.refused:
            raise ApiError(429, "API Rate limit exceeded.")
        found = self._routes.find(asked.method, asked.path)
        if found is None:
            self._complain(f"NOT SERVED: {asked.method} {asked.path}")
            raise ApiError(404, f"{MISSING} ({asked.method} {asked.path} is not served by this local cloud)")
        row, parameters = found
        return self._run(row, self._call(asked, parameters))

    def _call(self, asked: Asked, parameters: dict[str, str]) -> Call:
        return Call(
            cloud=self._cloud,
            path=parameters,
            query=Fields(dict(asked.parameters)),
            body=Fields({} if asked.method in READ_METHODS else parsed(asked.content)),
            headers=asked.headers,
            base_url=asked.base_url,
            url_path=asked.path,
            parameters=asked.parameters,
        )

    def _run(self, row: Endpoint, call: Call) -> Reply:
        if row.atomic:
            with self._cloud.store.transaction():
                reply = row.handler(call)
        else:
            reply = row.handler(call)
        if row.network:
            self._cloud.try_network()
        call.query.accept("page", "per_page")
        for kind, fields in (("PARAMETER", call.query), ("FIELD", call.body)):
            for name in fields.unasked:
                self._complain(f"IGNORED {kind}: {name} of {row.method} {row.path}")
        return reply

    def _complain(self, what: str) -> None:
        log.warning(what)
        self._cloud.unserved[what] += 1


def bearer(header: str) -> str:
    """Return the token of an Authorization header; 401 when there is none. Any token is good."""
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise ApiError(401, AUTHENTICATION_FAILED)
    return token.strip()


def parsed(content: bytes) -> dict[str, Any]:
    """Return a JSON object; 400 for anything else."""
    if not content.strip():
        return {}
    try:
        body = json.loads(content)
    except ValueError as error:
        raise ApiError(400, "Unable to parse JSON. Please check your request body.") from error
    if not isinstance(body, dict):
        raise ApiError(400, "The request body must be a JSON object.")
    return body
