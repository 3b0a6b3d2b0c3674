"""Switching the stack's own droplet on, by DigitalOcean's API: by its id, and only if it carries the stack's tag."""

from __future__ import annotations

__all__ = ["power_on"]

import time
from typing import TYPE_CHECKING, Any

from infra.healing.hands import Seen

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from infra.healing.model import Declared

API = "https://api.digitalocean.com"
WITHIN_S = 90.0
POLL_S = 0.5


def power_on(
    declared: Declared, environment: Mapping[str, str], *, sleep: Callable[[float], None] = time.sleep
) -> Seen:
    """Switch the droplet on and wait until the API shows it as active.

    `environment` tells where the API is and which token opens it, as for the provider. Retries of single calls are
    the client's own.
    """
    from azure.core.exceptions import AzureError  # noqa: PLC0415 - loads for a second, and is rarely wanted
    from pydo import Client  # noqa: PLC0415 - as above

    url = (environment.get("DIGITALOCEAN_API_URL") or API).rstrip("/")
    options: dict[str, Any] = {} if url.startswith("https:") else {"enforce_https": False}
    token = environment.get("DIGITALOCEAN_TOKEN") or environment.get("DIGITALOCEAN_ACCESS_TOKEN") or ""
    try:
        with Client(token, endpoint=url) as client:
            return _switched(client, declared, options, sleep)
    except AzureError as error:
        return Seen(succeeded=False, after=f"the API refused: {str(error).splitlines()[0][:300]}")


def _switched(client: Any, declared: Declared, options: dict[str, Any], sleep: Callable[[float], None]) -> Seen:
    machine = int(declared.machine)

    def droplet() -> dict[str, Any]:
        return client.droplets.get(machine, **options).get("droplet", {})

    found = droplet()
    before = f"droplet {machine} is {found.get('status', 'unknown to the account')}"
    if not found:
        return Seen(succeeded=False, refused=before)
    if declared.tag not in found["tags"]:
        return Seen(succeeded=False, before=before, refused=f"droplet {machine} does not carry the tag {declared.tag}")
    if found["status"] == "active":
        return Seen(succeeded=True, before=before, after=before)
    client.droplet_actions.post(machine, {"type": "power_on"}, **options)
    for _ in range(int(WITHIN_S / POLL_S)):
        found = droplet()
        if found["status"] == "active":
            break
        sleep(POLL_S)
    is_on = found["status"] == "active"
    return Seen(succeeded=is_on, before=before, after=f"droplet {machine} is {found['status']}")
