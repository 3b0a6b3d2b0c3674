"""SSH public keys: known by number or by the MD5 fingerprint of the key's bytes."""

from __future__ import annotations

__all__ = ["ENDPOINTS", "public_keys"]

import base64
import binascii
import hashlib
from typing import TYPE_CHECKING

from localcloud.digitalocean.calls import Call, Endpoint, Reply, page
from localcloud.digitalocean.errors import ApiError, not_found, unprocessable

if TYPE_CHECKING:
    from localcloud.digitalocean.control import ControlPlane
    from localcloud.digitalocean.store import Document

FIRST_ID = 43_000_001
KEY_TYPES = ("ssh-", "ecdsa-", "sk-")


def fingerprint(public_key: str) -> str:
    """Return the MD5 fingerprint of an OpenSSH public key; 422 when it is none."""
    words = public_key.split()
    try:
        blob = base64.b64decode(words[1], validate=True)
    except (IndexError, binascii.Error):
        blob = b""
    declared = int.from_bytes(blob[:4], "big")
    if not words or not words[0].startswith(KEY_TYPES) or blob[4 : 4 + declared] != words[0].encode():
        raise unprocessable("Key invalid, key should be of the format `type key [comment]`")
    # The API identifies keys by MD5; nothing is secured by it.
    return hashlib.md5(blob, usedforsecurity=False).digest().hex(":")


def find(cloud: ControlPlane, identifier: str) -> Document:
    """Return the key of that number or fingerprint; 404 when there is none."""
    if identifier.isdecimal():
        key = cloud.store.get("ssh_key", identifier)
    else:
        key = next(iter(cloud.store.where("ssh_key", "fingerprint", identifier)), None)
    if key is None:
        raise not_found()
    return key


def public_keys(cloud: ControlPlane, identifiers: list[object]) -> list[str]:
    """Return the public keys that a droplet asks for; 422 when one is unknown."""
    keys: list[str] = []
    for identifier in identifiers:
        try:
            keys.append(find(cloud, str(identifier))["public_key"])
        except ApiError as error:
            raise unprocessable(f"{identifier} are invalid key identifiers for Droplet creation.") from error
    return keys


def index(call: Call) -> Reply:
    """List the keys."""
    return page(call, "ssh_keys", call.cloud.store.all("ssh_key"))


def create(call: Call) -> Reply:
    """Add a key; the same key material twice is refused."""
    public_key = call.body.text("public_key").strip()
    name = call.body.text("name")
    mark = fingerprint(public_key)
    if call.cloud.store.where("ssh_key", "fingerprint", mark):
        raise unprocessable("SSH Key is already in use on your account")
    number = call.cloud.store.next_id("ssh_key", FIRST_ID)
    key = {"id": number, "fingerprint": mark, "public_key": public_key, "name": name}
    return Reply({"ssh_key": call.cloud.store.put("ssh_key", number, key)}, 201)


def show(call: Call) -> Reply:
    """Show a key."""
    return Reply({"ssh_key": find(call.cloud, call.path["identifier"])})


def update(call: Call) -> Reply:
    """Rename a key."""
    key = find(call.cloud, call.path["identifier"])
    key["name"] = call.body.text("name", key["name"])
    return Reply({"ssh_key": call.cloud.store.put("ssh_key", key["id"], key)})


def delete(call: Call) -> Reply:
    """Remove a key; droplets that were made with it keep it."""
    key = find(call.cloud, call.path["identifier"])
    call.cloud.store.remove("ssh_key", key["id"])
    return Reply(status=204)


ENDPOINTS = (
    Endpoint("GET", "/v2/account/keys", index),
    Endpoint("POST", "/v2/account/keys", create),
    Endpoint("GET", "/v2/account/keys/{identifier}", show),
    Endpoint("PUT", "/v2/account/keys/{identifier}", update),
    Endpoint("DELETE", "/v2/account/keys/{identifier}", delete),
)
