"""The cloud as a running server: the API over HTTP and HTTPS and the hosted git repositories, in one event loop.

The loop runs in a thread of its own, so a test can have a server as a value and the process can wait for its signals.
"""

from __future__ import annotations

__all__ = ["CloudServer", "Ports", "Sockets"]

import asyncio
import logging
import socket
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from localcloud.digitalocean.app import Api
from localcloud.digitalocean.reconcile import reconcile
from localcloud.digitalocean.tls import Certificates

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from localcloud.digitalocean.control import ControlPlane
    from localcloud.digitalocean.limits import RateLimiter

log = logging.getLogger("greenroom.cloud")

HOST = "127.0.0.1"
STOP_GRACE_S = 5
START_TIMEOUT_S = 15


@dataclass(frozen=True)
class Ports:
    """Wanted ports; 0 and taken ones become whatever is free."""

    http: int = 17070
    https: int = 17443
    git: int = 17080


class Sockets:
    """Listening sockets on loopback; what needs a port's number before anything is served can have it."""

    def __init__(self, ports: Ports) -> None:
        self.http = listen(ports.http)
        self.https = listen(ports.https)
        self.git = listen(ports.git)

    @property
    def urls(self) -> dict[str, str]:
        """Where each service answers: http, https and git."""
        return {
            "http": f"http://{HOST}:{self.http.getsockname()[1]}",
            "https": f"https://{HOST}:{self.https.getsockname()[1]}",
            "git": f"http://{HOST}:{self.git_port}",
        }

    @property
    def git_port(self) -> int:
        """The port of the hosted repositories."""
        return self.git.getsockname()[1]


class CloudServer:
    """One control plane, served."""

    def __init__(
        self,
        cloud: ControlPlane,
        limiter: RateLimiter,
        *,
        sockets: Sockets,
        directory: Path,
        git: ASGIApp | None = None,
    ) -> None:
        self._cloud = cloud
        self._sockets = sockets
        self.certificates = Certificates.ensure(directory)
        self._began = time.monotonic()
        application = Starlette(routes=[Route("/_greenroom/status", self._status), Mount("/", Api(cloud, limiter))])
        secure = {"ssl_certfile": str(self.certificates.certificate), "ssl_keyfile": str(self.certificates.key)}
        self._servers = (
            (server(application), sockets.http),
            (server(application, **secure), sockets.https),
            (server(git or no_repositories), sockets.git),
        )
        self._thread = threading.Thread(target=self._run, name="http", daemon=True)

    @property
    def urls(self) -> dict[str, str]:
        """Where each service answers: http, https and git."""
        return self._sockets.urls

    def start(self) -> None:
        """Mend what the last run left, then serve; returns when requests are answered."""
        reconcile(self._cloud)
        self._thread.start()
        deadline = time.monotonic() + START_TIMEOUT_S
        while not all(item.started for item, _ in self._servers):
            if time.monotonic() > deadline or not self._thread.is_alive():
                raise RuntimeError("the local cloud's server did not start; see its log")
            time.sleep(0.005)
        log.info("serving %s", self.urls)

    def stop(self) -> None:
        """Finish running requests and background work, then close everything."""
        for item, _ in self._servers:
            item.should_exit = True
        self._thread.join()
        self._cloud.close()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        await asyncio.gather(*(item.serve(sockets=[bound]) for item, bound in self._servers))

    async def _status(self, _request: Request) -> JSONResponse:
        store = self._cloud.store
        droplets = [
            {key: droplet[key] for key in ("id", "name", "status", "public_ipv4", "private_ipv4")}
            for droplet in store.all("droplet")
        ]
        return JSONResponse(
            {
                "droplets": droplets,
                "volumes": store.count("volume"),
                "reserved_ips": store.count("reserved_ip"),
                "uptime_s": round(time.monotonic() - self._began),
                "network_failure": self._cloud.network_failure,
                "unserved": dict(self._cloud.unserved),
            }
        )


def listen(port: int) -> socket.socket:
    """Return a listening socket on the port, or on a free one when it is taken."""
    for wanted in (port, 0):
        # Named TCP, or asyncio leaves Nagle's algorithm on and every answer waits 40 ms for an acknowledgement.
        bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((HOST, wanted))
        except OSError:
            bound.close()
            if not wanted:
                raise
        else:
            bound.listen(128)
            bound.setblocking(False)  # noqa: FBT003 - the socket module's own signature
            return bound
    raise AssertionError  # pragma: no cover - port 0 either binds or raises


def server(application: ASGIApp, **options: Any) -> uvicorn.Server:
    """Return a server that leaves logging and signals to the process."""
    return uvicorn.Server(
        uvicorn.Config(
            application,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            timeout_graceful_shutdown=STOP_GRACE_S,
            **options,
        )
    )


async def no_repositories(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Answer 404: a cloud may host no git repositories."""
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body", "body": b""})
