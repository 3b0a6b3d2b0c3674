"""Changes of a droplet in place: size, name, backups, IPv6, tags and volumes.

A droplet does one thing at a time, so each act waits until the droplet is unlocked, is sent, and is waited for. What an
interrupted run has done already shows in the observed state and is not done again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.provider.diffs import changed_names
from localcloud.provider.errors import ProviderError, StillbornError
from localcloud.provider.resources.common import once_idle, retag

if TYPE_CHECKING:
    from localcloud.provider.resources.base import Resource
    from localcloud.provider.session import Session
    from localcloud.provider.values import Properties


def settled(session: Session, number: int, what: str, *statuses: str) -> dict[str, Any]:
    """Wait until the droplet is unlocked and in one of the statuses; any, if none is given."""

    def look() -> dict[str, Any] | None:
        droplet = session.read("droplets.get", droplet_id=number)["droplet"]
        if droplet["locked"]:
            return None
        if statuses == ("active",) and droplet["status"] == "off" and _boot_failed(session, number):
            raise StillbornError(
                f"{what}: its boot failed", hint="look at the cloud's log for the reason, then run the command again"
            )
        return droplet if not statuses or droplet["status"] in statuses else None

    return session.wait(what, look)


def change(session: Session, resource: Resource, identity: str, state: Properties, inputs: Properties) -> None:
    """Bring the droplet from the observed state to the inputs."""
    number, what = int(identity), f"Droplet {state.get('name', '')} ({identity})"
    changed = changed_names(resource, state, inputs)
    if state.get("locked") or state.get("status") == "new":
        settled(session, number, f"{what} is locked")
    if "size" in changed:
        _resize(session, number, what, inputs)
    elif state.get("status") == "off":
        act(session, number, f"{what} powers on", {"type": "power_on"})
    if "name" in changed:
        act(session, number, f"{what} is renamed", {"type": "rename", "name": inputs["name"]})
    if changed & {"backups", "backupPolicy"}:
        act(session, number, f"{what} changes its backups", _backups(state, inputs))
    if "ipv6" in changed:
        act(session, number, f"{what} enables IPv6", {"type": "enable_ipv6"})
    if "privateNetworking" in changed and inputs.get("privateNetworking"):
        act(session, number, f"{what} enables private networking", {"type": "enable_private_networking"})
    if "tags" in changed:
        retag(session, "droplet", identity, state.get("tags") or [], inputs.get("tags") or [])
    if "volumeIds" in changed:
        _move_volumes(session, number, what, state.get("volumeIds") or [], inputs.get("volumeIds") or [])
    settled(session, number, f"{what} is not active yet", "active")


def _backups(state: Properties, inputs: Properties) -> dict[str, Any]:
    policy = {"backup_policy": inputs["backupPolicy"]} if inputs.get("backupPolicy") else {}
    if not inputs.get("backups"):
        return {"type": "disable_backups"}
    return {"type": "change_backup_policy" if state.get("backups") and policy else "enable_backups", **policy}


def _resize(session: Session, number: int, what: str, inputs: Properties) -> None:
    """Power off, resize, power on; a refused resize leaves the droplet running."""
    if session.read("droplets.get", droplet_id=number)["droplet"]["status"] != "off":
        act(session, number, f"{what} powers off", {"type": "power_off"})
    body = {"type": "resize", "size": inputs["size"].lower(), "disk": inputs.get("resizeDisk", True)}
    try:
        act(session, number, f"{what} is resized", body)
    finally:
        act(session, number, f"{what} powers on", {"type": "power_on"})


def _move_volumes(session: Session, number: int, what: str, have: list[str], want: list[str]) -> None:
    moves = [("attach", volume) for volume in want if volume not in have]
    moves += [("detach", volume) for volume in have if volume not in want]
    for kind, volume in moves:
        move(session, number, volume, kind, what)


def move(session: Session, number: int, volume: str, kind: str, what: str) -> None:
    """Attach a volume to a droplet or detach it; that it is so already is as good."""
    body = {"type": kind, "droplet_id": number}

    def act() -> dict[str, Any]:
        return session.post("volume_actions.post_by_id", volume_id=volume, body=body)

    try:
        action = once_idle(session, f"{what} has a pending event", act)["action"]
    except ProviderError:
        holders = (session.find("volumes.get", volume_id=volume) or {}).get("volume", {}).get("droplet_ids") or []
        if (number in holders) != (kind == "attach"):
            raise
        return
    session.finish(action, f"{what}: {kind} of volume {volume}")


def act(session: Session, number: int, what: str, body: dict[str, Any]) -> None:
    """Run a droplet action to its end."""

    def post() -> dict[str, Any]:
        return session.post("droplet_actions.post", droplet_id=number, body=body)

    session.finish(once_idle(session, f"{what}: the droplet has a pending event", post)["action"], what)


def _boot_failed(session: Session, number: int) -> bool:
    actions = session.read("droplet_actions.list", droplet_id=number, per_page=50).get("actions") or []
    return any(action["type"] == "create" and action["status"] == "errored" for action in actions)
