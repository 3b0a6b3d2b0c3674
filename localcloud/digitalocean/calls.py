"""What a handler gets and gives: a call, a reply, and the row of the route table that binds them."""

from __future__ import annotations

__all__ = ["Call", "Endpoint", "Reply", "page"]

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from localcloud.digitalocean.errors import ApiError
from localcloud.digitalocean.paging import links, window

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from localcloud.digitalocean.control import ControlPlane
    from localcloud.digitalocean.fields import Fields
    from localcloud.digitalocean.store import Document

MAX_PER_PAGE = 200
DEFAULT_PER_PAGE = 20


@dataclass(frozen=True)
class Call:
    """One authorised request."""

    cloud: ControlPlane
    path: Mapping[str, str]
    query: Fields
    body: Fields
    headers: Mapping[str, str]
    base_url: str
    """Scheme and host as the client wrote them; links in answers start with it."""
    url_path: str
    parameters: tuple[tuple[str, str], ...]
    """The query string as it came, for links that keep the filters."""

    def number(self, name: str) -> int:
        """Return a numeric path parameter, or 404 when it is none."""
        value = self.path[name]
        if not value.isdecimal():
            raise ApiError(404, "The resource you were accessing could not be found.")
        return int(value)


@dataclass(frozen=True)
class Reply:
    """One answer; most without a body are a 204."""

    body: Document | None = None
    status: int = 200


Handler = Callable[[Call], Reply]


@dataclass(frozen=True)
class Endpoint:
    """A row of a noun's route table."""

    method: str
    path: str
    handler: Handler
    atomic: bool = True
    """Run inside one transaction. Off for handlers that work on machines and hold their own, short ones."""
    network: bool = False
    """Addresses or firewalls may have changed: bring the machines' network in line before answering."""


def page(call: Call, key: str, items: Sequence[Any], render: Callable[[Any], Any] = lambda item: item) -> Reply:
    """Answer with the asked-for page of a list, rendering only what is shown."""
    number = max(call.query.integer("page", 1), 1)
    size = min(max(call.query.integer("per_page", DEFAULT_PER_PAGE), 1), MAX_PER_PAGE)
    kept = [(name, value) for name, value in call.parameters if name not in {"page", "per_page"}]

    def url(to: int) -> str:
        return f"{call.base_url}{call.url_path}?{urlencode([('page', to), ('per_page', size), *kept])}"

    shown = [render(item) for item in window(items, number, size)]
    return Reply({key: shown, "links": links(len(items), number, size, url), "meta": {"total": len(items)}})
