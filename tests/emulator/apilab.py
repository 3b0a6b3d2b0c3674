"""A client that holds every answer of a local cloud against the published description."""

from __future__ import annotations

import ssl
import time
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import httpx
from openapi import PUBLISHED, Description

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.digitalocean.testing import RecordingMachines

T = TypeVar("T")
PATIENCE_S = 5.0
PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Spares each client the reading of the machine's authorities: it speaks plain HTTP."""
TOKEN = "dop_v1_0123456789abcdef"
DEBIAN = "debian-13-x64"
ANYWHERE = {"addresses": ["0.0.0.0/0", "::/0"]}


@cache
def description() -> Description | None:
    return Description() if PUBLISHED.exists() else None


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any
    headers: httpx.Headers


class Api:
    """The client of the tests."""

    def __init__(self, url: str, machines: RecordingMachines) -> None:
        self.url = url
        self.machines = machines
        self._http = httpx.Client(base_url=url, headers={"authorization": f"Bearer {TOKEN}"}, verify=PLAIN)

    def close(self) -> None:
        self._http.close()

    def call(self, method: str, path: str, body: Any = None, *, described: bool = True, **options: Any) -> Answer:
        """Ask, and hold the answer against the published description."""
        response = self._http.request(method, path, json=body, **options)
        content = response.json() if response.content else None
        answer = Answer(response.status_code, content, response.headers)
        published = description() if described else None
        if published and response.status_code != 404:
            problems = published.problems(method, path.partition("?")[0], response.status_code, content)
            assert not problems, f"{method} {path} -> {response.status_code}: {problems}"
        return answer

    def get(self, path: str, expect: int = 200) -> Any:
        return self._expect("GET", path, None, expect)

    def post(self, path: str, body: Any = None, expect: int = 201) -> Any:
        return self._expect("POST", path, body, expect)

    def put(self, path: str, body: Any, expect: int = 200) -> Any:
        return self._expect("PUT", path, body, expect)

    def patch(self, path: str, body: Any, expect: int = 200) -> Any:
        return self._expect("PATCH", path, body, expect)

    def delete(self, path: str, expect: int = 204, body: Any = None) -> Any:
        return self._expect("DELETE", path, body, expect)

    def _expect(self, method: str, path: str, body: Any, status: int) -> Any:
        answer = self.call(method, path, body)
        assert answer.status == status, f"{method} {path} -> {answer.status}: {answer.body}"
        return answer.body

    def error(self, method: str, path: str, body: Any = None) -> tuple[int, str]:
        """Status and message of a request that is refused."""
        answer = self.call(method, path, body)
        assert answer.status >= 400, answer
        assert answer.body["request_id"] == answer.headers["x-request-id"]
        return answer.status, answer.body["message"]

    # What most tests start with.

    def booting(self, **changes: Any) -> dict[str, Any]:
        """The answer to a droplet's creation."""
        wanted = {"name": "web", "region": "fra1", "size": "s-1vcpu-1gb", "image": DEBIAN, **changes}
        return self.post("/v2/droplets", wanted, 202)

    def droplet(self, **changes: Any) -> dict[str, Any]:
        """A droplet that is active."""
        return self.settled(self.booting(**changes)["droplet"]["id"])

    def settled(self, droplet_id: int) -> dict[str, Any]:
        """The droplet once nothing happens to it."""
        return wait_for(lambda: self.get(f"/v2/droplets/{droplet_id}")["droplet"], lambda item: not item["locked"])

    def act(self, droplet_id: int, kind: str, **more: Any) -> dict[str, Any]:
        """An action on a droplet, once it is over."""
        action = self.post(f"/v2/droplets/{droplet_id}/actions", {"type": kind, **more})["action"]
        return self.finished(action["id"])

    def finished(self, action_id: int) -> dict[str, Any]:
        return wait_for(
            lambda: self.get(f"/v2/actions/{action_id}")["action"], lambda item: item["status"] != "in-progress"
        )

    def volume(self, **changes: Any) -> dict[str, Any]:
        wanted = {"name": "data", "region": "fra1", "size_gigabytes": 10, **changes}
        return self.post("/v2/volumes", wanted)["volume"]

    def vpc(self, **changes: Any) -> dict[str, Any]:
        return self.post("/v2/vpcs", {"name": "net", "region": "fra1", **changes})["vpc"]

    def firewall(self, **changes: Any) -> dict[str, Any]:
        rules = {"inbound_rules": [inbound("22")], "outbound_rules": []}
        return self.post("/v2/firewalls", {"name": "fw", **rules, **changes}, 202)["firewall"]


def inbound(ports: str, protocol: str = "tcp", **sources: Any) -> dict[str, Any]:
    return {"protocol": protocol, "ports": ports, "sources": sources or ANYWHERE}


def wait_for(look: Callable[[], T], good: Callable[[T], bool]) -> T:
    """What `look` sees once it is good."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        seen = look()
        if good(seen):
            return seen
        assert time.monotonic() < deadline, f"still {seen}"
        time.sleep(0.005)
