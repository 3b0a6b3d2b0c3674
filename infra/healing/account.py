"""What healing asks of the cloud itself: what the droplet is like, whether the volume is there, and to switch on.

A question is asked once. Nothing is asked again here where the cloud does not answer: retries are the provider's, and
the healer waits and looks anew.
"""

from __future__ import annotations

__all__ = ["Answer", "CloudAccount"]

import contextlib
import json
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

API = "https://api.digitalocean.com"
DEADLINE_S = 10.0
LIMIT_BYTES = 1 << 20
LOOPBACK = ("127.", "localhost", "::1")


@dataclass(frozen=True)
class Answer:
    """What the cloud said: its status (0 where it did not answer) and its body, or why there is none."""

    status: int
    body: Mapping[str, Any]

    @property
    def droplet(self) -> Mapping[str, Any]:
        """The droplet in the body."""
        return self.body.get("droplet") or {}

    @property
    def said(self) -> str:
        """The error's own words."""
        return str(self.body.get("message", ""))


@dataclass(frozen=True)
class CloudAccount:
    """Where the cloud answers, and the token that opens it."""

    url: str
    token: str = field(repr=False)

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> CloudAccount:
        """Read it as the provider does."""
        token = environment.get("DIGITALOCEAN_TOKEN") or environment.get("DIGITALOCEAN_ACCESS_TOKEN") or ""
        return cls((environment.get("DIGITALOCEAN_API_URL") or API).rstrip("/"), token)

    def droplet(self, id_: str) -> Answer:
        """Ask for a droplet."""
        return self._ask("GET", f"/v2/droplets/{int(id_)}")

    def volume(self, id_: str) -> Answer:
        """Ask for a volume."""
        return self._ask("GET", f"/v2/volumes/{quote(id_, safe='')}")

    def power_on(self, id_: str) -> Answer:
        """Have a droplet switched on; the cloud answers before that is done."""
        return self._ask("POST", f"/v2/droplets/{int(id_)}/actions", {"type": "power_on"})

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Answer:
        parts = urlsplit(self.url)
        local = (parts.hostname or "").startswith(LOOPBACK)
        if parts.scheme != "https" and not (local and parts.scheme == "http"):
            return Answer(0, {"message": f"{self.url} is neither https nor on this machine"})
        opener = urllib.request.build_opener(*([urllib.request.ProxyHandler({})] if local else []))
        request = urllib.request.Request(  # noqa: S310 - the scheme was looked at above
            f"{self.url}{path}",
            method=method,
            data=json.dumps(body).encode() if body is not None else None,
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
        )
        try:
            with opener.open(request, timeout=DEADLINE_S) as answer:
                return Answer(int(answer.status), _body(answer.read(LIMIT_BYTES)))
        except urllib.error.HTTPError as error:
            with contextlib.closing(error):
                return Answer(error.code, _body(error.read(LIMIT_BYTES)))
        except (OSError, ValueError) as error:
            return Answer(0, {"message": f"{type(error).__name__}: {error}"})


def _body(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content or b"{}")
    except ValueError:
        return {"message": "the answer is no JSON"}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}
