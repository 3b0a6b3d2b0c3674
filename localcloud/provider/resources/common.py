"""What several resources do in the same way: requests from inputs, tags, droplets with pending events."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from localcloud.provider.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from localcloud.provider.session import Session
    from localcloud.provider.values import Properties

_UNPROCESSABLE = 422
_PENDING = "pending event"


def given(inputs: Properties, names: Mapping[str, str]) -> dict[str, Any]:
    """Write the inputs that have a value under the API's names."""
    return {theirs: inputs[ours] for ours, theirs in names.items() if inputs.get(ours) not in (None, "", [])}


def retag(session: Session, kind: str, identity: str, have: Iterable[str], want: Iterable[str]) -> None:
    """Take tags off a resource and put others on; `kind` is the API's word: droplet, volume."""
    old = {tag.lower(): tag for tag in have}
    new = {tag.lower(): tag for tag in want}
    body = {"resources": [{"resource_id": identity, "resource_type": kind}]}
    for tag in sorted(old.keys() - new.keys()):
        session.put("tags.unassign_resources", tag_id=old[tag], body=body)
    for tag in sorted(new.keys() - old.keys()):
        session.put("tags.create", body={"name": new[tag]})
        session.put("tags.assign_resources", tag_id=new[tag], body=body)


def once_idle(session: Session, what: str, act: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Do something to a droplet, waiting while another event of the droplet runs."""

    def attempt() -> dict[str, Any] | None:
        try:
            return act()
        except ApiError as error:
            if error.status == _UNPROCESSABLE and _PENDING in error.reason.lower():
                return None
            raise

    return session.wait(what, attempt)


def link_identity(*parts: object) -> str:
    """Make an identifier for something that the API gives none: its ends, and a part that is never the same twice."""
    return "-".join([*map(str, parts), uuid.uuid4().hex])
